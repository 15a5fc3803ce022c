"""A search with Optuna that survives
==================================

Does anti-transfer help here, and how much of it? A search that answers both.

Timbre of synthetic notes, which mostly goes along with the pitch. The search begins with the plain
network, tries layers, metrics and weights with Optuna, and says what the best of them gains on the
same folds. It maximises the score of the worst group: the notes whose pitch is not the usual one of
their timbre, with which a network that leans on the pitch does badly.

The study is kept in a folder. Interrupted, or killed, it goes on where it was; started twice at
once, the two share the trials.

::

    python examples/search.py
    python examples/search.py --trials 60 --storage sqlite:///studies.db
"""

import argparse
import tempfile

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import LibrosaFeatures, Standardizer
from atl_sklearn.datasets import make_notes
from atl_sklearn.tuning import AntiTransferSearchCV

SMALL = {"module__channels": (8, 12), "module__pool_after": (0,), "max_epochs": 10}


def main():
    """Search as the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--storage", default=None, help="a folder or a database's URL")
    parser.add_argument("--n-jobs", type=int, default=None)
    options = parser.parse_args()

    notes = make_notes(360, correlation=0.8, random_state=0)
    features = make_pipeline(
        LibrosaFeatures(sr=notes.sr, duration=0.25, n_fft=256, n_mels=20, hop_length=128),
        Standardizer(),
    )
    X = features.fit_transform(notes.data)
    counts = np.zeros((notes.timbre.max() + 1, notes.pitch.max() + 1))
    np.add.at(counts, (notes.timbre, notes.pitch), 1)
    usual = counts[notes.timbre, notes.pitch] > counts.mean()

    other = make_notes(240, correlation=0.0, random_state=1)
    pitch = AntiTransferClassifier(**SMALL, random_state=0)
    pitch.fit(features.transform(other.data), other.pitch)

    more = make_notes(250, correlation=0.0, random_state=2)  # without labels

    with tempfile.TemporaryDirectory() as folder:
        search = AntiTransferSearchCV(
            AntiTransferClassifier(unrelated=pitch, **SMALL, random_state=0),
            objective="worst_group",
            cv=StratifiedKFold(3),
            n_trials=options.trials,
            storage=options.storage or folder,
            refit="best",
            n_jobs=options.n_jobs,
            random_state=0,
            progress_bar=True,
        )
        groups = np.where(usual, "usual pitch", "other pitch")
        search.fit(X, notes.timbre, groups=groups, X_unlabeled=features.transform(more.data))

    table = search.cv_results_
    order = (-table["mean_test_score"]).argsort(kind="stable")
    print(f"study {search.study_.study_name}, {len(order)} trials")
    shown = set()
    for row in order:
        if table["state"][row] == "complete" and table["mean_test_score"][row] not in shown:
            shown.add(table["mean_test_score"][row])
            print(f"  {table['mean_test_score'][row]:.3f}  {table['params'][row]}")
    print(f"pruned: {(table['state'] == 'pruned').sum()}")
    print(f"plain network: {search.baseline_score_:.3f}")
    print(f"chosen: {search.best_params_}")
    print(f"its gain over the plain network: {search.gain_}")


if __name__ == "__main__":
    main()

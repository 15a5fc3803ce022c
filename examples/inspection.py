"""All drawings of two networks
============================

All drawings of a plain and an anti-transfer network, in a folder.

::

    python examples/inspection.py               # synthetic notes, nothing to download
    python examples/inspection.py --data fsdd   # real speech (downloads 16 MB once)

The networks are those of quickstart.py: in the training clips the nuisance (the pitch, the
speaker) gives the target (the timbre, the digit) away, in the test clips it does not.
"""

import argparse
import os

import matplotlib.pyplot as plt
from quickstart import load_fsdd, load_notes
from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import Standardizer
from atl_sklearn.inspection import (
    ComparisonDisplay,
    EmbeddingDisplay,
    GroupConfusionDisplay,
    LayerSimilarityDisplay,
    ProbeDisplay,
    SpectrogramDisplay,
    TradeOffDisplay,
    TrainingDisplay,
    confounding_report,
    invariance_report,
)


def draw(task, folder, max_epochs):
    """Fit both networks, print the report, and save a figure of each display."""
    front = make_pipeline(task.features, Standardizer()).fit(task.train.audio)
    X_unrelated, X_train, X_unlabeled, X = (
        front.transform(clips.audio)
        for clips in (task.unrelated, task.train, task.unlabeled, task.test)
    )
    settings = {"random_state": 0, "max_epochs": max_epochs}
    unrelated = AntiTransferClassifier(**settings).fit(X_unrelated, task.unrelated.nuisance)
    print(
        confounding_report(
            task.train.target, task.train.nuisance, X=X_train, unrelated=unrelated,
            X_unlabeled=X_unlabeled,
        )
    )  # fmt: skip
    nets = {
        "plain": AntiTransferClassifier(**settings),
        "anti-transfer": AntiTransferClassifier(unrelated=unrelated, **settings),
    }
    for name, net in nets.items():
        unlabeled = X_unlabeled if name == "anti-transfer" else None
        net.fit(X_train, task.train.target, X_unlabeled=unlabeled)
    target, nuisance = task.test.target, task.test.nuisance
    report = invariance_report(nets, X, target, nuisance, X_train=X_train)
    print(report)

    os.makedirs(folder, exist_ok=True)
    hop = task.features.hop_length or task.features.n_fft // 4
    axes = {"sr": task.features.sr, "hop_length": hop, "fmin": 0.0, "fmax": task.features.sr / 2}
    displays = {
        "training": TrainingDisplay.from_estimator(nets),
        "probes": ProbeDisplay.from_report(report),
        "trade_off": TradeOffDisplay.from_report(report),
        "comparison": ComparisonDisplay.from_report(report),
    }
    for name, net in nets.items():
        displays[f"confusion_{name}"] = GroupConfusionDisplay.from_report(report, estimator=name)
        displays[f"embedding_{name}"] = EmbeddingDisplay.from_estimator(net, X, target, nuisance)
        displays[f"layers_{name}"] = LayerSimilarityDisplay.from_estimator(
            net, X, unrelated=unrelated
        )
        displays[f"spectrogram_{name}"] = SpectrogramDisplay.from_estimator(
            net, X, target, label=target[0], method="occlusion", **axes
        )
    figures = {name: display.plot().figure_ for name, display in displays.items()}
    figures["report"] = report.plot()[0].figure
    for name, figure in figures.items():
        figure.savefig(os.path.join(folder, f"{name}.png"), dpi=150)
        plt.close(figure)
    print(f"{len(figures)} figures: {folder}")


def main():
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--data", choices=["notes", "fsdd"], default="notes")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--folder", default=None, help="inspection_DATA beside this file")
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    folder = options.folder or os.path.join(here, f"inspection_{options.data}")
    draw(load_fsdd() if options.data == "fsdd" else load_notes(), folder, options.epochs)


if __name__ == "__main__":
    main()

"""
Confounded data, with and without further clips
===============================================

The more the nuisance gives the target away in the training data, the worse an ordinary network
does on data in which it does not. How much do you get back, with further data that nobody has
labeled, and without?
"""

# %%
# Data
# ----
# Each "clip" has ten numbers. The speaker is easy to hear in two of them, the word harder in two
# others. ``agreement`` is the share of clips whose word is the one that the speaker mostly says.

import numpy as np


def make_clips(n, agreement, seed):
    """Return clips, their words and their speakers."""
    rng = np.random.default_rng(seed)
    speaker = rng.integers(2, size=n)
    word = np.where(rng.random(n) < agreement, speaker, 1 - speaker)
    X = rng.normal(size=(n, 10))
    X[:, :2] += 3 * np.eye(2)[speaker]
    X[:, 2:4] += 2 * np.eye(2)[word]
    return X.astype("float32"), word, speaker


X_test, word_test, _ = make_clips(1000, 0.5, seed=1)
X_more, _, _ = make_clips(250, 0.5, seed=2)  # without labels

# %%
# Before any training
# -------------------
# The report needs the labels alone. It says how much of the word the speaker explains, and what
# to do.

from atl_sklearn.inspection import confounding_report

X, word, speaker = make_clips(300, 0.96, seed=0)
confounding_report(word, speaker, X_unlabeled=X_more)

# %%
# Four ways
# ---------
# The plain network; a penalty alone, on the training clips; the defaults, which take the product of
# experts there, with a small penalty; and the defaults with the clips without labels.

import warnings

from sklearn.exceptions import ConvergenceWarning

from atl_sklearn import AntiTransferClassifier

warnings.simplefilter("ignore", ConvergenceWarning)  # some of these learn one class alone

knows_speaker = AntiTransferClassifier(random_state=0)
ways = {
    "plain": {},
    "penalty alone, training clips": {"unrelated": knows_speaker, "weight": 1},
    "defaults, training clips": {"unrelated": knows_speaker},
    "defaults, unlabeled clips": {"unrelated": knows_speaker},
}
agreements = [0.5, 0.8, 0.9, 0.96]
scores = {name: [] for name in ways}
for agreement in agreements:
    X, word, speaker = make_clips(300, agreement, seed=0)
    for name, settings in ways.items():
        net = AntiTransferClassifier(**settings, random_state=0)
        given = {"y_unrelated": speaker} if settings else {}
        if "unlabeled" in name:
            given["X_unlabeled"] = X_more
        scores[name].append(net.fit(X, word, **given).score(X_test, word_test))

# %%
# What is left
# ------------

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for (name, found), marker in zip(scores.items(), "osv^", strict=True):
    ax.plot(agreements, found, marker=marker, label=name)
ax.axhline(0.5, color="k", linestyle=":", linewidth=1)
ax.set(xlabel="share of clips in which the speaker gives the word away", ylabel="accuracy")
_ = ax.legend()

# %%
# At 0.5 there is nothing to avoid. One seed of a toy: :doc:`/evidence/index` has intervals, on
# real data.

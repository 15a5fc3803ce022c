"""
Two nuisances at once
=====================

The speaker and the room both give the word away. ``unrelated`` takes a list, ``y_unrelated`` a
column for each, and ``weight`` may be a list too.
"""

# %%
# Words, speakers, rooms
# ----------------------

import numpy as np

from atl_sklearn import AntiTransferClassifier


def make_clips(n, agreement, seed):
    """Return clips, their words, and a column each for speakers and rooms."""
    rng = np.random.default_rng(seed)
    word = rng.integers(2, size=n)
    speaker, room = (np.where(rng.random(n) < agreement, word, 1 - word) for _ in range(2))
    X = rng.normal(size=(n, 12))
    X[:, :2] += 3 * np.eye(2)[speaker]
    X[:, 2:4] += 3 * np.eye(2)[room]
    X[:, 4:6] += 2 * np.eye(2)[word]
    return X.astype("float32"), word, np.column_stack([speaker, room])


X, word, nuisances = make_clips(300, 0.9, seed=0)
X_test, word_test, nuisances_test = make_clips(1000, 0.5, seed=1)
X_more, _, _ = make_clips(250, 0.5, seed=2)

# %%
# None, one, or both
# ------------------

one = AntiTransferClassifier(max_epochs=15, random_state=0)
plain = AntiTransferClassifier(random_state=0).fit(X, word)
networks = {"plain": plain}
for name, unrelated, columns in (
    ("without the speaker", one, 0),
    ("without the room", one, 1),
    ("without both", [one, one], [0, 1]),
):
    net = AntiTransferClassifier(unrelated=unrelated, random_state=0)
    networks[name] = net.fit(X, word, y_unrelated=nuisances[:, columns], X_unlabeled=X_more)

# %%
# Each task is avoided, and reported, by itself:

networks["without both"].summary_

# %%
# What a probe still reads
# ------------------------

import matplotlib.pyplot as plt

from atl_sklearn.inspection import probe_score

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
measures = {
    "word: accuracy": lambda net: net.score(X_test, word_test),
    "speaker: probe": lambda net: probe_score(net, X_test, nuisances_test[:, 0]),
    "room: probe": lambda net: probe_score(net, X_test, nuisances_test[:, 1]),
}
for place, (name, net) in enumerate(networks.items()):
    values = [measure(net) for measure in measures.values()]
    ax.bar([i + 0.2 * place for i in range(3)], values, width=0.18, label=name)
ax.axhline(0.5, color="k", linestyle=":", linewidth=1)
ax.set_xticks([0.3, 1.3, 2.3], measures)
ax.set(ylim=(0.4, 1.25), yticks=[0.5, 0.75, 1])
_ = ax.legend(ncols=2, loc="upper center")

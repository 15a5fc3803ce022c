"""
Long recordings
===============

A recording of some seconds has one label, and a network takes half a second. Windows are cut,
trained on, and put together again when a recording is predicted.
"""

# %%
# Melodies
# --------
# Each recording holds eight notes of one instrument. Each instrument mostly plays its own
# pitches.

import numpy as np

from atl_sklearn.datasets import make_notes


def make_melodies(n, correlation, seed):
    """Return recordings of eight notes, and what plays them."""
    rng = np.random.default_rng(seed)
    notes = make_notes(64 * 4, duration=0.25, correlation=correlation, random_state=seed)
    instrument = rng.integers(4, size=n)
    chosen = [rng.choice(np.flatnonzero(notes.timbre == i), 8) for i in instrument]
    return [np.concatenate(notes.data[some]) for some in chosen], instrument


melodies, instrument = make_melodies(32, 0.8, seed=0)
melodies_test, instrument_test = make_melodies(24, 0.8, seed=1)

# %%
# Windows within, recordings outside
# ----------------------------------
# The samples of a ``SegmentAggregator`` are recordings, so a cross-validation never has windows
# of one recording on both sides.

from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import AudioSegmenter, LibrosaFeatures, SegmentAggregator

windows = make_pipeline(
    LibrosaFeatures("log_mel", sr=8000, duration=0.5, n_fft=256, hop_length=128, n_mels=20),
    AntiTransferClassifier(
        module="convnet", module__channels=(8, 16), module__pool_after=(0,), batch_size=16,
        random_state=0,
    ),
)  # fmt: skip
model = SegmentAggregator(windows, AudioSegmenter(0.5, hop=0.25, sr=8000), aggregate="mean")
model.fit(melodies, instrument)
print(f"recordings: {model.score(melodies_test, instrument_test):.2f}")

# %%
# What is heard where
# -------------------
# Under the spectrogram of one recording: the probability of each class in each window.

from atl_sklearn.inspection import WindowsDisplay

display = WindowsDisplay.from_estimator(model, melodies_test[0])
_ = display.plot()

"""The windows of recordings, predicted one by one and drawn."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline

from atl_sklearn.audio import (
    AudioSegmenter,
    LibrosaFeatures,
    RecordingWindows,
    SegmentAggregator,
)
from atl_sklearn.inspection import WindowsDisplay
from atl_sklearn.inspection._displays._style import overlapping_labels

T = np.arange(16000) / 8000
RECORDINGS = [np.sin(2 * np.pi * f * T).astype("float32") for f in (300, 310, 900, 910)]
LABELS = ["low", "low", "high", "high"]


def fitted(model, y, **settings):
    features = LibrosaFeatures(sr=8000, duration=0.5, n_mels=20, flatten=True)
    pipeline = make_pipeline(features, model)
    return SegmentAggregator(pipeline, AudioSegmenter(0.5, sr=8000), **settings).fit(RECORDINGS, y)


@pytest.fixture(scope="module")
def model():
    return fitted(LogisticRegression(), LABELS)


def test_windows_have_times_and_make_up_the_recording(model):
    windows = model.predict_windows(RECORDINGS[1:3])
    assert [w.recording for w in windows] == [0, 1]
    segments = model.segmenter_.transform(RECORDINGS[1:3])
    assert windows[1].start.tolist() == [s.start for s in segments if s.recording == 1]
    assert windows[0].end[-1] == pytest.approx(2)
    assert set(windows[0].predictions) == {"low"} and set(windows[1].predictions) == {"high"}
    together = np.stack([w.probabilities.mean(axis=0) for w in windows])
    np.testing.assert_allclose(together, model.predict_proba(RECORDINGS[1:3]), atol=1e-5)
    frame = windows[0].to_frame()
    assert frame.columns.tolist() == ["recording", "start", "end", "prediction", "high", "low"]
    assert len(frame) == len(windows[0].start)


def test_a_recording_is_read_from_the_folder_of_the_segmenter(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    for i, recording in enumerate(RECORDINGS):
        soundfile.write(tmp_path / f"{i}.wav", recording, 8000)
    names = [f"{i}.wav" for i in range(4)]
    features = LibrosaFeatures(sr=8000, duration=0.5, n_mels=20, flatten=True)
    pipeline = make_pipeline(features, LogisticRegression())
    model = SegmentAggregator(pipeline, AudioSegmenter(0.5, root=tmp_path)).fit(names, LABELS)
    display = WindowsDisplay.from_estimator(model, "2.wav")
    np.testing.assert_allclose(display.waveform, RECORDINGS[2], atol=1e-4)
    (expected,) = model.predict_windows(["2.wav"])
    np.testing.assert_array_equal(display.values, expected.probabilities)


def test_classes_that_are_called_like_columns_leave_these_alone():
    classes = ["start", "end", "class start", "recording", "prediction", "go"]
    windows = RecordingWindows(
        recording=3,
        start=np.array([0.0, 0.5]),
        duration=np.array([0.5, 0.5]),
        predictions=np.array(["go", "end"]),
        probabilities=np.arange(12).reshape(2, 6) / 100,
        classes=np.array(classes),
    )
    frame = windows.to_frame()
    own = ["class class start", "class end", "class start"]
    assert frame.columns.tolist() == [
        *("recording", "start", "end", "prediction"),
        *own, "class recording", "class prediction", "go",
    ]  # fmt: skip
    assert frame[["recording", "start", "end", "prediction"]].to_numpy().tolist() == [
        [3, 0.0, 0.5, "go"],
        [3, 0.5, 1.0, "end"],
    ]
    assert frame.iloc[1, 4:].tolist() == windows.probabilities[1].tolist()
    shown = WindowsDisplay(
        np.zeros(8000), 8000, start=windows.start, duration=windows.duration,
        values=windows.probabilities, classes=classes,
    ).frame()  # fmt: skip
    assert shown.columns.tolist() == ["start", "end", *own, "recording", "prediction", "go"]
    assert shown.end.tolist() == [0.5, 1.0]
    assert shown.iloc[1, 2:].tolist() == windows.probabilities[1].tolist()


def test_values_and_classifiers_without_probabilities():
    (found,) = fitted(Ridge(), [0.0, 0.0, 1.0, 1.0]).predict_windows(RECORDINGS[:1])
    assert found.classes is None and found.probabilities is None
    assert np.all(np.abs(found.predictions) < 0.5)
    votes = fitted(RidgeClassifier(), LABELS, aggregate="vote")
    assert votes.predict_windows(RECORDINGS[:1])[0].probabilities is None
    display = WindowsDisplay.from_estimator(votes, RECORDINGS[0])
    assert set(np.unique(display.values)) == {0.0, 1.0}


def test_a_recording_is_drawn_over_its_windows(model, monkeypatch, tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "low.wav", RECORDINGS[0], 8000)
    for recording in (RECORDINGS[0], str(tmp_path / "low.wav")):
        display = WindowsDisplay.from_estimator(model, recording).plot()
        assert display.sr == 8000 and len(display.waveform) == 16000
        assert overlapping_labels(display.figure_) == []
        drawn = display.ax_[1].collections[0].get_array()
        (expected,) = model.predict_windows(RECORDINGS[:1])
        np.testing.assert_allclose(drawn, expected.probabilities.T, atol=1e-3)
        assert display.ax_[1].get_xlabel() == "time (s)"
        assert len(display.frame()) == len(expected.start)
    plt.close("all")
    with pytest.raises(TypeError, match="takes a SegmentAggregator"):
        WindowsDisplay.from_estimator(Ridge(), RECORDINGS[0])
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"WindowsDisplay.plot needs matplotlib"):
        display.plot()

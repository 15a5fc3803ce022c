"""Kinds of audio that users pass."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from atl_sklearn.audio import BadAudioError, Segment
from atl_sklearn.audio._clips import as_clips

PATHS = ["a.wav", "b.wav", "c.wav"]
STRING_TYPES = [np.dtypes.StringDType] if hasattr(np.dtypes, "StringDType") else []  # of NumPy 2


@pytest.mark.parametrize(
    "X",
    [
        PATHS,
        tuple(PATHS),
        [Path(path) for path in PATHS],
        np.array(PATHS),
        np.array(PATHS, dtype=object),
        np.array([Path(path) for path in PATHS]),
        np.array(PATHS).reshape(-1, 1),
        *[np.array(PATHS, dtype=kind()) for kind in STRING_TYPES],
        pd.Series(PATHS, index=[7, 3, 5]),
        pd.Series(PATHS, dtype=object),
        pd.Series(PATHS, dtype="string"),
        pd.DataFrame({"path": PATHS}),
    ],
    ids=lambda X: f"{type(X).__name__}-{getattr(X, 'dtype', '')}",
)
def test_many_kinds_of_paths(X):
    assert [clip.path for clip in as_clips(X)] == PATHS


@pytest.mark.parametrize("X", ["a.wav", Path("a.wav")])
def test_one_path_is_one_clip(X):
    assert [clip.path for clip in as_clips(X)] == ["a.wav"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_waveforms_become_float32(dtype):
    X = np.linspace(-1, 1, 12).reshape(3, 4).astype(dtype)
    for form in (X, list(X), tuple(X), pd.DataFrame(X), X.tolist(), X.astype(object)):
        waves = [clip.source for clip in as_clips(form)]
        assert [wave.dtype for wave in waves] == [np.float32] * 3
        np.testing.assert_array_equal(np.concatenate(waves), X.astype(np.float32))


def test_waveforms_of_several_lengths():
    X = [np.zeros(3), np.ones(5)]
    ragged = np.empty(2, dtype=object)
    ragged[:] = X
    for form in (X, ragged, pd.Series(X)):
        assert [clip.source.shape for clip in as_clips(form)] == [(1, 3), (1, 5)]


def test_waveforms_with_channels_and_rates():
    stereo = np.arange(8.0).reshape(2, 4)
    pairs = [(np.ones(3), 8000), (stereo, 44100.0), [[0.0, 1.0], np.int64(16000)]]
    as_objects = pd.Series(pairs, index=[4, 5, 6])
    for form in (pairs, tuple(pairs), as_objects):
        clips = as_clips(form)
        assert [clip.rate for clip in clips] == [8000, 44100, 16000]
        assert [clip.source.shape for clip in clips] == [(1, 3), (2, 4), (1, 2)]
    for form in ([stereo, stereo], np.stack([stereo, stereo])):
        clips = as_clips(form)
        assert [clip.rate for clip in clips] == [None, None]
        np.testing.assert_array_equal(clips[1].source, stereo)


def test_waveforms_with_an_axis_for_their_one_band():
    X = np.arange(24.0).reshape(3, 2, 1, 4)
    for clip, wave in zip(as_clips(X), X[:, :, 0], strict=True):
        np.testing.assert_array_equal(clip.source, wave)
    with pytest.raises(ValueError, match=r"\(n_samples, n_channels, 1, n_times\). .* \(3, 1, 2, 4"):
        as_clips(X.swapaxes(1, 2))
    with pytest.raises(ValueError, match=r"with 0 sample\(s\)"):
        as_clips(X[:0])


@pytest.mark.parametrize("rate", [0, -8000, np.nan, np.inf, "8000", None, True])
def test_rates_that_are_none(rate):
    with pytest.raises(BadAudioError, match=r"X\[0\]: its rate is .*, not a number above 0"):
        as_clips([(np.ones(3), rate)])


def test_segments_of_bad_samples_are_named():
    segments = [Segment(np.array([[0.0, np.nan]]), start=i / 8) for i in range(2)]
    with pytest.raises(BadAudioError, match=r"2 of 3.*\n  X\[0\]: it is NaN at sample 1"):
        as_clips([*segments, Segment(np.zeros((1, 3)))])


def test_segments_pass():
    segment = Segment("a.wav", start=1.0, duration=2.0)
    assert as_clips([segment, "b.wav"])[0] is segment
    assert as_clips(segment) == [segment]
    assert as_clips(np.array([segment, segment], dtype=object)) == [segment, segment]


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (np.zeros(0), "it has no samples"),
        (np.array([0.0, np.nan]), "it is NaN at sample 1"),
        (np.array([0.0, 0.0, -np.inf]), "it is infinite at sample 2"),
        (np.array([0.0, 1e300]), r"its samples reach 1e\+300; scale them"),
        (
            np.zeros(4, np.int16),
            "it has dtype int16, not floating-point; scale=32768, .*'dtype'",
        ),
        (np.zeros(4, bool), "it has dtype bool"),
        (np.zeros(4, complex), "it has dtype complex128"),
        (np.zeros((4, 2)), r"it has shape \(4, 2\), which is more channels than .* transpose"),
        (np.zeros((2, 2, 2)), r"it has shape \(2, 2, 2\), not \(n_times,\) or"),
        (np.zeros((2, 0)), "it has no samples"),
        (np.nan, "it is nan, neither a path nor a waveform"),
        (None, "it is None, neither a path nor a waveform"),
        (b"a.wav", "it is the content of a file of 5 bytes, which are too few.* os.fsdecode"),
        ([[1.0], [1.0, 2.0]], "it cannot be converted to an array"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_bad_waveforms_are_named(wave, reason):
    with pytest.raises(BadAudioError, match=rf"1 of 2 clips cannot be used:\n  X\[1\]: {reason}"):
        as_clips([np.zeros(4), wave])


def test_at_most_twenty_bad_clips_are_shown_and_all_listed():
    with pytest.raises(BadAudioError, match="25 of 26 clips cannot be used") as caught:
        as_clips([np.zeros(3), *[np.zeros(0)] * 25])
    message = str(caught.value)
    assert "X[20]" in message
    assert "X[21]" not in message
    assert "and 5 more." in message
    assert caught.value.indices == list(range(1, 26))


@pytest.mark.parametrize("X", [None, 3, {"a": 1}, {"a.wav"}, iter(PATHS), b"a.wav"])
def test_other_types_are_refused(X):
    with pytest.raises(TypeError, match=f"must be paths.*or waveforms.*Got {type(X).__name__}"):
        as_clips(X)


@pytest.mark.parametrize("X", [np.zeros(5), [0.0, 1.0], np.zeros((2, 3, 4, 5)), np.array(1.0)])
def test_arrays_of_other_shapes_are_refused(X):
    with pytest.raises(ValueError, match="Reshape your data"):
        as_clips(X)


def test_sparse_and_complex_are_refused():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        as_clips(csr_array(np.ones((2, 3))))
    with pytest.raises(ValueError, match="Complex data not supported"):
        as_clips(np.ones((2, 3), complex))


@pytest.mark.parametrize("X", [[], (), np.zeros((0, 4)), np.array([], dtype=str)])
def test_nothing_is_refused(X):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        as_clips(X)
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        as_clips(np.zeros((3, 0)))

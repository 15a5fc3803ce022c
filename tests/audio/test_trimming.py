"""What is cut off at the ends of clips, by energy or by a detector of speech."""

import librosa
import numpy as np
import pytest

from atl_sklearn.audio import BadAudioError, LibrosaFeatures
from atl_sklearn.audio._trimming import trim

SR = 8000


@pytest.fixture(scope="module")
def speech():
    """A second of noise, one and a half of a loud tone, and half of noise."""
    noise = np.random.default_rng(0).normal(0, 0.01, 3 * SR)
    noise[SR : 5 * SR // 2] += 0.5 * np.sin(np.arange(3 * SR // 2) / 3)
    return noise.astype(np.float32)


@pytest.mark.parametrize("gain", [1.0, 1e-3])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_what_is_no_louder_than_the_noise_is_cut_off(speech, gain, n_channels):
    wave = np.tile(gain * speech, (n_channels, 1)).astype(np.float32)
    kept = trim(wave, SR, "energy")
    start = int(np.argmax(wave[0] == kept[0, 0]))
    assert start == pytest.approx(SR, abs=0.04 * SR)
    assert start + kept.shape[1] == pytest.approx(2.5 * SR, abs=0.04 * SR)
    np.testing.assert_array_equal(kept, wave[:, start : start + kept.shape[1]])


def test_nothing_is_cut_where_all_is_alike(speech):
    for wave in (speech[:SR], speech[SR : 2 * SR], speech[SR : SR + 200], np.zeros(SR, np.float32)):
        np.testing.assert_array_equal(trim(wave[None], SR, "energy"), wave[None])


def test_clicks_do_not_count_as_noise(speech):
    wave = speech.copy()
    wave[SR // 2] = 1.0  # it is loud, and kept
    assert trim(wave[None], SR, "energy").shape[1] > 1.9 * SR


def test_detectors(speech):
    def half(y, sr):
        assert y.shape == speech.shape
        assert sr == SR
        return [[sr, 3 * sr // 2], [2 * sr, 5 * sr // 2]]

    features = LibrosaFeatures("waveform", sr=SR, duration=1.5, trim_silence=half)
    found = features.fit_transform([speech]).ravel()
    np.testing.assert_array_equal(found, speech[SR : 5 * SR // 2])
    features.set_params(trim_silence=librosa.effects.split)
    whole, _ = librosa.effects.trim(speech, top_db=60)
    np.testing.assert_array_equal(features.transform([speech]).ravel(), whole[: 3 * SR // 2])
    with pytest.raises(BadAudioError, match=r"trim_silence=<function .*> leaves nothing of it"):
        features.set_params(trim_silence=lambda y, sr: []).transform([speech])
    with pytest.raises(
        ValueError, match=r"'trim_silence' parameter must return .* It returned True"
    ):
        features.set_params(trim_silence=lambda y, sr: True).transform([speech])


def test_other_detectors_are_other_features(speech, tmp_path):
    features = LibrosaFeatures("waveform", sr=SR, duration=0.5, memory=tmp_path)
    for start in (0, 100, 200):
        features.set_params(trim_silence=lambda y, sr, start=start: [[start, len(y)]])
        for _ in range(2):
            found = features.fit_transform([speech]).ravel()
            np.testing.assert_array_equal(found, speech[start:][: SR // 2])
    assert features.cache_info().n_entries == 3


@pytest.mark.parametrize("kind", [int, float, np.int64, np.float32])
def test_levels_of_any_type(speech, kind):
    expected, _ = librosa.effects.trim(speech, top_db=20)
    np.testing.assert_array_equal(trim(speech[None], SR, kind(20))[0], expected)


@pytest.mark.parametrize("value", [-1, "voice", [30], True])
def test_bad_values(value, speech):
    with pytest.raises(ValueError, match=r"'trim_silence' parameter .* 'energy', a callable, or N"):
        LibrosaFeatures(trim_silence=value).fit([speech])

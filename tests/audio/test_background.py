"""Recorded noise behind training clips, and clips played faster or slower."""

import numpy as np
import pytest
import soundfile
from sklearn.base import clone

from atl_sklearn.audio import AddBackground, BadAudioError, LibrosaFeatures, RandomSpeed

SR = 8000


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(0, 0.1, (12, 1, 400)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    for i, rate in enumerate((SR, 16000, SR)):
        path = tmp_path / "noise" / f"{i % 2}" / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.sin(np.arange((i + 1) * 300) / (i + 2)), rate)
    (tmp_path / "noise" / ".hidden").write_text("no audio")
    return tmp_path / "noise"


def test_noise_of_a_folder_at_a_level(X, folder):
    behind = AddBackground(folder, (5, 6), sr=SR, random_state=0)
    added = behind.fit_transform(X) - X
    levels = 10 * np.log10(np.mean(X**2, axis=(1, 2)) / np.mean(added**2, axis=(1, 2)))
    assert levels.min() > 4.99
    assert levels.max() < 6.01
    assert len(np.unique(added.round(3), axis=0)) == len(X)
    np.testing.assert_array_equal(behind.transform(X), X)
    np.testing.assert_array_equal(clone(behind).fit_transform(X) - X, added)
    other = clone(behind).set_params(random_state=1).fit_transform(X)
    assert not np.array_equal(other - X, added)


def test_noise_is_resampled_and_repeated(X):
    tone = (0.1 * np.sin(np.arange(200) * 2 * np.pi / 20), 4000)  # 200 Hz, ten whole periods
    added = AddBackground([tone], 0.0, sr=SR, random_state=0).fit_transform(X[:1]) - X[:1]
    spectrum = np.abs(np.fft.rfft(added[0, 0]))
    assert np.argmax(spectrum) == 200 * 400 // SR


def test_clips_of_another_rate_are_refused(X, folder):
    pairs = [(wave[0], 16000) for wave in X]
    with pytest.raises(
        ValueError, match=r"'sr' parameter .* Got 8000, and clips of \[16000.0\] Hz"
    ):
        AddBackground(folder, sr=SR).fit(pairs)
    assert len(AddBackground(folder, sr=16000).fit_transform(pairs)) == len(X)


def test_bad_sounds_are_named(X, folder, tmp_path):
    (folder / "z.wav").write_text("no audio at all, but text")
    with pytest.raises(BadAudioError, match=r"Of the 'sounds' 1 of 4 clips .*\n  X\[3\] .*z.wav"):
        AddBackground(folder, sr=SR, random_state=0).fit_transform(X)
    (tmp_path / "empty").mkdir()
    for sounds in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="'sounds' parameter of AddBackground must be rec"):
            AddBackground(sounds).fit(X)
    with pytest.raises(ValueError, match="'sr' parameter"):
        AddBackground(folder, sr=0).fit(X)
    with pytest.raises(ValueError, match="'snr' parameter"):
        AddBackground(folder, snr="loud").fit(X)


def test_silent_places_of_recordings_are_passed_over(X):
    sound = np.r_[np.zeros(3000), np.ones(600)]
    for sounds in ([sound], [np.zeros(500), sound]):
        behind = AddBackground(sounds, 10.0, sr=SR, random_state=0)
        levels = np.mean((behind.fit_transform(X) - X) ** 2, (1, 2)) / np.mean(X**2, (1, 2))
        np.testing.assert_allclose(levels, 0.1, rtol=1e-4)
    with pytest.raises(
        ValueError, match=r"'sounds' .* at 100 places .* of 2 recordings all samples"
    ):
        AddBackground([np.zeros(500), np.zeros(9000)], sr=SR).fit_transform(X)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_speed_moves_all_frequencies(factor):
    wave = np.sin(np.arange(SR) * 2 * np.pi * 500 / SR).astype(np.float32)
    X = np.stack([wave, -wave])[None]
    found = RandomSpeed(factor, random_state=0).fit_transform(X)
    assert found.shape == X.shape
    assert found.dtype == X.dtype
    n_sound = min(SR, round(SR / factor))
    spectrum = np.abs(np.fft.rfft(found[0, 0, :n_sound]))
    assert np.argmax(spectrum) == pytest.approx(500 * factor * n_sound / SR, abs=1)
    np.testing.assert_array_equal(found[..., n_sound + 1 :], 0)
    np.testing.assert_array_equal(found[0, 1], -found[0, 0])


def test_speed_is_drawn_for_each_clip(X):
    speed = RandomSpeed(random_state=0)
    found = speed.fit_transform(X)
    assert all(not np.array_equal(a, b) for a, b in zip(found, X, strict=True))
    np.testing.assert_array_equal(speed.transform(X), X)
    np.testing.assert_array_equal(clone(speed).fit_transform(X), found)
    waves = [X[0, 0], X[1, 0, :300]]
    assert [len(wave) for wave in speed.fit_transform(waves)] == [400, 300]
    assert len(LibrosaFeatures("waveform", sr=SR).fit_transform(found[:, 0])) == 12


@pytest.mark.parametrize("factor", [0, 0.01, 11, (1.1, 0.9), (1, 2, 3), "fast", np.nan])
def test_bad_factors(factor, X):
    with pytest.raises(
        ValueError, match=r"'factor' parameter of RandomSpeed must be .*\[0.1, 10\]"
    ):
        RandomSpeed(factor).fit(X)

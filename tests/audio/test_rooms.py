"""Rooms that clips sound in, and voices that are higher or lower."""

import numpy as np
import pytest
import soundfile

from atl_sklearn.audio import AddReverberation, BadAudioError, LibrosaFeatures, RandomPitch

SR = 8000


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(0, 0.1, (6, 2, 2000)).astype(np.float32)


@pytest.mark.parametrize("transformer", [AddReverberation(sr=SR), RandomPitch()])
def test_active_in_training_only(transformer, X):
    original = X.copy()
    transformer.set_params(random_state=0)
    Xt = transformer.fit_transform(X)
    assert Xt.shape == X.shape
    assert Xt.dtype == X.dtype
    assert (Xt != X).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(X, original)
    np.testing.assert_array_equal(transformer.transform(X), X)
    np.testing.assert_array_equal(transformer.fit_transform(X), Xt)
    # By streams of its own, as the estimators ask for it.
    found = [transformer.augment_clip(X[0], np.random.default_rng(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("seconds", [0.2, 0.5])
def test_a_room_that_is_made_decays_as_asked_for(seconds):
    clicks = np.zeros((40, SR))
    clicks[:, 100] = 1
    heard = AddReverberation(duration=seconds, direct=6.0, sr=SR, random_state=0)
    power = np.mean(heard.fit_transform(clicks) ** 2, axis=0)
    assert power[:100].max() < 1e-20
    assert np.argmax(power) == 100
    assert power[100] / power[101:].sum() == pytest.approx(10**0.6, rel=0.05)
    # The level of the tail falls by 60 dB in the time.
    n_tail = round(seconds * SR)
    first, last = (power[101 + at : 101 + at + n_tail // 10].mean() for at in (0, n_tail // 2))
    assert 10 * np.log10(first / last) == pytest.approx(30, abs=1.5)
    np.testing.assert_allclose((heard.fit_transform(clicks) ** 2).mean(axis=1), 1 / SR)


def test_recorded_responses_are_convolved_with(X, tmp_path):
    response = np.zeros(300, np.float32)
    response[[40, 90, 200]] = 0.8, -0.4, 0.2  # silence before the direct sound is left out
    soundfile.write(tmp_path / "room.wav", response, SR, subtype="FLOAT")
    for responses in (tmp_path, [response], [(response, SR)]):
        found = AddReverberation(responses, sr=SR, random_state=0).fit_transform(X)
        expected = np.stack([np.convolve(x, response[40:])[:2000] for x in X.reshape(-1, 2000)])
        expected = expected.reshape(X.shape)
        ratio = np.sqrt(np.mean(X**2, (1, 2)) / np.mean(expected**2, (1, 2)))
        np.testing.assert_allclose(found, expected * ratio[:, None, None], atol=1e-5)
    slow = AddReverberation([(response, SR // 2)], sr=SR, random_state=0).fit_transform(X[:, :1])
    lag = [np.mean(slow[:, 0, 100:] * X[:, 0, 100 - at : 2000 - at]) for at in range(101)]
    assert np.argmin(lag) == 100  # 50 samples at half the rate


def test_clips_of_another_rate_are_refused(X):
    pairs = [(wave, 16000) for wave in X]
    room = AddReverberation(sr=SR, random_state=0)
    for method in (room.fit, room.fit_transform):
        with pytest.raises(
            ValueError, match=r"'sr' .* AddReverberation .* Got 8000, and clips of \[16000.0\] Hz"
        ):
            method(pairs)
    found = room.set_params(sr=16000).fit_transform(pairs)
    assert [rate for _, rate in found] == [16000] * len(X)


def test_bad_responses_are_named(X, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), SR)
    soundfile.write(tmp_path / "b.wav", np.ones(100), SR)
    (tmp_path / "c.wav").write_text("no audio")
    with pytest.raises(
        BadAudioError, match=r"(?s)Of the 'responses' 2 of 3 .*X\[0\] .*silent.*X\[2\] .*c.wav"
    ):
        AddReverberation(tmp_path, sr=SR).fit(X)


def test_silence_stays_silent():
    silence = np.zeros((2, 1000), np.float32)
    for transformer in (AddReverberation(sr=SR), RandomPitch()):
        np.testing.assert_array_equal(transformer.fit_transform(silence), silence)


@pytest.mark.parametrize("semitones", [-12.0, -3.0, 4.0])
@pytest.mark.parametrize("n_times", [1000, SR])
def test_pitch_moves_and_length_stays(semitones, n_times):
    wave = np.sin(np.arange(n_times) * 2 * np.pi * 500 / SR).astype(np.float32)
    found = RandomPitch(semitones, random_state=0).fit_transform(wave[None])[0]
    spectrum = np.abs(np.fft.rfft(found * np.hanning(n_times), 8 * SR))
    assert np.argmax(spectrum) / 8 == pytest.approx(500 * 2 ** (semitones / 12), rel=0.01)


def test_short_clips_have_a_pitch_too():
    for n_times in (16, 50, 300):
        found = RandomPitch(2.0, random_state=0).fit_transform(np.ones((1, n_times), np.float32))
        assert found.shape == (1, n_times)


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (AddReverberation(duration=0), r"'duration' parameter .* in \[0.01, 10\].* Got 0"),
        (AddReverberation(duration=(1, 0.5)), "'duration' parameter"),
        (AddReverberation(direct="loud"), "'direct' parameter"),
        (AddReverberation(sr=0), "'sr' parameter"),
        (AddReverberation("nowhere"), "'responses' parameter .* a folder that holds some"),
        (RandomPitch(30), r"'semitones' parameter .* \[-24, 24\].* Got 30"),
        (RandomPitch((2, -2)), "'semitones' parameter"),
    ],
)
def test_bad_parameters(transformer, message, X):
    with pytest.raises(ValueError, match=message):
        transformer.fit(X)


def test_in_features_of_files(tmp_path, X):
    soundfile.write(tmp_path / "a.wav", X[0].T, SR)
    waves = LibrosaFeatures("waveform", sr=SR, duration=0.25).fit_transform([tmp_path / "a.wav"])
    assert AddReverberation(sr=SR, random_state=0).fit_transform(waves).shape == waves.shape

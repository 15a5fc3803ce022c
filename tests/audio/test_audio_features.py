"""The registry of features against librosa on single clips, and decibels."""

from functools import partial

import librosa
import numpy as np
import pytest

from atl_sklearn.audio import LibrosaFeatures, get_feature, get_feature_names
from atl_sklearn.audio._decibels import to_decibels
from atl_sklearn.audio._tonal import estimate_tuning

SR = 16000
N_FFT, HOP = 512, 128
STFT = {"n_fft": N_FFT, "hop_length": HOP}


def make_clips(n_times, n_clips=5):
    """Notes out of tune in noise, of very different loudness."""
    rng = np.random.default_rng(n_times)
    t = np.arange(n_times) / SR
    pitches = 440 * 2 ** rng.uniform(-2, 2, (n_clips, 3, 1))
    notes = np.sin(2 * np.pi * pitches * t).sum(axis=1) / 6
    notes += 0.02 * rng.normal(size=notes.shape)
    return (notes * np.array([1, 1e-3, 0.3, 0.1, 1e-5])[:n_clips, np.newaxis]).astype(np.float32)


def librosa_mel(y, **options):
    return librosa.feature.melspectrogram(y=y, sr=SR, n_mels=40, **STFT, **options)


def librosa_mfcc(y, n_deltas=0):
    static = librosa.feature.mfcc(y=y, sr=SR, n_mfcc=13, n_mels=40, **STFT)
    deltas = [librosa.feature.delta(static, order=order + 1) for order in range(n_deltas)]
    return np.concatenate([static, *deltas])


# What librosa gives for one clip, in the way its users call it.
SINGLE = {
    "waveform": lambda y: y[np.newaxis],
    "stft": lambda y: np.abs(librosa.stft(y, **STFT)),
    "power_law": lambda y: np.abs(librosa.stft(y, **STFT)) ** (2 / 3),
    "mel": librosa_mel,
    "log_mel": lambda y: librosa.power_to_db(librosa_mel(y), ref=np.max, top_db=60),
    "mfcc": librosa_mfcc,
    "pcen": lambda y: librosa.pcen(librosa_mel(y, power=1) * 2**31, sr=SR, hop_length=HOP),
    "cqt": lambda y: np.abs(librosa.cqt(y, sr=SR, hop_length=HOP)),
    "chroma": lambda y: librosa.feature.chroma_stft(y=y, sr=SR, **STFT),
    "spectral_contrast": lambda y: librosa.feature.spectral_contrast(y=y, sr=SR, **STFT),
    "tonnetz": lambda y: librosa.feature.tonnetz(y=y, sr=SR, hop_length=HOP),
}


def deviation(found, expected):
    """Largest deviation, relative to the largest value of the clip."""
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


# cqt halves the rate octave by octave, until clips are shorter than its windows
@pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal:UserWarning")
@pytest.mark.parametrize("n_times", [8000, 8001, 7919])
@pytest.mark.parametrize("name", get_feature_names())
def test_batches_equal_librosa_on_single_clips(name, n_times):
    clips = make_clips(n_times)
    settings = LibrosaFeatures(
        name, sr=SR, duration=n_times / SR, n_fft=N_FFT, hop_length=HOP, n_mels=40, n_mfcc=13
    )
    found = settings.fit_transform(clips)
    assert found.dtype == np.float32
    assert found.shape == (len(clips), *settings.output_shape_)
    worst = max(deviation(f, SINGLE[name](y)) for f, y in zip(found, clips, strict=True))
    assert worst <= 1e-5


def test_every_feature_is_compared():
    assert sorted(SINGLE) == get_feature_names()


@pytest.mark.parametrize("n_fft", [300, 301, 2048])
def test_other_lengths_of_the_transform(n_fft):
    clips = make_clips(8001, 2)
    options = {"n_fft": n_fft, "hop_length": 101, "win_length": n_fft - 7}
    parameters = {**options, "sr": SR, "duration": 8001 / SR}
    for name, single in {
        "chroma": partial(librosa.feature.chroma_stft, sr=SR, **options),
        "spectral_contrast": partial(librosa.feature.spectral_contrast, sr=SR, **options),
        "mel": partial(librosa.feature.melspectrogram, sr=SR, n_mels=64, **options),
        "stft": lambda y: np.abs(librosa.stft(y, **options)),
    }.items():
        found = LibrosaFeatures(name, **parameters).fit_transform(clips)
        for features, clip in zip(found, clips, strict=True):
            assert deviation(features, single(y=clip)) <= 1e-5


@pytest.mark.parametrize("n_deltas", [1, 2])
def test_deltas_follow_the_coefficients(n_deltas):
    clips = make_clips(8001, 2)
    settings = LibrosaFeatures(
        "mfcc", duration=8001 / SR, n_mels=40, n_mfcc=13, n_deltas=n_deltas, **STFT
    )
    for found, clip in zip(settings.fit_transform(clips), clips, strict=True):
        assert deviation(found, librosa_mfcc(clip, n_deltas)) <= 1e-5


@pytest.mark.parametrize(
    ("name", "options", "single"),
    [
        ("mel", {"power": 1.0, "htk": True}, partial(librosa_mel, power=1.0, htk=True)),
        (
            "mfcc",
            {"lifter": 22, "norm": None, "htk": True},
            lambda y: librosa.feature.mfcc(
                y=y, sr=SR, n_mfcc=13, n_mels=40, lifter=22, norm=None, htk=True, **STFT
            ),
        ),
        (
            "pcen",
            {"gain": 0.5, "power": 0.3},
            lambda y: librosa.pcen(
                librosa_mel(y, power=1) * 2**31, sr=SR, hop_length=HOP, gain=0.5, power=0.3
            ),
        ),
        (
            "cqt",
            {"n_bins": 30, "fmin": 110.0, "tuning": None},
            lambda y: np.abs(
                librosa.cqt(y, sr=SR, hop_length=HOP, n_bins=30, fmin=110.0, tuning=None)
            ),
        ),
        (
            "chroma",
            {"tuning": 0.25, "n_chroma": 24},
            lambda y: librosa.feature.chroma_stft(y=y, sr=SR, tuning=0.25, n_chroma=24, **STFT),
        ),
        (
            "spectral_contrast",
            {"n_bands": 4, "linear": True},
            lambda y: librosa.feature.spectral_contrast(y=y, sr=SR, n_bands=4, linear=True, **STFT),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parameters_are_passed_on(name, options, single):
    clips = make_clips(8001, 3)
    settings = LibrosaFeatures(
        name, duration=8001 / SR, n_mels=40, n_mfcc=13, feature_params={name: options}, **STFT
    )
    for found, clip in zip(settings.fit_transform(clips), clips, strict=True):
        assert deviation(found, single(y=clip)) <= 1e-5


@pytest.mark.parametrize("bins_per_octave", [12, 36])
@pytest.mark.parametrize("n_fft", [512, 2048])
def test_tunings_are_librosas(n_fft, bins_per_octave):
    clips = make_clips(9000, 5)
    spectra = np.abs(librosa.stft(clips, n_fft=n_fft))
    found = estimate_tuning(spectra, SR, bins_per_octave)
    expected = [
        librosa.estimate_tuning(S=spectrum, sr=SR, n_fft=n_fft, bins_per_octave=bins_per_octave)
        for spectrum in spectra
    ]
    np.testing.assert_array_equal(found, expected)
    assert len(set(found)) > 2
    np.testing.assert_array_equal(estimate_tuning(0 * spectra, SR, 12), 0)


# as above; and those of silence
@pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal:UserWarning")
@pytest.mark.parametrize("name", get_feature_names())
def test_silence_is_finite(name):
    settings = LibrosaFeatures(name, duration=0.5, allow_silence=True)
    assert np.isfinite(settings.fit_transform(np.zeros((2, 8000)))).all()


def test_a_callable_is_given_clips_one_by_one():
    compute = get_feature(partial(librosa.feature.rms, hop_length=100))
    clips = make_clips(8000, 2)
    found = compute(clips, LibrosaFeatures())
    assert found.shape == (2, 1, 81)
    np.testing.assert_array_equal(found[1], librosa.feature.rms(y=clips[1], hop_length=100))


@pytest.mark.parametrize("name", ["mfccs", None, 3, ["log_mel"]])
def test_unknown_names_list_the_known(name):
    with pytest.raises(
        ValueError, match=r"must be a callable, one of \['chroma', 'cqt', 'log_mel'"
    ):
        get_feature(name)


@pytest.mark.parametrize("top_db", [60.0, 20, 0, None])
@pytest.mark.parametrize("ref", ["max", 1.0, 0.25, 10])
def test_decibels_are_librosas_for_each_clip(ref, top_db):
    power = np.random.default_rng(0).exponential(1, (4, 6, 7)).astype(np.float32) ** 8
    power[1] *= 1e-6
    power[2] = 0
    level = to_decibels(power, ref=ref, top_db=top_db)
    assert level.dtype == np.float32
    for i, clip in enumerate(power):
        reference = np.max if ref == "max" else ref
        expected = librosa.power_to_db(clip, ref=reference, top_db=top_db)
        np.testing.assert_allclose(level[i], expected, rtol=1e-5, atol=1e-5)

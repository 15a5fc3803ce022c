"""Changes of training clips."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from atl_sklearn.audio import (
    AddNoise,
    BadAudioError,
    LibrosaFeatures,
    RandomGain,
    RandomShift,
    Segment,
    Standardizer,
    TimeFrequencyMask,
)

ALL = [AddNoise, RandomGain, RandomShift, TimeFrequencyMask]
EXPECTED_FAILED_CHECKS = {
    "check_transformer_general": "fit_transform changes clips, transform does not",
    "check_transformer_data_not_an_array": "fit_transform changes clips, transform does not",
}


@parametrize_with_checks(
    [AddNoise(random_state=0), RandomGain(random_state=0), RandomShift(0.5, random_state=0)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS,
)
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(0, 0.1, (30, 2, 12, 40)).astype(np.float32)


@pytest.mark.parametrize("augmentation", ALL)
def test_active_in_training_only(augmentation, X):
    original = X.copy()
    transformer = augmentation(random_state=0)
    Xt = transformer.fit_transform(X)
    assert Xt.shape == X.shape
    assert Xt.dtype == X.dtype
    assert np.mean((Xt != X).any(axis=(1, 2, 3))) > 0.7
    np.testing.assert_array_equal(X, original)
    np.testing.assert_array_equal(transformer.transform(X), X)
    np.testing.assert_array_equal(augmentation(random_state=0).fit(X).transform(X), X)
    np.testing.assert_array_equal(augmentation(random_state=0).fit_transform(X), Xt)
    assert not np.array_equal(augmentation(random_state=1).fit_transform(X), Xt)
    half = augmentation(random_state=0, probability=0.5).fit_transform(X)
    assert 0.1 < np.mean((half != X).any(axis=(1, 2, 3))) < 0.8
    np.testing.assert_array_equal(augmentation(probability=0).fit_transform(X), X)


class Remembers(ClassifierMixin, BaseEstimator):
    """Keeps what it is given."""

    def fit(self, X, y):
        self.classes_, self.trained_on_ = np.unique(y), X
        return self

    def predict(self, X):
        self.predicted_ = X
        return np.repeat(self.classes_[0], len(X))


def test_in_a_pipeline_from_waveforms():
    waves = [np.random.default_rng(i).normal(0, 0.1, 3000 + i) for i in range(6)]
    features = LibrosaFeatures(sr=8000, duration=0.3, n_fft=256, n_mels=8, ref=1.0)
    steps = [AddNoise(random_state=0), RandomGain(random_state=0), features]
    pipe = make_pipeline(*steps, Standardizer(), TimeFrequencyMask(random_state=0), Remembers())
    pipe.fit(waves, [0, 1] * 3)
    clean = make_pipeline(features, Standardizer()).fit_transform(waves)
    standardized = pipe[3].inverse_transform(pipe[-1].trained_on_)
    assert not np.allclose(standardized, features.transform(waves), atol=1)
    pipe.predict(waves)
    raw = pipe[3].inverse_transform(pipe[-1].predicted_)
    np.testing.assert_allclose(raw, features.transform(waves), atol=1e-3)
    assert clean.shape == raw.shape


@pytest.mark.parametrize("n_channels", [1, 2])
def test_in_a_pipeline_of_several_channels(n_channels):
    waves = np.random.default_rng(0).normal(0, 0.1, (6, n_channels, 2400)).astype(np.float32)
    settings = {"sr": 8000, "duration": 0.3, "n_channels": n_channels}
    read = LibrosaFeatures("waveform", **settings)
    features = LibrosaFeatures(**settings, n_fft=256, n_mels=8, ref=1.0)
    pipe = make_pipeline(read, AddNoise(random_state=0), features, Remembers())
    pipe.fit(waves, [0, 1] * 3).predict(waves)
    assert pipe[-1].trained_on_.shape == (6, n_channels, 8, 38)
    np.testing.assert_array_equal(pipe[-1].predicted_, features.fit_transform(waves))
    noisy = AddNoise(random_state=0).fit_transform(read.fit_transform(waves))
    np.testing.assert_array_equal(pipe[-1].trained_on_, features.transform(noisy[:, :, 0]))


@pytest.mark.parametrize("color", ["white", "pink"])
def test_noise_has_the_ratio_and_color_asked_for(color):
    X = np.sin(np.arange(5 * 8000) / 9).reshape(5, -1)
    noise = AddNoise(12.0, color=color, random_state=0).fit_transform(X) - X
    ratios = 10 * np.log10((X**2).mean(axis=1) / (noise**2).mean(axis=1))
    np.testing.assert_allclose(ratios, 12)
    power = (np.abs(np.fft.rfft(noise)) ** 2).mean(axis=0)
    octaves = [power[2**k : 2 ** (k + 1)].sum() for k in (8, 9, 10)]
    expected = 1 if color == "pink" else 2
    np.testing.assert_allclose(np.divide(octaves[1:], octaves[:-1]), expected, rtol=0.25)
    drawn = AddNoise((5, 6), random_state=0).fit_transform(X) - X
    ratios = 10 * np.log10((X**2).mean(axis=1) / (drawn**2).mean(axis=1))
    assert 5 <= ratios.min() < ratios.max() <= 6


def test_gains_are_in_range():
    gains = RandomGain((-3, 9), random_state=0).fit_transform(np.ones((200, 3)))
    levels = 20 * np.log10(gains[:, 0])
    np.testing.assert_array_equal(gains, gains[:, :1] * np.ones(3))
    assert -3 <= levels.min() < -2
    assert 8 < levels.max() <= 9


@pytest.mark.parametrize("axis", ["time", "bands"])
@pytest.mark.parametrize("fill", ["zeros", "wrap", "edge"])
def test_shifts(fill, axis):
    X = np.tile(np.arange(1.0, 11.0), (100, 1))
    shift = RandomShift(0.3, fill=fill, axis=axis, random_state=0)
    if axis == "time":
        Xt = shift.fit_transform(X)
    else:
        Xt = shift.fit_transform(np.repeat(X[:, :, None], 3, axis=2))
        assert (Xt == Xt[:, :, :1]).all()
        Xt = Xt[:, :, 0]
    found = set()
    for row in Xt:
        shift = next(s for s in range(-3, 4) if row[4] == 5 - s)
        expected = np.roll(X[0], shift)
        if fill == "zeros":
            expected[(np.arange(10) - shift < 0) | (np.arange(10) - shift > 9)] = 0
        elif fill == "edge":
            expected = X[0][np.clip(np.arange(10) - shift, 0, 9)]
        np.testing.assert_array_equal(row, expected)
        found.add(shift)
    assert found == set(range(-3, 4))


def test_masks_are_rectangles(X):
    masked = TimeFrequencyMask(max_bands=0.5, max_frames=0.25, fill=7.0, random_state=0)
    heights, widths = set(), set()
    for clip in masked.fit_transform(X) == 7:
        bands, frames = clip.all(axis=(0, 2)), clip.all(axis=(0, 1))
        np.testing.assert_array_equal(clip[0], bands[:, np.newaxis] | frames)
        assert np.abs(np.diff(bands.astype(int))).sum() <= 2
        heights.add(bands.sum())
        widths.add(frames.sum())
    assert max(heights) == 6
    assert max(widths) <= 10
    assert len(widths) > 5
    for fill, expected in (("mean", X[0].mean()), ("min", X[0].min())):
        Xt = TimeFrequencyMask(fill=fill, random_state=3, n_frames=2).fit_transform(X)
        assert np.isin(Xt[0], X[0]).mean() < 1 or fill == "min"
        np.testing.assert_allclose(Xt[0][Xt[0] != X[0]], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (AddNoise(probability=1.1), r"'probability' parameter of AddNoise .* \[0, 1\]"),
        (AddNoise((20, 10)), r"'snr' parameter .* a pair \(lowest, highest\), in dB. Got"),
        (AddNoise(color="brown"), "'color' parameter"),
        (AddNoise(random_state="x"), "'random_state' parameter of AddNoise .* Got 'x'"),
        (RandomShift(random_state=-1), r"int in \[0, 4294967295\].* Got -1 instead"),
        (AddNoise(-1e4), r"'snr' parameter .* a float in \[-200, 200\], .* Got -10000.0"),
        (RandomGain((1e4, 1e4)), r"'gain' parameter .* \[-200, 200\], .* Got \(10000.0"),
        (RandomGain((0, 10**400)), "'gain' parameter"),
        (TimeFrequencyMask(n_frames=10**9), r"'n_frames' .* an int in \[0, 1000\]"),
        (TimeFrequencyMask(fill=1e300), r"'fill' .* 3.4e\+38\], as X is float32. Got 1e\+300"),
        (RandomGain("6"), "'gain' parameter"),
        (RandomShift(-0.1), "'max_shift' parameter"),
        (RandomShift(fill="mean"), "'fill' parameter"),
        (RandomShift(axis="frequency"), "'axis' parameter"),
        (TimeFrequencyMask(n_bands=-1), "'n_bands' parameter"),
        (TimeFrequencyMask(max_frames=3), "'max_frames' parameter"),
        (TimeFrequencyMask(fill="max"), "'fill' parameter .* 'mean', 'min' or a float"),
    ],
)
def test_bad_parameters(transformer, message, X):
    for method in (transformer.fit, transformer.fit_transform):
        with pytest.raises(ValueError, match=message):
            method(X)


def test_waveforms_have_no_bands():
    with pytest.raises(ValueError, match=r"axis='bands' expects clips .* Put LibrosaFeatures"):
        RandomShift(axis="bands").fit_transform(np.ones((2, 100)))


@pytest.mark.parametrize("snr", [-200.0, 200.0])
def test_extreme_noise_is_finite(snr):
    X = np.random.default_rng(0).normal(0, 0.1, (2, 500)).astype(np.float32)
    noise = AddNoise(snr, random_state=0).fit_transform(X) - X.astype(np.float64)
    assert np.isfinite(noise).all()
    if snr < 0:
        ratios = 10 * np.log10(np.mean(X**2, axis=1) / np.mean(noise**2, axis=1))
        np.testing.assert_allclose(ratios, snr, atol=1e-3)


def test_the_ratio_does_not_depend_on_the_scale():
    X = np.random.default_rng(0).normal(size=(2, 500))
    expected = AddNoise(10.0, random_state=0).fit_transform(X)
    for scale in (1e-200, 1e200):
        found = AddNoise(10.0, random_state=0).fit_transform(X * scale)
        np.testing.assert_allclose(found / scale, expected, rtol=1e-9)


@pytest.mark.parametrize("transformer", [AddNoise(-100.0), RandomGain(100.0)])
def test_what_becomes_infinite_is_named(transformer):
    X = np.ones((3, 50), np.float32)
    X[1] = 1e38
    name = type(transformer).__name__
    with pytest.raises(ValueError, match=rf"{name} makes X\[1\] infinite: .* 1e\+38. Scale X"):
        transformer.fit_transform(X)


def test_waveforms_with_rates_keep_them():
    rng = np.random.default_rng(0)
    waves = [rng.normal(0, 0.1, 400), rng.normal(0, 0.1, (2, 400)), rng.normal(0, 0.1, 300)]
    X = [(waves[0], 8000), [waves[1], 16000.0], waves[2]]
    gain = RandomGain(20.0)
    Xt = gain.fit_transform(X)
    for wave, (changed, rate), expected in zip(waves[:2], Xt[:2], (8000, 16000), strict=True):
        np.testing.assert_allclose(changed, 10 * wave, rtol=1e-6)
        assert rate == expected
    np.testing.assert_allclose(Xt[2], 10 * waves[2], rtol=1e-6)
    np.testing.assert_allclose(gain.transform(X)[1][0], waves[1], rtol=1e-6)
    same = [(wave, 8000) for wave in waves[:1] * 3]  # of one shape, too
    features = LibrosaFeatures("waveform", sr=16000, duration=0.05, n_channels=None)
    pipe = make_pipeline(RandomGain(20.0), features)
    assert pipe.fit_transform(same).shape == (3, 1, 800)
    with pytest.raises(BadAudioError, match=r"X\[0\]: its rate is -1, not a number above 0"):
        AddNoise().fit([(waves[0], -1), (waves[0], 8000)])


def test_waveforms_with_rates_in_other_forms():
    waves = np.random.default_rng(0).normal(0, 0.1, (3, 2, 400)).astype(np.float32)
    as_scipy = [(8000, wave.T) for wave in waves]
    as_dataset = [{"array": wave, "sampling_rate": 8000, "path": "a.wav"} for wave in waves]
    pairs = [(wave, 8000) for wave in waves]
    gain = RandomGain(20.0)
    for X in (as_scipy, tuple(as_dataset), pd.Series(as_dataset), [*as_scipy[:2], pairs[2]]):
        for found, factor in ((gain.fit_transform(X), 10), (gain.transform(X), 1)):
            for (changed, rate), wave in zip(found, waves, strict=True):
                assert rate == 8000
                np.testing.assert_allclose(changed, factor * wave, rtol=1e-6)
    mono = [[(8000, wave[0])] for wave in waves] + [[{**as_dataset[0], "array": waves[0, 0]}]]
    assert [gain.fit_transform(X)[0][0].shape for X in mono] == [(400,)] * 4
    features = LibrosaFeatures("waveform", sr=8000, duration=0.05, n_channels=2)
    found = make_pipeline(gain, features).fit_transform(as_scipy)
    np.testing.assert_allclose(found[:, :, 0], 10 * waves, rtol=1e-6)
    for item in ({"path": "a.wav"}, {"array": None, "sampling_rate": 8000, "path": "a.wav"}):
        with pytest.raises(TypeError, match="AddNoise needs samples or features, not files"):
            AddNoise().fit([as_dataset[0], item])


@pytest.mark.parametrize("dtype", ["int16", "uint8", "int32"])
def test_integers_are_refused(dtype):
    top = {"int16": 2**15 - 1, "uint8": 255, "int32": 2**31 - 1}[dtype]
    waves = np.linspace(0, top, 600).reshape(3, 200).astype(dtype)
    unequal = [waves[0].astype(np.float64), waves[1], waves[2, :150]]
    forms = [
        (waves, "X", [0, 1, 2]),
        (pd.DataFrame(waves), "X", [0, 1, 2]),
        (list(waves), r"X\[0\]", [0, 1, 2]),
        ([wave.astype(np.float32) for wave in waves[:2]] + [waves[2]], r"X\[2\]", [2]),
        (unequal, r"X\[1\]", [1, 2]),
        ([(wave, 8000) for wave in waves], r"X\[0\]", [0, 1, 2]),
        ([(8000, wave) for wave in waves], r"X\[0\]", [0, 1, 2]),
    ]
    noise = AddNoise(random_state=0)
    for X, where, indices in forms:
        noise.fit(np.ones((1, 200)))
        for method in (noise.fit, noise.fit_transform, noise.transform):
            with pytest.raises(
                BadAudioError, match=rf"Got dtype {dtype} in {where} instead, .*scale='dtype' for"
            ) as caught:
                method(X)
            assert caught.value.indices == indices
    read = LibrosaFeatures("waveform", sr=8000, duration=0.02, scale="dtype")
    assert make_pipeline(read, noise).fit_transform(unequal).shape == (3, 1, 160)


def test_small_integers_that_are_no_samples_are_numbers():
    found = RandomGain(20.0).fit_transform([[1, -2, 3], [4, 5, 6]])
    np.testing.assert_allclose(found, [[10, -20, 30], [40, 50, 60]])


def test_decoders_of_files_are_refused():
    class Decoder:
        def get_all_samples(self):
            raise AssertionError("never read")

    with pytest.raises(TypeError, match="AddNoise needs samples or features, not files"):
        AddNoise().fit([Decoder(), Decoder()])


@pytest.mark.parametrize(
    "paths",
    [
        ["a.wav", "b.wav"],
        np.array(["a.wav"]),
        [np.ones(3), "a.wav"],
        pd.Series(["a.wav", "b.wav"]),
        [Path("a.wav")],
        np.array([Segment("a.wav"), Segment(np.ones(3))], dtype=object),
    ],
    ids=["list", "array", "mixed", "series", "path", "segments"],
)
def test_paths_are_refused(paths):
    with pytest.raises(TypeError, match=r"AddNoise needs samples .*\(feature='waveform'\)"):
        AddNoise().fit_transform(paths)


def test_waveforms_in_a_series():
    waves = [np.ones(3), np.ones(4)]
    for wave, found in zip(waves, RandomGain(0.0).fit_transform(pd.Series(waves)), strict=True):
        np.testing.assert_array_equal(found, wave)


def test_masks_need_spectrograms():
    with pytest.raises(ValueError, match=r"expects X of shape .* Got waveforms instead"):
        TimeFrequencyMask().fit([np.ones(5), np.ones(6)])

"""LibrosaFeatures as a transformer."""

import pickle
from functools import partial

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from joblib import parallel_config
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from atl_sklearn.audio import (
    BadAudioError,
    BadAudioWarning,
    LibrosaFeatures,
    Standardizer,
    _batches,
)

SR = 8000

EXPECTED_FAILED_CHECKS = {
    "check_n_features_in": "clips may have any length, so there is no n_features_in_",
    "check_n_features_in_after_fitting": "clips may have any length",
    "check_estimators_dtypes": "integers have no agreed scale as audio, so they are refused",
    "check_methods_sample_order_invariance": "equal to float32 rounding, not to 1e-7",
}


SMALL = {"n_fft": 64, "duration": 0.01, "sr": SR, "n_mels": 4}


@parametrize_with_checks(
    [
        LibrosaFeatures(**SMALL),
        LibrosaFeatures(**SMALL, flatten=True),
        LibrosaFeatures("waveform", **SMALL, flatten=True, crop="random", random_state=0),
    ],
    expected_failed_checks=lambda estimator: {
        name: reason
        for name, reason in EXPECTED_FAILED_CHECKS.items()
        # samples are not rounded
        if estimator.feature != "waveform" or name != "check_methods_sample_order_invariance"
    },
)
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture
def features():
    return LibrosaFeatures(sr=SR, duration=0.3, n_fft=256, win_length=200, hop_length=96, n_mels=20)


@pytest.fixture(scope="module")
def waves():
    """Clips of many lengths, more than a batch."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 4001, 61)
    return [rng.normal(0, rng.uniform(0.001, 0.3), length) for length in lengths]


@pytest.fixture(scope="module")
def paths(waves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audio")
    names = [str(folder / f"{i}.wav") for i in range(len(waves))]
    for name, wave in zip(names, waves, strict=True):
        soundfile.write(name, wave, SR, subtype="FLOAT")
    return names


def librosa_mel(wave, settings):
    """What librosa gives for one clip."""
    wave = librosa.util.fix_length(
        wave.astype(np.float32), size=round(settings.duration * settings.sr)
    )
    return librosa.feature.melspectrogram(
        y=wave,
        sr=settings.sr,
        n_fft=settings.n_fft,
        win_length=settings.win_length,
        hop_length=settings.hop_length or (settings.win_length or settings.n_fft) // 4,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=settings.fmax,
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"duration": 0.1001},
        {"duration": 0.333, "hop_length": 97, "fmin": 50.0, "fmax": 3000.0},
        {"win_length": None, "hop_length": None, "n_fft": 300, "n_mels": 13},
    ],
)
def test_equal_to_librosa_clip_by_clip(features, waves, parameters):
    features.set_params(**parameters)
    mel = features.set_params(feature="mel").fit_transform(waves)
    log_mel = features.set_params(feature="log_mel").fit_transform(waves)
    assert mel.dtype == log_mel.dtype == np.float32
    assert mel.shape == log_mel.shape == (len(waves), *features.output_shape_)
    for i, wave in enumerate(waves):
        expected = librosa_mel(wave, features)
        np.testing.assert_allclose(mel[i], expected, rtol=1e-5, atol=1e-5 * expected.max())
        level = librosa.power_to_db(expected, ref=np.max, top_db=60)
        np.testing.assert_allclose(log_mel[i], level, rtol=1e-5, atol=1e-3)


def test_paths_and_waveforms_agree(features, waves, paths):
    expected = features.fit_transform(waves)
    for X in (paths, np.array(paths), pd.Series(paths)):
        np.testing.assert_allclose(features.fit_transform(X), expected, atol=1e-3)


def test_setup_of_the_experiments():
    shapes = {
        duration: LibrosaFeatures(
            sr=8000, n_fft=256, win_length=200, hop_length=96, n_mels=40, duration=duration
        )
        .fit(np.zeros((1, 4)))
        .output_shape_
        for duration in (0.563, 0.564, 0.57, 0.575, 0.576)
    }
    assert shapes == {
        0.563: (40, 47),
        0.564: (40, 48),
        0.57: (40, 48),
        0.575: (40, 48),
        0.576: (40, 49),
    }


def test_threads_and_batches_change_nothing(features, paths, monkeypatch):
    expected = features.fit_transform(paths)
    # How a product of matrices is rounded may depend on how many clips there are.
    in_threads = clone(features).set_params(n_jobs=2).transform(paths)
    np.testing.assert_allclose(in_threads, expected, rtol=1e-5, atol=1e-4)
    monkeypatch.setattr(_batches, "_BATCH_SAMPLES", 1)
    np.testing.assert_allclose(features.transform(paths), expected, rtol=1e-5, atol=1e-4)


def test_loudness_only_matters_with_a_fixed_reference(features, waves):
    soft = [0.1 * wave for wave in waves]
    features.set_params(ref=1.0, top_db=30)
    loud_level, soft_level = features.fit_transform(waves), features.fit_transform(soft)
    np.testing.assert_allclose(loud_level - soft_level, 20, atol=1e-3)
    features.set_params(ref="max")
    np.testing.assert_allclose(
        features.fit_transform(waves), features.fit_transform(soft), atol=1e-3
    )


def test_silence_is_finite_and_does_not_warn(features):
    features.set_params(allow_silence=True)
    X = np.zeros((2, 100))
    X[1] = 1e-12
    for feature in ("mel", "log_mel"):
        for ref in ("max", 1.0):
            assert np.isfinite(features.set_params(feature=feature, ref=ref).fit_transform(X)).all()


def test_floor_is_exact(features, waves):
    Xt = features.fit_transform(waves)
    assert Xt.max() == 0
    assert Xt.min() == -60
    assert features.set_params(top_db=None).fit_transform(waves).min() < -60


def test_a_callable_gets_clip_by_clip(features, waves):
    mfcc = partial(librosa.feature.mfcc, n_mfcc=5, n_mels=40, n_fft=512)
    features.set_params(feature=mfcc)
    Xt = features.fit_transform(waves[:3])
    assert features.output_shape_ == Xt.shape[1:]
    clip = librosa.util.fix_length(waves[1], size=2400).astype(np.float32)
    np.testing.assert_allclose(Xt[1], mfcc(y=clip, sr=SR), rtol=1e-6)


def test_features_that_are_not_finite_name_the_clip(features):
    features.set_params(feature=lambda y, sr: np.where(y[:4] == 0, np.inf, y[:4]).reshape(2, 2))
    features.fit(np.ones((2, 10)))
    with pytest.raises(BadAudioError, match=r"X\[1\]: its features are not finite"):
        features.transform(np.array([[1.0] * 4, [1.0, 0.0, 1.0, 1.0]]))


def test_bad_files_are_all_named_with_their_reasons(features, paths, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    X = [*paths[:55], str(text), *paths[55:], str(tmp_path / "missing.wav")]
    with pytest.raises(BadAudioError) as caught:
        features.fit(X).transform(X)
    message = str(caught.value)
    assert message.startswith("2 of 63 clips cannot be used:")
    assert f"X[55] ({text}): it is damaged, or not audio" in message
    assert f"X[62] ({tmp_path / 'missing.wav'}): it does not exist" in message
    assert caught.value.indices == [55, 62]
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == message
    assert again.indices == [55, 62]


def test_fit_reads_no_file(features):
    features.fit(["missing.wav"])
    with pytest.raises(BadAudioError, match="it does not exist"):
        features.transform(["missing.wav"])


def test_bad_clips_may_become_silence(features, waves, paths, tmp_path):
    X = [*paths[:3], "missing.wav", *paths[3:60], np.array([0.5, np.nan])]
    features.set_params(on_error="warn", feature="stft")
    with pytest.warns(BadAudioWarning, match=r"2 of 62 .* by silence:\n  X\[3\] \(missing.wav\)"):
        Xt = features.fit_transform(X)
    assert not Xt[3].any()
    np.testing.assert_allclose(Xt[4:61], features.transform(paths[3:60]), rtol=1e-4, atol=1e-5)
    assert features.bad_files_ == []  # of the last call
    with pytest.warns(BadAudioWarning):
        features.transform(X)
    assert [bad.position for bad in features.bad_files_] == [3, 61]
    assert features.bad_files_[0] == (3, "missing.wav", "it does not exist")
    assert features.bad_files_[1] == (61, None, "it is NaN at sample 1")
    with pytest.raises(
        BadAudioError, match=r"(?s)2 of 62.*does not exist\n.*it is NaN at sample 1"
    ):
        clone(features).set_params(on_error="raise").transform(X)
    features.set_params(feature=lambda y, sr: 1 + np.arccos(y[:4].reshape(2, 2)) / 2)
    with np.errstate(all="ignore"), pytest.warns(BadAudioWarning, match="are not finite"):
        Xt = features.transform([np.ones(9), np.full(9, 2.0)])
    np.testing.assert_allclose(Xt[1], 1 + np.pi / 4)


def test_lists_and_channels_are_stacked(features):
    rng = np.random.default_rng(0)
    X = rng.normal(0, 0.1, (3, 2, 2400))
    mono = features.fit_transform(X)
    np.testing.assert_allclose(mono, features.transform(X.mean(axis=1)), atol=1e-3)

    def of(feature, wave):
        return clone(features).set_params(feature=feature).transform(wave)

    log_mel, pcen = (
        np.stack([of(name, X[:, c]) for c in (0, 1)], 1) for name in ("log_mel", "pcen")
    )
    assert of(["log_mel"], X[:, 0]).shape == (3, 1, 20, 26)
    np.testing.assert_allclose(of(["log_mel", "pcen"], X[:, 0])[:, 1], pcen[:, 0], rtol=1e-5)
    features.set_params(n_channels=2)
    np.testing.assert_allclose(of("log_mel", X), log_mel, rtol=1e-5, atol=1e-4)
    both = features.set_params(feature=("log_mel", "pcen")).fit_transform(X)
    assert both.shape == (3, *features.output_shape_) == (3, 4, 20, 26)
    np.testing.assert_allclose(both[:, 0::2], log_mel, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(both[:, 1::2], pcen, rtol=1e-5, atol=1e-5)
    names = features.get_feature_names_out()
    assert len(names) == len(set(names)) == both[0].size
    assert names[20 * 26] == "channel0_pcen_0_0"


@pytest.mark.parametrize("feature", ["log_mel", "waveform", ["mel", "pcen"], librosa.feature.rms])
def test_names_data_frames_and_flat_rows(features, waves, feature):
    features.set_params(feature=feature, hop_length=512, win_length=None, n_fft=512)
    Xt = features.fit_transform(waves[:3])
    assert features.get_feature_names_out().shape == (Xt[0].size,)
    with pytest.raises(ValueError, match=r"A pandas DataFrame has two dim.*\(flatten=True\)"):
        clone(features).set_output(transform="pandas").fit_transform(waves[:3])
    flat = clone(features).set_params(flatten=True).set_output(transform="pandas")
    frame = flat.fit_transform(waves[:3])
    np.testing.assert_array_equal(frame.to_numpy(), Xt.reshape(3, -1))
    assert flat.output_shape_ == (Xt[0].size,)
    np.testing.assert_array_equal(frame.columns, features.get_feature_names_out())
    if feature == "log_mel":
        assert frame["log_mel_3_2"][1] == Xt[1, 3, 2]


@pytest.mark.parametrize("feature", ["stft", "power_law", "mel", "log_mel", "waveform"])
@pytest.mark.parametrize("flatten", [False, True])
def test_sound_comes_back(feature, flatten):
    t = np.arange(2400) / SR
    tones = np.stack([np.sin(2 * np.pi * f * t) for f in (500, 1500)]) * 0.5
    features = LibrosaFeatures(
        feature, sr=SR, duration=0.3, n_fft=256, hop_length=64, n_mels=60, ref=1.0, flatten=flatten
    )
    waves = features.inverse_transform(features.fit_transform(tones))
    assert waves.shape == (2, 2400)
    assert waves.dtype == np.float32
    for wave, frequency in zip(waves, (500, 1500), strict=True):
        spectrum = np.abs(np.fft.rfft(wave))
        assert abs(np.argmax(spectrum) * SR / 2400 - frequency) < 40
        assert 0.2 < np.abs(wave[500:-500]).max() < 0.8
    if feature == "waveform":
        np.testing.assert_allclose(waves, tones, atol=1e-6)
    with pytest.raises(ValueError, match=r"X must have shape .*output_shape_.* Got shape"):
        features.inverse_transform(np.zeros((2, 3)))


def test_sound_of_channels_and_what_has_none(features):
    X = np.random.default_rng(0).normal(0, 0.1, (2, 3, 2400))
    features.set_params(feature="stft", n_channels=3)
    assert features.inverse_transform(features.fit_transform(X), n_iter=2).shape == (2, 3, 2400)
    features.set_params(feature="pcen")
    with pytest.raises(ValueError, match=r"needs one 'feature' of .*'log_mel'.* Got 'pcen'"):
        features.inverse_transform(features.fit_transform(X))


@pytest.mark.parametrize("n_iter", [0, 2.0, "a", True])
def test_bad_arguments_of_the_inverse(features, n_iter):
    X = features.fit_transform(np.random.default_rng(0).normal(0, 0.1, (2, 2400)))
    with pytest.raises(ValueError, match=r"'n_iter' argument .* int in \[1, inf\). Got"):
        features.inverse_transform(X, n_iter=n_iter)
    X[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="X contains NaN"):
        features.inverse_transform(X)


def test_progress_is_shown_if_asked_for(features, waves, capsys):
    features.fit_transform(waves)
    assert capsys.readouterr().err == ""
    features.set_params(verbose=1).fit_transform(waves)
    shown = capsys.readouterr().err
    assert f"LibrosaFeatures: {len(waves)}/{len(waves)} clips" in shown
    assert "\r" not in shown  # as it is no terminal


def test_processes_give_the_same(features, paths):
    expected = features.fit_transform(paths)
    with parallel_config("loky", n_jobs=2):
        np.testing.assert_allclose(features.transform(paths), expected, rtol=1e-5, atol=1e-4)
        with pytest.raises(BadAudioError, match=r"X\[1\] \(missing.wav\)"):
            features.transform([paths[0], "missing.wav", paths[1]])


def test_clone_pickle_and_stateless_transform(features, waves):
    expected = features.fit_transform(waves)
    assert clone(features).get_params() == features.get_params()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(features)).transform(waves), expected)
    np.testing.assert_array_equal(clone(features).transform(waves), expected)


def test_in_pipeline_search_and_cross_validation(features, paths):
    y = np.arange(len(paths)) % 2
    pipe = make_pipeline(
        features,
        Standardizer(),
        FunctionTransformer(lambda X: X.reshape(len(X), -1)),
        LogisticRegression(C=1e-3),
    )
    search = GridSearchCV(pipe, {"librosafeatures__n_mels": [5, 8]}, cv=2, error_score="raise")
    search.fit(np.array(paths), y)
    assert search.best_estimator_[0].output_shape_[0] in (5, 8)
    scores = cross_validate(pipe, pd.Series(paths), y, cv=2, error_score="raise")
    assert len(scores["test_score"]) == 2
    pipe.fit(paths, y)
    assert set(pipe.predict(paths[:5])) <= {0, 1}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"feature": "cqts"}, "'feature' parameter .* one of .*'log_mel', 'mel'.* Got 'cqts'"),
        ({"feature": []}, "'feature' parameter .* a list of one or more"),
        ({"feature": "cqt"}, "cannot compute 'cqt' .* would exceed .* feature_params={'cqt'"),
        ({"feature": ["mel", "stft"]}, "same numbers of bands .* 'stft'.* FeatureUnion"),
        ({"feature_params": {"cqts": {}}}, r"'feature_params' .* \['cqts'\] are no such names"),
        ({"feature_params": {"n_bins": 3}}, "'feature_params' parameter .* a dict of dicts"),
        ({"offset": -1}, "'offset' parameter .* in seconds. Got -1"),
        ({"crop": "end"}, r"'crop' parameter .* \['start', 'center', 'random', 'loudest'\]"),
        ({"pad": None}, "'pad' parameter .* Got None"),
        ({"normalize": "max"}, r"'normalize' parameter .* \[None, 'peak', 'rms'\]"),
        ({"on_error": "ignore"}, r"'on_error' parameter .* \['raise', 'warn'\]"),
        (
            {"trim_silence": -3.0},
            "'trim_silence' parameter .* in dB, 'energy', a callable, or None",
        ),
        ({"n_channels": 0}, "'n_channels' parameter .* or None"),
        ({"n_mfcc": 21, "feature": "mfcc"}, "'n_mfcc' parameter .* at most n_mels=20"),
        ({"n_deltas": -1}, "'n_deltas' parameter"),
        ({"n_deltas": 1, "feature": "mfcc", "hop_length": 400}, "'n_deltas' .* these have 7"),
        ({"exponent": 0}, "'exponent' parameter"),
        ({"flatten": 1}, "'flatten' parameter .* True or False"),
        ({"allow_silence": None}, "'allow_silence' parameter"),
        ({"memory": 3}, "'memory' parameter .* a folder, a joblib.Memory or None. Got 3"),
        ({"memory_map": 3}, "'memory_map' parameter .* a folder or None, .* Got 3"),
        ({"random_state": "x"}, "'random_state' parameter .* Got 'x'"),
        ({"sr": 8000.0}, "'sr' parameter .* an int .* Got 8000.0"),
        ({"sr": True}, "'sr' parameter"),
        ({"random_state": -1}, r"'random_state' parameter .* \[0, 4294967295\].* Got -1"),
        ({"n_jobs": 0}, "'n_jobs' parameter of LibrosaFeatures .* but not 0. Got 0 .* -1 stands"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter .* Got 1.5"),
        ({"n_jobs": 2**40}, r"'n_jobs' parameter .* \[-10000, 10000\]"),
        ({"memory_map": __file__}, "'memory_map' parameter .* and no file"),
        (
            {"feature_params": {"log_mel": {"n_bnis": 3}}},
            "unexpected keyword argument 'n_bnis'.*"
            r"Change them, or what feature_params={'log_mel': {...}} passes .* it is {'log_mel'",
        ),
        (
            {"feature_params": {"log_mel": {"power": "a"}}},
            "cannot compute 'log_mel' of clips .*feature_params={'log_mel'",
        ),
        ({"feature_params": {"log_mel": {3: 3}}}, "cannot compute 'log_mel' .* keywords must be"),
        ({"feature": lambda y: y / "a"}, r"function '<lambda>' in the 'feature' .* TypeError: "),
        ({"feature": np.fft.fft}, "function 'fft' in the 'feature' .* failed for clips of 2400"),
        ({"feature": lambda y: np.fft.fft(y)}, r"returned values of dtype complex\d+, .* np.abs"),
        ({"feature": "power_law", "exponent": 1e6}, "'power_law' is not finite, .* exponent=1000"),
        ({"n_mels": 10**400}, "'n_mels' parameter"),
        ({"offset": 1e300}, r"'offset' parameter .* \[0, 1e\+07\], in seconds. Got 1e\+300"),
        ({"duration": 1e300}, "'duration' parameter .* at most 67108.9 s at sr=8000. Got 1e"),
        ({"duration": 1e-9}, "'duration' parameter .* at least a sample, 0.000125 s at sr=8000"),
        ({"n_channels": 10**7}, "at most 0.00671089 s at sr=8000 with n_channels=10000000"),
        ({"duration": 0}, "'duration' parameter .* in seconds. Got 0"),
        ({"duration": np.inf}, "'duration' parameter"),
        ({"n_fft": 0}, "'n_fft' parameter .* Got 0"),
        ({"n_fft": 4096}, r"'n_fft' .* at most the length of a clip, 2400 .* raise duration"),
        ({"win_length": 300}, "'win_length' parameter .* at most n_fft=256"),
        ({"win_length": -1}, "'win_length' parameter"),
        ({"win_length": 3, "hop_length": None}, "'hop_length' parameter .* must be given"),
        ({"hop_length": 0}, "'hop_length' parameter"),
        ({"n_mels": "40"}, "'n_mels' parameter .* Got '40'"),
        ({"fmin": 4000}, "'fmin' parameter .* below fmax"),
        ({"fmin": None}, "'fmin' parameter"),
        ({"fmax": 4001}, r"'fmax' parameter .* \(0, 4000\]"),
        ({"top_db": -1}, "'top_db' parameter .* in dB, or None. Got -1"),
        ({"ref": 0}, "'ref' parameter .* 'max' or a float .* Got 0"),
        ({"ref": np.max}, "'ref' parameter"),
        ({"verbose": "yes"}, "'verbose' parameter"),
    ],
)
def test_bad_parameters(features, parameters, message):
    features.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        features.fit(np.zeros((1, 100)))
    with pytest.raises(ValueError, match=message):
        features.transform(np.zeros((1, 100)))

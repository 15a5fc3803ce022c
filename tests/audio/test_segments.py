"""Windows of recordings, and estimators that are trained on them."""

import numpy as np
import pytest
import sklearn
import soundfile
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier, is_regressor
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import (
    AudioSegmenter,
    BadAudioError,
    BadAudioWarning,
    LibrosaFeatures,
    Segment,
    SegmentAggregator,
    Standardizer,
)

SR = 8000


def starts_of(length, **parameters):
    segments = AudioSegmenter(sr=SR, **parameters).fit_transform([np.ones(round(length * SR))])
    assert all(segment.duration == segments[0].duration for segment in segments)
    return [round(segment.start, 6) for segment in segments]


@pytest.mark.parametrize(
    ("length", "parameters", "starts"),
    [
        (2.5, {}, [0, 0.5, 1, 1.5]),
        (2.5, {"hop": 1.0}, [0, 1, 1.5]),
        (2.5, {"hop": 1.0, "last": "drop"}, [0, 1]),
        (2.5, {"hop": 1.0, "last": "pad"}, [0, 1, 2]),
        (2.0, {"hop": 1.0, "last": "pad"}, [0, 1]),
        (2.5, {"hop": 3.0, "last": "pad"}, [0]),
        (0.9, {"hop": 0.1}, [0]),
        (1.0, {"hop": 0.1}, [0]),
        (1.3, {"hop": 0.1}, [0, 0.1, 0.2, 0.3]),
        (0.5, {"duration": 0.1, "hop": 0.1}, [0, 0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_where_windows_begin(length, parameters, starts):
    np.testing.assert_allclose(starts_of(length, **parameters), starts)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_windows_of_files_are_those_of_their_samples(tmp_path, extension):
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 3 * SR + 77), SR)
    whole, _ = soundfile.read(path, dtype="float32")
    segmenter = AudioSegmenter(0.5, hop=0.3, sr=SR)
    features = LibrosaFeatures("waveform", sr=SR, duration=0.5)
    of_file, of_samples = segmenter.transform([path]), segmenter.transform([whole])
    assert len(of_file) == len(of_samples) == 10
    np.testing.assert_allclose(
        features.transform(of_file), features.transform(of_samples), atol=1e-6
    )
    np.testing.assert_allclose(features.transform(of_file)[-1, 0], whole[-SR // 2 :], atol=1e-6)


def test_windows_remember_their_recordings(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.ones(2 * SR) / 2, SR)
    part = Segment(str(path), start=0.5, duration=1.2)
    X = [np.ones(SR), str(path), (np.ones(16000), 16000), part]
    segments = AudioSegmenter(1.0, hop=1.0, sr=SR).fit_transform(X)
    assert [segment.recording for segment in segments] == [0, 1, 1, 2, 3, 3]
    assert [segment.start for segment in segments[-2:]] == [0.5, pytest.approx(0.7)]
    assert segments[3].rate == 16000
    assert segments[0].rate == SR


def test_bad_recordings_are_named(tmp_path):
    X = [np.ones(SR), "missing.wav", np.array([np.nan]), np.ones(2 * SR)]
    segmenter = AudioSegmenter(1.0, sr=SR)
    with pytest.raises(
        BadAudioError, match=r"(?s)2 of 4.*X\[1\] \(missing.wav\).*X\[2\]: it is NaN"
    ):
        segmenter.transform(X)
    segmenter.set_params(on_error="warn")
    with pytest.warns(BadAudioWarning, match="2 of 4"):
        segments = segmenter.fit_transform(X)
    assert [segment.recording for segment in segments] == [0, 1, 2, 3, 3, 3]
    assert [bad.position for bad in segmenter.bad_files_] == [1, 2]
    features = LibrosaFeatures("waveform", sr=SR, on_error="warn")
    with pytest.warns(BadAudioWarning, match="2 of 6"):
        assert not features.transform(segments)[1:3].any()


@pytest.mark.parametrize("bad", [None, 3, (np.array([0.0, np.nan]), SR), (np.ones(9), "8000")])
def test_bad_recordings_without_a_path_need_no_rate(recordings, tmp_path, bad):
    waves, labels = recordings
    path = str(tmp_path / "a.wav")
    soundfile.write(path, waves[0], SR)
    X, y = [path, bad, *((wave, SR) for wave in waves[1:4])], labels[[0, 1, 1, 2, 3]]
    segmenter = AudioSegmenter(0.3)
    for method in (segmenter.fit, segmenter.transform):
        with pytest.raises(BadAudioError, match=r"1 of 5 .*\n  X\[1\]: ") as caught:
            method(X)
        assert caught.value.indices == [1]
    segmenter.set_params(on_error="warn")
    with pytest.warns(BadAudioWarning, match=r"1 of 5 .*\n  X\[1\]: "):
        segments = segmenter.fit_transform(X)
    assert [found.position for found in segmenter.bad_files_] == [1]
    of_bad = [segment for segment in segments if segment.recording == 1]
    assert len(of_bad) == 1
    features = LibrosaFeatures("waveform", sr=SR, duration=0.3, on_error="warn")
    with pytest.warns(BadAudioWarning, match="1 of "):
        silent = ~features.transform(segments).any(axis=(1, 2))
    assert [segment.recording for segment in segments[silent]] == [1]
    model = SegmentAggregator(windows_of(LogisticRegression()), segmenter)
    model.set_params(estimator__librosafeatures__on_error="warn")
    with pytest.warns(BadAudioWarning, match="1 of "):
        assert model.fit(X, y).predict(X).shape == (5,)
    with pytest.warns(BadAudioWarning, match="1 of "):
        assert [found.recording for found in model.predict_windows(X)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"duration": 0}, "'duration' parameter of AudioSegmenter"),
        ({"hop": -1}, "'hop' parameter .* or None. Got -1"),
        ({"last": "keep"}, r"'last' parameter .* \['shift', 'drop', 'pad'\]"),
        ({"sr": 0}, "'sr' parameter"),
        ({"sr": None}, "'sr' parameter .* the rate of waveforms .* Got None .* pass pairs"),
        ({"on_error": None}, "'on_error' parameter"),
        ({"duration": 1e300}, r"'duration' parameter .* \(0, 1e\+07\], in seconds. Got 1e\+300"),
        ({"hop": 10**400}, "'hop' parameter"),
    ],
)
def test_bad_parameters_of_the_segmenter(parameters, message):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=message):
            getattr(AudioSegmenter(**{"sr": SR, **parameters}), method)([np.ones(10)])


@pytest.mark.parametrize("name", ["duration", "hop"])
def test_windows_are_a_sample_apart(name, tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.ones(100) / 2, SR)
    for recording in (np.ones(100), path):
        with pytest.raises(ValueError, match=f"'{name}' parameter .* more, 0.000125 s at 8000 Hz"):
            AudioSegmenter(**{"sr": SR, name: 1e-6}).transform([recording])


@pytest.fixture(scope="module")
def recordings():
    """Tones of two classes, from 1 to 3 windows long."""
    rng = np.random.default_rng(0)
    labels = np.array(["high", "low"])[np.arange(24) % 2]
    waves = []
    for label in labels:
        t = np.arange(round(SR * rng.uniform(0.3, 1.0))) / SR
        tone = np.sin(2 * np.pi * (900 if label == "high" else 300) * rng.uniform(0.9, 1.1) * t)
        waves.append((0.1 * tone + 0.02 * rng.normal(size=t.size)).astype(np.float32))
    return waves, labels


def windows_of(estimator):
    front = LibrosaFeatures(sr=SR, duration=0.3, n_fft=256, n_mels=12, flatten=True)
    return make_pipeline(front, estimator)


SEGMENTER = AudioSegmenter(0.3, sr=SR)


def test_probabilities_are_means_over_windows(recordings):
    waves, labels = recordings
    model = SegmentAggregator(windows_of(LogisticRegression(C=1e-4)), SEGMENTER).fit(waves, labels)
    segments = SEGMENTER.transform(waves)
    recording = np.array([segment.recording for segment in segments])
    assert len(segments) > len(waves)
    alone = clone(model.estimator).fit(segments, labels[recording])
    expected = alone.predict_proba(segments)
    expected = np.stack([expected[recording == i].mean(axis=0) for i in range(len(waves))])
    np.testing.assert_allclose(model.predict_proba(waves), expected, rtol=1e-6)
    np.testing.assert_array_equal(model.predict(waves), model.classes_[expected.argmax(axis=1)])
    assert model.score(waves, labels) == 1
    model.set_params(aggregate=lambda values: values.max(axis=0))
    assert (model.predict_proba(waves) >= expected - 1e-12).all()


class LoudestIsB(ClassifierMixin, BaseEstimator):
    """Predict "b" for windows with a mean above 0.5."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(np.mean(X, axis=1) > 0.5).astype(int)]


def test_votes():
    waves = [np.repeat(levels, SR) for levels in ([0.1, 0.9, 0.8], [0.1, 0.2, 0.9], [0.1, 0.9])]
    features = LibrosaFeatures("waveform", sr=SR, flatten=True)
    model = SegmentAggregator(
        make_pipeline(features, LoudestIsB()), AudioSegmenter(1.0, hop=1.0, sr=SR), aggregate="vote"
    ).fit(waves, ["a", "b", "a"])
    np.testing.assert_allclose(model.predict_proba(waves)[:, 1], [2 / 3, 1 / 3, 1 / 2])
    assert model.predict(waves).tolist() == ["b", "a", "a"]
    with pytest.raises(
        ValueError, match=r"'vote' for a Pipeline without predict_proba. Got 'mean'"
    ):
        model.set_params(aggregate="mean").fit(waves, ["a", "b", "a"])
    assert not hasattr(SegmentAggregator(RidgeClassifier()), "predict_proba")
    assert not hasattr(SegmentAggregator(LinearRegression()), "predict_proba")


def test_regression_with_several_outputs(recordings):
    waves, _ = recordings
    y = np.stack([[wave.std(), len(wave) / SR] for wave in waves])
    model = SegmentAggregator(windows_of(LinearRegression()), SEGMENTER)
    assert is_regressor(model)
    assert not is_classifier(model)
    assert model.fit(waves, y).predict(waves).shape == (24, 2)
    assert 0 < model.score(waves, y) <= 1
    single = model.fit(waves, y[:, 0]).predict(waves)
    assert single.shape == (24,)
    with pytest.raises(ValueError, match="'mean' or a callable where values are predicted"):
        model.set_params(aggregate="vote").fit(waves, y)


class Seen(DummyClassifier):
    """Remembers which windows it was trained on."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = X
        self.weight_ = sample_weight
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("kind", [list, "series", np.array])
def test_folds_split_recordings_never_windows(recordings, tmp_path, kind):
    waves, labels = recordings
    paths = [str(tmp_path / f"{i}.wav") for i in range(len(waves))]
    for path, wave in zip(paths, waves, strict=True):
        soundfile.write(path, wave, SR)
    if kind == "series":
        import pandas as pd

        X = pd.Series(paths, index=range(100, 124))
    else:
        X = kind(paths)
    folds = KFold(4, shuffle=True, random_state=0)
    found = cross_validate(
        SegmentAggregator(Seen(), SEGMENTER),
        X,
        labels,
        cv=folds,
        params={"sample_weight": np.arange(24.0)},
        return_estimator=True,
        error_score="raise",
    )
    for model, (train, _) in zip(found["estimator"], folds.split(paths), strict=True):
        seen = model.estimator_.seen_
        assert {segment.path for segment in seen} == {paths[i] for i in train}
        weights = [paths.index(segment.path) for segment in seen]
        np.testing.assert_array_equal(model.estimator_.weight_, weights)


def test_a_dict_of_columns(recordings):
    waves, labels = recordings
    table = {"wave": [(wave, SR) for wave in waves], "speaker": list(range(24))}
    model = SegmentAggregator(Seen(), AudioSegmenter(0.3, column="wave"))
    model.fit(table, labels, sample_weight=np.arange(24.0))
    expected = SegmentAggregator(Seen(), SEGMENTER).fit(
        waves, labels, sample_weight=np.arange(24.0)
    )
    np.testing.assert_array_equal(model.estimator_.weight_, expected.estimator_.weight_)
    assert len(model.estimator_.seen_) == len(model.estimator_.weight_)
    assert model.predict(table).shape == (24,)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[24, 2\]"):
        model.fit(table, labels[:2])
    for column, error, message in (
        ("waves", ValueError, r"X has no column 'waves'.* Did you mean 'wave'\?"),
        (None, TypeError, "Got dict instead"),
    ):
        with pytest.raises(error, match=message):
            model.set_params(segmenter__column=column).fit(table, labels)


def test_search_and_prediction_by_folds(recordings):
    waves, labels = recordings
    model = SegmentAggregator(windows_of(LogisticRegression()), SEGMENTER)
    grid = {
        "estimator__librosafeatures__n_mels": [6, 12],
        "segmenter__hop": [0.1, 0.3],
        "aggregate": ["mean", "vote"],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(waves, labels)
    assert search.best_score_ == 1
    probabilities = cross_val_predict(model, waves, labels, cv=3, method="predict_proba")
    assert probabilities.shape == (24, 2)


@pytest.mark.slow
def test_anti_transfer_with_labels_and_unlabeled_recordings(recordings):
    waves, labels = recordings
    small = {"module__channels": (3, 4), "module__pool_after": (0,), "max_epochs": 1}
    learns = AntiTransferClassifier(**{**small, "max_epochs": 60}, lr=0.02, random_state=0)
    net = AntiTransferClassifier(unrelated=learns, **small)
    front = [LibrosaFeatures(sr=SR, duration=0.3, n_fft=256, n_mels=12), Standardizer()]
    nuisance = np.where(labels == "high", 0, 1 + np.arange(24) // 2 % 2)
    model = SegmentAggregator(make_pipeline(*front, net), SEGMENTER)
    model.fit(waves, labels, antitransferclassifier__y_unrelated=nuisance)
    assert len(model.estimator_[-1].unrelated_.classes_) == 3
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(*front, clone(net), transform_input=["X_unlabeled"])
        model = SegmentAggregator(pipeline, SEGMENTER, transform_input=["X_unlabeled"])
        model.fit(waves, labels, y_unrelated=nuisance, X_unlabeled=waves[:9])
        assert len(model.estimator_[-1].unrelated_.classes_) == 3
        assert model.predict(waves).shape == (24,)


def test_what_fit_refuses(recordings):
    waves, labels = recordings
    model = SegmentAggregator(windows_of(LogisticRegression()), SEGMENTER)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[24, 23\]"):
        model.fit(waves, labels[:23])
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(waves, None)
    for aggregate in ("median", np.ones(2), [], int):
        with pytest.raises(ValueError, match=r"'aggregate' parameter of SegmentAggregator .* Got"):
            clone(model).set_params(aggregate=aggregate).fit(waves, labels)
    for name, value in (
        ("estimator", LogisticRegression),
        ("estimator", "logistic"),
        ("segmenter", 0.3),
        ("segmenter", AudioSegmenter),
        ("transform_input", "X_unlabeled"),
        ("transform_input", [3]),
    ):
        with pytest.raises(ValueError, match=f"'{name}' parameter of SegmentAggregator must be"):
            clone(model).set_params(**{name: value}).fit(waves, labels)


def test_what_a_callable_makes_of_predictions_is_checked(recordings):
    waves, labels = recordings
    model = SegmentAggregator(windows_of(LogisticRegression()), SEGMENTER, aggregate=np.max)
    with pytest.raises(
        ValueError, match=r"one prediction, of shape \(2,\).* returned shape \(\); "
    ):
        model.fit(waves, labels).predict(waves)


def test_windows_that_are_longer_than_what_is_read_of_them(recordings):
    waves, labels = recordings
    message = (
        r"'duration' parameter of LibrosaFeatures .* windows, which are 0.5 s long.* Got 0.3 "
        r"instead. Set AudioSegmenter\(duration=0.3\), or LibrosaFeatures\(duration=0.5\), or by"
    )
    longer = AudioSegmenter(0.5, sr=SR)
    with pytest.raises(ValueError, match=message):
        SegmentAggregator(windows_of(LogisticRegression()), longer).fit(waves, labels)
    features = LibrosaFeatures(sr=SR, duration=0.3, n_fft=256, n_mels=12)
    segments = longer.transform(waves)
    with pytest.raises(ValueError, match=message):
        features.transform(segments)
    features.set_params(offset=0.1)
    with pytest.raises(ValueError, match=r"after offset=0.1 s.*duration=0.4\), or Li.*=0.4\)"):
        features.transform(segments)
    # What is asked for, or is there, is no mistake.
    features.set_params(offset=0.2).transform(segments)
    for crop in ("center", "random", "loudest"):
        features.set_params(offset=0.0, crop=crop).transform(segments)
    features.set_params(crop="start", trim_silence=20).transform(segments)
    features.set_params(trim_silence=None).transform(SEGMENTER.transform(waves))
    features.transform([Segment(waves[0], SR, 0.0, 0.25), Segment(waves[0], SR, 0.1), waves[0]])
    features.transform(AudioSegmenter(0.2, sr=SR).transform(waves))
    # Recordings that are shorter than a window are not read to its end.
    features.transform(AudioSegmenter(9.0, sr=SR).transform([Segment(waves[0], SR, 0.0, 0.25)]))


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (Segment(np.ones(9), rate=0), "its rate is 0, not a number above 0"),
        (Segment(np.ones(9), rate="8000"), "its rate is '8000'"),
        (Segment("a.wav", start=-1), "its start is -1, not a number from 0 up to"),
        (Segment("a.wav", start=None), "its start is None"),
        (Segment("a.wav", duration=0.0), "its duration is 0.0"),
        (Segment("a.wav", duration=np.nan), "its duration is nan"),
        (Segment(np.ones(9, int), SR), "it has dtype int"),
        (Segment(None), "it is None, neither a path nor a waveform"),
    ],
    ids=str,
)
def test_segments_by_hand_that_cannot_be(segment, reason):
    for reader in (LibrosaFeatures("waveform", sr=SR), AudioSegmenter(sr=SR)):
        for method in (reader.fit, reader.transform):
            with pytest.raises(BadAudioError, match=rf"(?s)1 of 2.*X\[1\].*: {reason}"):
                method([np.ones(SR), segment])


# The checks' rows are taken for waveforms of as many samples as they have columns.
ANY_COLUMNS = "rows are waveforms of any length, so there is no n_features_in_"
INTEGERS = "integers have no agreed scale as audio, so they are refused"
EXPECTED_FAILED_CHECKS = {
    "check_n_features_in": ANY_COLUMNS,
    "check_n_features_in_after_fitting": ANY_COLUMNS,
    "check_classifiers_train": ANY_COLUMNS,
    "check_classifier_data_not_an_array": INTEGERS,
    "check_estimators_dtypes": INTEGERS,
}
OBJECTS = "compares segments as if they were numbers"
EXPECTED_OF_SEGMENTER = dict.fromkeys(
    [
        "check_estimators_pickle",
        "check_fit_idempotent",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_pipeline_consistency",
        "check_transformer_data_not_an_array",
        "check_transformer_general",
    ],
    OBJECTS,
)


@parametrize_with_checks(
    [
        SegmentAggregator(
            make_pipeline(
                LibrosaFeatures("waveform", sr=1000, duration=0.02, flatten=True), estimator
            ),
            AudioSegmenter(0.02, sr=1000),
        )
        for estimator in (LogisticRegression(), LinearRegression())
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS,
)
def test_sklearn_contract_of_the_aggregator(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [AudioSegmenter(0.02, sr=1000)],
    expected_failed_checks=lambda estimator: {
        **EXPECTED_FAILED_CHECKS,
        **EXPECTED_OF_SEGMENTER,
    },
)
def test_sklearn_contract_of_the_segmenter(estimator, check):
    check(estimator)

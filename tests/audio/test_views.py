"""Two views of recordings, each of which is read once."""

import warnings

import numpy as np
import pytest
import sklearn
import soundfile
from lying_files import mp3, sound
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import (
    AudioSegmenter,
    AudioViews,
    BadAudioError,
    BadAudioWarning,
    LibrosaFeatures,
    Standardizer,
    TwoViews,
    _reading,
)

SR = 8000


@pytest.fixture
def paths(tmp_path):
    names = []
    for i in range(12):
        names.append(str(tmp_path / f"{i}.wav"))
        wave = np.random.default_rng(i).normal(0, 0.1, 4000 + 300 * i)
        soundfile.write(names[-1], wave, SR)
    return names


@pytest.fixture
def views():
    return AudioViews(
        LibrosaFeatures(sr=SR, duration=0.2, n_fft=128, n_mels=6, crop="center"),
        LibrosaFeatures("waveform", sr=11025, duration=0.3, offset=0.05),
    )


@pytest.fixture
def opened(monkeypatch):
    """Note which files are opened."""
    seen = []
    original = _reading.open_audio

    def open_audio(source, **options):
        seen.append(source)
        return original(source, **options)

    monkeypatch.setattr(_reading, "open_audio", open_audio)
    return seen


@pytest.mark.parametrize("crop", ["start", "center", "random", "loudest"])
@pytest.mark.parametrize("trim", [None, 30])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_both_are_as_alone_and_files_are_read_once(paths, views, opened, crop, trim, n_jobs):
    views.set_params(
        features__crop=crop,
        features__trim_silence=trim,
        features__random_state=0,
        features__n_jobs=n_jobs,
        unrelated__crop="random",
        unrelated__random_state=1,
    )
    clips = [*paths, (np.ones(3000) / 2, SR)]
    seen = views.fit_transform(clips)
    assert sorted(opened) == sorted(paths)
    for found, alone in ((seen.X, views.features), (seen.X_unrelated, views.unrelated)):
        np.testing.assert_allclose(found, clone(alone).fit_transform(clips), rtol=1e-5, atol=1e-3)


def test_files_whose_length_is_counted_and_windows(paths, views, tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(mp3(sound(), tag=False))
    windows = AudioSegmenter(0.5).transform([path, *paths[:2]])
    views.set_params(unrelated__crop="center", unrelated__offset=0.0)
    for X in ([str(path)], [path.read_bytes()], windows):
        seen = views.fit_transform(X)
        expected = clone(views.unrelated).fit_transform(X)
        np.testing.assert_allclose(seen.X_unrelated, expected, atol=1e-5)
        assert len(seen.X) == len(X)


def test_kept_features_of_both(paths, views, opened, tmp_path):
    views.set_params(features__memory=tmp_path / "a", unrelated__memory=tmp_path / "a")
    first = views.fit_transform(paths)
    again = views.transform(paths)
    assert len(opened) == len(paths)
    for name in ("X", "X_unrelated"):
        np.testing.assert_array_equal(first[name], again[name])
    assert views.features_.cache_hits_ == views.unrelated_.cache_hits_ == len(paths)
    mapped = views.set_params(unrelated__memory_map=tmp_path / "map").fit_transform(paths)
    assert isinstance(mapped.X_unrelated, np.memmap)
    np.testing.assert_array_equal(mapped.X_unrelated, first.X_unrelated)


@pytest.mark.parametrize("crop", ["start", "center", "random", "loudest"])
@pytest.mark.parametrize("late", ["features", "unrelated"])
def test_a_clip_that_ends_before_one_view_begins_is_there_for_the_other(
    paths, views, opened, tmp_path, crop, late
):
    early = "unrelated" if late == "features" else "features"
    early = "unrelated" if late == "features" else "features"
    views.set_params(
        **{f"{early}__crop": crop, f"{early}__offset": 0.0, f"{early}__random_state": 0},
        **{f"{late}__crop": "start", f"{late}__offset": 0.6},
        features__on_error="warn",
    )
    with pytest.warns(BadAudioWarning, match="3 of 12 clips"):  # of 0.5, 0.5375 and 0.575 s
        seen = views.fit_transform(paths)
    assert sorted(opened) == sorted(paths)
    found = seen.X if early == "features" else seen.X_unrelated
    alone = clone(getattr(views, early)).fit_transform(paths)
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-3)
    assert getattr(views, f"{early}_").bad_files_ == []
    bad = getattr(views, f"{late}_").bad_files_
    assert [position for position, _, _ in bad] == [0, 1, 2]
    assert all(reason.endswith("s, before offset=0.6 s") for _, _, reason in bad)
    # The same, whether the other view is computed or was kept.
    views.set_params(**{f"{early}__memory": tmp_path / "kept"})
    for n_kept in (0, len(paths)):
        with pytest.warns(BadAudioWarning, match="3 of 12 clips"):
            again = views.fit_transform(paths)
        np.testing.assert_array_equal(again.X, seen.X)
        np.testing.assert_array_equal(again.X_unrelated, seen.X_unrelated)
        assert getattr(views, f"{early}_").cache_hits_ == n_kept


@pytest.mark.parametrize("offsets", [(0.0, 2.5), (2.5, 0.0), (0.0, 1.4)])
def test_damage_beyond_what_a_view_needs_is_not_its_own(views, tmp_path, offsets):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 3 * SR), SR)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    path.write_bytes(content)
    views.set_params(
        features__crop="start",
        features__offset=offsets[0],
        features__on_error="warn",
        unrelated__offset=offsets[1],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BadAudioWarning)
        seen = views.fit_transform([path])
        alone = [
            clone(view).set_params(on_error="warn").fit_transform([path])
            for view in (views.features, views.unrelated)
        ]
    for found, expected in zip((seen.X, seen.X_unrelated), alone, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
    n_bad = len(views.features_.bad_files_) + len(views.unrelated_.bad_files_)
    assert n_bad == (1 if offsets[1] == 1.4 else 0)


def test_each_view_says_where_it_would_have_begun(paths, views):
    views.set_params(features__offset=0.7, unrelated__offset=0.6, features__on_error="warn")
    with pytest.warns(BadAudioWarning):
        views.fit_transform(paths[:1])
    for found, offset in ((views.features_, 0.7), (views.unrelated_, 0.6)):
        assert found.bad_files_[0].reason.endswith(f"before offset={offset} s")


def test_bad_files_are_named_once(paths, views, opened):
    views.fit(paths)
    with pytest.raises(BadAudioError, match=r"1 of 2 clips"):
        views.transform([paths[0], "nowhere.wav"])
    assert len(opened) == 2
    with pytest.raises(ValueError, match="'unrelated' parameter of AudioViews must be a Libr"):
        AudioViews(views.features, None).fit(paths)
    with pytest.raises(ValueError, match="'root' parameter of LibrosaFeatures must be left out"):
        views.set_params(unrelated__root="elsewhere").fit(paths)


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    return rng.permutation(np.arange(12) % 2), rng.permutation(np.arange(12) % 3)


@pytest.fixture
def speakers(paths, views, labels):
    net = AntiTransferClassifier(max_epochs=1, verbose=0, random_state=0)
    return net.fit(views.fit_transform(paths).X_unrelated, labels[1])


def test_around_an_estimator(paths, views, labels, speakers, opened):
    """It is what fit(X, y, X_unrelated=...) does with the two arrays."""
    net = AntiTransferClassifier(
        unrelated=speakers, weight=1.0, max_epochs=2, verbose=0, random_state=0
    )
    model = TwoViews(net, views)
    opened.clear()
    model.fit(paths[:8], labels[0][:8], X_unlabeled=paths[8:])
    assert sorted(opened) == sorted(paths)
    seen, more = views.fit_transform(paths[:8]), views.transform(paths[8:])
    expected = clone(net).fit(
        seen.X,
        labels[0][:8],
        X_unrelated=seen.X_unrelated,
        X_unlabeled=more.X,
        X_unrelated_unlabeled=more.X_unrelated,
    )
    np.testing.assert_allclose(
        model.predict_proba(paths), expected.predict_proba(views.transform(paths).X), atol=1e-6
    )
    assert set(model.predict(paths)) <= set(model.classes_)
    assert 0 <= model.score(paths, labels[0]) <= 1
    plain = clone(model).set_params(estimator__weight=0.0).fit(paths[:8], labels[0][:8])
    assert not np.allclose(model.predict_proba(paths), plain.predict_proba(paths), atol=1e-6)


def test_in_cross_validation_with_a_pipeline(paths, views, labels, speakers):
    net = AntiTransferClassifier(
        unrelated=speakers, weight=1.0, max_epochs=1, verbose=0, random_state=0
    )
    model = TwoViews(make_pipeline(Standardizer(), net), views)
    found = cross_validate(model, paths, labels[0], cv=3, error_score="raise")
    assert len(found["test_score"]) == 3
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(model).fit(paths, labels[0])
    np.testing.assert_allclose(
        routed.predict_proba(paths), model.fit(paths, labels[0]).predict_proba(paths), atol=1e-6
    )


def test_what_is_refused(paths, views, labels, speakers):
    net = AntiTransferClassifier(unrelated=speakers, max_epochs=1, verbose=0)
    with pytest.raises(ValueError, match="X_unrelated was passed, which TwoViews makes from X"):
        TwoViews(net, views).fit(paths, labels[0], X_unrelated=paths)
    with pytest.raises(ValueError, match="'views' parameter of TwoViews must be an AudioViews"):
        TwoViews(net, views.features).fit(paths, labels[0])
    with pytest.raises(ValueError, match="'estimator' parameter of TwoViews"):
        TwoViews(AntiTransferClassifier, views).fit(paths, labels[0])

"""Where relative paths start from, and what is said of those that do not exist."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline

from atl_sklearn.audio import (
    AudioSegmenter,
    BadAudioError,
    BadAudioWarning,
    LibrosaFeatures,
    Segment,
    SegmentAggregator,
    _batches,
    _cache,
)
from atl_sklearn.datasets import load_audio_files

SR = 8000
NAMES = ["a/0.wav", "a/1.wav", "2.wav"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of recordings, in which this process is not."""
    recordings, elsewhere = tmp_path / "recordings", tmp_path / "elsewhere"
    for i, name in enumerate(NAMES):
        path = recordings / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(i).normal(0, 0.1, 4000 + i), SR)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return recordings


@pytest.fixture
def features():
    return LibrosaFeatures(sr=SR, duration=0.3, n_fft=256, n_mels=8)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda names: list(map(Path, names))])
def test_relative_paths_start_from_it(features, folder, kind):
    expected = features.transform([folder / name for name in NAMES])
    features.set_params(root=folder)
    np.testing.assert_array_equal(features.fit_transform(kind(NAMES)), expected)
    # Absolute ones do not, whatever it is.
    features.set_params(root="nowhere")
    np.testing.assert_array_equal(features.transform([folder / name for name in NAMES]), expected)


def test_it_may_be_relative_itself_or_at_home(features, folder, monkeypatch):
    expected = features.transform([folder / name for name in NAMES])
    features.set_params(root="../recordings")
    np.testing.assert_array_equal(features.transform(NAMES), expected)
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    features.set_params(root="~/recordings")
    np.testing.assert_array_equal(features.transform(NAMES), expected)


@pytest.mark.parametrize("relative", [False, True])
def test_windows_know_it(features, folder, relative):
    root = os.path.relpath(folder) if relative else folder
    segmenter = AudioSegmenter(0.3, root=root)
    segments = segmenter.fit_transform(NAMES)
    expected = features.transform(AudioSegmenter(0.3).transform([folder / n for n in NAMES]))
    np.testing.assert_array_equal(features.transform(segments), expected)
    features.set_params(flatten=True, root="nowhere")  # is for paths
    model = SegmentAggregator(make_pipeline(features, DummyClassifier()), segmenter)
    assert model.fit(NAMES, [0, 1, 1]).predict(NAMES).tolist() == [1, 1, 1]


def test_segments_by_hand_start_from_it_too(features, folder):
    expected = features.transform([Segment(str(folder / name), start=0.1) for name in NAMES])
    features.set_params(root=folder)
    by_hand = [Segment(NAMES[0], start=0.1), *(Segment(Path(n), start=0.1) for n in NAMES[1:])]
    np.testing.assert_array_equal(features.transform(by_hand), expected)
    cut = AudioSegmenter(0.3, root=folder).transform(by_hand)
    assert {segment.path for segment in cut} == {str(folder / name) for name in NAMES}


def test_the_cache_knows_contents_not_places(features, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(_cache, "_SETTLED", -1e9)
    features.set_params(memory=tmp_path / "cache")
    expected = features.transform([folder / name for name in NAMES])

    def compute(*arguments):
        raise AssertionError("features were computed")

    monkeypatch.setattr(_batches, "_compute_finite", compute)
    features.set_params(root=folder)
    np.testing.assert_array_equal(features.transform(NAMES), expected)
    folder.rename(tmp_path / "moved")
    features.set_params(root=tmp_path / "moved")
    np.testing.assert_array_equal(features.transform(NAMES), expected)


def test_the_folder_that_was_searched_is_named(features, folder):
    here = os.getcwd()
    for reader in (features, AudioSegmenter()):
        with pytest.raises(BadAudioError) as caught:
            reader.transform(NAMES)
        assert f"Relative paths were looked for in {here!r}; the parameter root" in str(
            caught.value
        )
        with pytest.raises(BadAudioError) as caught:
            reader.transform([folder / "none.wav"])
        assert "Relative paths" not in str(caught.value)
        with pytest.raises(BadAudioError) as caught:
            reader.set_params(root=folder).transform(["none.wav", "a"])
        assert f"X[0] ({folder / 'none.wav'}): it does not exist" in str(caught.value)
        assert "X[1]" in str(caught.value) and "it is a folder" in str(caught.value)
    features.set_params(on_error="warn", root=None)
    with pytest.warns(BadAudioWarning, match="Relative paths were looked for in"):
        features.transform(["none.wav"])


@pytest.mark.parametrize("reader", [LibrosaFeatures, AudioSegmenter])
def test_a_root_that_is_no_folder(reader, folder):
    for root in (3, b"x", "", ["a"]):
        with pytest.raises(
            ValueError, match=f"'root' parameter of {reader.__name__} must be a fol"
        ):
            reader(root=root).fit(NAMES)
    for root in ("nowhere", folder / NAMES[0]):
        for method in (reader(root=root).fit, reader(root=root).transform):
            with pytest.raises(ValueError) as caught:
                method(NAMES)
            at = os.path.abspath(root)
            assert "'root' parameter must be a folder that exists" in str(caught.value)
            assert f"which is looked for at {at!r}" in str(caught.value)


def test_a_folder_of_categories_that_does_not_exist(folder):
    with pytest.raises(FileNotFoundError) as caught:
        load_audio_files("nowhere")
    assert f"nowhere does not exist (it was looked for in {os.getcwd()})" in str(caught.value)

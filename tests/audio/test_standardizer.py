"""Standardizer against the loop it stands for, and scikit-learn's contract."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from atl_sklearn.audio import Standardizer, _standardizer


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(-30, 9, (7, 4, 5)).astype(np.float32)


@parametrize_with_checks([Standardizer(per) for per in ("band", "channel", "element", "global")])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_band_over_clips_and_frames(X, dtype):
    X = X.astype(dtype)
    original = X.copy()
    Xt = Standardizer().fit_transform(X)
    assert Xt.dtype == dtype
    for band in range(4):
        values = X[:, band].astype(np.float64)
        expected = (values - values.mean()) / values.std()
        np.testing.assert_allclose(Xt[:, band], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(X, original)


def test_standard_scaler_without_frames(X):
    flat = X[:, :, 0].astype(np.float64)
    np.testing.assert_allclose(
        Standardizer().fit_transform(flat), StandardScaler().fit_transform(flat)
    )


def test_constant_band_and_training_statistics(X):
    X[:, 2] = -60.1
    standardizer = Standardizer().fit(X)
    assert standardizer.scale_[2] == 1
    np.testing.assert_allclose(standardizer.transform(X)[:, 2], 0, atol=1e-5)
    assert standardizer.n_features_in_ == 4
    more_frames = standardizer.transform(np.concatenate([X, X + 1], axis=2))
    np.testing.assert_array_equal(more_frames[:, :, :5], standardizer.transform(X))
    again = pickle.loads(pickle.dumps(standardizer))
    np.testing.assert_array_equal(again.transform(X), standardizer.transform(X))


@pytest.mark.parametrize(
    ("per", "shape", "axes"),
    [
        ("band", (6, 4), (0,)),
        ("band", (6, 3, 4, 5), (0, 3)),
        ("band", (6, 2, 3, 4, 5), (0, 4)),
        ("channel", (6, 3, 4, 5), (0, 2, 3)),
        ("channel", (6, 3, 5), (0, 2)),
        ("element", (6, 3, 4, 5), (0,)),
        ("global", (6, 3, 4, 5), (0, 1, 2, 3)),
        ("global", (6, 3), (0, 1)),
    ],
)
@pytest.mark.parametrize("in_pieces", [False, True])
def test_any_dimension(per, shape, axes, in_pieces, monkeypatch, tmp_path):
    if in_pieces:
        monkeypatch.setattr(_standardizer, "_PIECE", 20)
    rng = np.random.default_rng(0)
    X = rng.normal(-30, 9, shape) * rng.uniform(1, 5, shape[1:])
    mean, deviation = X.mean(axis=axes, keepdims=True), X.std(axis=axes, keepdims=True)
    standardizer = Standardizer(per)
    Xt = standardizer.fit_transform(X)
    np.testing.assert_allclose(Xt, (X - mean) / deviation, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(standardizer.inverse_transform(Xt), X)
    assert standardizer.mean_.shape == standardizer.scale_.shape == np.squeeze(mean).shape
    by_parts = Standardizer(per, memory_map=tmp_path)
    for part in (X[:1], X[1:4], X[4:]):
        by_parts.partial_fit(part)
    assert by_parts.n_samples_seen_ == 6
    np.testing.assert_allclose(by_parts.var_, standardizer.var_)
    mapped = by_parts.transform(X)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_allclose(mapped, Xt, rtol=1e-9, atol=1e-9)
    assert by_parts.fit(X[:2]).n_samples_seen_ == 2


def test_values_whose_squares_are_infinite(X):
    X = X.astype(np.float64)
    standardizer = Standardizer().fit(X)
    before = vars(standardizer).copy()
    large = X * np.where(np.arange(7) == 5, 1e300, 1.0)[:, np.newaxis, np.newaxis]
    message = r"Standardizer cannot compute the variance of values up to .*e\+301, as their squ"
    with pytest.raises(ValueError, match=message):
        Standardizer().fit(large)
    with pytest.raises(ValueError, match=message):
        standardizer.partial_fit(large)
    assert vars(standardizer) == before
    for scale in (1e-100, 1e100):
        np.testing.assert_allclose(
            Standardizer().fit_transform(X * scale), Standardizer().fit_transform(X), rtol=1e-9
        )


def test_results_that_do_not_fit_the_dtype(X, tmp_path):
    standardizer = Standardizer("global").fit(np.array([[1.0, 1.0 + 1e-6]]))
    for memory_map in (None, tmp_path):
        standardizer.set_params(memory_map=memory_map)
        with pytest.raises(ValueError, match=r"beyond what float32 holds: X reaches 1e\+38, mean_"):
            standardizer.transform(np.full((2, 2), 1e38, np.float32))
    assert list(tmp_path.iterdir()) == []
    wide = Standardizer("global").fit(np.array([[0.0, 1e100]]))
    with pytest.raises(ValueError, match="beyond what float32 holds"):
        wide.inverse_transform(np.ones((2, 2), np.float32))


def test_a_folder_of_the_home_is_there_and_not_here(X, home):
    Standardizer(memory_map="~/maps").fit_transform(X)
    assert len(list((home / "maps").glob("*.npy"))) == 1


def test_bad_input(X, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for memory_map in (3, "", file):
        with pytest.raises(ValueError, match=r"'memory_map' parameter .* a folder or None"):
            Standardizer(memory_map=memory_map).fit(X)
    with pytest.raises(NotFittedError):
        Standardizer().transform(X)
    standardizer = Standardizer().fit(X)
    with pytest.raises(ValueError, match=r"X has 3 bands, but .* 4 bands .* shape \(7, 3, 5\)"):
        standardizer.transform(X[:, :3])
    with pytest.raises(ValueError, match=r"X of shape \(7, 4, 5, 1\) does not go with mean_"):
        standardizer.transform(X[..., np.newaxis])
    with pytest.raises(ValueError, match=r"X of shape \(7, 4\) does not go with mean_"):
        Standardizer("element").fit(X).partial_fit(X[:, :, 0])
    with pytest.raises(ValueError, match=r"'per' parameter of Standardizer .* Got 'bands'"):
        Standardizer("bands").fit(X)
    with pytest.raises(ValueError, match="'memory_map' parameter of Standardizer"):
        Standardizer(memory_map=3).fit(X)
    with pytest.raises(ValueError, match="not empty"):
        standardizer.fit(X[:, :, :0])
    X[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        standardizer.fit(X)

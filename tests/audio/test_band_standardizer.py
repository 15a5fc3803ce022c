"""BandStandardizer against the loop it stands for, and scikit-learn's contract."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from atl_sklearn.audio import BandStandardizer


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(-30, 9, (7, 4, 5)).astype(np.float32)


@parametrize_with_checks([BandStandardizer()])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_band_over_clips_and_frames(X, dtype):
    X = X.astype(dtype)
    original = X.copy()
    Xt = BandStandardizer().fit_transform(X)
    assert Xt.dtype == dtype
    for band in range(4):
        values = X[:, band].astype(np.float64)
        expected = (values - values.mean()) / values.std()
        np.testing.assert_allclose(Xt[:, band], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(X, original)


def test_standard_scaler_without_frames(X):
    flat = X[:, :, 0].astype(np.float64)
    np.testing.assert_allclose(
        BandStandardizer().fit_transform(flat), StandardScaler().fit_transform(flat)
    )


def test_constant_band_and_training_statistics(X):
    X[:, 2] = -60.1
    standardizer = BandStandardizer().fit(X)
    assert standardizer.scale_[2] == 1
    np.testing.assert_allclose(standardizer.transform(X)[:, 2], 0, atol=1e-5)
    assert standardizer.n_features_in_ == 4
    more_frames = standardizer.transform(np.concatenate([X, X + 1], axis=2))
    np.testing.assert_array_equal(more_frames[:, :, :5], standardizer.transform(X))
    again = pickle.loads(pickle.dumps(standardizer))
    np.testing.assert_array_equal(again.transform(X), standardizer.transform(X))


def test_bad_input(X):
    with pytest.raises(NotFittedError):
        BandStandardizer().transform(X)
    standardizer = BandStandardizer().fit(X)
    with pytest.raises(ValueError, match=r"X has 3 bands, but .* 4 bands .* shape \(7, 3, 5\)"):
        standardizer.transform(X[:, :3])
    with pytest.raises(ValueError, match=r"\(n_samples, n_bands, n_frames\) .* Got shape"):
        standardizer.fit(X[..., np.newaxis])
    with pytest.raises(ValueError, match="not empty"):
        standardizer.fit(X[:, :, :0])
    X[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        standardizer.fit(X)

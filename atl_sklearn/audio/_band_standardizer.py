"""Spectrograms with bands of mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data


class BandStandardizer(TransformerMixin, BaseEstimator):
    """Standardize each band of spectrograms over the clips and frames of the training set.

    What :class:`~sklearn.preprocessing.StandardScaler` does for columns: the mean is removed
    and the result divided by the standard deviation. A band that is constant in the training
    set is not divided.

    Attributes
    ----------
    mean_ : ndarray of shape (n_bands,)
        Mean of each band.
    scale_ : ndarray of shape (n_bands,)
        Standard deviation of each band, 1 where it is constant.
    n_features_in_ : int
        Number of bands.
    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if X was a DataFrame with names of type str.

    See Also
    --------
    LibrosaFeatures : Compute spectrograms from audio.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import BandStandardizer
    >>> X = np.random.default_rng(0).normal(-30, 10, (20, 40, 63)).astype(np.float32)
    >>> Xt = BandStandardizer().fit_transform(X)
    >>> Xt.shape, Xt.dtype
    ((20, 40, 63), dtype('float32'))
    >>> bool(np.allclose(Xt.mean(axis=(0, 2)), 0, atol=1e-5))
    True
    """

    def fit(self, X: Any, y: Any = None) -> BandStandardizer:
        """Compute the mean and standard deviation of each band.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bands, n_frames) or (n_samples, n_bands)
            Spectrograms, or one value for each band.
        y : None
            Ignored.

        Returns
        -------
        self : BandStandardizer
            The fitted transformer.

        Raises
        ------
        ValueError
            If X is of another shape, empty, or not finite.
        """
        X = self._check(X, reset=True)
        axes = (0, 2) if X.ndim == 3 else (0,)
        self.mean_ = X.mean(axis=axes, dtype=np.float64)
        constant = X.max(axis=axes) == X.min(axis=axes)
        deviation = X.std(axis=axes, dtype=np.float64)
        self.scale_ = np.where(constant | (deviation == 0), 1.0, deviation)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Standardize with the mean and standard deviation of the training set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bands, n_frames) or (n_samples, n_bands)
            Spectrograms with the bands seen in `fit`; the number of frames is free.

        Returns
        -------
        Xt : ndarray of the shape of X
            Standardized spectrograms: float32 if X is, float64 otherwise.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If X has another number of bands, is of another shape, empty, or not finite.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        per_band = (-1, 1) if X.ndim == 3 else (-1,)
        Xt = X - self.mean_.astype(X.dtype).reshape(per_band)
        Xt /= self.scale_.astype(X.dtype).reshape(per_band)
        return Xt

    def _check(self, X: Any, *, reset: bool) -> Any:
        shape: tuple[int, ...] = np.shape(X) if hasattr(X, "shape") else ()
        if not reset and len(shape) == 3 and shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {shape[1]} bands, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} bands as input. Got shape {shape}, not (n_samples, "
                f"{self.n_features_in_}, n_frames): compute X as in fit."
            )
        X = validate_data(self, X, reset=reset, dtype=(np.float64, np.float32), allow_nd=True)
        if X.ndim > 3 or 0 in X.shape:
            raise ValueError(
                f"{type(self).__name__} expects X of shape (n_samples, n_bands, n_frames) or "
                f"(n_samples, n_bands), not empty. Got shape {X.shape} instead."
            )
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

"""Arrays of any dimension with values of mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._fingerprint import fingerprint
from atl_sklearn._types import PathLike
from atl_sklearn.audio._npy_file import NpyFile
from atl_sklearn.audio._parameters import check_choice, check_memory_map

_PER = ("band", "channel", "element", "global")
# Values of a piece of X that are in memory at a time, in double precision.
_PIECE = 2**22

# Of values, their means and their standard deviations.
_Formula: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Standardizer(DocumentationLink, TransformerMixin, BaseEstimator):
    """Standardize the bands, or channels, of arrays of any dimension.

    It does what :class:`~sklearn.preprocessing.StandardScaler` does for columns: it removes the
    mean and divides by the standard deviation. A band that is constant in the training set is not
    divided.

    Parameters
    ----------
    per : {"band", "channel", "element", "global"}, default="band"
        What gets its own mean and standard deviation: each band, over clips and frames (in each
        channel, if there are several); each channel, over everything after the second axis; each
        element of a clip, over clips; or all values together.
    memory_map : path-like, default=None
        A folder to which the result is written, so that it needs no memory; you get a
        :class:`numpy.memmap`. The files stay until you delete them.

    Attributes
    ----------
    mean_ : ndarray of shape (n_bands,), (n_channels, n_bands), (n_channels,), ... or ()
        Mean of each band, channel or element, or of all.
    var_ : ndarray
        Variance of each, of the same shape.
    scale_ : ndarray
        Standard deviation of each, of the same shape; 1 where it is constant.
    n_samples_seen_ : int
        Number of clips in all calls of `partial_fit` since the last `fit`.
    n_features_in_ : int
        Size of the second axis of X: number of bands, or of channels.
    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if X was a DataFrame with names of type str.

    See Also
    --------
    LibrosaFeatures : Compute spectrograms from audio.

    Notes
    -----
    X is read a piece at a time, so that a memory map may be larger than memory. Means and variances
    of pieces are combined as in [1]_.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance:
       analysis and recommendations", The American Statistician 37, 1983, pp. 242-247.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import Standardizer
    >>> X = np.random.default_rng(0).normal(-30, 10, (20, 40, 63)).astype(np.float32)
    >>> Xt = Standardizer().fit_transform(X)
    >>> Xt.shape, Xt.dtype
    ((20, 40, 63), dtype('float32'))
    >>> bool(np.allclose(Xt.mean(axis=(0, 2)), 0, atol=1e-5))
    True
    """

    def __init__(self, per: str = "band", *, memory_map: PathLike | None = None) -> None:
        self.per = per
        self.memory_map = memory_map

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Compute means and standard deviations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bands), (n_samples, n_bands, n_frames) or \
(n_samples, n_channels, ..., n_bands, n_frames)
            Features.
        y : None
            Ignored.

        Returns
        -------
        self : Standardizer
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is wrong, or X is of another shape, empty, or not finite.
        """
        self.__dict__.pop("n_samples_seen_", None)
        return self.partial_fit(X)

    def partial_fit(self, X: ArrayLike, y: object = None) -> Self:
        """Update means and standard deviations with more data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bands), (n_samples, n_bands, n_frames) or \
(n_samples, n_channels, ..., n_bands, n_frames)
            Features, of as many bands as before.
        y : None
            Ignored.

        Returns
        -------
        self : Standardizer
            The transformer.

        Raises
        ------
        ValueError
            If a parameter is wrong, or X is of another shape, empty, or not finite.
        """
        check_choice(self, "per", _PER)
        check_memory_map(self)
        first = not hasattr(self, "n_samples_seen_")
        X = self._check(X, reset=first)
        axes = self._axes(X.ndim)
        seen = n_values = 0
        mean = var = np.zeros(tuple(np.delete(X.shape, axes)))
        if not first:
            seen, n_values, mean, var = self._state()
        self._check_kept(X.shape, axes, mean.shape)
        for _, piece in _pieces(X):
            n = int(np.prod([piece.shape[axis] for axis in axes]))
            total = n_values + n
            try:
                with np.errstate(over="raise", invalid="raise"):
                    values = piece.astype(np.float64)
                    apart = values.mean(axis=axes) - mean
                    both = n_values * var + n * values.var(axis=axes)
                    var = (both + apart**2 * n_values * n / total) / total
            except FloatingPointError:
                raise ValueError(
                    f"{type(self).__name__} cannot compute the variance of values up to "
                    f"{np.abs(piece).max():.3g}, as their squares are infinite. Look for what "
                    "made them so large, or divide X by a number."
                ) from None
            mean = mean + apart * (n / total)
            n_values = total
        self.mean_, self.var_, self._n_values = mean, var, n_values
        self.n_samples_seen_ = seen + len(X)
        # Equal values may differ from their mean by its rounding.
        rounding = (self._n_values * np.finfo(np.float64).eps * self.mean_) ** 2
        constant = self.var_ <= rounding + self._n_values * np.finfo(np.float64).eps * self.var_
        self.scale_ = np.where(constant, 1.0, np.sqrt(self.var_))
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Standardize with the mean and standard deviation of the training set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bands), (n_samples, n_bands, n_frames) or \
(n_samples, n_channels, ..., n_bands, n_frames)
            Features with the bands seen in `fit`; the number of frames is free.

        Returns
        -------
        Xt : ndarray of the shape of X
            Standardized features: float32 if X is, float64 otherwise.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If X has another number of bands, is of another shape, empty, or not finite.
        """
        return self._apply(X, lambda piece, mean, scale: (piece - mean) / scale)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Undo what `transform` does.

        Parameters
        ----------
        X : array-like of the shape that `transform` returns
            Standardized features.

        Returns
        -------
        Xt : ndarray of the shape of X
            The features.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If X has another number of bands, is of another shape, empty, or not finite.
        """
        return self._apply(X, lambda piece, mean, scale: piece * scale + mean)

    def _apply(self, X: ArrayLike, function: _Formula) -> np.ndarray:
        check_is_fitted(self)
        X = self._check(X, reset=False)
        axes = self._axes(X.ndim)
        self._check_kept(X.shape, axes, self.mean_.shape)
        try:
            with np.errstate(over="raise", invalid="raise"):
                return self._apply_in_pieces(X, axes, function)
        except FloatingPointError:
            raise ValueError(
                f"The result for X is beyond what {X.dtype} holds: X reaches "
                f"{np.abs(X).max():.3g}, mean_ {np.abs(self.mean_).max():.3g} and scale_ "
                f"{self.scale_.max():.3g}. Compute X as in fit, and look for what is so large."
            ) from None

    def _apply_in_pieces(
        self, X: np.ndarray, axes: tuple[int, ...], function: _Formula
    ) -> np.ndarray:
        mean, scale = (
            np.expand_dims(values.astype(X.dtype), axes) for values in (self.mean_, self.scale_)
        )
        if self.memory_map is None:
            Xt = np.empty(X.shape, X.dtype)
            for start, piece in _pieces(X):
                Xt[start : start + len(piece)] = function(piece, mean, scale)
            return Xt
        parts = [fingerprint(mean, scale, X.shape)]
        with NpyFile(self.memory_map, X.shape, X.dtype) as rows:
            for start, piece in _pieces(X):
                parts.append(fingerprint(piece))
                rows.write(start, function(piece, mean, scale))
            return rows.finish(f"standardized-{fingerprint(parts)[:24]}.npy")

    def _state(self) -> tuple[int, int, np.ndarray, np.ndarray]:
        return self.n_samples_seen_, self._n_values, self.mean_, self.var_

    def _axes(self, n_dims: int) -> tuple[int, ...]:
        """Return the axes that are averaged over."""
        if self.per == "global":
            return tuple(range(n_dims))
        if self.per == "channel":
            return (0, *range(2, n_dims))
        if self.per == "element" or n_dims == 2:
            return (0,)
        return (0, n_dims - 1)

    def _check_kept(
        self, shape: tuple[int, ...], axes: tuple[int, ...], kept: tuple[int, ...]
    ) -> None:
        if tuple(np.delete(shape, axes)) != kept:
            raise ValueError(
                f"X of shape {shape} does not go with mean_ of shape {kept}, one for "
                f"each {self.per}. Compute X as in fit."
            )

    def _check(self, X: ArrayLike, *, reset: bool) -> np.ndarray:
        shape: tuple[int, ...] = np.shape(X) if hasattr(X, "shape") else ()
        if not reset and len(shape) >= 3 and shape[1] != self.n_features_in_:
            what = "bands" if len(shape) == 3 else "channels"
            raise ValueError(
                f"X has {shape[1]} {what}, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} {what} as input. Got shape {shape}: compute X as in fit."
            )
        dtypes = (np.float64, np.float32)
        checked: np.ndarray = validate_data(self, X, reset=reset, dtype=dtypes, allow_nd=True)
        if 0 in checked.shape:
            raise ValueError(
                f"{type(self).__name__} expects X of shape (n_samples, n_bands, n_frames), "
                "(n_samples, n_bands), or with more axes, not empty. Got shape "
                f"{checked.shape} instead."
            )
        return checked

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _pieces(X: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield some samples at a time, and where they start."""
    size = max(1, _PIECE // max(1, X[0].size))
    for start in range(0, len(X), size):
        yield start, X[start : start + size]

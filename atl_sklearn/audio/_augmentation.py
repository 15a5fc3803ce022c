"""Changes of the training clips, and of no others, that a network should not mind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from atl_sklearn.audio._clips import as_clips
from atl_sklearn.audio._parameters import is_number, refuse


class Augmentation(TransformerMixin, BaseEstimator):
    """What all have in common: `fit_transform` changes clips, `transform` does not.

    A pipeline calls the first while it is fitted, and the second when it predicts.
    """

    probability: float
    random_state: Any

    def fit(self, X: Any, y: Any = None) -> Any:
        """Check the parameters and X.

        Parameters
        ----------
        X : array-like of shape (n_samples, ..., n_times), or list of waveforms
            Waveforms or features.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is wrong.
        """
        self._check_parameters()
        self._check(X, reset=True)
        self.fitted_ = True
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Return changed clips, for training.

        Parameters
        ----------
        X : array-like of shape (n_samples, ..., n_times), or list of waveforms
            Waveforms or features.
        y : None
            Ignored.
        **fit_params : dict
            Ignored.

        Returns
        -------
        Xt : ndarray of the shape of X, or list of ndarray
            A changed copy.

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is wrong.
        """
        self._check_parameters()
        X = self._check(X, reset=True)
        self.fitted_ = True
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        Xt = [np.array(clip) for clip in X] if isinstance(X, list) else np.array(X)
        for i in range(len(Xt)):
            if rng.random() < self.probability:
                Xt[i] = self._change(Xt[i], rng)
        return Xt

    def transform(self, X: Any) -> Any:
        """Return clips as they are, for prediction.

        Parameters
        ----------
        X : array-like of shape (n_samples, ..., n_times), or list of waveforms
            Waveforms or features.

        Returns
        -------
        X : ndarray of shape (n_samples, ..., n_times), or list of ndarray
            The same.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is wrong.
        """
        check_is_fitted(self)
        return self._check(X, reset=False)

    def _change(self, clip: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Return one clip changed; the last axis is time."""
        raise NotImplementedError  # pragma: no cover

    def _check_parameters(self) -> None:
        if not is_number(self.probability) or not 0 <= self.probability <= 1:
            raise refuse(self, "probability", "a float in [0, 1]")
        check_random_state(self.random_state)

    def _check_range(self, name: str) -> None:
        value = getattr(self, name)
        numbers = value if isinstance(value, tuple | list) else (value, value)
        if len(numbers) != 2 or not all(map(is_number, numbers)) or numbers[0] > numbers[1]:
            raise refuse(self, name, "a float, or a pair (lowest, highest), in dB")

    def _draw(self, name: str, rng: np.random.Generator) -> float:
        value = getattr(self, name)
        return float(rng.uniform(*value)) if isinstance(value, tuple | list) else float(value)

    def _check(self, X: Any, *, reset: bool) -> Any:
        if isinstance(X, list | tuple) and len({np.shape(clip) for clip in X}) > 1:
            clips = as_clips(X)
            self._refuse_paths(any(clip.path is not None for clip in clips))
            return [np.squeeze(clip.samples(), axis=0) if np.ndim(x) == 1 else clip.samples()
                    for x, clip in zip(X, clips, strict=True)]  # fmt: skip
        self._refuse_paths(np.asarray(X).dtype.kind in "UT")
        return validate_data(self, X, reset=reset, dtype=(np.float64, np.float32), allow_nd=True)

    def _refuse_paths(self, has_paths: bool) -> None:
        if has_paths:
            raise TypeError(
                f"{type(self).__name__} needs samples or features, not paths. Put "
                "LibrosaFeatures(feature='waveform'), or other features, before it."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = self.random_state is None
        return tags

"""Changes of the training clips, and of no others, that a network should not mind."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Self, TypeAlias

import numpy as np
import sklearn.utils
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._types import Seed
from atl_sklearn.audio._bad_audio import BadAudioError
from atl_sklearn.audio._clips import Segment, as_clips
from atl_sklearn.audio._items import is_with_rate, unpack
from atl_sklearn.audio._parameters import check_random_state, is_number, refuse
from atl_sklearn.audio._waveforms import integers_of_files

# Beyond what any sound has; far beyond, float32 overflows.
_MOST_DB = 200

Clip: TypeAlias = np.ndarray | tuple[np.ndarray, float]  # the second with its rate
Changed: TypeAlias = np.ndarray | list[Clip]


class Augmentation(DocumentationLink, TransformerMixin, BaseEstimator):
    """What all have in common: `fit_transform` changes clips, `transform` does not.

    A pipeline calls the first while it is fitted, and the second when it predicts.
    """

    probability: float
    random_state: Seed

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check the parameters and X.

        Parameters
        ----------
        X : array-like of shape (n_samples, ..., n_times), or list of waveforms
            Waveforms or features; waveforms may be pairs with their rates, as
            :class:`LibrosaFeatures` takes them.
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

    def fit_transform(self, X: ArrayLike, y: object = None, **fit_params: object) -> Changed:
        """Return changed clips, for training.

        Parameters
        ----------
        X : array-like of shape (n_samples, ..., n_times), or list of waveforms
            Waveforms or features; waveforms may be pairs with their rates, as
            :class:`LibrosaFeatures` takes them.
        y : None
            Ignored.
        **fit_params : dict
            Ignored.

        Returns
        -------
        Xt : ndarray of the shape of X, or list of ndarray
            A changed copy; with rates, pairs (waveform, rate).

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is wrong.
        """
        self._check_parameters()
        given = self._check(X, reset=True)
        self.fitted_ = True
        seed = sklearn.utils.check_random_state(self.random_state).randint(2**31 - 1)
        rng = np.random.default_rng(seed)
        # In a list clips are of any lengths, those with a rate as pairs.
        several = isinstance(given, list)
        Xt = [np.array(_wave_of(clip)) for clip in given] if several else np.array(given)
        for i in range(len(Xt)):
            Xt[i] = self._augmented(Xt[i], rng, f"X[{i}]")
        if isinstance(Xt, np.ndarray):
            return Xt
        return [
            (wave, clip[1]) if isinstance(clip, tuple) else wave
            for wave, clip in zip(Xt, given, strict=True)
        ]

    def transform(self, X: ArrayLike) -> Changed:
        """Return clips as they are, for prediction.

        Parameters
        ----------
        X : array-like of shape (n_samples, ..., n_times), or list of waveforms
            Waveforms or features; waveforms may be pairs with their rates, as
            :class:`LibrosaFeatures` takes them.

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

    def augment_clip(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return one clip changed, by random numbers of its own.

        What :class:`~atl_sklearn.AntiTransferClassifier` calls for each clip of a batch, of which
        it is the parameter ``augment``.

        Parameters
        ----------
        clip : ndarray of shape (..., n_times)
            Waveform or features, of the floating type and the kind that `fit` was given.
        rng : numpy.random.Generator
            What is drawn from, instead of `random_state`.

        Returns
        -------
        changed : ndarray of the shape of `clip`
            The clip itself where `probability` leaves it as it is.

        Raises
        ------
        NotFittedError
            If `fit`, which checks the parameters, was not called.
        ValueError
            If the clip becomes infinite.
        """
        check_is_fitted(self)
        return self._augmented(clip, rng, "the clip")

    def _augmented(self, clip: np.ndarray, rng: np.random.Generator, name: str) -> np.ndarray:
        if rng.random() >= self.probability:
            return clip
        with np.errstate(over="ignore", invalid="ignore"):
            changed = self._change(clip, rng)
        if not np.isfinite(changed).all():
            raise ValueError(
                f"{type(self).__name__} makes {name} infinite: its values reach "
                f"{np.abs(clip).max():.3g}. Scale X; sound lies in [-1, 1]."
            )
        return changed

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return one clip changed; the last axis is time."""
        raise NotImplementedError  # pragma: no cover

    def _check_parameters(self) -> None:
        if not is_number(self.probability) or not 0 <= self.probability <= 1:
            raise refuse(self, "probability", "a float in [0, 1]")
        check_random_state(self)

    def _check_range(
        self, name: str, lowest: float, highest: float, *, what: str = "a float", unit: str = ""
    ) -> None:
        value = getattr(self, name)
        ends = value if isinstance(value, tuple | list) else (value, value)
        good = [is_number(end) and lowest <= end <= highest for end in ends]
        if len(ends) != 2 or not all(good) or ends[0] > ends[1]:
            must = f"{what} in [{lowest:g}, {highest:g}], or a pair (lowest, highest){unit}"
            raise refuse(self, name, must)

    def _check_decibels(self, name: str) -> None:
        self._check_range(name, -_MOST_DB, _MOST_DB, unit=", in dB")

    def _draw(self, name: str, rng: np.random.Generator) -> float:
        value = getattr(self, name)
        return float(rng.uniform(*value)) if isinstance(value, tuple | list) else float(value)

    def _check(self, X: ArrayLike | Sequence, *, reset: bool) -> Changed:
        if getattr(getattr(X, "dtype", None), "kind", "") == "O" and np.ndim(X) == 1:
            X = list(np.asarray(X))  # a Series, or array, of paths, waveforms or segments
        if isinstance(X, list | tuple):
            self._refuse_paths(X)
            self._refuse_integers([unpack(item)[0] for item in X], several=True)
            if any(map(is_with_rate, X)) or len({_shape_of(clip) for clip in X}) > 1:
                return [_as_given(item, clip) for item, clip in zip(X, as_clips(X), strict=True)]
        elif hasattr(X, "dtype") and np.asarray(X).dtype.kind in "UT":
            self._refuse_paths([""])
        else:
            self._refuse_integers([X], several=False)
        return validate_data(self, X, reset=reset, dtype=(np.float64, np.float32), allow_nd=True)

    def _refuse_paths(self, items: Iterable) -> None:
        kinds = str | bytes | os.PathLike | Segment | Mapping
        if any(
            (isinstance(item, kinds) and not is_with_rate(item))
            or hasattr(item, "read")
            or hasattr(item, "get_all_samples")  # a decoder, which reads a file
            for item in items
        ):
            raise TypeError(
                f"{type(self).__name__} needs samples or features, not files, paths or segments. "
                "Put LibrosaFeatures(feature='waveform'), or other features, before it."
            )

    def _refuse_integers(self, arrays: Sequence[ArrayLike], *, several: bool) -> None:
        kinds = [integers_of_files(array) for array in arrays]
        found = [index for index, kind in enumerate(kinds) if kind is not None]
        if found:
            first = found[0]
            raise BadAudioError(
                f"{type(self).__name__} needs floating-point samples or features. Got dtype "
                f"{kinds[first]} in X{f'[{first}]' * several} instead, and nothing says what its "
                "samples are divided by. Put LibrosaFeatures('waveform', scale=32768), or "
                "scale='dtype' for the range of their type, before it, or divide them.",
                found if several else range(np.shape(arrays[0])[0]),
            )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = self.random_state is None
        return tags


class AugmentationAtRate(Augmentation):
    """What those have in common that know the rate of all clips: it is their parameter `sr`."""

    sr: int

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not is_number(self.sr) or self.sr < 1:
            raise refuse(self, "sr", "a number of Hz in [1, inf)")

    def _check(self, X: ArrayLike | Sequence, *, reset: bool) -> Changed:
        given = super()._check(X, reset=reset)
        rates = {clip[1] for clip in given if isinstance(clip, tuple)}
        if rates - {self.sr}:
            raise ValueError(
                f"The 'sr' parameter of {type(self).__name__} must be the rate of all clips. Got "
                f"{self.sr}, and clips of {sorted(rates)} Hz. Put LibrosaFeatures('waveform', "
                f"sr={self.sr}) before it."
            )
        return given


def _wave_of(item: Clip) -> np.ndarray:
    return item[0] if isinstance(item, tuple) else item


def _shape_of(item: ArrayLike) -> tuple[int, ...] | None:
    try:
        return np.shape(item)
    except ValueError:  # lists of several lengths
        return None


def _as_given(item: Sequence, clip: Segment) -> Clip:
    """Return a checked waveform with the channels and the rate with which it was given."""
    one = np.ndim(unpack(item)[0]) == 1
    wave = np.squeeze(clip.samples(), axis=0) if one else clip.samples()
    return wave if clip.rate is None else (wave, clip.rate)

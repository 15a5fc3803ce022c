"""Features by name: fixed-length clips to arrays of bands and frames."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atl_sklearn.audio import _spectral, _tonal
from atl_sklearn.audio._spectral import Clips

if TYPE_CHECKING:
    from atl_sklearn.audio._librosa_features import LibrosaFeatures

# What the `feature` parameter names, and what computes it.
FeatureLike: TypeAlias = "str | Callable[..., ArrayLike]"
Features: TypeAlias = "FeatureLike | list[FeatureLike] | tuple[FeatureLike, ...]"
Feature: TypeAlias = "Callable[[Clips, LibrosaFeatures], np.ndarray]"

_FEATURES: dict[str, Feature] = {
    "chroma": _tonal.chroma,
    "cqt": _tonal.cqt,
    "log_mel": _spectral.log_mel,
    "mel": _spectral.mel,
    "mfcc": _spectral.mfcc,
    "pcen": _spectral.pcen,
    "power_law": _spectral.power_law,
    "spectral_contrast": _spectral.spectral_contrast,
    "stft": _spectral.stft,
    "tonnetz": _tonal.tonnetz,
    "waveform": _spectral.waveform,
}


def get_feature_names() -> list[str]:
    """Return the names of the features that LibrosaFeatures knows.

    Returns
    -------
    names : list of str
        The names, sorted.

    Examples
    --------
    >>> from atl_sklearn.audio import get_feature_names
    >>> get_feature_names()[:5]
    ['chroma', 'cqt', 'log_mel', 'mel', 'mfcc']
    """
    return sorted(_FEATURES)


def get_feature(feature: FeatureLike) -> Feature:
    """Return the named feature, or the callable as one.

    Parameters
    ----------
    feature : str or callable
        A name that :func:`get_feature_names` lists; or a function of one clip such as
        ``librosa.feature.rms``, called as ``feature(y=clip, sr=sr)``, without `sr` if it takes
        none.

    Returns
    -------
    compute : callable
        ``compute(clips, settings)`` returns an array of shape (n_clips, n_bands, n_frames);
        `clips` has shape (n_clips, n_times), `settings` the attributes of LibrosaFeatures.

    Raises
    ------
    ValueError
        If there is no such feature.

    Examples
    --------
    >>> from atl_sklearn.audio import get_feature
    >>> get_feature("log_mel").__name__
    'log_mel'
    """
    if callable(feature):
        return functools.partial(_one_by_one, feature)
    try:
        return _FEATURES[feature]
    except (KeyError, TypeError):
        raise ValueError(
            "The 'feature' parameter of LibrosaFeatures must be a callable, one of "
            f"{get_feature_names()}, or a list of these. Got {feature!r} instead."
        ) from None


def _one_by_one(
    feature: Callable[..., ArrayLike], clips: Clips, settings: LibrosaFeatures
) -> np.ndarray:
    # Not all at once: librosa's own may compare the clips of an array with each other.
    return np.stack([call_on(feature, clip, settings.sr) for clip in clips])


def call_on(function: Callable[..., ArrayLike], clip: np.ndarray, sr: float) -> ArrayLike:
    """Call a function as librosa's are called, with the rate if it takes one."""
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    options = {"sr": sr} if takes_any or "sr" in parameters else {}
    return function(y=clip, **options)


def as_list(feature: Features) -> list[FeatureLike]:
    """Return what the `feature` parameter asks for as a list."""
    return list(feature) if isinstance(feature, list | tuple) else [feature]


def name_of(feature: FeatureLike) -> str:
    """Return what a feature is called in the names of columns."""
    if isinstance(feature, str):
        return feature
    inner = getattr(feature, "func", feature)  # of functools.partial
    return getattr(inner, "__name__", type(inner).__name__)


def compute_features(waves: NDArray[np.float32], settings: LibrosaFeatures) -> NDArray[np.float32]:
    """Compute what LibrosaFeatures returns for clips of one length.

    Parameters
    ----------
    waves : ndarray of shape (n_clips, n_channels, n_times), float32
        The clips.
    settings : LibrosaFeatures
        The parameters.

    Returns
    -------
    features : ndarray of shape (n_clips, ...), float32
        Of one feature of clips with one channel, as the feature is; otherwise with an axis for
        all features of the first channel, then those of the next.

    Raises
    ------
    ValueError
        If a feature cannot be computed with these parameters, or they do not fit together.
    """
    features = as_list(settings.feature)
    n_clips, n_channels, n_times = waves.shape
    clips = waves.reshape(-1, n_times)
    found = [_compute(feature, clips, settings) for feature in features]
    shapes = {name_of(f): array.shape[1:] for f, array in zip(features, found, strict=True)}
    if len({array.shape[1:] for array in found}) > 1:
        raise ValueError(
            "The features in the 'feature' parameter must have the same numbers of bands and "
            f"frames to be stacked as channels. Got {shapes} instead. Choose parameters for which "
            "they agree (n_mels, n_mfcc, ...), or join transformers of one each by FeatureUnion "
            "with flatten=True."
        )
    if n_channels == 1 and not isinstance(settings.feature, list | tuple):
        if settings.n_channels is None:
            return found[0]
        return found[0][:, np.newaxis]
    stacked = np.stack(found, axis=1)
    return stacked.reshape(n_clips, n_channels * len(found), *stacked.shape[2:])


def _compute(feature: FeatureLike, clips: Clips, settings: LibrosaFeatures) -> NDArray[np.float32]:
    import librosa

    name = name_of(feature)
    of_clips = f"clips of {clips.shape[1]} samples at sr={settings.sr}"
    try:
        found = np.asarray(get_feature(feature)(clips, settings))
    except Exception as error:
        kind = "" if isinstance(error, librosa.ParameterError) else f"{type(error).__name__}: "
        if callable(feature):
            raise ValueError(
                f"The function {name!r} in the 'feature' parameter of {type(settings).__name__} "
                f"failed for {of_clips}. It is called as feature(y=clip, sr=sr). {kind}{error}"
            ) from error
        raise ValueError(
            f"librosa cannot compute {name!r} of {of_clips} with these parameters: {kind}"
            f"{str(error).rstrip('.')}. Change them, or what feature_params={{{name!r}: {{...}}}} "
            f"passes on to librosa's function; it is {settings.feature_params!r}."
        ) from error
    if found.dtype.kind not in "fiub":
        raise ValueError(
            f"{name!r} in the 'feature' parameter of {type(settings).__name__} returned values of "
            f"dtype {found.dtype}, which are not real numbers. Take np.abs of complex ones."
        )
    return found.astype(np.float32, copy=False)

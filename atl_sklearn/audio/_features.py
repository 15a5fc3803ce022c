"""Features by name: fixed-length clips to arrays of bands and frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Clips = NDArray[np.float32]
Feature = Callable[[Clips, Any], NDArray[Any]]

_SMALLEST_POWER = 1e-10  # librosa's amin


def mel(clips: Clips, settings: Any) -> NDArray[Any]:
    """Power in mel bands.

    Parameters
    ----------
    clips : ndarray of shape (n_clips, n_times), float32
        Clips of one length.
    settings : LibrosaFeatures
        The parameters.

    Returns
    -------
    power : ndarray of shape (n_clips, n_mels, n_frames)
        The power of each band in each frame.
    """
    import librosa

    win_length, hop_length = window_of(settings)
    return librosa.feature.melspectrogram(
        y=clips,
        sr=settings.sr,
        n_fft=settings.n_fft,
        win_length=win_length,
        hop_length=hop_length,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=settings.fmax,
    )


def log_mel(clips: Clips, settings: Any) -> NDArray[Any]:
    """Level in mel bands, in dB.

    Parameters
    ----------
    clips : ndarray of shape (n_clips, n_times), float32
        Clips of one length.
    settings : LibrosaFeatures
        The parameters.

    Returns
    -------
    level : ndarray of shape (n_clips, n_mels, n_frames)
        ``10 * log10(power / ref)``, at most `top_db` below the clip's maximum.
    """
    return to_decibels(mel(clips, settings), ref=settings.ref, top_db=settings.top_db)


def to_decibels(
    power: NDArray[Any], *, ref: float | str = "max", top_db: float | None = 60.0
) -> NDArray[Any]:
    """Convert the power of each clip to dB.

    The result for a clip is that of ``librosa.power_to_db`` for this clip alone. Calling that
    with several clips compares them with each other in librosa 0.11, but not in 1.0.

    Parameters
    ----------
    power : ndarray of shape (n_clips, n_bands, n_frames)
        Power, 0 or more.
    ref : "max" or float, default="max"
        The power of 0 dB: the clip's own maximum, or this.
    top_db : float or None, default=60.0
        How far below the clip's maximum the result is cut off.

    Returns
    -------
    level : ndarray of shape (n_clips, n_bands, n_frames)
        The level in dB, of the dtype of `power`.
    """
    level = 10.0 * np.log10(np.maximum(power, _SMALLEST_POWER))
    if ref == "max":
        level -= level.max(axis=(1, 2), keepdims=True)
    else:
        level -= 10.0 * float(np.log10(max(float(ref), _SMALLEST_POWER)))
    if top_db is not None:
        np.maximum(level, level.max(axis=(1, 2), keepdims=True) - float(top_db), out=level)
    return level


def window_of(settings: Any) -> tuple[int, int]:
    """Return the window's length and its step; None means what it means in ``librosa.stft``."""
    win_length = settings.n_fft if settings.win_length is None else settings.win_length
    hop_length = win_length // 4 if settings.hop_length is None else settings.hop_length
    return win_length, hop_length


_FEATURES: dict[str, Feature] = {"log_mel": log_mel, "mel": mel}


def get_feature_names() -> list[str]:
    """Return the names of the features that LibrosaFeatures knows.

    Returns
    -------
    names : list of str
        The names, sorted.

    Examples
    --------
    >>> from atl_sklearn.audio import get_feature_names
    >>> get_feature_names()
    ['log_mel', 'mel']
    """
    return sorted(_FEATURES)


def get_feature(feature: Any) -> Feature:
    """Return the named feature, or the callable as one.

    Parameters
    ----------
    feature : str or callable
        A name that :func:`get_feature_names` lists; or a function such as
        ``librosa.feature.mfcc`` of one clip, ``feature(y=clip, sr=sr)``.

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
        # One by one: librosa's own may compare the clips of an array with each other.
        return lambda clips, settings: np.stack([feature(y=clip, sr=settings.sr) for clip in clips])
    try:
        return _FEATURES[feature]
    except (KeyError, TypeError):
        raise ValueError(
            "The 'feature' parameter of LibrosaFeatures must be a callable or one of "
            f"{get_feature_names()}. Got {feature!r} instead."
        ) from None

"""Features back to sound, as far as that goes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atl_sklearn.audio._reading import n_times_of
from atl_sklearn.audio._spectral import options_of, window_of

if TYPE_CHECKING:
    from atl_sklearn.audio._librosa_features import LibrosaFeatures


def _magnitude_to_wave(magnitude: np.ndarray, settings: LibrosaFeatures, n_iter: int) -> np.ndarray:
    import librosa

    win_length, hop_length = window_of(settings)
    known = inspect.signature(librosa.griffinlim).parameters
    seed: dict[str, Any] = {"rng" if "rng" in known else "random_state": 0}  # as in librosa 0.11
    return librosa.griffinlim(
        magnitude,
        n_iter=n_iter,
        n_fft=settings.n_fft,
        win_length=win_length,
        hop_length=hop_length,
        length=n_times_of(settings),
        **seed,
    )


def _stft(features: np.ndarray, settings: LibrosaFeatures, n_iter: int) -> np.ndarray:
    return _magnitude_to_wave(np.maximum(features, 0.0), settings, n_iter)


def _power_law(features: np.ndarray, settings: LibrosaFeatures, n_iter: int) -> np.ndarray:
    magnitude = np.maximum(features, 0.0) ** (1.0 / settings.exponent)
    return _magnitude_to_wave(magnitude, settings, n_iter)


def _mel(
    features: np.ndarray, settings: LibrosaFeatures, n_iter: int, name: str = "mel"
) -> np.ndarray:
    import librosa

    names = ("sr", "n_fft", "fmin", "fmax")
    options = {option: getattr(settings, option) for option in names} | options_of(settings, name)
    magnitude = librosa.feature.inverse.mel_to_stft(np.maximum(features, 0.0), **options)
    return _magnitude_to_wave(magnitude, settings, n_iter)


def _log_mel(features: np.ndarray, settings: LibrosaFeatures, n_iter: int) -> np.ndarray:
    reference = 1.0 if settings.ref == "max" else float(settings.ref)
    return _mel(reference * 10.0 ** (features / 10.0), settings, n_iter, "log_mel")


def _waveform(features: np.ndarray, settings: LibrosaFeatures, n_iter: int) -> np.ndarray:
    return features[0]


_INVERSES: dict[str, Callable[[np.ndarray, LibrosaFeatures, int], np.ndarray]] = {
    "log_mel": _log_mel,
    "mel": _mel,
    "power_law": _power_law,
    "stft": _stft,
    "waveform": _waveform,
}


def invert_features(
    features: np.ndarray, settings: LibrosaFeatures, n_iter: int
) -> NDArray[np.float32]:
    """Return sound with given features.

    Parameters
    ----------
    features : ndarray of shape (n_clips, n_bands, n_frames)
        The features, of one channel and one kind.
    settings : LibrosaFeatures
        The parameters that they were computed with.
    n_iter : int
        Iterations of the algorithm of Griffin and Lim.

    Returns
    -------
    waves : ndarray of shape (n_clips, n_times), float32
        The sound.

    Raises
    ------
    ValueError
        If there is no way back from these features.
    """
    feature = settings.feature
    if not isinstance(feature, str) or feature not in _INVERSES:
        raise ValueError(
            f"inverse_transform needs one 'feature' of {sorted(_INVERSES)}. Got {feature!r} "
            "instead, from which sound cannot be made."
        )
    invert = _INVERSES[feature]
    waves = [invert(clip.astype(np.float32, copy=False), settings, n_iter) for clip in features]
    return np.stack(waves).astype(np.float32, copy=False)

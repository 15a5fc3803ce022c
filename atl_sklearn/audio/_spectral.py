"""Features that come from one short-time Fourier transform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atl_sklearn.audio._decibels import to_decibels

if TYPE_CHECKING:
    from atl_sklearn.audio._librosa_features import LibrosaFeatures

Clips = NDArray[np.float32]

# Samples in [-1, 1] become those of 32-bit integers, for which librosa's defaults of PCEN are.
_PCEN_SCALE = np.float32(2**31)
_DCT_OPTIONS = ("dct_type", "norm", "lifter")


def window_of(settings: LibrosaFeatures) -> tuple[int, int]:
    """Return the window's length and its step; None means what it means in ``librosa.stft``."""
    win_length = settings.n_fft if settings.win_length is None else settings.win_length
    hop_length = win_length // 4 if settings.hop_length is None else settings.hop_length
    return win_length, hop_length


def options_of(settings: LibrosaFeatures, name: str) -> dict[str, Any]:
    """Return what the user passes on to librosa's function of the named feature."""
    return dict((settings.feature_params or {}).get(name, {}))


def waveform(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return the samples as they are, as one band with a frame for each of them."""
    return clips[:, np.newaxis]


def magnitude(clips: Clips, settings: LibrosaFeatures, **options: Any) -> np.ndarray:
    """Return the magnitude of the short-time Fourier transform, (n_clips, n_bins, n_frames)."""
    import librosa

    win_length, hop_length = window_of(settings)
    lengths = {"n_fft": settings.n_fft, "win_length": win_length, "hop_length": hop_length}
    return np.abs(librosa.stft(clips, **{**lengths, **options}))


def stft(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return the magnitude of the short-time Fourier transform."""
    return magnitude(clips, settings, **options_of(settings, "stft"))


def power_law(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return the magnitude to the power `exponent`, which compresses it much as hearing does."""
    options = options_of(settings, "power_law")
    return magnitude(clips, settings, **options) ** settings.exponent


def _mel(clips: Clips, settings: LibrosaFeatures, **options: Any) -> np.ndarray:
    import librosa

    win_length, hop_length = window_of(settings)
    parameters = {
        "sr": settings.sr,
        "n_fft": settings.n_fft,
        "win_length": win_length,
        "hop_length": hop_length,
        "n_mels": settings.n_mels,
        "fmin": settings.fmin,
        "fmax": settings.fmax,
    }
    return librosa.feature.melspectrogram(y=clips, **{**parameters, **options})


def mel(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
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
    return _mel(clips, settings, **options_of(settings, "mel"))


def log_mel(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
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
    power = _mel(clips, settings, **options_of(settings, "log_mel"))
    return to_decibels(power, ref=settings.ref, top_db=settings.top_db)


def pcen(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return the magnitude in mel bands after per-channel energy normalisation."""
    import librosa

    _, hop_length = window_of(settings)
    bands = _mel(clips, settings, power=1.0) * _PCEN_SCALE
    options = options_of(settings, "pcen")
    return librosa.pcen(bands, **{"sr": settings.sr, "hop_length": hop_length, **options})


def mfcc(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return mel-frequency cepstral coefficients, and their deltas below them."""
    import librosa

    options = options_of(settings, "mfcc")
    of_dct = {name: options.pop(name) for name in _DCT_OPTIONS if name in options}
    level = to_decibels(_mel(clips, settings, **options), ref=1.0, top_db=80.0)
    static = librosa.feature.mfcc(S=level, n_mfcc=settings.n_mfcc, **of_dct)
    orders = range(1, settings.n_deltas + 1)
    deltas = [librosa.feature.delta(static, order=order) for order in orders]
    return np.concatenate([static, *deltas], axis=1)


def spectral_contrast(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return the level of peaks above valleys in octave bands."""
    import librosa

    # One by one: librosa 0.11 cuts off levels below the loudest of all clips.
    return np.stack(
        [
            librosa.feature.spectral_contrast(
                S=spectrum,
                **{
                    "sr": settings.sr,
                    "n_fft": settings.n_fft,
                    **options_of(settings, "spectral_contrast"),
                },
            )
            for spectrum in magnitude(clips, settings)
        ]
    )

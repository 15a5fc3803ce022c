"""Levels in dB, clip by clip."""

from __future__ import annotations

import numpy as np

SMALLEST_POWER = 1e-10  # librosa's amin


def to_decibels(
    power: np.ndarray, *, ref: float | str = "max", top_db: float | None = 60.0
) -> np.ndarray:
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
    level = 10.0 * np.log10(np.maximum(power, SMALLEST_POWER))
    if ref == "max":
        level -= level.max(axis=(1, 2), keepdims=True)
    else:
        level -= 10.0 * float(np.log10(max(float(ref), SMALLEST_POWER)))
    if top_db is not None:
        np.maximum(level, level.max(axis=(1, 2), keepdims=True) - float(top_db), out=level)
    return level


def with_noise(clip: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Add noise to a clip.

    Parameters
    ----------
    clip, noise : ndarray of shape (..., n_times)
        Of any level.
    snr : float
        Signal-to-noise ratio in dB.

    Returns
    -------
    noisy : ndarray of shape (..., n_times)
        Of the dtype of `clip`.
    """
    # In a unit near its peak, a power of two, squares of a clip do not overflow.
    unit = np.ldexp(1.0, np.frexp(np.abs(clip).max())[1] - 1)
    power = np.mean(np.square(clip / unit, dtype=np.float64))
    ratio = 10 ** (snr / 10)
    scale = unit * np.sqrt(power / np.mean(np.square(noise, dtype=np.float64)) / ratio)
    return (clip + scale * noise).astype(clip.dtype)

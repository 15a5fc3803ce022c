"""Samples that users pass, checked and made float32."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atl_sklearn._validation import is_number, shown
from atl_sklearn.audio._bad_audio import UnusableClipError

# Sound lies in [-1, 1]; beyond this the power of a spectrum overflows in float32.
_LOUDEST = 1e12
_HIGHEST_16 = 2**15
# What integer samples are divided by: a number, "dtype", or None where nobody said it.
Scale: TypeAlias = float | str | None


def is_scale(value: object) -> bool:
    """Tell whether a value says what integer samples are divided by."""
    if value is None or isinstance(value, str):
        return value in (None, "dtype")
    return is_number(value) and value > 0


def integers_of_files(item: ArrayLike) -> np.dtype | None:
    """Return the type of integers that are samples as files hold them; None for other values.

    These have 8 or 16 bits; of wider ones, some are beyond 16 bits.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio._waveforms import integers_of_files
    >>> integers_of_files(np.array([1, 2], np.int16)), integers_of_files([1, 1 << 20])
    (dtype('int16'), dtype('int64'))
    >>> integers_of_files([1, 2]), integers_of_files([0.5])
    (None, None)
    """
    try:
        array = _as_array(item)
    except UnusableClipError:  # whoever reads it says what it is
        return None
    if array.dtype.kind not in "iu" or array.ndim == 0 or array.size == 0:
        return None
    narrow = array.dtype.itemsize <= 2
    if narrow or array.max() > _HIGHEST_16 or array.min() < -_HIGHEST_16:
        return array.dtype
    return None


def as_waveform(item: ArrayLike, scale: Scale = None) -> NDArray[np.float32]:
    """Return a waveform with its channels.

    Parameters
    ----------
    item : array-like of shape (n_times,) or (n_channels, n_times)
        The samples; a tensor too, on whatever device.
    scale : float or "dtype", default=None
        What integers are divided by: a number; or the largest of their type, unsigned ones being
        moved to 0 before. None to refuse them.

    Returns
    -------
    wave : ndarray of shape (n_channels, n_times), float32
        The samples.

    Raises
    ------
    UnusableClipError
        If they cannot be used; the message says why.
    """
    wave = _as_array(item)
    if wave.ndim == 0:
        raise UnusableClipError(f"it is {shown(item)}, neither a path nor a waveform")
    if wave.dtype.kind in "US":
        raise UnusableClipError(
            f"it is text, {shown(wave.tolist())}. From a table, pass only the column with the "
            "paths; files have their own rates, so they need no pairs"
        )
    if wave.ndim > 2:
        raise UnusableClipError(
            f"it has shape {wave.shape}, not (n_times,) or (n_channels, n_times)"
        )
    if wave.size == 0:
        raise UnusableClipError("it has no samples")
    if wave.dtype.kind in "iu" and scale is not None:
        wave = _scaled(wave, scale)
    if wave.dtype.kind != "f":
        integers = (
            "; scale=32768, or scale='dtype' for the range of its type, says what integers are "
            "divided by"
        )
        raise UnusableClipError(
            f"it has dtype {wave.dtype}, not floating-point"
            f"{integers if wave.dtype.kind in 'iu' else ''}"
        )
    if wave.ndim == 2 and wave.shape[0] > wave.shape[1]:
        raise UnusableClipError(
            f"it has shape {wave.shape}, which is more channels than samples; channels come "
            "first, as in librosa: pass its transpose"
        )
    wave = np.atleast_2d(wave)
    reason = describe_samples(wave)
    if reason:
        raise UnusableClipError(reason)
    return wave.astype(np.float32, copy=False)


def _as_array(item: ArrayLike) -> np.ndarray:
    try:
        if hasattr(item, "detach"):  # a tensor
            item = item.detach().cpu()
        return np.asarray(item)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UnusableClipError(f"it cannot be converted to an array ({error})") from error


def _scaled(wave: np.ndarray, scale: float | str) -> NDArray[np.float64]:
    if not isinstance(scale, str):
        return wave / float(scale)
    half = 2.0 ** (8 * wave.dtype.itemsize - 1)
    middle = half if wave.dtype.kind == "u" else 0.0
    return (wave - middle) / half


def describe_samples(wave: np.ndarray) -> str | None:
    """Return what is wrong with the samples of an array (n_channels, n_times), or None."""
    peak = max(float(wave.max()), -float(wave.min()))  # both are NaN if a sample is
    if peak <= _LOUDEST:
        return None
    finite = np.isfinite(wave)
    if finite.all():
        return f"its samples reach {peak:.3g}; scale them to [-1, 1]"
    index = int(np.argmin(finite.all(axis=0)))
    what = "NaN" if np.isnan(wave[:, index]).any() else "infinite"
    return f"it is {what} at sample {index}"

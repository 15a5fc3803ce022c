"""What users pass as audio, made into a list of paths and waveforms."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from atl_sklearn.audio._bad_audio import BadAudioError

Clip = str | NDArray[np.float32]

# Sound lies in [-1, 1]; beyond this the power of a spectrum overflows in float32.
_LOUDEST = 1e12


def as_clips(X: Any) -> list[Clip]:
    """Return audio as a list of paths and checked waveforms.

    Parameters
    ----------
    X : path, sequence or array of paths, sequence of waveforms, or array (n_samples, n_times)
        The audio; a path is a str or path-like, and one alone is one clip.

    Returns
    -------
    clips : list of str or ndarray of shape (n_times,), float32
        One path or waveform for each sample. No path is looked at.

    Raises
    ------
    TypeError
        If X is nothing of that kind.
    BadAudioError
        If waveforms are empty, not finite, not one-dimensional or not floating-point.
    ValueError
        If X is empty or an array of another shape.
    """
    items = _as_items(X)
    clips: list[Clip] = []
    reasons: list[tuple[int, str | None, str]] = []
    for index, item in enumerate(items):
        if isinstance(item, str | os.PathLike):
            clips.append(os.fsdecode(item))
            continue
        wave, reason = _as_waveform(item)
        if reason:
            reasons.append((index, None, reason))
        clips.append(wave)
    if reasons:
        raise BadAudioError.from_reasons(reasons, len(items))
    return clips


def _as_items(X: Any) -> Sequence[Any]:
    if isinstance(X, str | os.PathLike):
        return [X]
    if issparse(X):
        raise TypeError("Sparse data was passed, but audio must be dense: use X.toarray().")
    if hasattr(X, "__array__"):
        return _array_items(np.asarray(X))
    if not isinstance(X, Sequence) or isinstance(X, bytes | bytearray):
        raise TypeError(
            "Audio must be paths (a str or path-like, or a sequence, array or Series of them) or "
            "waveforms (a list of one-dimensional arrays, or an array of shape "
            f"(n_samples, n_times)). Got {type(X).__name__} instead."
        )
    if len(X) == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if all(np.isscalar(item) and not isinstance(item, str | bytes) for item in X):
        _array_items(np.asarray(X))  # numbers: one waveform that is not in a list
    return X


def _array_items(array: NDArray[Any]) -> Sequence[Any]:
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: audio is real. Got dtype {array.dtype}.")
    numeric = array.dtype.kind not in "OUT"
    if array.ndim == 1 and not numeric:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        raise ValueError(
            "Audio in an array must be paths of shape (n_samples,) or waveforms of shape "
            f"(n_samples, n_times). Got an array of shape {array.shape} and dtype {array.dtype} "
            "instead. Reshape your data: X.reshape(1, -1) if it is one waveform, the average "
            "over channels if it has several."
        )
    for size, what in zip(array.shape, ("sample", "feature"), strict=True):
        if size == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={array.shape}) while a minimum of 1 is "
                "required."
            )
    if numeric:
        return list(array)
    if array.shape[1] == 1:
        return list(array[:, 0])
    return [row.tolist() for row in array]


def _as_waveform(item: Any) -> tuple[NDArray[np.float32], str | None]:
    """Return the waveform and what is wrong with it."""
    nothing = np.empty(0, np.float32)
    try:
        wave = np.asarray(item)
    except (ValueError, TypeError, RuntimeError) as error:
        return nothing, f"it cannot be made an array ({error})"
    if wave.ndim == 0:
        return nothing, f"it is {item!r}, neither a path nor a waveform"
    if wave.ndim > 1:
        return nothing, f"it has shape {wave.shape}, not (n_times,); average over channels"
    if wave.size == 0:
        return nothing, "it has no samples"
    if wave.dtype.kind != "f":
        return nothing, (
            f"it has dtype {wave.dtype}, not floating-point; 16-bit integers, for example, are "
            "to be divided by 32768"
        )
    reason = describe_samples(wave)
    return (nothing, reason) if reason else (wave.astype(np.float32, copy=False), None)


def describe_samples(wave: NDArray[Any]) -> str | None:
    """Return what is wrong with the samples of a waveform, or None."""
    peak = float(np.abs(wave).max())
    if peak <= _LOUDEST:
        return None
    if np.isfinite(wave).all():
        return f"its samples reach {peak:.3g}; scale them to [-1, 1]"
    index = int(np.argmin(np.isfinite(wave)))
    what = "NaN" if np.isnan(wave[index]) else "infinite"
    return f"it is {what} at sample {index}"

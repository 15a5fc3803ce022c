"""What is cut off at the ends of clips: silence, or whatever is no speech."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from atl_sklearn._validation import shown
from atl_sklearn.audio._bad_audio import UnusableClipError
from atl_sklearn.audio._features import call_on

# What `trim_silence` may be.
Trim: TypeAlias = float | str | Callable | None

_FRAME_SECONDS = 0.03
_HOPS = 3  # of a frame
# A clip whose loud parts are no louder than this above its soft ones has no silence to cut.
_LEAST_RANGE_DB = 15.0
# Where between the soft and the loud parts the limit is.
_PLACE = 0.3
_FLOOR = 1e-10


def trim(wave: NDArray[np.float32], sr: float, how: Trim) -> NDArray[np.float32]:
    """Cut off the ends of a clip.

    Parameters
    ----------
    wave : ndarray of shape (n_channels, n_times), float32
        The clip.
    sr : float
        Its sampling rate in Hz.
    how : float, "energy" or callable
        The `trim_silence` parameter of LibrosaFeatures.

    Returns
    -------
    wave : ndarray of shape (n_channels, n_kept), float32
        What is left.

    Raises
    ------
    UnusableClipError
        If nothing is left.
    ValueError
        If a callable returns no intervals.
    """
    if how is None:
        return wave
    if callable(how):
        start, stop = _found_by(how, wave, sr)
        kept, what = wave[:, start:stop], f"trim_silence={shown(how)}"
    elif isinstance(how, str):
        start, stop = _energetic(wave, sr)
        kept, what = wave[:, start:stop], f"trim_silence={how!r}"
    else:
        import librosa

        kept, _ = librosa.effects.trim(wave, top_db=how)
        what = f"trim_silence={how} dB"
    if kept.shape[1] == 0:
        raise UnusableClipError(f"{what} leaves nothing of it")
    return kept


def _energetic(wave: NDArray[np.float32], sr: float) -> tuple[int, int]:
    """Return where the parts begin and end that are louder than the noise of this clip."""
    hop = max(1, round(_FRAME_SECONDS * sr / _HOPS))
    power = np.square(wave, dtype=np.float64).mean(axis=0)
    n_hops = len(power) // hop
    if n_hops < 4 * _HOPS:
        return 0, len(power)
    by_hop = power[: n_hops * hop].reshape(n_hops, hop).mean(axis=1)
    smooth = np.convolve(by_hop, np.ones(_HOPS) / _HOPS, mode="same")
    level = 10 * np.log10(np.maximum(smooth, _FLOOR * max(power.max(), _FLOOR)))
    soft, loud = np.percentile(level, [10, 95])
    if loud - soft < _LEAST_RANGE_DB:
        return 0, len(power)
    active = np.flatnonzero(level >= soft + _PLACE * (loud - soft))
    stop = active[-1] + 2
    return int(max(0, active[0] - 1)) * hop, int(stop * hop if stop < n_hops else len(power))


def _found_by(detect: Callable, wave: NDArray[np.float32], sr: float) -> tuple[int, int]:
    mono = wave[0] if len(wave) == 1 else wave.mean(axis=0)
    found = call_on(detect, mono, sr)
    try:
        intervals = np.asarray(found).reshape(-1, 2)
    except (ValueError, TypeError):
        intervals = np.array([["", ""]])
    if intervals.dtype.kind not in "iuf":
        raise ValueError(
            "The function in the 'trim_silence' parameter must return an array of shape "
            "(n_intervals, 2), the samples at which speech begins and ends, as "
            f"librosa.effects.split does. It returned {shown(found)}."
        )
    if len(intervals) == 0:
        return 0, 0
    return max(0, int(intervals[:, 0].min())), int(intervals[:, 1].max())

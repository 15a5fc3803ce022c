"""What users pass as audio, made into a list of clips."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse

from atl_sklearn._types import PathLike
from atl_sklearn._validation import is_number
from atl_sklearn.audio._bad_audio import BadAudioError, BadFile

# Sound lies in [-1, 1]; beyond this the power of a spectrum overflows in float32.
_LOUDEST = 1e12
# Of recordings, and of places in them: more is a mistake, or a damaged header.
LONGEST_SECONDS = 1e7
_HIGHEST_RATE = 1e12
_NOTHING = np.empty((1, 0), np.float32)


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of a recording: what AudioSegmenter returns and LibrosaFeatures reads.

    Nothing is read before it is needed, so that the segments of long recordings are small.

    Parameters
    ----------
    source : str or ndarray of shape (n_channels, n_times), floating-point
        Path of the recording, or its samples.
    rate : float or None, default=None
        Sampling rate of the samples in Hz; None for that of the features.
    start : float, default=0.0
        Where the segment begins in the recording, in seconds.
    duration : float or None, default=None
        Its length in seconds; None for the rest of the recording.
    recording : int or None, default=None
        Position of the recording in what was cut; None for a recording that was not.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import AudioSegmenter
    >>> segments = AudioSegmenter(duration=1.0, sr=8000).transform([np.ones(16000)])
    >>> [(s.recording, s.start, s.duration) for s in segments]
    [(0, 0.0, 1.0), (0, 0.5, 1.0), (0, 1.0, 1.0)]
    """

    source: str | NDArray[np.float32]
    rate: float | None = None
    start: float = 0.0
    duration: float | None = None
    recording: int | None = None

    @property
    def path(self) -> str | None:
        """Path of the recording; None where it is in memory."""
        return self.source if isinstance(self.source, str) else None

    def samples(self) -> NDArray[np.float32]:
        """Return the samples of a segment in memory; all of the recording if its rate is open.

        Returns
        -------
        samples : ndarray of shape (n_channels, n_times), float32
            The samples.
        """
        assert not isinstance(self.source, str)
        if self.rate is None or self.duration is None:
            return self.source
        stop = round((self.start + self.duration) * self.rate)
        return self.source[:, round(self.start * self.rate) : stop]


# One recording, or several of them.
Audio: TypeAlias = str | os.PathLike[str] | Segment | Sequence | ArrayLike


def as_clips(
    X: Audio, bad: list[BadFile] | None = None, root: PathLike | None = None
) -> list[Segment]:
    """Return audio as a list of clips, checked as far as can be without reading files.

    Parameters
    ----------
    X : path, sequence or array of paths, sequence of waveforms, or array of waveforms
        The audio; a path is a str or path-like, and one alone is one clip. A waveform has shape
        (n_times,) or (n_channels, n_times), and may be a pair with its rate.
    bad : list of BadFile, default=None
        Waveforms that cannot be used are appended here, and have no samples in the result; None
        to raise an error.
    root : path-like, default=None
        The folder that relative paths start from; None for the current one. Windows of
        AudioSegmenter know where their recordings are.

    Returns
    -------
    clips : list of Segment
        One for each sample.

    Raises
    ------
    TypeError
        If X is nothing of that kind.
    BadAudioError
        If waveforms are empty, not finite, not floating-point or of another shape.
    ValueError
        If X is empty or an array of another shape, or there is no such folder.
    """
    items = _as_items(X)
    clips: list[Segment] = []
    found: list[BadFile] = []
    checked: dict[int, tuple[NDArray[np.float32], str | None]] = {}
    for index, item in enumerate(items):
        if isinstance(item, str | os.PathLike):
            clips.append(Segment(_from_root(os.fsdecode(item), root)))
            continue
        if isinstance(item, Segment):
            item, wrong = _as_segment(item, checked, root)
            if wrong:
                found.append(BadFile(index, item.path, wrong))
            clips.append(Segment(_NOTHING) if wrong else item)
            continue
        rate = None
        if is_pair(item):
            item, rate = item
            if not _is_in(rate, 0.0, _HIGHEST_RATE) or rate == 0:
                reason = f"its rate is {rate!r}, not a number above 0"
                found.append(BadFile(index, None, reason))
                clips.append(Segment(_NOTHING))
                continue
            rate = float(rate)
        wave, wrong = _as_waveform(item)
        if wrong:
            found.append(BadFile(index, None, wrong))
        clips.append(Segment(wave, rate))
    if bad is not None:
        bad += found
    elif found:
        raise BadAudioError.from_reasons(found, len(items))
    return clips


def _from_root(path: str, root: PathLike | None) -> str:
    if root is None or os.path.isabs(path):
        return path
    folder = os.path.expanduser(os.fsdecode(root))
    if not os.path.isdir(folder):
        raise ValueError(
            "The 'root' parameter must be a folder that exists, or None for the current one. Got "
            f"{os.fspath(root)!r}, which is looked for at {os.path.abspath(folder)!r}."
        )
    return os.path.join(folder, path)


def _is_in(value: object, low: float, high: float) -> bool:
    return is_number(value) and low <= value <= high


def _as_segment(
    item: Segment, checked: dict[int, tuple[NDArray[np.float32], str | None]], root: PathLike | None
) -> tuple[Segment, str | None]:
    """Return a segment as it is read, and what is wrong with it."""
    if isinstance(item.source, os.PathLike):
        item = replace(item, source=os.fsdecode(item.source))
    for name, most in (
        ("rate", _HIGHEST_RATE), ("start", LONGEST_SECONDS), ("duration", LONGEST_SECONDS)
    ):  # fmt: skip
        value, may_be_0 = getattr(item, name), name == "start"
        if value is None and name != "start":
            continue
        if not _is_in(value, 0.0, most) or (value == 0 and not may_be_0):
            least = "from 0" if may_be_0 else "above 0,"
            return item, f"its {name} is {value!r}, not a number {least} up to {most:g}"
    if isinstance(item.source, str):
        if item.recording is None and root is not None:
            item = replace(item, source=_from_root(item.source, root))
        return item, None
    # Many segments may be of the same samples.
    if id(item.source) not in checked:
        checked[id(item.source)] = _as_waveform(item.source)
    wave, wrong = checked[id(item.source)]
    return (item if wave is item.source else replace(item, source=wave)), wrong


def is_pair(item: object) -> bool:
    """Tell whether something is a waveform with its rate."""
    return (
        isinstance(item, tuple | list)
        and len(item) == 2
        and np.ndim(item[1]) == 0
        and isinstance(item[0], np.ndarray | list | tuple)
    )


def _as_items(X: Audio) -> Sequence:
    if isinstance(X, str | os.PathLike | Segment):
        return [X]
    if issparse(X):
        raise TypeError("Sparse data was passed, but audio must be dense: use X.toarray().")
    if hasattr(X, "__array__"):
        return _array_items(np.asarray(X))
    if not isinstance(X, Sequence) or isinstance(X, bytes | bytearray):
        raise TypeError(
            "Audio must be paths (a str or path-like, or a sequence, array or Series of them) or "
            "waveforms (a list of one-dimensional arrays or of pairs with their rates, or an array "
            f"of shape (n_samples, n_times)). Got {type(X).__name__} instead."
        )
    if len(X) == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if all(np.isscalar(item) and not isinstance(item, str | bytes) for item in X):
        _array_items(np.asarray(X))  # numbers: one waveform that is not in a list
    return X


def _array_items(array: np.ndarray) -> Sequence:
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: audio is real. Got dtype {array.dtype}.")
    numeric = array.dtype.kind not in "OUT"
    if array.ndim == 1 and not numeric:
        array = array[:, np.newaxis]
    if array.ndim != 2 and not (numeric and array.ndim == 3):
        raise ValueError(
            "Audio in an array must be paths of shape (n_samples,) or waveforms of shape "
            "(n_samples, n_times) or (n_samples, n_channels, n_times). Got an array of shape "
            f"{array.shape} and dtype {array.dtype} instead. Reshape your data: X.reshape(1, -1) "
            "if it is one waveform."
        )
    for size, what in zip(array.shape, ("sample", "feature", "feature"), strict=False):
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


def _as_waveform(item: ArrayLike) -> tuple[NDArray[np.float32], str | None]:
    """Return the waveform with its channels, and what is wrong with it."""
    try:
        wave = np.asarray(item)
    except (ValueError, TypeError, RuntimeError) as error:
        return _NOTHING, f"it cannot be made an array ({error})"
    if wave.ndim == 0:
        return _NOTHING, f"it is {item!r}, neither a path nor a waveform"
    if wave.ndim > 2:
        return _NOTHING, f"it has shape {wave.shape}, not (n_times,) or (n_channels, n_times)"
    if wave.size == 0:
        return _NOTHING, "it has no samples"
    if wave.dtype.kind != "f":
        return _NOTHING, (
            f"it has dtype {wave.dtype}, not floating-point; 16-bit integers, for example, are "
            "to be divided by 32768"
        )
    if wave.ndim == 2 and wave.shape[0] > wave.shape[1]:
        return _NOTHING, (
            f"it has shape {wave.shape}, which is more channels than samples; channels come "
            "first, as in librosa: pass its transpose"
        )
    wave = np.atleast_2d(wave)
    reason = describe_samples(wave)
    return (_NOTHING, reason) if reason else (wave.astype(np.float32, copy=False), None)


def describe_samples(wave: np.ndarray) -> str | None:
    """Return what is wrong with the samples of an array (n_channels, n_times), or None."""
    peak = float(np.abs(wave).max())
    if peak <= _LOUDEST:
        return None
    finite = np.isfinite(wave)
    if finite.all():
        return f"its samples reach {peak:.3g}; scale them to [-1, 1]"
    index = int(np.argmin(finite.all(axis=0)))
    what = "NaN" if np.isnan(wave[:, index]).any() else "infinite"
    return f"it is {what} at sample {index}"

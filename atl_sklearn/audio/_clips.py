"""What users pass as audio, made into a list of clips."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atl_sklearn._types import PathLike
from atl_sklearn._validation import is_number, shown
from atl_sklearn.audio._bad_audio import BadAudioError, BadFile, UnusableClipError
from atl_sklearn.audio._items import NO_RATE, as_items, unpack
from atl_sklearn.audio._waveforms import Scale, as_waveform

# Of recordings, and of places in them: more is a mistake, or a damaged header.
LONGEST_SECONDS = 1e7
_HIGHEST_RATE = 1e12
NOTHING = np.empty((1, 0), np.float32)


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of a recording: what AudioSegmenter returns and LibrosaFeatures reads.

    Samples are read when they are needed, so that segments of long recordings are small.

    Parameters
    ----------
    source : str, bytes or ndarray of shape (n_channels, n_times), floating-point
        Path of the recording, the content of its file, or its samples.
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

    source: str | bytes | NDArray[np.float32]
    rate: float | None = None
    start: float = 0.0
    duration: float | None = None
    recording: int | None = None

    @property
    def path(self) -> str | None:
        """Path of the recording; None where it is in memory."""
        return self.source if isinstance(self.source, str) else None

    @property
    def file(self) -> str | bytes | None:
        """Path of the file, or its content; None where there are samples."""
        return self.source if isinstance(self.source, str | bytes) else None

    def samples(self) -> NDArray[np.float32]:
        """Return the samples of a segment in memory; all of the recording if its rate is open.

        Returns
        -------
        samples : ndarray of shape (n_channels, n_times), float32
            The samples.
        """
        assert not isinstance(self.source, str | bytes)
        if self.rate is None or self.duration is None:
            return self.source
        stop = round((self.start + self.duration) * self.rate)
        return self.source[:, round(self.start * self.rate) : stop]


# One recording, or several of them.
Audio: TypeAlias = str | os.PathLike[str] | Segment | Sequence | ArrayLike


def as_clips(
    X: Audio,
    bad: list[BadFile] | None = None,
    root: PathLike | None = None,
    *,
    column: str | int | None = None,
    scale: Scale = None,
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
    column : str or int, default=None
        The column that holds the audio, of a table.
    scale : float or "dtype", default=None
        What integer samples are divided by; None to refuse them.

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
    items = [X] if isinstance(X, Segment) else as_items(X, column)
    clips: list[Segment] = []
    found: list[BadFile] = []
    checked: dict[int, NDArray[np.float32] | str] = {}
    for index, item in enumerate(items):
        if isinstance(item, Segment):
            item, wrong = _as_segment(item, checked, root, scale)
            if wrong:
                found.append(BadFile(index, item.path, wrong))
            clips.append(Segment(NOTHING) if wrong else item)
            continue
        try:
            clips.append(_as_clip(item, root, scale))
        except UnusableClipError as error:
            found.append(BadFile(index, None, str(error)))
            clips.append(Segment(NOTHING))
    if bad is not None:
        bad += found
    elif found:
        raise BadAudioError.from_reasons(found, len(items))
    return clips


def _as_clip(item: object, root: PathLike | None, scale: Scale) -> Segment:
    source, rate = unpack(item)
    if isinstance(source, str):
        return Segment(_from_root(source, root))
    if isinstance(source, bytes):
        return Segment(source)
    if rate is not NO_RATE:
        if not _is_in(rate, 0.0, _HIGHEST_RATE) or rate == 0:
            raise UnusableClipError(f"its rate is {shown(rate)}, not a number above 0")
        return Segment(as_waveform(source, scale), float(rate))  # type: ignore[arg-type]
    return Segment(as_waveform(source, scale))


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
    item: Segment,
    checked: dict[int, NDArray[np.float32] | str],
    root: PathLike | None,
    scale: Scale,
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
            return item, f"its {name} is {shown(value)}, not a number {least} up to {most:g}"
    if isinstance(item.source, str):
        if item.recording is None and root is not None:
            item = replace(item, source=_from_root(item.source, root))
        return item, None
    if isinstance(item.source, bytes):
        return item, None
    # Many segments may be of the same samples.
    if id(item.source) not in checked:
        try:
            checked[id(item.source)] = as_waveform(item.source, scale)
        except UnusableClipError as error:
            checked[id(item.source)] = str(error)
    wave = checked[id(item.source)]
    if isinstance(wave, str):
        return item, wave
    return (item if wave is item.source else replace(item, source=wave)), None

"""A clip of a given length, from a file or from samples."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atl_sklearn.audio._bad_audio import UnusableClipError
from atl_sklearn.audio._clips import Segment
from atl_sklearn.audio._files import open_audio
from atl_sklearn.audio._joined import Readable
from atl_sklearn.audio._shaping import crop, normalize, pad, shift
from atl_sklearn.audio._sound_file import LONGEST_VALUES
from atl_sklearn.audio._trimming import trim
from atl_sklearn.audio._waveforms import describe_samples

if TYPE_CHECKING:
    from atl_sklearn.audio._librosa_features import LibrosaFeatures

# The start of a clip tells it from others well enough to draw its crop.
_HEAD = 2**16
# Of a header with a lower rate than this allows nothing else is to be believed.
_MOST_UPSAMPLING = 256


class _Samples:
    """Samples in memory, read as from a file."""

    def __init__(self, samples: NDArray[np.float32], rate: float) -> None:
        self._samples = samples
        self.rate = rate
        self.n_channels = len(samples)
        self.n_frames: int | None = samples.shape[1]

    def count_frames(self) -> int:
        return self._samples.shape[1]

    def read(self, start: int, stop: int | None) -> NDArray[np.float32]:
        return self._samples[:, start:stop]


class _Part:
    """A part of a file that was read before, as if it were the file."""

    def __init__(self, source: Readable, start: int, stop: int | None) -> None:
        self._start = start
        self._samples = source.read(start, stop)
        self.rate, self.n_channels, self.n_frames = source.rate, source.n_channels, source.n_frames

    def count_frames(self) -> int:
        # Whoever asks for it had it counted when the part was chosen.
        assert self.n_frames is not None
        return self.n_frames

    def read(self, start: int, stop: int | None) -> NDArray[np.float32]:
        last = None if stop is None else stop - self._start
        return self._samples[:, start - self._start : last]


class SharedReading:
    """Files of one batch, each read once for several settings.

    Parameters
    ----------
    views : sequence of (LibrosaFeatures, int or None)
        The settings, and the seeds of their crops.
    """

    def __init__(self, views: Sequence[tuple[LibrosaFeatures, int | None]]) -> None:
        self._views = views
        self._parts: dict[int, dict[int, _Part | UnusableClipError]] = {}

    def read(self, clip: Segment, settings: LibrosaFeatures) -> Readable:
        """Return what all settings need of a file.

        Parameters
        ----------
        clip : Segment
            The clip.
        settings : LibrosaFeatures
            Those for which it is read now; one of the views.

        Raises
        ------
        UnusableClipError
            If it cannot be read, or nothing of it is for these settings, each time.
        """
        if id(clip) not in self._parts:
            try:
                self._parts[id(clip)] = self._read(clip)
            except UnusableClipError as error:
                self._parts[id(clip)] = {id(view): error for view, _ in self._views}
        found = self._parts[id(clip)][id(settings)]
        if isinstance(found, UnusableClipError):
            raise found
        return found

    def _read(self, clip: Segment) -> dict[int, _Part | UnusableClipError]:
        """Return the part that all need, or why it is not there, for each of the settings."""
        assert clip.file is not None
        ends = [_until(clip, settings) for settings, _ in self._views]
        until = None if None in ends else max(end for end in ends if end is not None)
        found: dict[int, _Part | UnusableClipError] = {}
        spans: dict[int, tuple[int, int | None]] = {}
        try:
            with open_audio(clip.file, until=until) as source:
                for settings, seed in self._views:
                    try:
                        fraction = _draw(clip, settings, seed)
                        spans[id(settings)] = _span(source, clip, settings, fraction)
                    except UnusableClipError as error:  # the others may begin earlier
                        found[id(settings)] = error
                if spans:
                    stops = [stop for _, stop in spans.values()]
                    last = None if None in stops else max(stop or 0 for stop in stops)
                    part = _Part(source, min(start for start, _ in spans.values()), last)
                    found |= dict.fromkeys(spans, part)
        except UnusableClipError:
            if not spans:
                raise
            # What is damaged may be needed by one of them, or lie between their parts.
            for settings, seed in self._views:
                if id(settings) not in found:
                    found[id(settings)] = _read_alone(clip, settings, seed)
        return found


def _read_alone(
    clip: Segment, settings: LibrosaFeatures, seed: int | None
) -> _Part | UnusableClipError:
    assert clip.file is not None
    try:
        with open_audio(clip.file, until=_until(clip, settings)) as source:
            return _Part(source, *_span(source, clip, settings, _draw(clip, settings, seed)))
    except UnusableClipError as error:
        return error


def n_times_of(settings: LibrosaFeatures) -> int:
    """Return the length of a clip in samples."""
    return round(settings.duration * settings.sr)


def read_clip(
    clip: Segment,
    settings: LibrosaFeatures,
    seed: int | None = None,
    shared: SharedReading | None = None,
) -> NDArray[np.float32]:
    """Read a clip: the part that counts, at the right rate, length and loudness.

    Parameters
    ----------
    clip : Segment
        The clip.
    settings : LibrosaFeatures
        The parameters from `sr` to `n_channels`, and `allow_silence`.
    seed : int or None, default=None
        For ``crop="random"``.
    shared : SharedReading or None, default=None
        What reads files once for several settings.

    Returns
    -------
    wave : ndarray of shape (n_channels, n_times), float32
        The samples; one channel, the average, where ``n_channels=None``.

    Raises
    ------
    UnusableClipError
        If the file is missing, empty, truncated or no audio, or if samples are not finite.
    """
    sr = settings.sr
    opened: AbstractContextManager[Readable]
    if shared is not None and clip.file is not None:
        opened = nullcontext(shared.read(clip, settings))
    elif clip.file is not None:
        opened = open_audio(clip.file, until=_until(clip, settings))
    else:
        assert isinstance(clip.source, np.ndarray)
        opened = nullcontext(_Samples(clip.source, sr if clip.rate is None else clip.rate))
    fraction = _draw(clip, settings, seed)
    with opened as source:
        if settings.n_channels not in (None, source.n_channels):
            raise UnusableClipError(
                f"it has {source.n_channels} channels, not n_channels={settings.n_channels}"
            )
        samples = source.read(*_span(source, clip, settings, fraction))
        rate = source.rate
    if samples.shape[1] == 0:
        raise UnusableClipError("it has no samples")
    # What is in memory was checked before.
    reason = None if clip.file is None else describe_samples(samples)
    if reason:
        raise UnusableClipError(reason)
    wave = samples
    if settings.n_channels is None and len(samples) > 1:
        wave = samples.mean(axis=0, keepdims=True)
    wave = resample(wave, rate, sr)
    wave = trim(wave, sr, settings.trim_silence)
    wave = crop(wave, n_times_of(settings), settings.crop, fraction)
    if not settings.allow_silence and not wave.any():
        raise UnusableClipError("it is silent: all samples are 0 (see allow_silence)")
    return pad(normalize(wave, settings.normalize), n_times_of(settings), settings.pad)


def _until(clip: Segment, settings: LibrosaFeatures) -> float | None:
    """Return after how many seconds of a file nothing is read; None for its end."""
    if clip.duration is not None:
        return clip.start + clip.duration
    if settings.crop != "start" or settings.trim_silence is not None:
        return None
    return float(clip.start + settings.offset + settings.duration)


def _span(
    source: Readable, clip: Segment, settings: LibrosaFeatures, fraction: float
) -> tuple[int, int | None]:
    """Return the first frame to be read, and the one after the last."""
    rate, n_frames = source.rate, source.n_frames
    if n_frames is None and (settings.crop != "start" or clip.start or settings.offset):
        n_frames = source.count_frames()
    start, stop = round(clip.start * rate), n_frames
    if clip.duration is not None:
        stop = round((clip.start + clip.duration) * rate)
        stop = stop if n_frames is None else min(stop, n_frames)
    start += round(settings.offset * rate)
    if stop is not None and start >= stop > 0:
        raise UnusableClipError(
            f"it ends after {(stop / rate) - clip.start:.4g} s, before offset={settings.offset} s"
            if settings.offset
            else f"it ends after {stop / rate:.4g} s, before this segment"
        )
    wanted = max(1, round(n_times_of(settings) / settings.sr * rate))
    if settings.trim_silence is not None or settings.crop == "loudest":
        return start, stop
    if settings.crop == "start":
        return start, start + wanted if stop is None else min(stop, start + wanted)
    if stop is None or stop - start <= wanted:
        return start, stop
    start += shift(stop - start - wanted, settings.crop, fraction)
    return start, start + wanted


def _draw(clip: Segment, settings: LibrosaFeatures, seed: int | None) -> float:
    """Return a number in [0, 1) that depends on the clip and the seed, not on other clips."""
    if settings.crop != "random":
        return 0.0
    if isinstance(clip.file, bytes):
        head = clip.file[:_HEAD]
    elif clip.path is None:
        assert isinstance(clip.source, np.ndarray)
        head = clip.source[:, :_HEAD].tobytes()
    else:
        head = b""  # where nothing can be read, reading the clip will say what is wrong
        if os.path.isfile(clip.path):  # not a pipe, which may never have a head
            with suppress(OSError), open(clip.path, "rb") as file:
                head = file.read(_HEAD)
    key = hashlib.sha256(head + repr((clip.start, clip.duration)).encode()).digest()
    return float(np.random.default_rng([seed or 0, int.from_bytes(key[:8], "big")]).random())


def resample(wave: NDArray[np.float32], rate: float, sr: float) -> NDArray[np.float32]:
    """Return samples at another rate, by soxr.

    Parameters
    ----------
    wave : ndarray of shape (n_channels, n_times), float32
        The samples.
    rate, sr : float
        Their rate, and the one they are to have, in Hz.

    Returns
    -------
    wave : ndarray of shape (n_channels, n_times), float32
        The samples at the rate `sr`.
    """
    if rate == sr:
        return wave
    import soxr

    if rate * _MOST_UPSAMPLING < sr:
        raise UnusableClipError(f"its rate is {rate:g} Hz, too low to be audio")
    if wave.size * sr / rate > LONGEST_VALUES:
        raise UnusableClipError(f"it is too long at {sr:g} Hz; its rate is {rate:g} Hz")
    try:
        wave = np.ascontiguousarray(soxr.resample(wave.T, rate, sr, quality="HQ").T)
    except (RuntimeError, ValueError) as error:
        raise UnusableClipError(f"it cannot be resampled from {rate:g} Hz ({error})") from error
    if wave.shape[1] == 0:
        raise UnusableClipError(f"nothing is left of it at {sr:g} Hz; its rate is {rate:g} Hz")
    return wave

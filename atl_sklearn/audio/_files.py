"""Audio files: opened, checked for damage, and read from any place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atl_sklearn.audio._bad_audio import MISSING, UnusableClipError

if TYPE_CHECKING:
    import soundfile

# libsndfile's log tells a file that is shorter than its header says. A rounding byte and the
# huge sizes that streaming programs write are no damage.
_SHORTER = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_STREAMED = 0x7FFF0000
_ENDED_EARLY = re.compile(
    "File ended unexpectedly|Seems to be a truncated file|lacks an end-of-stream bit|"
    "Junk after the last page"
)
# What is there of a file that is not a multiple of this many frames is read in pieces: a header
# may claim any length.
_BLOCK = 2**20
# libsndfile's count of frames where the header has none.
_UNKNOWN = 2**62
# mp3 decoders drop up to two frames at the ends where the file does not say how many.
_MP3_SLACK = 2 * 1152
# Of a clip that is not read from its start up to its length, all is read.
_LONGEST_SECONDS = 24 * 3600
LONGEST_VALUES = 2**29


class AudioFile:
    """An open audio file.

    Parameters
    ----------
    file : soundfile.SoundFile
        The file.
    """

    def __init__(self, file: soundfile.SoundFile) -> None:
        self._file = file
        self._position = 0
        self.rate: float = file.samplerate
        self.n_channels: int = file.channels
        self.n_frames: int | None = file.frames if file.frames < _UNKNOWN else None

    def read(self, start: int, stop: int | None) -> NDArray[np.float32]:
        """Read some frames.

        Parameters
        ----------
        start : int
            The first frame.
        stop : int or None
            The one after the last; None for all.

        Returns
        -------
        samples : ndarray of shape (n_channels, n_frames), float32
            The samples, all that were asked for.

        Raises
        ------
        UnusableClipError
            If there are fewer, none, or too many to be true.
        """
        self._go_to(start)
        if stop is None:
            stop = self.n_frames
        elif self.n_frames is not None:
            stop = min(stop, self.n_frames)
        if stop is not None:
            self._check_length(stop - start)
        blocks = []
        while stop is None or self._position < stop:
            size = _BLOCK if stop is None else min(_BLOCK, stop - self._position)
            block = self._decode(size)
            blocks.append(block)
            self._position += len(block)
            if len(block) < size:
                break
            self._check_length(self._position - start)
        if not blocks or len(blocks[0]) == 0:
            raise UnusableClipError("it has no samples")
        samples = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
        slack = _MP3_SLACK if self._file.format in ("MP3", "MPEG") else 0
        if self.n_frames is not None and stop is not None:
            self._check_complete(min(stop, self.n_frames - slack))
        return samples.T

    def count_frames(self) -> int:
        """Return the number of frames; the file is decoded where its header does not say."""
        if self.n_frames is None:
            while found := len(self._decode(_BLOCK)):
                self._position += found
            self.n_frames = self._position
        return self.n_frames

    def _go_to(self, start: int) -> None:
        if start == self._position:
            return
        if self._file.format == "OGG":
            # Seeking misses the place by a block (libsndfile's issue 885); decoding does not.
            while self._position < start:
                size = min(_BLOCK, start - self._position)
                found = len(self._decode(size))
                self._position += found
                if found < size:
                    break
        else:
            self._file.seek(start)
            self._position = start

    def _decode(self, size: int) -> NDArray[np.float32]:
        import soundfile

        try:
            return self._file.read(size, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            if self.n_frames is not None:
                raise
            raise UnusableClipError(
                "its header does not say how long it is, and libsndfile fails at its end; write it "
                "anew, or use crop='start' and a shorter duration"
            ) from error

    def _check_complete(self, least: int) -> None:
        if self._position < least:
            raise UnusableClipError(f"it is truncated: only {self._position} samples can be read")

    def _check_length(self, n_frames: int) -> None:
        if n_frames > _LONGEST_SECONDS * self.rate or n_frames * self.n_channels > LONGEST_VALUES:
            raise UnusableClipError(
                f"{n_frames} samples at {self.rate:g} Hz are too long to be read at once; cut it "
                "by AudioSegmenter, or use crop='start'"
            )

    def check_end(self) -> None:
        """Check that the last frame of a FLAC file is there; its header says where."""
        if self._file.format == "FLAC" and self.n_frames:
            self._file.seek(self.n_frames - 1)
            if len(self._file.read(1)) == 0:
                raise UnusableClipError("it is truncated")
            self._file.seek(0)


@contextmanager
def open_audio(path: str) -> Iterator[AudioFile]:
    """Open an audio file; whatever goes wrong with it is an UnusableClipError.

    Parameters
    ----------
    path : str
        Any file that libsndfile reads: wav, flac, ogg, mp3 and others.

    Yields
    ------
    file : AudioFile
        The file, as complete as can be told without decoding it.
    """
    import soundfile

    _check_path(path)
    try:
        with soundfile.SoundFile(path) as opened:
            _check_log(opened.extra_info)
            if opened.format in ("MP3", "MPEG"):
                _check_mp3(path)
            if opened.samplerate < 1 or opened.channels < 1:
                raise UnusableClipError(
                    f"it has {opened.channels} channels at {opened.samplerate} Hz"
                )
            file = AudioFile(opened)
            file.check_end()
            yield file
    except (soundfile.SoundFileError, OSError, TypeError, ValueError, OverflowError) as error:
        detail = getattr(error, "error_string", None) or str(error)
        raise UnusableClipError(
            f"it is damaged, or not audio that libsndfile reads ({detail.strip(' .')})"
        ) from error


def _check_path(path: str) -> None:
    if not os.path.exists(path):
        raise UnusableClipError(MISSING)
    if os.path.isdir(path):
        raise UnusableClipError("it is a folder, not a file")
    if not os.path.isfile(path):
        raise UnusableClipError("it is no regular file")
    if not os.access(path, os.R_OK):
        raise UnusableClipError("you have no permission to read it")
    if os.path.getsize(path) == 0:
        raise UnusableClipError("it is an empty file")


def _check_log(log: str) -> None:
    for declared, actual in _SHORTER.findall(log):
        if int(actual) + 1 < int(declared) < _STREAMED:
            raise UnusableClipError(
                f"it is truncated: {actual} of {declared} bytes of samples are there"
            )
    if _ENDED_EARLY.search(log):
        raise UnusableClipError("it is truncated")


def _check_mp3(path: str) -> None:
    """Compare the size of an mp3 file with that in its Xing or Info header, if it has one."""
    with open(path, "rb") as file:
        head = file.read(10)
        first = 0
        if head[:3] == b"ID3" and len(head) == 10:
            first = 10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
        file.seek(first)
        frame = file.read(256)
        size = file.seek(0, os.SEEK_END) - first
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if place < 0 or len(frame) < place + 16:
        return
    flags = int.from_bytes(frame[place + 4 : place + 8], "big")
    if not flags & 2:
        return
    offset = place + (12 if flags & 1 else 8)
    declared = int.from_bytes(frame[offset : offset + 4], "big")
    if size < declared:
        raise UnusableClipError(f"it is truncated: {size} of {declared} bytes are there")

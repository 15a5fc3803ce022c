"""A recording that libsndfile reads: from any place, to its end, with its length counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atl_sklearn.audio._bad_audio import UnusableClipError

if TYPE_CHECKING:
    import soundfile

# What is there of a file that is not a multiple of this many frames is read in pieces: a header
# may claim any length.
BLOCK = 2**20
# libsndfile's count of frames where the header has none.
_UNKNOWN = 2**62
_MP3 = ("MP3", "MPEG")
# mp3 decoders drop up to two frames at the ends where the file does not say how many.
_MP3_SLACK = 2 * 1152
# A frame of mp3 may hold sound of up to 511 bytes before it, which are this many samples.
_MP3_RESERVOIR = 40 * 1152
# Of a clip that is not read from its start up to its length, all is read.
_LONGEST_SECONDS = 24 * 3600
LONGEST_VALUES = 2**29


class AudioFile:
    """An open audio file.

    Parameters
    ----------
    file : soundfile.SoundFile
        The file.
    open_again : callable
        Returns it, opened once more. After what libsndfile took for an error at its end, there is
        no way back in the one that is open.
    counted : bool, default=False
        Whether its header does not tell how many frames it has.
    n_frames : int or None, default=None
        How many they are, where that was found out before.
    """

    def __init__(
        self,
        file: soundfile.SoundFile,
        open_again: Callable[[], soundfile.SoundFile],
        *,
        counted: bool = False,
        n_frames: int | None = None,
    ) -> None:
        self._file = file
        self._open_again = open_again
        self._position = 0
        self._counted = counted or file.frames >= _UNKNOWN
        self._ended = False
        self.was_counted = False
        self.rate: float = file.samplerate
        self.n_channels: int = file.channels
        self.n_frames: int | None = n_frames if self._counted else file.frames
        self._is_mp3 = file.format in _MP3
        # Seeking in ogg misses the place by a block (libsndfile's issue 885); decoding does not.
        self._from_start_only = self._counted or file.format == "OGG" or not file.seekable()

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
            check_length(stop - start, self.rate, self.n_channels)
        blocks = []
        while stop is None or self._position < stop:
            size = BLOCK if stop is None else min(BLOCK, stop - self._position)
            block = self._decode(size)
            blocks.append(block)
            self._position += len(block)
            if len(block) < size:
                break
            check_length(self._position - start, self.rate, self.n_channels)
        if not blocks or len(blocks[0]) == 0:
            raise UnusableClipError("it has no samples")
        samples = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
        slack = _MP3_SLACK if self._is_mp3 and not self._counted else 0
        if self.n_frames is not None and stop is not None:
            self._check_complete(min(stop, self.n_frames - slack))
        return samples.T

    def count_frames(self) -> int:
        """Return the number of frames; the file is decoded where its header does not say."""
        if self.n_frames is None:
            while found := len(self._decode(BLOCK)):
                self._position += found
            self.n_frames = self._position
            self.was_counted = True
        return self.n_frames

    def _go_to(self, start: int) -> None:
        if start == self._position:
            return
        if self._is_mp3:
            self._position = start  # _decode goes there
            return
        if self._from_start_only:
            if start < self._position:
                self._open_anew()
            while self._position < start:
                size = min(BLOCK, start - self._position)
                found = len(self._decode(size))
                self._position += found
                if found < size:
                    break
        else:
            self._file.seek(start)
            self._position = start

    def _open_anew(self) -> None:
        self._file, self._position, self._ended = self._open_again(), 0, False

    def _decode(self, size: int) -> NDArray[np.float32]:
        if self._is_mp3:
            # After each read, soundfile seeks to where that ended, and what is read first after a
            # seek lacks what the frames before it hold of its sound.
            place = self._position
            if self._ended:
                self._open_anew()
                self._position = place
            lead = min(_MP3_RESERVOIR, place)
            self._file.seek(place - lead)
            return self._decode_here(lead + size)[lead:]
        return self._decode_here(size)

    def _decode_here(self, size: int) -> NDArray[np.float32]:
        if not self._counted:
            return self._file.read(size, dtype="float32", always_2d=True)
        if self._ended:
            return np.empty((0, self.n_channels), np.float32)
        return self._decode_to_end(size)

    def _decode_to_end(self, size: int) -> NDArray[np.float32]:
        """Decode where libsndfile does not know where the end is, and may call it an error."""
        import soundfile

        block = np.full((size, self.n_channels), np.nan, np.float32)
        try:
            found = len(self._file.read(out=block))
        except soundfile.SoundFileError:
            found = int(np.isfinite(block[:, 0]).sum())
            if found == 0 and self._position == 0:
                raise
            if "STREAM_DECODER_ERROR" in self._file.extra_info:  # of flac, where it is cut off
                raise UnusableClipError(
                    f"it is truncated, or damaged after {self._position + found} samples"
                ) from None
        self._ended = found < size
        return block[:found]

    def _check_complete(self, least: int) -> None:
        if self._position < least:
            raise UnusableClipError(
                f"it is truncated: only {self._position} samples can be read, where its header "
                f"says {self.n_frames}"
            )

    def check_end(self) -> None:
        """Check that the last frame of a FLAC file is there; its header says where."""
        if self._file.format == "FLAC" and self.n_frames and not self._counted:
            import soundfile

            try:
                self._file.seek(self.n_frames - 1)
                found = len(self._file.read(1))
                self._file.seek(0)
            except soundfile.SoundFileError:
                found = 0
            if not found:
                raise UnusableClipError(
                    f"it is truncated, or damaged: the last of the {self.n_frames} samples that "
                    "its header names cannot be read"
                )


def check_length(n_frames: int, rate: float, n_channels: int) -> None:
    """Refuse to hold more of a recording in memory than a clip can need."""
    if n_frames > _LONGEST_SECONDS * rate or n_frames * n_channels > LONGEST_VALUES:
        raise UnusableClipError(
            f"{n_frames} samples at {rate:g} Hz are too long to be read at once; cut it with "
            "AudioSegmenter, or use crop='start'"
        )

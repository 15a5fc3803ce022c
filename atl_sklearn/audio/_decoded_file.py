"""Recordings in formats that libsndfile does not read, by PyAV, the binding of FFmpeg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from atl_sklearn.audio._bad_audio import TRUNCATED, UnusableClipError
from atl_sklearn.audio._formats import Format
from atl_sklearn.audio._sound_file import check_length

if TYPE_CHECKING:
    import av


class DecodedFile:
    """A recording that is decoded from its start.

    Parameters
    ----------
    file : binary file
        The file.
    kind : Format
        Its format.
    n_frames : int or None, default=None
        How many frames it has, where that was counted before.

    Raises
    ------
    UnusableClipError
        If PyAV is not there, or the file has no sound, several sound tracks, or is damaged.
    """

    def __init__(self, file: BinaryIO, kind: Format, n_frames: int | None = None) -> None:
        try:
            import av
        except ImportError:
            raise UnusableClipError(
                f"it is {kind.name}, which libsndfile does not read. Install the extra formats, "
                "pip install 'atl_sklearn[formats]', which reads it; or convert it to wav or "
                "flac; or load it yourself, and pass (waveform, rate)"
            ) from None
        self._errors = av.FFmpegError
        self._file = file
        self._kind = kind
        self.n_frames = n_frames
        self.was_counted = False
        self._container: av.container.InputContainer | None = None
        self._start()
        self.n_channels: int = self._stream.channels
        self.rate: float = self._stream.rate
        if self.rate < 1 or self.n_channels < 1:
            raise UnusableClipError(f"it has {self.n_channels} channels at {self.rate} Hz")

    def close(self) -> None:
        """Close what decodes it, and leave the file open."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def count_frames(self) -> int:
        """Return the number of frames; all of them are decoded the first time."""
        if self.n_frames is None:
            if self._position:
                self._start()
            for _ in self._blocks:
                pass
            self.n_frames = self._position
            self.was_counted = True
        return self.n_frames

    def read(self, start: int, stop: int | None) -> NDArray[np.float32]:
        """Return frames as an array of shape (n_channels, n_frames)."""
        if stop is not None:
            check_length(stop - start, self.rate, self.n_channels)
        if start < self._position:
            self._start()
        found: list[NDArray[np.float32]] = []
        while stop is None or self._position < stop:
            first = self._position
            block = next(self._blocks, None)
            if block is None:
                break
            if self._position > start:
                found.append(
                    block[:, max(0, start - first) : None if stop is None else stop - first]
                )
                check_length(self._position - start, self.rate, self.n_channels)
        if not found:
            raise UnusableClipError("it has no samples")
        return np.concatenate(found, axis=1)

    def _start(self) -> None:
        import av

        self.close()
        self._file.seek(0)
        # Titles may be in any encoding, which PyAV 19 takes by itself.
        known = int(av.__version__.split(".")[0]) < 19
        titles: dict[str, Any] = {"metadata_errors": "ignore"} if known else {}
        try:
            container = av.open(self._file, mode="r", format=self._kind.demuxer, **titles)
        except self._errors as error:
            what = "damaged"
            if self._kind.demuxer == "mov":
                what = "truncated or damaged: its index, which often is at the end, is not whole"
            raise UnusableClipError(f"it is {what} ({self._kind.name}; {_said(error)})") from error
        self._container = container
        streams = container.streams.audio
        if len(streams) != 1:
            raise UnusableClipError(
                "it has no sound"
                if not streams
                else f"it has {len(streams)} sound tracks; extract the one that you mean, with "
                "'ffmpeg -i old -map 0:a:0 new.wav'"
            )
        self._stream = streams[0]
        if self._stream.codec_context is None:
            raise UnusableClipError(
                f"FFmpeg has no decoder for the sound in it ({self._kind.name})"
            )
        self._position = 0
        self._blocks = self._decode()

    def _decode(self) -> Iterator[NDArray[np.float32]]:
        import av

        assert self._container is not None
        resampler = None
        try:
            for frame in self._container.decode(self._stream):
                if frame.is_corrupt:
                    raise UnusableClipError(f"it is damaged after {self._position} samples")
                if frame.sample_rate != self.rate or frame.layout.nb_channels != self.n_channels:
                    raise UnusableClipError(
                        f"its rate or channels change after {self._position} samples, from "
                        f"{self.rate:g} Hz and {self.n_channels} to {frame.sample_rate:g} Hz and "
                        f"{frame.layout.nb_channels}; write it anew with one"
                    )
                if resampler is None:  # of the sample format alone
                    resampler = av.AudioResampler("fltp", frame.layout, frame.sample_rate)
                for converted in resampler.resample(frame):
                    block = np.array(converted.to_ndarray(), np.float32)
                    self._position += block.shape[1]
                    yield block
        except self._errors as error:
            raise UnusableClipError(
                f"it is damaged after {self._position} samples ({self._kind.name}; {_said(error)})"
            ) from error
        self._check_complete()

    def _check_complete(self) -> None:
        """Compare what was decoded with the length that the header of some formats tells."""
        if not self._position:
            raise UnusableClipError(f"nothing of it can be decoded ({self._kind.name})")
        if self._kind.slack is None or self._container is None:
            return
        stream, alone = self._stream, len(self._container.streams) == 1
        seconds = None
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif self._container.duration is not None and alone:
            seconds = self._container.duration / 1e6
        if seconds is not None and self._position < (seconds - self._kind.slack) * self.rate:
            raise UnusableClipError(
                f"{TRUNCATED}: only {self._position / self.rate:.3f} of {seconds:.3f} s can be "
                f"decoded ({self._kind.name})"
            )


def _said(error: Exception) -> str:
    """Return what FFmpeg says, without the name that the file has for it."""
    return str(getattr(error, "strerror", None) or error)

"""Recordings that follow each other in a file, read as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atl_sklearn.audio._bad_audio import UnusableClipError


class Readable(Protocol):
    """What a recording offers, from whatever it is read."""

    rate: float
    n_channels: int
    n_frames: int | None

    def read(self, start: int, stop: int | None) -> NDArray[np.float32]:
        """Return frames as an array of shape (n_channels, n_frames)."""
        ...

    def count_frames(self) -> int:
        """Return how many frames there are."""
        ...


class JoinedFile:
    """Recordings one after the other.

    Parameters
    ----------
    parts : sequence of Readable
        The recordings, two or more.

    Raises
    ------
    UnusableClipError
        If they are of several rates or numbers of channels.
    """

    def __init__(self, parts: Sequence[Readable]) -> None:
        self._parts = parts
        self.rate, self.n_channels = parts[0].rate, parts[0].n_channels
        for name, unit in (("rate", "Hz"), ("n_channels", "channels")):
            found = sorted({getattr(part, name) for part in parts})
            if len(found) > 1:
                several = " and ".join(f"{value:g}" for value in found)
                raise UnusableClipError(
                    f"it is {len(parts)} recordings one after the other, of {several} {unit}; "
                    "split it, or write it anew with one"
                )
        self._lengths = [part.count_frames() for part in parts]
        self.n_frames: int | None = sum(self._lengths)

    def count_frames(self) -> int:
        """Return how many frames all have together."""
        return sum(self._lengths)

    def read(self, start: int, stop: int | None) -> NDArray[np.float32]:
        """Return frames as an array of shape (n_channels, n_frames)."""
        stop = self.count_frames() if stop is None else min(stop, self.count_frames())
        found = []
        first = 0
        for part, length in zip(self._parts, self._lengths, strict=True):
            low, high = max(start - first, 0), min(stop - first, length)
            if low < high:
                found.append(part.read(low, high))
            first += length
        if not found:
            raise UnusableClipError("it has no samples")
        return np.concatenate(found, axis=1)

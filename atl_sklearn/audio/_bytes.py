"""Bytes of a file, looked at without reading all of it, and parts of it that look like files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

_CHUNK = 2**20
# mpg123 looks for a tag this far from the end, and takes a file without one for a pipe.
_TAG = 128
# An mp3 frame of the highest rate is as long as this many of the lowest, and a bit more.
_FACTOR = 64


class FileBytes:
    """Places in a binary file, by offset.

    Parameters
    ----------
    file : binary file
        An open file that can seek.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)

    def at(self, place: int, n_bytes: int) -> bytes:
        """Return some bytes, fewer at the end of the file."""
        self._file.seek(place)
        return self._file.read(n_bytes)

    def number(self, place: int, n_bytes: int, order: str) -> int:
        """Return a number without a sign; what is missing of it is 0."""
        found = self.at(place, n_bytes).ljust(n_bytes, b"\0")
        return int.from_bytes(found, "big" if order == "big" else "little")

    def find_all(self, wanted: bytes, start: int = 0) -> Iterator[int]:
        """Yield the places where some bytes are."""
        overlap = len(wanted) - 1
        place, before = start, b""
        while chunk := self.at(place, _CHUNK):
            text = before + chunk
            first = place - len(before)
            found = text.find(wanted)
            while found >= 0:
                yield first + found
                found = text.find(wanted, found + 1)
            place += len(chunk)
            before = text[-overlap:] if overlap else b""


class PartOfFile(io.RawIOBase):
    """A part of a binary file, read as a file of its own.

    Parameters
    ----------
    file : binary file
        The file, in which others may seek meanwhile.
    start, stop : int
        Its first byte, and the one after the last.
    head : bytes, default=b""
        What is read in the place of as many bytes at its start.
    stretched : bool, default=False
        Whether it is to look much longer than it is. mpg123 estimates from the size of a file how
        many samples it has, and stops there; of a file that looks longer it reads all.
    """

    def __init__(
        self, file: BinaryIO, start: int, stop: int, head: bytes = b"", *, stretched: bool = False
    ) -> None:
        self._file = file
        self._start = start
        self._length = stop - start
        self._told = self._length * _FACTOR if stretched else self._length
        self._head = head
        self._place = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place in the part."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the start, from here, or from the end."""
        self._place = offset + (0, self._place, self._told)[whence]
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer; return how many bytes that were."""
        wanted = len(buffer)
        if self._place < len(self._head):
            found = self._head[self._place : self._place + wanted]
        elif self._place < self._length:
            self._file.seek(self._start + self._place)
            found = self._file.read(min(wanted, self._length - self._place))
        elif self._place >= self._told - _TAG:
            found = bytes(max(0, min(wanted, self._told - self._place)))
        else:
            found = b""
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)

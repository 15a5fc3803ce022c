"""Features of a clip as a file: a .npy file with a checksum after it."""

from __future__ import annotations

import functools
import io
import os
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

_CHECKSUM = 8  # bytes at the end


@functools.lru_cache(maxsize=64)
def _head_of(shape: tuple[int, ...]) -> bytes:
    """Return how a .npy file of such features begins; to parse it takes longer than to read it."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def to_bytes(row: NDArray[np.float32]) -> bytes:
    """Return the content of the file of an array: a .npy file, and a checksum."""
    content = _head_of(row.shape) + row.astype("<f4", copy=False).tobytes()
    return content + xxhash.xxh3_64_digest(content)


def size_of_entry(row: NDArray[np.float32]) -> int:
    """Return how many bytes the file of an array has."""
    return len(_head_of(row.shape)) + row.nbytes + _CHECKSUM


def from_bytes(content: bytes, row: NDArray[np.float32]) -> bool:
    """Copy what was read into `row`; return False if it is not the file of such an array.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio._entries import from_bytes, to_bytes
    >>> row = np.zeros((2, 3), np.float32)
    >>> from_bytes(to_bytes(row + 1), row), float(row.sum())
    (True, 6.0)
    >>> from_bytes(to_bytes(row)[:-1], row), from_bytes(to_bytes(row[0]), row)
    (False, False)
    """
    head = _head_of(row.shape)
    if len(content) != size_of_entry(row) or not content.startswith(head):
        return False
    view = memoryview(content)
    if xxhash.xxh3_64_digest(view[:-_CHECKSUM]) != view[-_CHECKSUM:]:
        return False
    row[...] = np.frombuffer(view[len(head) : -_CHECKSUM], "<f4").reshape(row.shape)
    return True


def put(content: bytes, partial: Path, path: str) -> None:
    """Write a file under another name first, so that nobody sees a part of it."""
    partial.write_bytes(content)
    os.replace(partial, path)

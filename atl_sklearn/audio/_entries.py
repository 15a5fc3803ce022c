"""Features of a clip as a file: a .npy file with a checksum after it."""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

_CHECKSUM = 4  # bytes at the end


def to_bytes(row: NDArray[np.float32]) -> bytes:
    """Return the content of the file of an array: a .npy file, and a checksum."""
    file = io.BytesIO()
    np.save(file, row, allow_pickle=False)
    content = file.getvalue()
    return content + zlib.crc32(content).to_bytes(_CHECKSUM, "little")


def from_bytes(content: bytes) -> np.ndarray | None:
    """Return the array; None if something is wrong with what was read."""
    content, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:]
    if zlib.crc32(content).to_bytes(_CHECKSUM, "little") != checksum:
        return None
    try:
        return read_array(io.BytesIO(content), allow_pickle=False)
    except ValueError:  # of another program
        return None


def put(content: bytes, partial: Path, path: str) -> None:
    """Write a file under another name first, so that nobody sees a part of it."""
    partial.write_bytes(content)
    os.replace(partial, path)

"""How large the folder of kept features may become, and what is in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from atl_sklearn._validation import is_number

INDEX = "files.txt"
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
# So that not each clip that is added has all others looked at.
_LEFT = 0.9


class CacheInfo(NamedTuple):
    """What is in the folder of kept features.

    Parameters
    ----------
    hits, misses : int
        How many clips the last `transform` found in it, and how many it had to read.
    n_entries, n_bytes : int
        How many features are in it, and how many bytes they have in all.
    limit : int or None
        How many bytes there may be; None for any number.
    """

    hits: int
    misses: int
    n_entries: int
    n_bytes: int
    limit: int | None


def bytes_of(limit: int | float | str | None) -> int | None:
    """Return a limit in bytes.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> from atl_sklearn.audio._cache_size import bytes_of
    >>> bytes_of("1.5 GB"), bytes_of(10**6), bytes_of(None)
    (1500000000, 1000000, None)
    """
    if limit is None:
        return None
    if isinstance(limit, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", limit, re.IGNORECASE)
        if found is None:
            raise ValueError(limit)
        limit = float(found[1]) * _UNITS[found[2].lower()]
    if not is_number(limit) or not 0 < limit < 2**62:
        raise ValueError(limit)
    return int(limit)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the features in a folder; those that vanish meanwhile do not matter."""
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "partial":
                        yield from _entries(Path(entry.path))
                elif entry.name.endswith(".npy") and entry.is_file(follow_symlinks=False):
                    yield entry
    except OSError:
        return


def size_of(folder: Path) -> tuple[int, int]:
    """Return how many features are in a folder, and how many bytes they have."""
    n_entries = n_bytes = 0
    for entry in _entries(folder):
        with suppress(OSError):
            n_bytes += entry.stat(follow_symlinks=False).st_size
            n_entries += 1
    return n_entries, n_bytes


def shrink(folder: Path, limit: int) -> None:
    """Remove the features that were used longest ago, if there are more bytes than the limit.

    Several processes may: one does it, and the others go on meanwhile. What a process looks for
    and does not find any more, it computes.

    Parameters
    ----------
    folder : Path
        The folder.
    limit : int
        How many bytes there may be.
    """
    try:
        with FileLock(folder / "limit.lock", timeout=0):
            _shrink(folder, limit)
    except (Timeout, OSError):  # another one is at it, or nothing can be written here
        return


def _shrink(folder: Path, limit: int) -> None:
    found = []
    for entry in _entries(folder):
        with suppress(OSError):
            of = entry.stat(follow_symlinks=False)
            found.append((of.st_mtime_ns, of.st_size, entry.path))
    n_bytes = sum(size for _, size, _ in found)
    if n_bytes <= limit:
        return
    for _, size, path in sorted(found):
        with suppress(OSError):
            os.unlink(path)
            n_bytes -= size
        if n_bytes <= _LEFT * limit:
            return


def clear(folder: Path) -> int:
    """Remove all features in a folder, and what is known of files; return how many they were."""
    n_entries = 0
    for entry in list(_entries(folder)):
        with suppress(OSError):
            os.unlink(entry.path)
            n_entries += 1
    with suppress(OSError):
        os.unlink(folder / INDEX)
    return n_entries

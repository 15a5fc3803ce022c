"""Files and folders in the making, and what is left of them by processes that were killed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
import uuid
import zlib
from pathlib import Path
from typing import Any

# Its maker is this machine's, by a number that others do not have, and a process of it.
_NAME = re.compile(r"\..+\.([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.partial")
_BLOCK = 2**20  # bytes
_OLD = 24 * 3600.0  # seconds without a change after which nobody is at it, wherever it was made


def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def partial_path(path: Any) -> Path:
    """Return a name for what is to become `path`, beside it; there is nothing of that name.

    The name tells who is at it, for :func:`remove_left_over`.

    Parameters
    ----------
    path : path-like
        What it is to become, by ``os.replace`` or ``os.rename``.

    Returns
    -------
    partial : Path
        A hidden name in the same folder.
    """
    path = Path(path)
    owner = f"{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return path.with_name(f".{path.name}.{owner}.partial")


def reserve_space(path: Path, start: int) -> None:
    """Have the disk keep the space of a file, which so far is one big hole.

    Writing to the memory map of a file for which there is none would end the process.

    Parameters
    ----------
    path : Path
        The file; of its size.
    start : int
        Where the hole begins.

    Raises
    ------
    OSError
        If there is too little space.
    """
    with path.open("rb+", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        left = size - file.seek(start)
        while left > 0:
            left -= file.write(bytes(min(left, _BLOCK)))


def remove_left_over(folder: Any) -> None:
    """Remove what processes that are gone did not bring to its end.

    On this machine these are processes that do not live; what was made elsewhere is left for a
    day. Whatever cannot be removed stays.

    Parameters
    ----------
    folder : path-like
        The folder, which need not exist; those within it are not looked at.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from atl_sklearn._partial_files import partial_path, remove_left_over
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mine = partial_path(Path(folder) / "a.npy")
    ...     mine.touch()
    ...     remove_left_over(folder)
    ...     mine.exists()
    True
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        path = Path(folder, name)
        try:
            if _is_left(path, *found.groups()):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
        except OSError:
            continue  # somebody else has removed it, or it is theirs


def _is_left(path: Path, machine: str, process: str) -> bool:
    if machine == _machine() and os.name == "posix":
        try:
            os.kill(int(process), 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            pass
    return time.time() - path.lstat().st_mtime > _OLD

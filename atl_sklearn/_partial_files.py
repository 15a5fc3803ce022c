"""Files and folders in the making, and what is left of them by processes that were killed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from atl_sklearn._types import PathLike

# Its maker is this machine's, by a number that others do not have, and a process of it.
_NAME = re.compile(r"\..+\.([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.partial")
_BLOCK = 2**20  # bytes
_OLD = 24 * 3600.0  # seconds without a change after which nobody is at it, wherever it was made


def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def partial_path(path: PathLike) -> Path:
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


def reserve_space(path: Path, start: int, n_bytes: int) -> None:
    """Have the disk keep the space of a file, which so far is one big hole.

    Writing to the memory map of a file for which there is none would end the process.

    Parameters
    ----------
    path : Path
        The file.
    start, n_bytes : int
        Where the hole begins, and how large it is.

    Raises
    ------
    OSError
        If there is too little space.
    """
    with path.open("rb+", buffering=0) as file:
        if hasattr(os, "posix_fallocate"):
            if n_bytes:
                os.posix_fallocate(file.fileno(), start, n_bytes)
            return
        file.seek(start)
        while n_bytes > 0:
            n_bytes -= file.write(bytes(min(n_bytes, _BLOCK)))


def remove_left_over(folder: PathLike) -> None:
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


@contextmanager
def written_at_once(path: PathLike) -> Iterator[Path]:
    """Give the path of a new file, which takes the place of `path` if the block succeeds.

    A file that was there stays as it is until then, and for good if the block fails. What killed
    processes left beside it is removed.

    Parameters
    ----------
    path : path-like
        The file to be written.

    Yields
    ------
    partial : Path
        A file beside it, which the block writes. It has the permissions that new files have.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from atl_sklearn._partial_files import written_at_once
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_at_once(Path(folder) / "a.txt") as partial:
    ...         _ = partial.write_text("all of it")
    ...     [file.name for file in Path(folder).iterdir()]
    ['a.txt']
    """
    path = Path(path)
    remove_left_over(path.parent)
    partial = partial_path(path)
    try:
        # mkstemp would make it for this user alone.
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def _is_left(path: Path, machine: str, process: str) -> bool:
    if machine == _machine() and os.name == "posix":
        try:
            os.kill(int(process), 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            pass
    return time.time() - path.lstat().st_mtime > _OLD

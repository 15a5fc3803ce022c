"""What tells one file from another: its content."""

from __future__ import annotations

import hashlib
import os
import stat

from atl_sklearn._types import PathLike


def fingerprint_file(path: PathLike) -> str:
    """Return a string that is the same for files of the same content.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    fingerprint : str
        40 hexadecimal digits.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file: a pipe or a device may never end.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from atl_sklearn._fingerprint import fingerprint_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.txt")
    ...     _ = path.write_text("a")
    ...     len(fingerprint_file(path))
    40
    """
    # A pipe that nobody writes to would not even open.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(f"{os.fspath(path)!r} is no regular file.")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()

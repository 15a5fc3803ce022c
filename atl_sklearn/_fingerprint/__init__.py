"""What tells one network, estimator, function, array or file from another: their content."""

from __future__ import annotations

import hashlib
import os
import stat

from atl_sklearn._fingerprint._graph import Unidentifiable, digest_value
from atl_sklearn._fingerprint._values import take_apart
from atl_sklearn._types import PathLike

__all__ = ["Unidentifiable", "fingerprint", "fingerprint_file"]


def fingerprint(*values: object) -> str:
    """Return a string that is the same for the same values, in every process, and for no others.

    It is made of content alone: of arrays and tensors their dtype, shape and values (whatever
    their order in memory and their device); of networks the class, weights, buffers, attributes
    and hooks, but not the mode; of estimators the class, the parameters and what was fitted; of
    functions the code, defaults, closures and the global names that they use. Classes and
    functions of installed libraries are known by their names and the library's version, all
    others by their code. The order of a dict or a set does not count.

    What a function gets at by names that are made while it runs (``getattr(module, name)``) is
    not followed.

    Parameters
    ----------
    *values : object
        What is to be identified.

    Returns
    -------
    fingerprint : str
        40 hexadecimal digits.

    Raises
    ------
    Unidentifiable
        If something among it cannot be told faithfully from others, as an open file, a lock or a
        generator. The message says where it is, and why.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn._fingerprint import fingerprint
    >>> X = np.arange(6.0).reshape(2, 3)
    >>> fingerprint({"X": X, "scale": 2}) == fingerprint({"scale": 2, "X": np.asfortranarray(X)})
    True
    >>> fingerprint(lambda y: 2 * y) == fingerprint(lambda y: 3 * y)
    False
    >>> fingerprint({"rows": (row for row in X)})
    Traceback (most recent call last):
    ...
    atl_sklearn._fingerprint._graph.Unidentifiable: rows: an object of builtins.generator holds ...
    """
    return digest_value(values, take_apart).hex()


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

"""What is in the files that data and parameters name: a name alone says nothing of that."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from atl_sklearn._fingerprint._file import fingerprint_file
from atl_sklearn._fingerprint._graph import Unidentifiable

_TEXT = "OTU"  # kinds of arrays that may hold names


def named_files(*values: object, estimator: object = None) -> dict[str, str]:
    """Return what is in the files that values name.

    Parameters
    ----------
    *values : object
        Data: names alone, or in sequences, arrays, tables, mappings and segments. What names no
        file, such as a label, is passed over.
    estimator : estimator or None, default=None
        It reads them. Where a step of it has a parameter ``root``, relative names are looked for
        there too.

    Returns
    -------
    files : dict of str to str
        From the path to a fingerprint of the content.

    Raises
    ------
    Unidentifiable
        If a file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from atl_sklearn._fingerprint import named_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.wav")
    ...     _ = path.write_bytes(b"sound")
    ...     len(named_files([str(path), "no file"])), len(named_files([0.5, "no file"]))
    (1, 0)
    """
    folders = ["", *_roots_of(estimator)]
    names = dict.fromkeys(_names_in(values))
    paths = [os.path.join(folder, name) for name in names for folder in folders]
    return {path: _content_of(path) for path in dict.fromkeys(paths) if os.path.isfile(path)}


def files_below(value: object) -> dict[str, str]:
    """Return what is in the files that a parameter names, and in those of a folder that it names.

    Parameters
    ----------
    value : object
        As of :func:`named_files`.

    Returns
    -------
    files : dict of str to str
        From the path, in a folder the one below it, to a fingerprint of the content.
    """
    found = named_files(value)
    for name in dict.fromkeys(_names_in(value)):
        start = os.path.expanduser(name)
        for folder, _, files in os.walk(start):
            paths = [os.path.join(folder, file) for file in files]
            found |= {os.path.relpath(p, start): _content_of(p) for p in paths if os.path.isfile(p)}
    return found


def _content_of(path: str) -> str:
    try:
        return fingerprint_file(path)
    except OSError as error:
        raise Unidentifiable(f"the file {path!r} cannot be read ({error}).") from error


def _names_in(value: Any) -> Iterator[str]:
    """Yield all texts and paths in a value; one that holds none is not looked through."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, os.PathLike):
        yield os.fsdecode(value)
    elif isinstance(value, np.ndarray):
        if value.dtype.kind in _TEXT:
            yield from _names_in(value.ravel().tolist())
    elif isinstance(value, Mapping):
        yield from _names_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _names_in(item)
    elif hasattr(value, "select_dtypes"):  # a table of pandas
        text = value.select_dtypes(exclude="number")
        for at in range(text.shape[1]):
            yield from _names_in(text.iloc[:, at])
    elif hasattr(value, "to_numpy"):
        yield from _names_in(value.to_numpy())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from _names_in([getattr(value, field.name) for field in dataclasses.fields(value)])


def _roots_of(estimator: Any) -> Iterator[str]:
    """Yield the folders that steps of an estimator look for relative names in."""
    if isinstance(estimator, list | tuple):
        for item in estimator:
            yield from _roots_of(item)
    elif hasattr(estimator, "get_params") and not isinstance(estimator, type):
        try:
            params = estimator.get_params(deep=False)
        except Exception as error:
            of = type(estimator).__name__
            raise Unidentifiable(f"get_params of {of} fails: {error}") from error
        for name, value in params.items():
            if name == "root" and isinstance(value, str | os.PathLike):
                yield os.path.expanduser(os.fsdecode(value))
            else:
                yield from _roots_of(value)

"""The folder in which what is computed of unrelated networks outlives a fit."""

from __future__ import annotations

import os
from typing import Any

import joblib


def get_memory(memory: Any) -> joblib.Memory | None:
    """Return the ``memory`` parameter as a joblib.Memory.

    Parameters
    ----------
    memory : None, str, path-like or joblib.Memory
        A folder, which is made if it is not there, or a Memory.

    Returns
    -------
    memory : joblib.Memory or None
        None where nothing is kept: for None, and for a Memory without a location.

    Raises
    ------
    ValueError
        If it is none of these, or the folder cannot be made.

    Examples
    --------
    >>> from atl_sklearn.unrelated._memory import get_memory
    >>> print(get_memory(None))
    None
    """
    if isinstance(memory, str | os.PathLike):
        folder = os.fspath(memory)
        if folder and not (os.path.lexists(folder) and not os.path.isdir(folder)):
            try:
                return joblib.Memory(folder, verbose=0)
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"The 'memory' parameter must be a folder that can be made: {error}. "
                    f"Got {memory!r} instead."
                ) from error
    elif memory is None or isinstance(memory, joblib.Memory):
        return None if memory is None or memory.location is None else memory
    raise ValueError(
        "The 'memory' parameter must be None, a folder (a str or path), or a joblib.Memory. "
        f"Got {memory!r} instead."
    )

"""The folder in which what is computed of unrelated networks outlives a fit."""

from __future__ import annotations

import errno
import os
import warnings
from typing import Any

import joblib

from atl_sklearn._user_warnings import warn_user
from atl_sklearn._validation import shown

# Of the errors of the system these say that the folder is right, and cannot be made now.
_NOT_NOW = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def get_memory(memory: Any, *, warn: bool = False) -> joblib.Memory | None:
    """Return the ``memory`` parameter as a joblib.Memory.

    Parameters
    ----------
    memory : None, str, path-like or joblib.Memory
        A folder, which is made if it is not there, or a Memory.
    warn : bool, default=False
        Whether it is told of a folder for which there is no permission, or no space.

    Returns
    -------
    memory : joblib.Memory or None
        None where nothing is kept: for None, for a Memory without a location, and for a folder
        for which there is no permission or no space.

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
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Unable to write .*gitignore")
                    return joblib.Memory(folder, verbose=0)
            except (OSError, ValueError) as error:
                if getattr(error, "errno", None) in _NOT_NOW:
                    if warn:
                        warn_user(
                            f"The 'memory' folder {folder!r} cannot be made ({error}). This fit "
                            "keeps nothing, and finds nothing that others kept."
                        )
                    return None
                raise ValueError(
                    f"The 'memory' parameter must be a folder that can be made: {error}. "
                    f"Got {shown(memory)} instead."
                ) from error
    elif memory is None or isinstance(memory, joblib.Memory):
        return None if memory is None or memory.location is None else memory
    raise ValueError(
        "The 'memory' parameter must be None, a folder (a str or path), or a joblib.Memory. "
        f"Got {shown(memory)} instead."
    )

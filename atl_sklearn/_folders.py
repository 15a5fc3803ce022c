"""The folders that parameters name."""

from __future__ import annotations

import os
from pathlib import Path

from atl_sklearn._types import PathLike


def as_folder(folder: PathLike) -> Path:
    """Return the folder that a parameter names; "~" is the user's home.

    Parameters
    ----------
    folder : path-like
        What the user passed.

    Returns
    -------
    folder : Path
        Where it is; it need not be there yet.

    Examples
    --------
    >>> from atl_sklearn._folders import as_folder
    >>> as_folder("~") == as_folder("kept")
    False
    """
    return Path(os.path.expanduser(os.fspath(folder)))

"""Reading npy files."""

from __future__ import annotations

import threading
from typing import Literal

import numpy as np

from atl_sklearn._types import PathLike

# NumPy parses the header as Python's, and Python 3.11 raises SystemError where two threads do.
_PARSING = threading.Lock()


def load_npy(path: PathLike, *, mmap_mode: Literal["r", "c"] | None = None) -> np.ndarray:
    """Read the array of an npy file; several threads may.

    Parameters
    ----------
    path : path-like
        The file.
    mmap_mode : {'r', 'c'} or None, default=None
        As that of ``numpy.load``.

    Returns
    -------
    array : numpy.ndarray or numpy.memmap
        Without Python objects, which would have to be unpickled.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, is no npy file or holds Python objects.
    """
    with _PARSING:
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)

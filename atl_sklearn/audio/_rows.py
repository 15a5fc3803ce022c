"""Arrays that are written to disk a few rows at a time, and read as memory maps."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RowsFile:
    """A .npy file in the making; as a context manager it is removed if anything fails.

    Written by ordinary writes, so that what is written does not count as memory of this process.

    Parameters
    ----------
    folder : path-like
        Where it is to be; made if it does not exist.
    shape : tuple of int
        Shape of the array.
    dtype : dtype
        Its dtype.

    Raises
    ------
    OSError
        If the folder cannot be written to, or there is too little space on the disk.
    """

    def __init__(self, folder: Any, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * self.dtype.itemsize
        needed = shape[0] * self._row_bytes
        Path(folder).mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(
                f"The 'memory_map' folder {os.fspath(folder)!r} has {free / 1e6:.0f} MB left, but "
                f"an array of shape {shape} needs {needed / 1e6:.0f} MB. Name a folder on another "
                "disk, or make smaller features."
            )
        handle, self._path = tempfile.mkstemp(suffix=".partial", dir=folder)
        with os.fdopen(handle, "wb") as file:
            header = {
                "descr": np.lib.format.dtype_to_descr(self.dtype),
                "fortran_order": False,
                "shape": shape,
            }
            np.lib.format.write_array_header_1_0(file, header)
            self._start = file.tell()

    def write(self, start: int, rows: NDArray[Any]) -> None:
        """Write some rows; other processes may write others meanwhile.

        Parameters
        ----------
        start : int
            Index of the first.
        rows : ndarray of shape (n_rows, ...)
            The rows.
        """
        with open(self._path, "r+b") as file:
            file.seek(self._start + start * self._row_bytes)
            file.write(np.ascontiguousarray(rows, dtype=self.dtype).data.cast("B"))

    def finish(self, name: str) -> NDArray[Any]:
        """Give the file its name and return the array, which can only be read.

        Parameters
        ----------
        name : str
            Name of the file in the folder; an older one is replaced.

        Returns
        -------
        array : numpy.memmap
            The rows.
        """
        final = os.path.join(os.path.dirname(self._path), name)
        os.chmod(self._path, 0o666 & ~_umask())  # mkstemp lets nobody else read it
        os.replace(self._path, final)
        return np.load(final, mmap_mode="r")

    def __enter__(self) -> RowsFile:
        return self

    def __exit__(self, *exception: Any) -> None:
        if os.path.exists(self._path):
            os.remove(self._path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""A .npy file that is written a few rows at a time, and then read as a memory map."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike

from atl_sklearn._folders import as_folder
from atl_sklearn._npy import load_npy
from atl_sklearn._partial_files import partial_path, remove_left_over, reserve_space
from atl_sklearn._types import PathLike


class NpyFile:
    """A .npy file in the making; as a context manager it is removed if anything fails.

    Its space is reserved before anything is computed, and rows are written by ordinary writes: of
    those to a memory map, one for which there is no space would end the process.

    Parameters
    ----------
    folder : path-like
        Where it is to be; made if it does not exist. What killed processes left there is removed.
    shape : tuple of int
        Shape of the array.
    dtype : dtype
        Its dtype.

    Raises
    ------
    OSError
        If the folder cannot be written to, or there is too little space on the disk.
    """

    def __init__(self, folder: PathLike, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.shape = shape
        self._dtype = np.dtype(dtype)
        self._folder = as_folder(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_left_over(self._folder)
        self._path = partial_path(self._folder / "features.npy")
        self._row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * self._dtype.itemsize
        n_bytes = shape[0] * self._row_bytes
        try:
            self._start: int = open_memmap(
                self._path, mode="w+", dtype=self._dtype, shape=shape
            ).offset
            reserve_space(self._path, self._start, n_bytes)
        except OSError as error:
            self._remove()
            raise OSError(
                error.errno,
                f"The 'memory_map' folder {str(self._folder)!r} cannot take an array of shape "
                f"{shape}, which needs {n_bytes / 1e6:.3g} MB ({error.strerror}). Name another "
                "folder, on another disk, or make smaller features",
            ) from error
        except BaseException:
            self._remove()
            raise

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write some rows; other processes may write others meanwhile.

        Parameters
        ----------
        start : int
            Index of the first.
        rows : ndarray of shape (n_rows, ...)
            The rows.

        Raises
        ------
        OSError
            If the file is gone.
        """
        with self._told(), self._path.open("rb+") as file:
            file.seek(self._start + start * self._row_bytes)
            file.write(np.ascontiguousarray(rows, dtype=self._dtype).data.cast("B"))

    def finish(self, name: str) -> np.ndarray:
        """Give the file its name and return the array, which can only be read.

        Parameters
        ----------
        name : str
            Name of the file in the folder; an older one is replaced.

        Returns
        -------
        array : numpy.memmap
            The rows.

        Raises
        ------
        OSError
            If the file is gone.
        """
        final = self._folder / name
        with self._told():
            os.replace(self._path, final)
            return load_npy(final, mmap_mode="r")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say of a file that is gone what it was."""
        try:
            yield
        except FileNotFoundError as error:
            raise FileNotFoundError(
                error.errno,
                f"The file of features in the 'memory_map' folder {os.fspath(self._folder)!r} was "
                "removed while it was written. Leave the folder alone meanwhile, or name another",
            ) from error

    def _remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> NpyFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._remove()

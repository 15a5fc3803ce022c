"""Activations in files, which are found again by the network, the layers and the data."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch

from atl_sklearn._fingerprint import fingerprint, fingerprint_file
from atl_sklearn._npy import load_npy
from atl_sklearn._partial_files import partial_path, remove_left_over, reserve_space

_FORM = 2  # changes with what is in the files
ROWS_AT_ONCE = 256
_CHECKSUMS = "checksums.json"
_TRIES = 5  # to read a folder that others replace meanwhile


def _numpy_type(dtype: torch.dtype) -> np.dtype:
    return torch.empty(0, dtype=dtype).numpy().dtype


def make_maps(
    folder: Path, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[torch.dtype]
) -> list[torch.Tensor]:
    """Return new tensors whose memory is that of files.

    Parameters
    ----------
    folder : Path
        Where the files are made.
    shapes, dtypes : sequence
        Of the tensors.

    Returns
    -------
    tensors : list of Tensor
        On the CPU.

    Raises
    ------
    OSError
        If the files cannot be made, or there is too little space.
    """
    maps = []
    for position, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
        path = folder / f"{position}.npy"
        found = np.lib.format.open_memmap(path, mode="w+", dtype=_numpy_type(dtype), shape=shape)
        reserve_space(path, found.offset, found.nbytes)
        maps.append(torch.from_numpy(found))
    return maps


def key_of(networks: Sequence[torch.nn.Module], how: object, data: object) -> str:
    """Return the name under which activations are kept.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        The frozen networks.
    how : object
        What is kept of which of their layers.
    data : array, Tensor or mapping of these
        The samples.

    Returns
    -------
    key : str
        The same in every process; different if any of these differs.

    Raises
    ------
    Unidentifiable
        If something in them cannot be told faithfully from others.
    """
    return fingerprint(_FORM, list(networks), how, data)


def _checksums(folder: Path, count: int) -> dict[str, str]:
    names = [f"{position}.npy" for position in range(count)]
    return {name: fingerprint_file(folder / name) for name in names}


def load(
    folder: Path, few: list[torch.Tensor], n_samples: int, *, mapped: bool
) -> list[torch.Tensor] | None:
    """Return the activations in a folder.

    Parameters
    ----------
    folder : Path
        Where they were saved.
    few : list of Tensor of shape (n_few, ...)
        Activations of the first samples. If the network no longer computes these, the folder's are
        not used.
    n_samples : int
        How many samples there must be.
    mapped : bool
        Whether they stay in the files.

    Returns
    -------
    activations : list of Tensor of shape (n_samples, ...) or None
        None if there is no folder, or it holds other activations. On the device of `few` unless
        `mapped`.

    Raises
    ------
    OSError
        If the folder is there, and what is in it is damaged or cannot be read.
    """
    for _ in range(_TRIES):
        try:
            with _number_of(folder) as before:
                try:
                    return _read(folder, few, n_samples, mapped=mapped)
                except (OSError, ValueError, RecursionError) as error:  # the last two of JSON
                    with suppress(FileNotFoundError):
                        if folder.stat().st_ino == before:  # and no other process has replaced it
                            raise OSError(str(error)) from error
        except FileNotFoundError:
            return None
    return None


@contextmanager
def _number_of(folder: Path) -> Iterator[int]:
    """Return the number of a folder, which no other one has as long as the block runs."""
    handle = None
    # Windows does not open folders, nor does it give a number again.
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        yield folder.stat().st_ino if handle is None else os.fstat(handle).st_ino
    finally:
        if handle is not None:
            os.close(handle)


def _read(
    folder: Path, few: list[torch.Tensor], n_samples: int, *, mapped: bool
) -> list[torch.Tensor] | None:
    if json.loads((folder / _CHECKSUMS).read_bytes()) != _checksums(folder, len(few)):
        raise ValueError("its content is not what was written")
    found = []
    for position, some in enumerate(few):
        # "c" leaves the file as it is, and gives memory that torch may take
        kept = load_npy(folder / f"{position}.npy", mmap_mode="c" if mapped else None)
        if kept.shape != (n_samples, *some.shape[1:]) or kept.dtype != _numpy_type(some.dtype):
            return None
        first = torch.from_numpy(np.array(kept[: len(some)])).to(some.device)
        size = some.abs().max()
        if not torch.allclose(first, some, rtol=1e-3, atol=1e-4 * float(size)):
            return None
        tensor = torch.from_numpy(kept)
        found.append(tensor if mapped else tensor.to(some.device))
    return found


def save(
    folder: Path,
    few: list[torch.Tensor],
    n_samples: int,
    compute: Callable[[list[int]], list[torch.Tensor]],
) -> None:
    """Compute activations and keep them in a folder, which is complete or absent.

    Removes what killed processes left beside it.

    Parameters
    ----------
    folder : Path
        Where they are kept; what was there is replaced.
    few : list of Tensor of shape (n_few, ...)
        Activations of the first samples.
    n_samples : int
        How many there are.
    compute : callable
        Returns the activations of the samples in a list.

    Raises
    ------
    OSError
        If the folder cannot be written, or there is too little space.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(folder.parent)
    new = partial_path(folder)
    new.mkdir()  # not by tempfile, whose folders are for one user alone
    try:
        maps = make_maps(new, [(n_samples, *x.shape[1:]) for x in few], [x.dtype for x in few])
        for start in range(0, n_samples, ROWS_AT_ONCE):
            index = list(range(start, min(start + ROWS_AT_ONCE, n_samples)))
            for kept, x in zip(maps, compute(index), strict=True):
                kept[start : start + len(index)] = x.cpu()
        del maps
        (new / _CHECKSUMS).write_text(json.dumps(_checksums(new, len(few))))
        _put(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put(new: Path, folder: Path) -> None:
    """Give a folder its name. Of several processes the last one wins; all folders are equal."""
    for _ in range(_TRIES):
        try:
            new.rename(folder)
            return
        except OSError as error:
            # Another process may have moved the folder that was in the way meanwhile.
            was_in_the_way = error.errno in (errno.ENOTEMPTY, errno.EEXIST)
            if not (was_in_the_way or folder.exists()):
                raise
        old = partial_path(folder)
        with suppress(FileNotFoundError):
            folder.rename(old)
            shutil.rmtree(old, ignore_errors=True)

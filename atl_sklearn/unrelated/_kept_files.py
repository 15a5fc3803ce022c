"""Activations in files, which are found again by the network's weights, the layers and the data."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atl_sklearn._fingerprint import fingerprint

_FORM = 2  # changes with what is in the files
ROWS_AT_ONCE = 256


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
    """
    maps = [
        np.lib.format.open_memmap(
            folder / f"{position}.npy", mode="w+", dtype=_numpy_type(dtype), shape=shape
        )
        for position, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True))
    ]
    return [torch.from_numpy(found) for found in maps]


def key_of(networks: Sequence[torch.nn.Module], how: Any, data: Any) -> str:
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
        The same in every process; another one if anything of these is another.

    Raises
    ------
    Unidentifiable
        If something in them cannot be told faithfully from others.
    """
    return fingerprint(_FORM, list(networks), how, data)


def load(
    folder: Path, few: list[torch.Tensor], n_samples: int, *, mapped: bool
) -> list[torch.Tensor] | None:
    """Return the activations in a folder.

    Parameters
    ----------
    folder : Path
        Where they were saved.
    few : list of Tensor of shape (n_few, ...)
        Activations of the first samples. A network may compute something else with the same
        weights; if they differ, the folder's are not taken.
    n_samples : int
        How many samples there must be.
    mapped : bool
        Whether they stay in the files.

    Returns
    -------
    activations : list of Tensor of shape (n_samples, ...) or None
        None if they are not there, or not these. On the device of `few` unless `mapped`.
    """
    found = []
    for position, some in enumerate(few):
        try:
            # "c" leaves the file as it is, and gives memory that torch may take
            kept = np.load(folder / f"{position}.npy", mmap_mode="c" if mapped else None)
        except (OSError, ValueError):
            return None
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
    """Compute activations and keep them in a folder, which is there completely or not at all.

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
    """
    new = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    try:
        maps = make_maps(new, [(n_samples, *x.shape[1:]) for x in few], [x.dtype for x in few])
        for start in range(0, n_samples, ROWS_AT_ONCE):
            index = list(range(start, min(start + ROWS_AT_ONCE, n_samples)))
            for kept, x in zip(maps, compute(index), strict=True):
                kept[start : start + len(index)] = x.cpu()
        del maps
        # Another process may do the same at the same time: whoever is last replaces equals.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            new.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)

"""The samples that a network takes: a tensor, or a mapping of these by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from atl_sklearn.unrelated import dense_rows

# What a network takes: a batch of samples.
Samples = torch.Tensor | Mapping[str, torch.Tensor]

_TORCH_TYPES = [np.dtype(name) for name in ("f4", "f8", "i8", "i4", "i2", "i1", "u1", "?")]
_ROWS_COPIED = 2**30  # bytes of a table of columns, up to which it is copied


def _of_each(function: Callable[[Any], Any], values: object) -> Any:
    """Return what a function makes of an array, or of each in a mapping; None of None."""
    if isinstance(values, Mapping):
        return {key: _of_each(function, value) for key, value in values.items()}
    return None if values is None else function(values)


def take(values: object, index: torch.Tensor) -> Any:
    """Return some samples as tensors.

    Parameters
    ----------
    values : array or Tensor of shape (n_samples, ...), sparse in CSR form, mapping of these or None
        All samples; sparse rows become dense.
    index : Tensor of shape (n_taken,)
        Which of them.
    """

    def of_one(x: Any) -> torch.Tensor:
        if isinstance(x, torch.Tensor):
            return x.index_select(0, index.to(x.device))
        return torch.from_numpy(np.asarray(dense_rows(x, index.numpy())))

    return _of_each(of_one, values)


def as_tensors_where_possible(values: object) -> Any:
    """Return arrays as tensors of the same memory, where torch can have them."""
    return _of_each(_as_tensor, values)


def _as_tensor(values: Any) -> Any:
    # torch warns of arrays that must not be written, such as joblib's maps of files, and takes
    # none that run backwards.
    takes = (
        isinstance(values, np.ndarray)
        and values.dtype in _TORCH_TYPES
        and values.flags.writeable
        and min(values.strides, default=0) >= 0
    )
    return torch.from_numpy(values) if takes else values


def in_rows(values: object) -> Any:
    """Return tensors whose samples lie one after the other; a table of columns is copied once."""
    return _of_each(_in_rows, values)


def _in_rows(values: Any) -> Any:
    if not isinstance(values, torch.Tensor) or values.dim() < 2 or n_bytes(values) > _ROWS_COPIED:
        return values
    interleaved = 0 < values.stride(0) < max(values.stride()[1:])
    return values.contiguous() if interleaved else values


def n_bytes(values: object) -> float:
    """Return the size of tensors; infinity for what torch cannot hold."""
    if values is None:
        return 0
    if isinstance(values, Mapping):
        return sum(map(n_bytes, values.values()))
    return values.numel() * values.element_size() if isinstance(values, torch.Tensor) else math.inf


def moved(values: object, device: torch.device | str, *, non_blocking: bool = False) -> Any:
    """Return tensors on a device."""
    return _of_each(lambda x: x.to(device, non_blocking=non_blocking), values)


def first_samples(X: Samples, count: int) -> Samples:
    """Return the first samples of a batch."""
    found: Samples = _of_each(lambda x: x[:count], X)
    return found


def copied(X: object) -> Any:
    """Return a batch that a network may write into; what is no tensor stays as it is."""
    if isinstance(X, list):
        return [copied(x) for x in X]
    if type(X) is tuple:
        return tuple(copied(x) for x in X)
    if isinstance(X, Mapping):
        return {key: copied(x) for key, x in X.items()}
    return X.clone() if isinstance(X, torch.Tensor) else X

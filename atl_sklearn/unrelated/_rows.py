"""Samples of which a few are read at a time, so that nothing large is copied as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from scipy.sparse import issparse

from atl_sklearn._validation import shown
from atl_sklearn.unrelated._sparse import dense_rows, sliceable

Samples = torch.Tensor | Mapping[str, torch.Tensor]

_N_SHOWN = 5  # positions that an error names
_NUMBERS_AT_ONCE = 2**22  # that are checked for NaN and infinity at a time
_FAR = 1e4  # standard deviations from 0, from which on float32 rounds much of a column away
_TORCH_TYPES = frozenset(map(np.dtype, ("f2", "f4", "f8", "i8", "i4", "i2", "i1", "u1", "?")))


class Rows(Protocol):
    """Samples of one data set, known by their positions in it."""

    values: Any

    def __len__(self) -> int:
        """Return the number of samples."""

    def take(self, index: np.ndarray) -> Samples:
        """Return some of the samples as tensors."""


def n_rows(values: object) -> int:
    """Return the number of samples of an array, a list, or a mapping of these.

    Raises
    ------
    TypeError
        If it has no samples.
    ValueError
        If the entries of a mapping have different numbers of them.

    Examples
    --------
    >>> from atl_sklearn.unrelated._rows import n_rows
    >>> n_rows(["a.wav", "b.wav"]), n_rows({"ids": [[1], [2], [3]]})
    (2, 3)
    """
    if isinstance(values, Mapping) and not issparse(values):
        counts = {n_rows(values[key]) for key in values.keys()}  # noqa: SIM118 - skorch's SliceDict
        if len(counts) != 1:
            raise ValueError(f"its entries have {sorted(counts)} samples")
        return counts.pop()
    shape = getattr(values, "shape", None)
    if shape is not None and len(shape):
        return int(shape[0])
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        return len(values)
    raise TypeError(f"it must be array-like, with a row for each sample, and is {shown(values)}")


class ArrayRows:
    """Arrays, rows of which become tensors.

    Parameters
    ----------
    values : array, memory map, Tensor, sparse matrix, DataFrame, list, or mapping of these
        Of shape (n_samples, ...). Of a memory map no more is read than is asked for.
    keeps_integers : bool, default=False
        Whether integers stay integers, as networks that embed them need; otherwise they become
        floats.

    Raises
    ------
    ValueError
        If it has no numbers, or samples of different shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.unrelated._rows import ArrayRows
    >>> ArrayRows([[1, 2], [3, 4], [5, 6]]).take(np.array([2, 0]))
    tensor([[5., 6.],
            [1., 2.]])
    """

    def __init__(self, values: object, *, keeps_integers: bool = False) -> None:
        self.values: Any = _as_values(values)
        self._keeps_integers = keeps_integers

    def __len__(self) -> int:
        return n_rows(self.values)

    def take(self, index: np.ndarray) -> Samples:
        """Return some of the samples as tensors."""
        if isinstance(self.values, Mapping):
            return {key: self._take(values, index) for key, values in self.values.items()}
        return self._take(self.values, index)

    def _take(self, values: object, index: np.ndarray) -> torch.Tensor:
        if isinstance(values, torch.Tensor):
            found = values.index_select(0, torch.from_numpy(index).to(values.device))
        else:
            rows = np.asarray(dense_rows(values, index))
            if rows.dtype not in _TORCH_TYPES:
                rows = rows.astype(np.float64 if rows.dtype.kind == "f" else np.int64)
            found = torch.from_numpy(np.ascontiguousarray(rows))
        return found if found.is_floating_point() or self._keeps_integers else found.float()


class OneHotRows:
    """Classes, rows of which become a column for each class.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Positions of the classes.
    n_classes : int
        Number of columns.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.unrelated._rows import OneHotRows
    >>> OneHotRows(np.array([1, 0, 2]), 3).take(np.array([0, 2]))
    tensor([[0., 1., 0.],
            [0., 0., 1.]])
    """

    def __init__(self, codes: np.ndarray, n_classes: int) -> None:
        self.values = codes
        self._n_classes = n_classes

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: np.ndarray) -> torch.Tensor:
        """Return some of the samples as tensors."""
        codes = torch.from_numpy(self.values[index].astype(np.int64))
        return torch.nn.functional.one_hot(codes, self._n_classes).float()


def _as_values(values: object) -> object:
    if isinstance(values, torch.Tensor):
        return values.detach()
    if issparse(values):
        return sliceable(values)
    if isinstance(values, Mapping):
        return {key: _as_values(values[key]) for key in values.keys()}  # noqa: SIM118
    found = np.asanyarray(values)  # a memory map stays one
    if found.dtype.kind == "O" and found.ndim:  # a DataFrame of several types
        found = np.asarray(found.tolist())
    if found.dtype.kind not in "biuf":
        raise ValueError(f"it must have numbers, and has type {found.dtype}")
    return found


def moved_to_zero(parts: Mapping[bool, Rows]) -> dict[bool, Rows]:
    """Move columns that lie far from 0 beside their spread, as times in seconds since 1970 do.

    The smaller floating types, in which values are compared, would round their differences away.

    Parameters
    ----------
    parts : mapping of bool to ArrayRows
        Finite numbers of the training data (False) and the unlabeled data (True), or of one of
        them. Only arrays of float64 in memory are looked at.

    Returns
    -------
    parts : dict of bool to ArrayRows
        The same, where nothing had to be moved. All are moved by the means of the first.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.unrelated._rows import ArrayRows, moved_to_zero
    >>> moved_to_zero({False: ArrayRows(np.array([[1.7e9], [1.7e9 + 60]]))})[False].values.ravel()
    array([-30.,  30.])
    >>> moved_to_zero({False: ArrayRows(np.array([[0.0], [60.0]]))})[False].values.ravel()
    array([ 0., 60.])
    """
    arrays = {key: part.values for key, part in parts.items()}
    looked_at = (type(x) is np.ndarray and x.dtype == np.float64 for x in arrays.values())
    if not arrays or not all(looked_at):
        return dict(parts)
    first = arrays[min(arrays)]
    mean, spread = first.mean(axis=0), first.std(axis=0)
    far = (spread > 0) & (np.abs(mean) > _FAR * spread)
    if not far.any():
        return dict(parts)
    return {key: ArrayRows(x - np.where(far, mean, 0.0)) for key, x in arrays.items()}


def check_finite_rows(values: object, name: str) -> None:
    """Refuse numbers that are NaN or infinite, reading a part of them at a time.

    Parameters
    ----------
    values : ndarray, memory map, Tensor or sparse matrix of shape (n_samples, ...)
        The numbers.
    name : str
        What errors call them.

    Raises
    ------
    ValueError
        If some are; the message has the first positions.
    """
    n_samples = n_rows(values)
    shape = values.shape  # type: ignore[attr-defined]
    at_once = max(1, _NUMBERS_AT_ONCE // max(int(np.prod(shape[1:])), 1))
    found: list[int] = []
    for start in range(0, n_samples, at_once):
        rows = dense_rows(values, slice(start, start + at_once))
        rows = rows.cpu().numpy() if isinstance(rows, torch.Tensor) else np.asarray(rows)
        finite = np.isfinite(rows.reshape(len(rows), -1)).all(axis=1)
        found += (start + np.flatnonzero(~finite)).tolist()
    if found:
        more = ", ..." if len(found) > _N_SHOWN else ""
        raise ValueError(
            f"{name} has NaN or infinite values, in {len(found)} of {n_samples} samples, at "
            f"positions {', '.join(map(str, found[:_N_SHOWN]))}{more}. Leave these samples out."
        )

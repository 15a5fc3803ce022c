"""Data on their way to the network: sets of samples that return whole batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
import torch
from skorch.dataset import Dataset
from torch.utils.data import Subset, default_collate

from atl_sklearn.estimators._batch import Batch
from atl_sklearn.estimators._samples import (
    Samples,
    as_tensors_where_possible,
    in_rows,
    moved,
    n_bytes,
    take,
)


class IndexedData(Protocol):
    """A dataset with a length and an index, as users have it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class BatchedData(IndexedData, Protocol):
    """A dataset of this module, which returns whole batches."""

    def __getitems__(self, index: Sequence[int], /) -> Batch: ...


class ArrayData(Dataset):
    """Arrays, sliced a batch at a time.

    Parameters
    ----------
    X : array of shape (n_samples, ...), sparse in CSR form, or mapping of these
        Input of the network; sparse rows become dense in the batch that they are in.
    y : array of shape (n_samples, ...) or None
        Target, encoded.
    task_weight, sample_weight : array of shape (n_samples,) or None
        Weights of the samples in the task loss, and in the penalty.
    """

    def __init__(
        self,
        X: object,
        y: np.ndarray | None,
        task_weight: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> None:
        super().__init__(X, y)
        self.task_weight = task_weight
        self.sample_weight = sample_weight
        self._columns = tuple(map(as_tensors_where_possible, (X, y, task_weight, sample_weight)))

    def place(self, device: torch.device, limit: float) -> None:
        """Move everything to a device, once and for all batches, if it has at most `limit` bytes.

        Parameters
        ----------
        device : torch.device
            Where batches are wanted.
        limit : float
            Bytes that may be taken there.
        """
        size = sum(map(n_bytes, self._columns))
        if 0 < size <= limit:
            self._columns = tuple(moved(column, device) for column in self._columns)

    def lay_in_rows(self) -> None:
        """Lay samples one after the other where a table came in columns, as pandas has them.

        Batches are then copied as rows, many times faster. Tables of more than 1 GiB stay as they
        are, for the sake of memory.
        """
        self._columns = tuple(map(in_rows, self._columns))

    def __getitems__(self, index: Sequence[int] | torch.Tensor) -> Batch:
        places = torch.as_tensor(index)
        X, y, task_weight, sample_weight = (take(column, places) for column in self._columns)
        if y is None:  # a zero for each sample: skorch's dummy
            y = torch.zeros(len(places))
        return Batch(X, y, task_weight, sample_weight, places)


class LabelledData(torch.utils.data.Dataset):
    """A user's torch dataset with encoded labels and weights of its samples.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Returns pairs (X, y); its own y is not used.
    y : array of shape (n_samples, ...)
        Target, encoded.
    task_weight, sample_weight : array of shape (n_samples,) or None
        Weights of the samples in the task loss, and in the penalty.
    same : bool, default=False
        Whether its samples are the same in every epoch.
    is_training : bool, default=True
        Whether it holds the training data, whose samples the unrelated side knows by position.
    """

    def __init__(
        self,
        dataset: IndexedData,
        y: np.ndarray,
        task_weight: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
        *,
        same: bool = False,
        is_training: bool = True,
    ) -> None:
        self.dataset = dataset
        self.same = same
        self.is_training = is_training
        self.y = y
        self.task_weight = task_weight
        self.sample_weight = sample_weight

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[object, object]:
        return self.dataset[index][0], self.y[index]

    def __getitems__(self, index: Sequence[int]) -> Batch:
        X = default_collate([self.dataset[i][0] for i in index])
        columns = (self.y, self.task_weight, self.sample_weight)
        places = torch.as_tensor(index)
        y, task_weight, sample_weight = (take(values, places) for values in columns)
        known = places if self.same else None
        positions = places if self.is_training else None
        return Batch(X, y, task_weight, sample_weight, known, positions)


class UnlabeledData(torch.utils.data.Dataset):
    """A user's torch dataset without its labels, if it has any.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Returns X, or pairs (X, y).
    same : bool, default=False
        Whether its samples are the same in every epoch.
    collate : callable or None, default=None
        Makes a batch of pairs (X, y), as the user makes those of the training data.
    """

    def __init__(
        self,
        dataset: IndexedData,
        *,
        same: bool = False,
        collate: Callable[[list[tuple[object, int]]], Sequence[Samples]] | None = None,
    ) -> None:
        self.dataset = dataset
        self.same = same
        self.collate = collate

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        item = self.dataset[index]
        return item[0] if isinstance(item, tuple | list) else item

    def __getitems__(self, index: Sequence[int]) -> Batch:
        items, places = [self[i] for i in index], torch.as_tensor(index)
        if self.collate is None:
            X = default_collate(items)
        else:
            X = self.collate([(item, 0) for item in items])[0]
        return Batch(X, None, index=places if self.same else None, positions=places)


class SingleSamples(torch.utils.data.Dataset):
    """One of this module's datasets for an iterator that takes sample by sample.

    Parameters
    ----------
    dataset : ArrayData, LabelledData or Subset
        The data.
    """

    def __init__(self, dataset: IndexedData) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        return self.dataset[index]


def whole_of(dataset: object) -> object:
    """Return the dataset that `dataset` is a subset of, or itself."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def is_own_data(dataset: object) -> TypeGuard[BatchedData]:
    """Tell whether `dataset` is one of this module's, or a subset of one."""
    return isinstance(whole_of(dataset), ArrayData | LabelledData)

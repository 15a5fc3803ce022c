"""Data on their way to the network: a batch at a time, with their weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeGuard, cast

import numpy as np
import torch
from skorch.dataset import Dataset, get_len
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    default_collate,
)

from atl_sklearn.unrelated import dense_rows

# What a network takes: a batch of samples.
Samples = torch.Tensor | Mapping[str, torch.Tensor]


class IndexedData(Protocol):
    """A dataset with a length and an index, as users have it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class BatchedData(IndexedData, Protocol):
    """A dataset of this module, which returns whole batches."""

    def __getitems__(self, index: Sequence[int], /) -> Batch: ...


_TORCH_TYPES = [np.dtype(name) for name in ("f4", "f8", "i8", "i4", "i2", "i1", "u1", "?")]
_ROWS_COPIED = 2**30  # bytes of a table of columns, up to which it is copied


class Batch:
    """Some samples; unpacks as the pair (X, y) that skorch and its callbacks expect.

    Parameters
    ----------
    X : Tensor of shape (n_samples, ...) or mapping of these
        Input of the network.
    y : Tensor of shape (n_samples, ...)
        Target.
    task_weight, sample_weight : Tensor of shape (n_samples,) or None
        Weights of the samples in the task loss, and in the penalty.
    index : Tensor of shape (n_samples,) or None
        Positions of the samples in arrays, which are the same in every epoch; None where the
        data may change.
    positions : Tensor of shape (n_samples,) or None, default=None
        Positions of the samples in their data set, though they may change; None for `index`.
    clean : Tensor of shape (n_samples, ...) or None, default=None
        The samples before they were augmented, where the unrelated side is given these.
    """

    def __init__(
        self,
        X: Samples,
        y: torch.Tensor | None,
        task_weight: torch.Tensor | None = None,
        sample_weight: torch.Tensor | None = None,
        index: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
        clean: Samples | None = None,
    ) -> None:
        self.X = X
        self.clean = clean
        self.y = y
        self.task_weight = task_weight
        self.sample_weight = sample_weight
        self.index = index
        self.positions = index if positions is None else positions

    def __iter__(self) -> Iterator[Samples | None]:
        return iter((self.X, self.y))

    def __getitem__(self, position: int) -> Samples | None:
        return (self.X, self.y)[position]

    def __len__(self) -> int:
        # skorch asks a batch that is no tuple for its size
        return len(self.X) if isinstance(self.X, torch.Tensor) else get_len(self.X)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on a device, as accelerate asks; `index` stays on the CPU."""
        X, y, task_weight, sample_weight, clean = (
            _moved(values, device, non_blocking=non_blocking)
            for values in (self.X, self.y, self.task_weight, self.sample_weight, self.clean)
        )
        return Batch(X, y, task_weight, sample_weight, self.index, self.positions, clean)

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory, as ``DataLoader(pin_memory=True)`` asks."""
        from torch.utils.data._utils.pin_memory import pin_memory

        X, y, task_weight, sample_weight, clean = map(
            pin_memory, (self.X, self.y, self.task_weight, self.sample_weight, self.clean)
        )
        return Batch(X, y, task_weight, sample_weight, self.index, self.positions, clean)

    def augmented(self, X: Samples, clean: Samples | None, index: torch.Tensor | None) -> Batch:
        """Return the batch with its samples changed, at the same positions."""
        return Batch(X, self.y, self.task_weight, self.sample_weight, index, self.positions, clean)


def _take(values: object, index: torch.Tensor) -> Any:
    if values is None:
        return None
    if isinstance(values, Mapping):
        return {key: _take(value, index) for key, value in values.items()}
    if isinstance(values, torch.Tensor):
        return values.index_select(0, index.to(values.device))
    return torch.from_numpy(np.asarray(dense_rows(values, index.numpy())))


def _as_tensors(values: object) -> object:
    """Return arrays as tensors of the same memory, where torch can have them."""
    if isinstance(values, Mapping):
        return {key: _as_tensors(value) for key, value in values.items()}
    # torch warns of arrays that must not be written, such as joblib's maps of files, and takes
    # none that run backwards.
    takes = (
        isinstance(values, np.ndarray)
        and values.dtype in _TORCH_TYPES
        and values.flags.writeable
        and min(values.strides, default=0) >= 0
    )
    return torch.from_numpy(values) if takes else values


def _in_rows(values: Any) -> Any:
    """Return tensors whose samples lie one after the other; a table of columns is copied once."""
    if isinstance(values, Mapping):
        return {key: _in_rows(value) for key, value in values.items()}
    if not isinstance(values, torch.Tensor) or values.dim() < 2 or _n_bytes(values) > _ROWS_COPIED:
        return values
    interleaved = 0 < values.stride(0) < max(values.stride()[1:])
    return values.contiguous() if interleaved else values


def _n_bytes(values: object) -> float:
    """Return the size of tensors; infinity for what torch cannot hold."""
    if values is None:
        return 0
    if isinstance(values, Mapping):
        return sum(map(_n_bytes, values.values()))
    return values.numel() * values.element_size() if isinstance(values, torch.Tensor) else math.inf


def _moved(values: Any, device: torch.device | str, *, non_blocking: bool = False) -> Any:
    if isinstance(values, Mapping):
        return {key: _moved(x, device, non_blocking=non_blocking) for key, x in values.items()}
    return None if values is None else values.to(device, non_blocking=non_blocking)


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
        self._columns = tuple(map(_as_tensors, (X, y, task_weight, sample_weight)))

    def place(self, device: torch.device, limit: float) -> None:
        """Move everything to a device, once and for all batches, if it has at most `limit` bytes.

        Parameters
        ----------
        device : torch.device
            Where batches are wanted.
        limit : float
            Bytes that may be taken there.
        """
        size = sum(map(_n_bytes, self._columns))
        if 0 < size <= limit:
            self._columns = tuple(_moved(column, device) for column in self._columns)

    def lay_in_rows(self) -> None:
        """Lay samples one after the other where a table came in columns, as pandas has them.

        Batches are then copied as rows, many times faster. Tables of more than 1 GiB stay as they
        are, for the sake of memory.
        """
        self._columns = tuple(map(_in_rows, self._columns))

    def __getitems__(self, index: Sequence[int] | torch.Tensor) -> Batch:
        places = torch.as_tensor(index)
        X, y, task_weight, sample_weight = (_take(column, places) for column in self._columns)
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
        y, task_weight, sample_weight = (_take(values, places) for values in columns)
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


def first_samples(X: Samples, count: int) -> Samples:
    """Return the first samples of a batch."""
    if isinstance(X, torch.Tensor):
        return X[:count]
    return {key: x[:count] for key, x in X.items()}


def copied(X: object) -> Any:
    """Return a batch that a network may write into; what is no tensor stays as it is."""
    if isinstance(X, torch.Tensor):
        return X.clone()
    if isinstance(X, list):
        return [copied(x) for x in X]
    if type(X) is tuple:
        return tuple(copied(x) for x in X)
    return {key: copied(x) for key, x in X.items()} if isinstance(X, Mapping) else X


def whole_of(dataset: object) -> object:
    """Return the dataset that `dataset` is a subset of, or itself."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def is_own_data(dataset: object) -> TypeGuard[BatchedData]:
    """Tell whether `dataset` is one of this module's, or a subset of one."""
    return isinstance(whole_of(dataset), ArrayData | LabelledData)


class _Batches(Sampler):
    """Batches of positions; a single sample left over joins the batch before it.

    BatchNorm cannot train on one sample, and one sample has no similarity to others.
    """

    def __init__(self, order: Sampler, batch_size: int, drop_last: bool) -> None:
        self._order = order
        self._batches = BatchSampler(order, batch_size, drop_last)

    def _joins(self) -> bool:
        size, n_samples = self._batches.batch_size, len(self._order)  # type: ignore[arg-type]
        return not self._batches.drop_last and 1 < size < n_samples and n_samples % size == 1

    def __len__(self) -> int:
        return len(self._batches) - self._joins()

    def __iter__(self) -> Iterator[list[int]]:
        remaining = len(self)
        batches = iter(self._batches)
        for batch in batches:
            remaining -= 1
            if remaining == 0:
                batch = batch + next(batches, [])
            yield batch

    def in_tensors(self) -> Iterator[torch.Tensor]:
        """Yield the same positions as tensors, made once an epoch and not in each step."""
        order = torch.tensor(list(self._order), dtype=torch.int64)
        size, n_batches = self._batches.batch_size, len(self)
        for at in range(n_batches):
            joins = at == n_batches - 1 and self._joins()
            yield order[at * size : (at + 1) * size + joins]


def _keep(batch: object) -> object:
    return batch


class _Loader(DataLoader):
    """A DataLoader that fetches whole batches without machinery where it has no workers."""

    def __iter__(self) -> Any:
        if self.num_workers or self.pin_memory:
            return super().__iter__()
        return self._fetched()

    def _fetched(self) -> Iterator[Batch]:
        # Draw what a DataLoader draws for its workers, so that the order is the same without them.
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        sampler: Any = self.batch_sampler or ()
        in_tensors = isinstance(self.dataset, ArrayData) and isinstance(sampler, _Batches)
        for index in sampler.in_tensors() if in_tensors else sampler:
            yield self.dataset.__getitems__(index)  # type: ignore[attr-defined]


def batch_loader(
    dataset: BatchedData,
    *,
    batch_size: int,
    shuffle: bool,
    training: bool,
    drop_last: bool = False,
    **kwargs: Any,
) -> DataLoader:
    """Return a DataLoader that takes whole batches from one of this module's datasets.

    Parameters
    ----------
    dataset : ArrayData, LabelledData or Subset
        The data.
    batch_size : int
        Number of samples in a batch; -1 for all of them.
    shuffle : bool
        Whether each epoch has its own order. A single batch is never shuffled.
    training : bool
        Whether a single sample left over joins the batch before it.
    drop_last : bool, default=False
        Whether an incomplete last batch is left out.
    **kwargs : dict
        Other arguments of :class:`torch.utils.data.DataLoader`.

    Returns
    -------
    loader : DataLoader
        Yields :class:`Batch`.
    """
    n_samples = len(dataset)
    size = n_samples if batch_size == -1 else batch_size
    order: Sampler = (
        RandomSampler(dataset) if shuffle and size < n_samples else SequentialSampler(dataset)
    )
    batches = (_Batches if training else BatchSampler)(order, size, drop_last)
    if not training:
        # Each iteration draws a seed for its workers; not from the global generator.
        kwargs.setdefault("generator", torch.Generator())
    return _Loader(cast(Dataset, dataset), batch_sampler=batches, collate_fn=_keep, **kwargs)

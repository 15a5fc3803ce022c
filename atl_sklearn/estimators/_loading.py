"""Loading data: a batch at a time, in their order or in another one each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
)

from atl_sklearn.estimators._batch import Batch
from atl_sklearn.estimators._data import ArrayData, BatchedData


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

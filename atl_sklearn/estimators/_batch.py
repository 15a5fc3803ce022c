"""A batch on its way to the network, with the weights and the positions of its samples."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from skorch.dataset import get_len

from atl_sklearn.estimators._samples import Samples, moved


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
            moved(values, device, non_blocking=non_blocking)
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

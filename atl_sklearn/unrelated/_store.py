"""Frozen activations, kept by the index of the sample: they do not change while training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch


class ActivationStore:
    """Activations of the samples of one data set, computed when first asked for.

    Parameters
    ----------
    n_samples : int
        Number of samples of the data set.
    limit : int
        Bytes that may be kept; above it nothing is, and everything is computed anew.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._store import ActivationStore
    >>> X = torch.arange(6.0).reshape(3, 2)
    >>> store = ActivationStore(n_samples=3, limit=1000)
    >>> for _ in range(2):
    ...     found = store.get([2, 0], lambda: [print("computed") or X[[2, 0]] ** 2])
    computed
    >>> found
    [tensor([[16., 25.],
            [ 0.,  1.]])]
    """

    def __init__(self, n_samples: int, limit: int) -> None:
        self._n_samples = n_samples
        self._limit = limit
        self._kept: list[torch.Tensor] | None = None
        self._there = torch.zeros(n_samples, dtype=torch.bool)

    @property
    def n_bytes(self) -> int:
        """Bytes that are kept."""
        return sum(x.numel() * x.element_size() for x in self._kept or [])

    def get(
        self, index: Sequence[int] | torch.Tensor | None, compute: Callable[[], list[torch.Tensor]]
    ) -> list[torch.Tensor]:
        """Return the activations of some samples.

        Parameters
        ----------
        index : sequence of int, Tensor of int or None
            Which samples; None for samples that are not of the data set.
        compute : callable
            Returns their activations, one tensor for each layer.

        Returns
        -------
        activations : list of Tensor of shape (n_samples, ...)
            Without gradients.
        """
        if index is None or self._limit <= 0:
            return compute()
        index = torch.as_tensor(index)
        if self._kept is not None and bool(self._there[index].all()):
            return [x[index.to(x.device)] for x in self._kept]
        found = compute()
        if self._kept is None:
            per_sample = sum(x[0].numel() * x.element_size() for x in found)
            if per_sample * self._n_samples > self._limit:
                self._limit = 0
                return found
            self._kept = [x.new_empty((self._n_samples, *x.shape[1:])) for x in found]
        for kept, x in zip(self._kept, found, strict=True):
            kept[index.to(kept.device)] = x
        self._there[index] = True
        return found

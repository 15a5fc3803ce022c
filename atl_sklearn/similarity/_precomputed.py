"""What comparisons need of activations that do not change, made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from atl_sklearn.similarity._aggregations import Aggregation, AggregationLike, get_aggregation
from atl_sklearn.similarity._metrics import Metric
from atl_sklearn.similarity._products import row_products

# Free of the scale of a row, so that the rows' norms can be known in advance.
_COSINES = ("cosine", "squared_cosine")
# Rows that need more than the sample itself, or are drawn anew in every step.
_NOT_BY_SAMPLE = ("batch_gram", "stochastic_pairwise")


@dataclass(frozen=True)
class Precomputed:
    """One side of a comparison of rows.

    Attributes
    ----------
    small : Tensor of shape (n_samples, ...)
        Activations that give the same result, each sample divided by its magnitude.
    squares : Tensor of shape (n_samples, n_rows)
        Products of their rows with themselves.
    """

    small: torch.Tensor
    squares: torch.Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> Precomputed:
        """Return the same on another device or in another floating type."""
        return Precomputed(self.small.to(device, dtype), self.squares.to(device, dtype))


def _has_norms(metric: Metric, what: Aggregation) -> bool:
    by_rows = isinstance(metric, str) and metric in _COSINES and what.degree is not None
    return by_rows and what.name not in _NOT_BY_SAMPLE


def n_precomputed(metric: Metric, aggregation: AggregationLike) -> int:
    """Return how many tensors :func:`prepare` returns."""
    return 2 if _has_norms(metric, get_aggregation(aggregation)) else 1


def prepare(x: torch.Tensor, metric: Metric, aggregation: AggregationLike) -> list[torch.Tensor]:
    """Return what a comparison needs of activations, as tensors that can be kept by sample.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_channels, ...)
        Activations of a frozen network.
    metric, aggregation : str or callable
        The comparison.

    Returns
    -------
    tensors : list of Tensor of shape (n_samples, ...)
        To be given to :func:`restore`.
    """
    what = get_aggregation(aggregation)
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if not _has_norms(metric, what):
        return [_compact(what, x)]
    largest = x.flatten(1).abs().amax(dim=1).reshape(-1, *[1] * (x.ndim - 1))
    x = x / torch.where(largest > 0, largest, 1.0)
    if what.name == "pairwise":
        return [x.sum(dim=1, keepdim=True), what.products(x, x, None).bb]  # type: ignore[misc]
    small = _compact(what, x)
    if what.products is not None:
        return [small, what.products(small, small, None).bb]
    rows = what.rows(small)
    rows = rows.reshape(len(rows), -1, rows.shape[-1])
    return [small, row_products(rows, rows).bb]


def _compact(what: Aggregation, x: torch.Tensor) -> torch.Tensor:
    return x if what.compact is None else what.compact(x)


def restore(tensors: Sequence[torch.Tensor]) -> torch.Tensor | Precomputed:
    """Return what :func:`prepare` made as :func:`activation_similarity` takes it."""
    return tensors[0] if len(tensors) == 1 else Precomputed(*tensors)

"""Metrics that compare the rows of two aggregated activations, sample by sample."""

from __future__ import annotations

import torch

from atl_sklearn.similarity._products import RowProducts


def _mean(values: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Return the mean over samples and rows, each sample with its weight."""
    per_sample = values.mean(dim=1)
    return per_sample.mean() if weight is None else (per_sample * weight).sum() / weight.sum()


def _cosines(products: RowProducts) -> torch.Tensor:
    # One root for each side: their product may overflow where each of them does not.
    norms = [
        torch.where(square > 0, square, torch.ones_like(square)).sqrt()
        for square in (products.aa, products.bb)
    ]
    there = (products.aa > 0) & (products.bb > 0)
    return torch.where(there, products.ab / norms[0] / norms[1], torch.zeros_like(products.ab))


def squared_cosine(products: RowProducts, weight: torch.Tensor | None) -> torch.Tensor:
    """Return the square of the mean absolute cosine of the rows; in [0, 1]."""
    return _mean(_cosines(products).abs(), weight).square()


def cosine(products: RowProducts, weight: torch.Tensor | None) -> torch.Tensor:
    """Return the mean cosine of the rows; in [-1, 1]."""
    return _mean(_cosines(products), weight)


def sigmoid_mse(
    products: RowProducts, weight: torch.Tensor | None, scale: torch.Tensor | None = None
) -> torch.Tensor:
    """Return minus the sigmoid of the mean squared error; in [-1, -1/2].

    Parameters
    ----------
    products : RowProducts
        Of rows that were divided by the square root of `scale`.
    weight : Tensor of shape (n_samples,) or None
        Weights of the samples.
    scale : Tensor or None, default=None
        Multiplies the mean squared error.

    Returns
    -------
    similarity : Tensor of shape ()
        -1 where the rows differ much, -1/2 where they agree.
    """
    distance = (products.aa + products.bb - 2 * products.ab).clamp_min(0) / products.length
    error = _mean(distance, weight)
    return -torch.sigmoid(error if scale is None else error * scale)

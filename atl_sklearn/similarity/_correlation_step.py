"""The cross-correlation with a side that does not change, and its gradient in closed form.

The metric of most training steps is many small operations on small tensors: autograd's bookkeeping
takes several times as long as they do.
"""

from __future__ import annotations

from typing import Any

import torch

from atl_sklearn.similarity._batch_metrics import root_mean_square_correlation
from atl_sklearn.similarity._sample_products import (
    KINK,
    VARIANCE_FLOOR,
    center_vectors,
    center_with_divisor,
    standardise,
)


class _CrossCorrelation(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, v: torch.Tensor, p: torch.Tensor, weighted: bool
    ) -> torch.Tensor:
        """Return the value for vectors `x` and the standardised vectors `v` of the other side."""
        centred, divisor = center_with_divisor(x, p, weighted=weighted)
        z = centred / divisor
        variance = p @ z.square()
        mean = variance.mean()
        there = mean > torch.finfo(mean.dtype).tiny
        scale = torch.where(there, variance + VARIANCE_FLOOR * mean, 1.0).rsqrt()
        u = z * scale
        pv = v * p[:, None]
        n_pairs = u.shape[1] * v.shape[1]
        # <UU', VV'> = |U'V|^2; the smaller matrix is built
        narrow = n_pairs <= len(p) ** 2
        middle = pv.mT @ u if narrow else (pv @ pv.mT)
        pulled = pv @ middle if narrow else middle @ u
        square = (pulled * u).sum() / n_pairs
        value = square.clamp_min(0).sqrt()
        slope = 1 / (n_pairs * value.clamp_min(KINK))  # bounded near 0: see KINK
        ctx.save_for_backward(x, v, p, z, scale, pulled, slope, divisor)
        ctx.weighted = weighted
        return value

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """Return the gradient with respect to `x`."""
        (grad,) = grads
        x, v, p, z, scale, pulled, slope, divisor = ctx.saved_tensors
        if torch.is_grad_enabled():  # asked for a gradient that has a gradient itself
            u = standardise(center_vectors(x, p, weighted=ctx.weighted), p)
            value = root_mean_square_correlation(u, v, p)
            (found,) = torch.autograd.grad(value, x, grad, create_graph=True)
            return found, None, None, None
        du = pulled * (grad * slope)
        along = (du * z).sum(dim=0) * scale**3
        of_variance = along + VARIANCE_FLOOR * along.mean()
        dz = (du * scale).addcmul_(z * of_variance, p[:, None], value=-1)
        dz /= divisor
        if ctx.weighted:
            dz *= (p > 0)[:, None]
        return dz.addcmul_(p[:, None], dz.sum(dim=0), value=-1), None, None, None


def cross_correlation_step(
    x: torch.Tensor, v: torch.Tensor, p: torch.Tensor, *, weighted: bool
) -> torch.Tensor:
    """Return the root mean square correlation of features with those of a side without gradient.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
        Features of the network in training.
    v : Tensor of shape (n_samples, n_other_features)
        Standardised features of the other side.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.
    weighted : bool
        Whether some of them may be 0.

    Returns
    -------
    similarity : Tensor of shape ()
        As :func:`cross_correlation` computes it.
    """
    return _CrossCorrelation.apply(x, v, p, weighted)

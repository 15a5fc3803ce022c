"""The cross-correlation with a side that does not change, and its gradient in closed form.

The metric of most training steps consists of small operations on small tensors. Autograd's
bookkeeping for them takes several times as long as the operations.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from atl_sklearn.similarity._batch_metrics import root_mean_square_correlation
from atl_sklearn.similarity._sample_products import (
    KINK,
    VARIANCE_FLOOR,
    center_vectors,
    center_with_divisor,
    floored_variance,
    standardise,
)

# Mean variances at which no product over- or underflows, so that nothing has to be rescaled.
_SMALL, _LARGE = 1e-8, 1e8
_STEADY = 1e-3  # of the largest mean: features that vary by more are no rounding of constants


class StandardFeatures(NamedTuple):
    """Features of one side, centred, and what standardises them.

    Attributes
    ----------
    centred : Tensor of shape (n_samples, n_features)
        Centred under the weights, and divided by `divisor`.
    scale : Tensor of shape (n_features,)
        By which they are multiplied.
    divisor : Tensor of shape () or None
        None for 1.
    """

    centred: torch.Tensor
    scale: torch.Tensor
    divisor: torch.Tensor | None = None


@torch.no_grad()
def ordinary_features(x: torch.Tensor, p: torch.Tensor) -> StandardFeatures | None:
    """Standardise features of magnitudes that need no care.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
        Features.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    features : StandardFeatures or None
        None where care is needed, and on a GPU, where finding out takes as long.
    """
    if x.device.type != "cpu":
        return None
    mean = p @ x
    centred = x - mean
    variance = p @ centred.square()
    typical = float(variance.mean())
    offset = float(torch.linalg.vector_norm(mean, math.inf))
    if not max(_SMALL, (_STEADY * offset) ** 2) <= typical <= _LARGE:
        return None
    return StandardFeatures(centred, variance.add_(VARIANCE_FLOOR * typical).rsqrt_())


@torch.no_grad()
def any_features(x: torch.Tensor, p: torch.Tensor, *, weighted: bool) -> StandardFeatures:
    """Standardise features of any magnitude, constant ones among them.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
        Features.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.
    weighted : bool
        Whether some of them may be 0.
    """
    centred, divisor = center_with_divisor(x, p, weighted=weighted)
    centred = centred / divisor
    return StandardFeatures(centred, floored_variance(centred, p).rsqrt(), divisor)


class _CrossCorrelation(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        features: StandardFeatures,
        v: torch.Tensor,
        p: torch.Tensor,
        weighted: bool,
    ) -> torch.Tensor:
        """Return the value for `x` with its features, and `v`, the features of the other side."""
        z, scale, divisor = features
        u, column = z * scale, p[:, None]
        pv = v * column
        n_pairs = u.shape[1] * v.shape[1]
        # <UU', VV'> = |U'V|^2, in shares of the features; the smaller matrix is built
        if n_pairs <= len(p) ** 2:
            middle = pv.mT @ u
            pulled, shares = pv @ middle, middle.square().sum(dim=0)
        else:
            pulled = (pv @ pv.mT) @ u
            shares = (pulled * u).sum(dim=0)
        value = (shares.sum() / n_pairs).clamp_min_(0).sqrt_()
        slope = (n_pairs * value.clamp_min(KINK)).reciprocal_()  # bounded near 0: see KINK
        # The columns of `pulled` and `z` are centred, and so is the gradient.
        along = shares.mul_(scale.square()).mul_(slope)
        of_variance = along + VARIANCE_FLOOR * along.mean()
        gradient = pulled.mul_(scale * slope).addcmul_(z * of_variance, column, value=-1)
        if divisor is not None:
            gradient /= divisor
        ctx.save_for_backward(gradient, x, v, p)
        ctx.weighted = weighted
        return value

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        """Return the gradient with respect to `x`."""
        (grad,) = grads
        gradient, x, v, p = ctx.saved_tensors
        if torch.is_grad_enabled():  # asked for a gradient that has a gradient itself
            u = standardise(center_vectors(x, p, weighted=ctx.weighted), p)
            value = root_mean_square_correlation(u, v, p)
            (gradient,) = torch.autograd.grad(value, x, grad, create_graph=True)
            return gradient, None, None, None, None
        return gradient * grad, None, None, None, None


def cross_correlation_step(
    x: torch.Tensor,
    features: StandardFeatures,
    others: StandardFeatures,
    p: torch.Tensor,
    *,
    weighted: bool,
) -> torch.Tensor:
    """Return the root mean square correlation of features with those of a side without gradient.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
        Features of the network in training.
    features, others : StandardFeatures
        These features, and those of the other side.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.
    weighted : bool
        Whether some of them may be 0.

    Returns
    -------
    similarity : Tensor of shape ()
        As :func:`cross_correlation` computes it.
    """
    v = others.centred * others.scale
    return _CrossCorrelation.apply(x, features, v, p, weighted)

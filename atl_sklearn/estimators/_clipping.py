"""Gradients of a bounded norm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from skorch.callbacks import GradientNormClipping

from atl_sklearn.estimators._net import Net


def clip_gradients(parameters: Sequence[torch.nn.Parameter], max_norm: float) -> None:
    """Scale the gradients so that their common norm is at most `max_norm`.

    Parameters
    ----------
    parameters : sequence of Parameter
        Those without a gradient are left out.
    max_norm : float
        The largest norm of all gradients taken as one vector.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
    # Most steps need no scaling, and multiplying by 1 takes as long as finding the norm. On a GPU,
    # looking at the norm would mean waiting for it, so there the gradients are always multiplied.
    if norm.device.type != "cpu" or not norm <= max_norm:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm, foreach=True)


def max_norm_of(net: Net) -> float | None:
    """Return the largest norm of the gradients, or None where they are not clipped here.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    """
    for _, callback in net.callbacks_:
        if isinstance(callback, GradientNormClipping) and callback.gradient_clip_value is not None:
            return None
    # LBFGS compares gradients of several points, which must be what they are.
    optimizers = [getattr(net, f"{name}_") for name in net._optimizers]
    return None if any(isinstance(o, torch.optim.LBFGS) for o in optimizers) else net.max_grad_norm

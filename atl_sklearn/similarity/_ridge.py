"""How well a linear read-out of one network's activations predicts another's."""

from __future__ import annotations

import torch

from atl_sklearn.similarity._sample_products import SampleProducts

_RIDGE = 0.1  # of the mean variance of the principal directions, each weighted by its variance


def ridge_r2(a: SampleProducts, b: SampleProducts, p: torch.Tensor) -> torch.Tensor:
    """Return the share of the second side's variance that ridge regression on the first explains.

    The closed form of the read-out [1]_ is part of the value, so its gradient makes the first
    side harder to read for the best linear reader, not only for the present one. The ridge is a
    tenth of the mean variance of the first side's principal directions, each weighted by its
    variance: the value is free of scale, and a small batch does not explain everything by
    chance.

    Parameters
    ----------
    a, b : SampleProducts
        What is read, and what is predicted.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    similarity : Tensor of shape ()
        In [0, 1]: 0 where no linear function of the first side tells of the second.

    References
    ----------
    .. [1] A. Hoerl, R. Kennard, "Ridge regression: biased estimation for nonorthogonal
       problems", Technometrics 12, 1970.
    """
    root = p.sqrt()[:, None]
    n_samples = int((p > 0).sum())
    if a.narrow(n_samples):
        assert a.vectors is not None
        columns = a.vectors * root
        moments = columns.mT @ columns
        ridge = _ridge_of(moments)
        inverse = torch.linalg.inv(moments + ridge * _eye(moments))
        residual_maker = None
    else:
        moments = a.inner_products() * root * root.mT
        ridge = _ridge_of(moments)
        residual_maker = ridge * torch.linalg.inv(moments + ridge * _eye(moments))
    if b.narrow(n_samples):
        assert b.vectors is not None
        target = b.vectors * root
        total = target.square().sum()
        if residual_maker is None:
            residual = target - columns @ (inverse @ (columns.mT @ target))
        else:
            residual = residual_maker @ target
        rest = residual.square().sum()
    else:
        gram = b.inner_products() * root * root.mT
        total = gram.diagonal().sum()
        if residual_maker is None:
            residual_maker = _eye(gram) - columns @ inverse @ columns.mT
        rest = ((residual_maker @ gram) * residual_maker).sum()
    there = (total > 0) & (moments.diagonal().sum() > 0)
    return torch.where(there, 1 - rest / torch.where(there, total, 1.0), rest * 0.0)


def _ridge_of(moments: torch.Tensor) -> torch.Tensor:
    trace = moments.diagonal().sum()
    there = trace > 0
    return torch.where(there, _RIDGE * moments.square().sum() / torch.where(there, trace, 1.0), 1.0)


def _eye(moments: torch.Tensor) -> torch.Tensor:
    return torch.eye(len(moments), dtype=moments.dtype, device=moments.device)

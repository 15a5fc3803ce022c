"""Just train twice: what a short training gets wrong counts more in the long one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import WeightedRandomSampler

from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import Fitted, network, of_net

# The share of the epochs after which errors are looked for, and how often they count then, of
# three data sets of the paper.
PUBLISHED = {"Waterbirds": (60 / 300, 100), "CelebA": (1 / 50, 50), "MultiNLI": (2 / 5, 6)}


def error_weight(wrong: np.ndarray, upweight: float) -> np.ndarray:
    """Return how often each sample counts.

    Parameters
    ----------
    wrong : ndarray of bool of shape (n_samples,)
        Whether the first network is wrong about it.
    upweight : float
        For those.

    Returns
    -------
    weight : ndarray of shape (n_samples,)
        `upweight`, or 1.
    """
    return np.where(wrong, float(upweight), 1.0)


def just_train_twice(fold: Fold, unrelated: Any, seed: int, value: str) -> Fitted:
    """Train a first network, and one on what this got wrong; the value is a key of PUBLISHED.

    Batches of the second training are drawn by weight, which has it make as many steps as the
    plain network, where the authors append copies.

    References
    ----------
    .. [1] E. Z. Liu et al., "Just train twice: improving group robustness without training group
       information", ICML 2021.
    """
    share, upweight = PUBLISHED[value]
    X, target = fold.train.X, fold.train.target
    first = network(max(1, round(share * fold.max_epochs)), seed).fit(X, target)
    weight = error_weight(first.predict(X) != target, upweight)
    sampler = WeightedRandomSampler(
        weight, len(weight), generator=torch.Generator().manual_seed(seed)
    )
    net = network(
        fold.max_epochs,
        1000 + seed,
        iterator_train__sampler=sampler,
        iterator_train__shuffle=False,
    )
    fitted = of_net(net.fit(X, target))
    fitted.extra["errors"] = float((weight > 1).mean())
    return fitted

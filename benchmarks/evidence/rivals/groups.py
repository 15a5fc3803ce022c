"""Groups, which are the pairs of target and nuisance that there are, and weights by their size."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.evidence.folds import Clips, Fold
from benchmarks.evidence.method import Fitted, network_of, of_net


def group_of(clips: Clips) -> np.ndarray:
    """Return the number of the group of each sample.

    Parameters
    ----------
    clips : Clips
        With both labels.

    Returns
    -------
    group : ndarray of shape (n_samples,)
        From 0, without gaps.
    """
    pairs = np.column_stack([clips.target, clips.nuisance])
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


def balancing_weight(group: np.ndarray) -> np.ndarray:
    """Return weights of mean 1 that let every group count the same.

    Parameters
    ----------
    group : ndarray of shape (n_samples,)
        Of each sample, from 0.

    Returns
    -------
    weight : ndarray of shape (n_samples,)
        Inverse to the size of the group.
    """
    sizes = np.bincount(group)
    return len(group) / (len(sizes) * sizes[group])


def group_weighted(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train with samples weighted by the size of their group; the value is the weight decay.

    References
    ----------
    .. [1] H. Shimodaira, "Improving predictive inference under covariate shift by weighting the
       log-likelihood function", Journal of Statistical Planning and Inference 90, 2000.
    .. [2] S. Sagawa et al., "Distributionally robust neural networks for group shifts", ICLR
       2020, where it is the method that is compared with.
    """
    train = fold.train
    net = network_of(fold, seed, weight_decay=value)
    weight = balancing_weight(group_of(train))
    return of_net(net.fit(train.X, train.target, sample_weight=weight))

"""Deep feature reweighting: the last layer is fitted anew, on balanced groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.evidence.folds import Clips, Fold
from benchmarks.evidence.method import Fitted, network_of, of_net
from benchmarks.evidence.rivals.groups import group_of


def output_layer(module: torch.nn.Module) -> torch.nn.Linear:
    """Return the linear layer that gives the scores: the last one."""
    return [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)][-1]


def its_input(net: Any, X: np.ndarray) -> np.ndarray:
    """Return what the output layer of a fitted network is given.

    Parameters
    ----------
    net : AntiTransferClassifier
        Fitted.
    X : ndarray of shape (n_samples, ...)
        The samples.

    Returns
    -------
    features : ndarray of shape (n_samples, n_features)
        In double precision.
    """
    found: list[torch.Tensor] = []
    layer = output_layer(net.module_)
    handle = layer.register_forward_pre_hook(lambda module, given: found.append(given[0]))
    try:
        net.predict(X)
    finally:
        handle.remove()
    return torch.cat(found).cpu().double().numpy()


def balanced_subset(group: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return positions of as many samples of each group as the smallest has."""
    size = np.bincount(group).min()
    groups = range(group.max() + 1)
    return np.concatenate(
        [rng.choice(np.flatnonzero(group == g), size, replace=False) for g in groups]
    )


def refit_last_layer(
    net: Any, train: Clips, balanced: Clips, C: float, *, n_fits: int = 10, seed: int = 0
) -> None:
    """Fit the output layer of a network anew, in place.

    Parameters
    ----------
    net : AntiTransferClassifier
        Fitted.
    train : Clips
        On which features are standardised.
    balanced : Clips
        With both labels; of each group as many samples are drawn as there are of the smallest.
    C : float
        Of the logistic regression with an L1 penalty: of a class against the others, where there
        are more than two.
    n_fits : int, default=10
        Draws over which coefficients are averaged.
    seed : int, default=0
        Of the draws.

    References
    ----------
    .. [1] P. Kirichenko, P. Izmailov and A. G. Wilson, "Last layer re-training is sufficient for
       robustness to spurious correlations", ICLR 2023.
    """
    scaler = StandardScaler().fit(its_input(net, train.X))
    features = scaler.transform(its_input(net, balanced.X))
    rng, group = np.random.RandomState(seed), group_of(balanced)
    coefficients, intercepts = [], []
    for _ in range(n_fits):
        chosen = balanced_subset(group, rng)
        model = OneVsRestClassifier(
            LogisticRegression(l1_ratio=1.0, C=C, solver="liblinear", random_state=seed)
        )
        model.fit(features[chosen], balanced.target[chosen])
        coefficients.append(np.vstack([one.coef_ for one in model.estimators_]))
        intercepts.append(np.hstack([one.intercept_ for one in model.estimators_]))
    weight = np.mean(coefficients, axis=0) / scaler.scale_
    bias = np.mean(intercepts, axis=0) - weight @ scaler.mean_
    if len(weight) == 1:  # one score for two classes
        weight, bias = np.vstack([-weight / 2, weight / 2]), np.r_[-bias / 2, bias / 2]
    layer = output_layer(net.module_)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
        layer.bias.copy_(torch.as_tensor(bias))


def last_layer_refitted(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train the plain network, and its last layer anew on the further data; the value is C."""
    net = network_of(fold, seed).fit(fold.train.X, fold.train.target)
    refit_last_layer(net, fold.train, fold.unlabeled, value, seed=seed)
    return of_net(net)

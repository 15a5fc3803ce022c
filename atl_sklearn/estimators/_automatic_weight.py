"""How far an unrelated network's answers give the target away: the automatic weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._frozen_side import network_label
from atl_sklearn.estimators._net import Net
from atl_sklearn.unrelated import FrozenNetwork, get_network, get_nonlinearity

_RIDGE = 1e-3  # of the mean variance of the answers


def given_weights(weight: Any, n_networks: int) -> list[Any]:
    """Return one weight for each unrelated network: a float or "auto"."""
    values = weight if isinstance(weight, list | tuple) else [weight] * n_networks
    return [value if isinstance(value, str) else float(value) for value in values]


def measured_weights(
    net: Net, run: FitRun, sources: Sequence[object], data: object, tried: object
) -> list[float]:
    """Return a number for each weight, measuring those that are "auto".

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    run : FitRun
        Its fit.
    sources : sequence of estimator or torch.nn.Module
        The fitted unrelated networks.
    data : torch.utils.data.Dataset
        The training data.
    tried : Tensor of shape (n_few, ...) or mapping of these
        The first samples, where the network is.
    """
    weights = given_weights(net.weight, len(sources))
    if "auto" not in weights:
        return weights
    frozen: dict[int, FrozenNetwork] = {}
    for position, (source, weight) in enumerate(zip(sources, weights, strict=True)):
        if weight == "auto":
            frozen[position] = FrozenNetwork(
                get_network(source),
                device=net.device,
                label=network_label(position, len(sources)),
                nonlinearity=get_nonlinearity(source),
            )
            frozen[position].choose("posterior", tried)
    answers: dict[int, list[np.ndarray]] = {position: [] for position in frozen}
    targets = []
    for X, y in net.get_iterator(data, training=False):
        targets.append(y.cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y))
        for position, network in frozen.items():
            answer = network(run.placement.batch(X))
            network.check_finite(answer, "X")
            answers[position].append(answer[0].flatten(1).cpu().numpy())
    y = np.concatenate(targets)
    for position, found in answers.items():
        weights[position] = confounding(np.concatenate(found), y, run.data.sample_weight)
    return weights


def confounding(
    answers: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None = None
) -> float:
    """Measure how well the target is predicted from an unrelated network's answers.

    The share of the target's variance that ridge regression explains, each sample predicted by
    the regression on all others [1]_. Where the unrelated task says nothing of the target there
    is nothing that the network could lean on, and the share is 0; where it determines the
    target, the share is 1.

    Parameters
    ----------
    answers : array of shape (n_samples, n_outputs)
        What the unrelated network returns: probabilities or predictions.
    targets : array of shape (n_samples,) or (n_samples, n_targets)
        Integers are classes.
    sample_weight : array of shape (n_samples,) or None, default=None
        Weights of the samples.

    Returns
    -------
    share : float
        In [0, 1].

    References
    ----------
    .. [1] D. Allen, "The relationship between variable selection and data augmentation and a
       method for prediction", Technometrics 16, 1974.
    """
    targets = np.asarray(targets)
    if np.issubdtype(targets.dtype, np.integer):
        targets = np.eye(targets.max() + 1)[targets]
    targets = targets.reshape(len(targets), -1).astype(np.float64)
    answers = np.asarray(answers, dtype=np.float64).reshape(len(targets), -1)
    weight = np.ones(len(targets)) if sample_weight is None else np.asarray(sample_weight, float)
    keep = weight > 0
    answers, targets, weight = answers[keep], targets[keep], weight[keep]
    if len(targets) < 3:
        return 0.0
    weight = weight / weight.sum()
    answers = answers - weight @ answers
    variance = weight @ answers**2
    constant = np.ones((len(answers), 1))
    # The constant has no ridge, so that the mean is always fitted.
    penalty = np.diag(np.r_[0.0, np.full(answers.shape[1], _RIDGE * variance.mean() + 1e-30)])
    rest = _left_out(np.hstack([constant, answers]), targets, weight, penalty)
    total = _left_out(constant, targets, weight, np.zeros((1, 1)))
    return float(np.clip(1 - rest / total, 0, 1)) if total > 0 else 0.0


def _left_out(
    design: np.ndarray, targets: np.ndarray, weight: np.ndarray, penalty: np.ndarray
) -> float:
    """Return the squared error of regressions, each tested on the sample that it leaves out."""
    weighted = design * weight[:, None]
    solved = np.linalg.solve(weighted.T @ design + penalty, weighted.T)
    leverage = np.einsum("ij,ji->i", design, solved)
    residual = (targets - design @ (solved @ targets)) / np.maximum(1 - leverage, 1e-12)[:, None]
    return float(weight @ (residual**2).sum(axis=1))

"""How far an unrelated task's answers give the target away."""

from __future__ import annotations

import numpy as np

_RIDGE = 1e-3  # of the mean variance of the answers


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
    answers = _fewer(answers - weight @ answers)
    variance = weight @ answers**2
    constant = np.ones((len(answers), 1))
    # The constant has no ridge, so that the mean is always fitted.
    penalty = np.diag(np.r_[0.0, np.full(answers.shape[1], _RIDGE * variance.mean() + 1e-30)])
    rest = _left_out(np.hstack([constant, answers]), targets, weight, penalty)
    total = _left_out(constant, targets, weight, np.zeros((1, 1)))
    return float(np.clip(1 - rest / total, 0, 1)) if total > 0 else 0.0


def _fewer(answers: np.ndarray) -> np.ndarray:
    """Return no more columns than there are samples, with the same inner products."""
    if answers.shape[1] <= len(answers):
        return answers
    values, vectors = np.linalg.eigh(answers @ answers.T)
    return vectors * np.sqrt(np.maximum(values, 0))


def _left_out(
    design: np.ndarray, targets: np.ndarray, weight: np.ndarray, penalty: np.ndarray
) -> float:
    """Return the squared error of regressions, each tested on the sample that it leaves out."""
    weighted = design * weight[:, None]
    solved = np.linalg.solve(weighted.T @ design + penalty, weighted.T)
    leverage = np.einsum("ij,ji->i", design, solved)
    residual = (targets - design @ (solved @ targets)) / np.maximum(1 - leverage, 1e-12)[:, None]
    return float(weight @ (residual**2).sum(axis=1))

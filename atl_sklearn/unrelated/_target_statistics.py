"""Statistics of a target: class shares, centred numbers, and the cross-entropy of scores."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

_LEAST = 1e-12  # share of a class without samples, so that its logarithm is finite


def class_shares(
    y: np.ndarray, weight: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of the classes.

    Parameters
    ----------
    y : ndarray of int of shape (n_samples,)
        Classes, counted from 0.
    weight : ndarray of shape (n_samples,)
        Weights of the samples.
    n_classes : int
        How many classes there are.

    Returns
    -------
    shares, log_shares : ndarray of shape (n_classes,)
        The shares, and their logarithms, all of them finite.
    """
    shares = np.bincount(y, weights=weight, minlength=n_classes) / weight.sum()
    return shares, np.log(np.maximum(shares, _LEAST))


def centred(y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return numbers without their weighted mean over the samples."""
    return y - np.average(y, axis=0, weights=weight)


def cross_entropy(logits: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted sum of the samples' cross-entropies.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
        Scores of the classes, which need not be normalised.
    y : ndarray of int of shape (n_samples,)
        Classes, counted from 0.
    weight : ndarray of shape (n_samples,)
        Weights of the samples.
    """
    return float(weight @ (logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]))

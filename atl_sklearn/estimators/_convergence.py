"""Whether a training came to an end, and what else went wrong in it without an error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

_WINDOW = 0.1  # share of the steps over which a loss is averaged
_FALLING = 0.25  # of the whole fall, in the last third of the way: far from the end
_SMALL = 0.5  # of the first loss: what falls further may be noise that is learnt by heart
_FEWEST_STEPS = 6  # in fewer, no network converges
_UNMOVED = 0.02  # of the first loss: that is not learning
_FLOOR = 0.15  # similarities in [0, 1] this small are those of batches by chance
_NEGLIGIBLE = 1e-3  # of the task loss


def _level(losses: np.ndarray, position: int) -> float:
    """Return the mean loss of the tenth of the steps around one of them."""
    half = max(1, math.ceil(_WINDOW * len(losses) / 2))
    return float(losses[max(0, position - half) : position + half + 1].mean())


def judge_convergence(losses: Sequence[float], rates: Sequence[float]) -> str:
    """Return why a training is far from converged, or nothing.

    It is where the loss has not fallen, or where much of its whole fall came in the last third of
    the way. The way is measured in learning rates: the small steps at the end of a schedule bring
    any loss to rest.

    Parameters
    ----------
    losses : sequence of float
        The task loss of every step.
    rates : sequence of float
        The learning rate of every step.

    Returns
    -------
    why : str
        A clause for the warning; empty for a training that came to its end.
    """
    found, way = np.asarray(losses, dtype=float), np.cumsum(rates)
    if not len(found):
        return ""
    first, last = _level(found, 0), _level(found, len(found) - 1)
    if len(found) < _FEWEST_STEPS:
        return f"it had {len(found)} steps"
    fall = first - last
    if fall <= _UNMOVED * abs(first):
        return f"the task loss is {last:.3g} after {first:.3g} in the first steps"
    recent = _level(found, int(np.searchsorted(way, 2 / 3 * way[-1]))) - last
    if recent > _FALLING * fall and last > _SMALL * first:
        return (
            f"the task loss still fell by {recent:.2g} in the last third of the way, of "
            f"{fall:.2g} in all, to {last:.3g}"
        )
    return ""


def judge_penalty(
    name: str, first: float, last: float, weight: float, losses: tuple[float, float]
) -> str:
    """Return what is wrong with a penalty, or nothing.

    Parameters
    ----------
    name : str
        How the penalty is called.
    first, last : float
        The similarity in the first and in the last epoch.
    weight : float
        Its weight in the last epoch.
    losses : (float, float)
        The task loss in the first and in the last epoch.

    Returns
    -------
    what : str
        A sentence for the warning.
    """
    if not weight:
        return ""
    largest = weight * max(abs(first), abs(last))
    if largest < _NEGLIGIBLE * min(map(abs, losses)):
        return (
            f"{name} changed nothing measurable: with its weight of {weight:.3g} it is less than "
            "a thousandth of the task loss. Raise weight."
        )
    if last >= first and abs(last) > _FLOOR:
        return (
            f"{name} did not fall: the similarity is {first:.3g} in the first epoch and {last:.3g} "
            f"in the last, with a weight of {weight:.3g}. Raise weight, pass X_unlabeled in which "
            "target and nuisance are independent, or compare another layer."
        )
    return ""


def judge_predictions(predicted: ArrayLike, labels: ArrayLike, n_samples: int) -> str:
    """Return that a network predicts one class for everything, or nothing.

    Parameters
    ----------
    predicted, labels : array of shape (n_samples,)
        Positions of predicted and of true classes.
    n_samples : int
        How many were looked at.

    Returns
    -------
    what : str
        A clause for the warning.
    """
    if len(np.unique(predicted)) > 1 or len(np.unique(labels)) < 2:
        return ""
    return f"It predicts the same class for all of {n_samples} training samples"

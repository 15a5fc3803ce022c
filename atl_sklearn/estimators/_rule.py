"""The rule of the automatic choice: how much of which form, from what is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from atl_sklearn.unrelated import centred, class_shares, cross_entropy, explained_scores

# Of the target's information, from which on an unrelated task gives it away.
_CONFOUNDED = 0.1
# Of the target's information, from which on all that is explained is added. Where less is, the
# network would have to learn the rest of it from few samples that contradict.
_ALL = 0.6
# By whether the penalty sees unlabeled data, and whether the unrelated task gives the target away.
# On training batches, in which the two go along, a penalty forbids some of what is to be learnt.
_WEIGHTS = {(True, True): 1.0, (True, False): 0.3, (False, True): 0.3, (False, False): 0.0}
# Samples of each class that contradict the unrelated task, from which on a network learns from
# them what unlabeled data alone would not teach it.
_ENOUGH = 20
# With fewer of them, the share from which on a part of what is explained is added beside a penalty
# on unlabeled data, and the part where all is explained. A network that has learnt the unrelated
# task's answers there has next to no error left to learn the target from.
_NEARLY_ALL = 0.75
_HALF = 0.5
_QUARTERS = 4  # numbers count as so many classes
# How much more of the target's information products of several tasks' answers must explain to be
# taken, and how many columns of them are tried.
_WORTH_PRODUCTS = 0.01
_MOST_PRODUCTS = 100


@dataclass(frozen=True)
class Explained:
    """What answers to unrelated tasks say of the target.

    Attributes
    ----------
    scores : ndarray of shape (n_samples, n_classes) or that of the target
        As :func:`explained_scores` returns them.
    share : float
        Of the target's information (of the variance of numbers), in [0, 1].
    n_contradicting : float
        How many samples of each class the answers speak against.
    """

    scores: np.ndarray
    share: float
    n_contradicting: float


def explain(
    answers: np.ndarray | Sequence[np.ndarray],
    y: np.ndarray,
    *,
    n_classes: int | None,
    sample_weight: np.ndarray | None = None,
) -> Explained:
    """Find out what answers say of the target.

    Parameters
    ----------
    answers : ndarray of shape (n_samples, n_answers), or sequence of these
        What is known of the unrelated tasks; of several, what each one answers.
    y : ndarray of shape (n_samples, ...)
        The target.
    n_classes : int or None
        Number of classes; None for numbers.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights of the samples.

    Returns
    -------
    explained : Explained
        Each sample's from the others. Of fewer than two samples nothing is known.

    Notes
    -----
    Answers of several tasks that say nothing alone may say something together, as the two sides of
    an exclusive or do. Products of two tasks' answers are added where they explain more of samples
    that were left out.
    """
    each = [answers] if isinstance(answers, np.ndarray) else list(answers)
    found = _explain(np.hstack(each), y, n_classes, sample_weight)
    products = _products(each)
    if products is None:
        return found
    together = _explain(np.hstack([*each, products]), y, n_classes, sample_weight)
    return together if together.share > found.share + _WORTH_PRODUCTS else found


def _products(answers: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the products of each answer of a task with each of another one; None if too many."""
    pairs = list(combinations(answers, 2))
    if not 0 < sum(one.shape[1] * other.shape[1] for one, other in pairs) <= _MOST_PRODUCTS:
        return None
    columns = (one[:, :, np.newaxis] * other[:, np.newaxis] for one, other in pairs)
    return np.hstack([both.reshape(len(both), -1) for both in columns])


def _explain(
    answers: np.ndarray, y: np.ndarray, n_classes: int | None, sample_weight: np.ndarray | None
) -> Explained:
    if len(y) < 2:
        return Explained(np.zeros((len(y), n_classes) if n_classes else y.shape), 0.0, 0.0)
    scores = explained_scores(answers, y, n_classes=n_classes, sample_weight=sample_weight)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
    if not weight.any():
        weight = np.ones(len(y))
    if n_classes is None:
        numbers = centred(y, weight)
        before, after = (
            float(weight @ (rest.reshape(len(y), -1) ** 2).sum(axis=1))
            for rest in (numbers, numbers - scores)
        )
        against = (scores * numbers).reshape(len(y), -1).sum(axis=1) < 0
        n_groups = _QUARTERS
    else:
        shares, log_shares = class_shares(y, weight, n_classes)
        before = -float(weight @ log_shares[y])
        after = cross_entropy(log_shares + scores, y, weight)
        against = scores[np.arange(len(y)), y] < 0
        n_groups = int((shares > 0).sum())
    share = float(np.clip(1 - after / before, 0, 1)) if before > 0 else 0.0
    return Explained(scores, share, int((against & (weight > 0)).sum()) / n_groups)


def automatic_weight(explained: Explained, *, on_unlabeled: bool) -> float:
    """Return the weight of a penalty.

    Parameters
    ----------
    explained : Explained
        What this unrelated task says of the target.
    on_unlabeled : bool
        Whether the penalty sees unlabeled data.
    """
    return _WEIGHTS[on_unlabeled, explained.share >= _CONFOUNDED]


def automatic_strength(explained: Explained, *, on_unlabeled: bool) -> float:
    """Return the strength of the product of experts, in [0, 1].

    Parameters
    ----------
    explained : Explained
        What all unrelated tasks together say of the target.
    on_unlabeled : bool
        Whether there is a penalty that sees unlabeled data.
    """
    if not on_unlabeled or explained.n_contradicting >= _ENOUGH:
        return min(1.0, explained.share / _ALL)
    return _HALF * max(0.0, (explained.share - _NEARLY_ALL) / (1 - _NEARLY_ALL))

"""The choice by itself: how much of which form of anti-transfer, from the data at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from atl_sklearn.estimators._answers import answers_of
from atl_sklearn.estimators._batching import makes_batches
from atl_sklearn.estimators._confounding import confounding
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._outputs import takes_sums
from atl_sklearn.estimators._penalty_making import compared_data
from atl_sklearn.estimators._rehearsal import Rehearsal

# Of the target's variance, from which the unrelated task gives it away.
_CONFOUNDED = 0.1
# By whether the penalty sees unlabeled data, and whether the unrelated task gives the target away.
# On training batches, in which the two go along, a penalty forbids some of what is to be learnt.
_WEIGHTS = {(True, True): 1.0, (True, False): 0.3, (False, True): 0.3, (False, False): 0.0}
# Samples of each class that the unrelated task leaves unexplained, from which on a network learns
# from them what unlabeled data alone would not teach it.
_ENOUGH = 20
_QUARTERS = 4  # numbers count as so many classes


def given_weights(
    weight: float | str | list[float | str] | tuple[float | str, ...], n_networks: int
) -> list[float | str]:
    """Return one weight for each unrelated network: a float or "auto"."""
    values = weight if isinstance(weight, list | tuple) else [weight] * n_networks
    return [value if isinstance(value, str) else float(value) for value in values]


def may_explain(net: Net, n_networks: int) -> bool:
    """Tell whether a fit may add what unrelated tasks explain of the target."""
    if isinstance(net.product_of_experts, str):
        return "auto" in given_weights(net.weight, n_networks)
    return bool(net.product_of_experts)


@dataclass(frozen=True)
class Choice:
    """How much of which form.

    Attributes
    ----------
    weights : list of float
        Of the penalty, one for each unrelated task.
    strength : float
        Of the product of experts.
    answers : (dict, ndarray) or None
        What the unrelated tasks answer for all samples in their order, and the targets, where it
        was asked for.
    """

    weights: list[float]
    strength: float
    answers: tuple[dict[int, np.ndarray], np.ndarray] | None = None


def choose(net: Net, run: FitRun, rehearsal: Rehearsal, *, in_parts: bool) -> Choice:
    """Choose what the estimator leaves to it.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    run : FitRun
        Its fit, with the unrelated sides.
    rehearsal : Rehearsal
        The training data, and their first samples.
    in_parts : bool
        Whether these are a part of what is learnt from, as those of `partial_fit`, which says too
        little of the whole.

    Notes
    -----
    On unlabeled data the weight is 1 where the unrelated task gives the target away, which is
    where its answers explain a tenth of the target's variance, and 0.3 elsewhere: in small samples
    the two go along by chance. On training batches it is 0.3, and 0 elsewhere. What the answers
    explain is added on training batches, and beside unlabeled data where they leave at least 20
    samples of each class unexplained. With a target for the similarity, the weight begins at 1 and
    nothing is added. The page of the evidence has the runs behind it.
    """
    given = given_weights(net.weight, len(run.sources))
    auto = [at for at, weight in enumerate(given) if isinstance(weight, str)]
    strength = net.product_of_experts
    if not auto or not run.sides:
        return Choice(
            [0.0 if isinstance(weight, str) else weight for weight in given],
            0.0 if isinstance(strength, str) else float(strength),
        )
    data = rehearsal.data
    in_order = makes_batches(data, net)
    sides = dict(enumerate(run.sides))
    answers, y = answers_of(net, run, sides, data, rehearsal.tried, in_order=in_order)
    on_unlabeled = compared_data(net, run) != "train"
    aims = net.target_similarity is not None
    weights = []
    for at, weight in enumerate(given):
        if isinstance(weight, str):
            gives_away = _share(run, answers[at], y) >= _CONFOUNDED
            weight = 1.0 if aims else _WEIGHTS[on_unlabeled, gives_away]
        weights.append(weight)
    if isinstance(strength, str):
        possible = in_order and not in_parts and not aims and takes_sums(net.criterion)
        helps = not on_unlabeled or _left(run, answers, y) >= _ENOUGH
        strength = 1.0 if possible and helps else 0.0
    return Choice(weights, float(strength), (answers, y) if in_order else None)


def _share(run: FitRun, answers: np.ndarray, y: np.ndarray) -> float:
    return confounding(answers, y, run.data.sample_weight)


def _left(run: FitRun, answers: dict[int, np.ndarray], y: np.ndarray) -> float:
    """Return how many samples of each class all answers together leave unexplained."""
    share = _share(run, np.hstack(list(answers.values())), y)
    weight = run.data.sample_weight
    seen = y if weight is None else y[weight > 0]
    n_classes = len(np.unique(seen)) if np.issubdtype(y.dtype, np.integer) else _QUARTERS
    return (1 - share) * len(seen) / max(n_classes, 1)

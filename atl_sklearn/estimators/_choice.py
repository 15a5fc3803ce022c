"""The choice by itself: how much of which form of anti-transfer, from the data at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from sklearn.base import is_classifier

from atl_sklearn.estimators._answers import answers_of
from atl_sklearn.estimators._batching import makes_batches
from atl_sklearn.estimators._explaining import explain_once
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import ClassifierNet, Net
from atl_sklearn.estimators._outputs import takes_sums
from atl_sklearn.estimators._penalty_making import compared_data
from atl_sklearn.estimators._rehearsal import Rehearsal
from atl_sklearn.estimators._rule import Explained, automatic_strength, automatic_weight
from atl_sklearn.unrelated import get_memory


def given_weights(
    weight: float | str | list[float | str] | tuple[float | str, ...], n_networks: int
) -> list[float | str]:
    """Return one weight for each unrelated network: a float or "auto"."""
    values = weight if isinstance(weight, list | tuple) else [weight] * n_networks
    return [value if isinstance(value, str) else float(value) for value in values]


def given_targets(
    target: float | list[float | None] | tuple[float | None, ...] | None, n_networks: int
) -> list[float | None]:
    """Return one target of the similarity for each unrelated network; None where there is none."""
    return list(target) if isinstance(target, list | tuple) else [target] * n_networks


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
    answers : tuple of (list of ndarray, ndarray) or None
        What each unrelated task answers for all samples in their order, and the encoded targets,
        where these were asked for.
    explained : Explained or None
        What these answers say of the target.
    """

    weights: list[float]
    strength: float
    answers: tuple[list[np.ndarray], np.ndarray] | None = None
    explained: Explained | None = None


def answers_in_order(
    net: Net, run: FitRun, rehearsal: Rehearsal
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the answers of each unrelated task, and the encoded targets.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    run : FitRun
        Its fit, with the unrelated sides.
    rehearsal : Rehearsal
        The training data, of which batches are made here.
    """
    sides = dict(enumerate(run.sides))
    answers, y = answers_of(net, run, sides, rehearsal.data, rehearsal.tried, in_order=True)
    return list(answers.values()), y


def n_classes_of(net: Net) -> int | None:
    """Return how many classes there are; None for numbers."""
    return len(cast(ClassifierNet, net).classes_inferred_) if is_classifier(net) else None


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
    where its answers explain a tenth of the target's information, and 0.3 elsewhere: in small
    samples the two go along by chance. On training batches it is 0.3, and 0 elsewhere. What the
    answers explain is added on training batches, and beside unlabeled data where they speak against
    at least 20 samples of each class: all of it where it is 0.6 of the information or more, and a
    part that falls to nothing where less is explained. Beside unlabeled data that fewer speak
    against, a part is added from 0.75 of the information on, which rises to a half of it. With a
    target for the similarity, the weight begins at 1 and nothing is added. The page of the evidence
    has the runs behind it.
    """
    given = given_weights(net.weight, len(run.sources))
    auto = [at for at, weight in enumerate(given) if isinstance(weight, str)]
    strength = net.product_of_experts
    if not auto or not run.sides:
        return Choice(
            [0.0 if isinstance(weight, str) else weight for weight in given],
            0.0 if isinstance(strength, str) else float(strength),
        )
    in_order = makes_batches(rehearsal.data, net)
    sides = dict(enumerate(run.sides))
    found, y = answers_of(net, run, sides, rehearsal.data, rehearsal.tried, in_order=in_order)
    on_unlabeled = compared_data(net, run) != "train"
    targets = given_targets(net.target_similarity, len(given))

    memory, n_classes = get_memory(net.memory), n_classes_of(net)

    def explained_by(answers: np.ndarray | list[np.ndarray]) -> Explained:
        weight = run.data.sample_weight
        return explain_once(memory, answers, y, n_classes=n_classes, sample_weight=weight)

    answers = list(found.values())
    joint = explained_by(answers)
    weights = []
    for at, weight in enumerate(given):
        if isinstance(weight, str):
            alone = joint if len(given) == 1 else explained_by(found[at])
            weight = automatic_weight(alone, on_unlabeled=on_unlabeled)
            weight = weight if targets[at] is None else 1.0
        weights.append(weight)
    if isinstance(strength, str):
        possible = in_order and not in_parts and targets == [None] * len(given) and takes_sums(net)
        strength = possible * automatic_strength(joint, on_unlabeled=on_unlabeled)
    if not in_order:
        return Choice(weights, float(strength))
    return Choice(weights, float(strength), (answers, y), joint)

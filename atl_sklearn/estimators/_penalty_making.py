"""From an estimator's parameters to the penalty of its fit."""

from __future__ import annotations

from functools import partial
from typing import Any

from atl_sklearn.estimators._batching import makes_batches
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._penalty import PenaltyRun
from atl_sklearn.estimators._penalty_settings import (
    NetworkCalls,
    PenaltySettings,
    unrelated_choices,
)
from atl_sklearn.estimators._rehearsal import Rehearsal
from atl_sklearn.estimators._splits import get_splitter
from atl_sklearn.estimators._trying import try_out
from atl_sklearn.estimators._wrapped import unwrapped
from atl_sklearn.similarity import has_target

_EVERY_TRAINING, _EVERY_UNLABELED = 4, 6  # the latter's batches cost as much as three of the task's


def steps_between(penalty_every: int | str, compared: str, *, controlled: bool) -> int:
    """Return in how many steps the penalty is computed once.

    Parameters
    ----------
    penalty_every : int or "auto"
        The parameter.
    compared : {"train", "unlabeled", "both"}
        What the penalty sees.
    controlled : bool
        Whether the weight follows a target, for which each comparison is one correction.
    """
    if penalty_every != "auto":
        return int(penalty_every)
    if controlled:
        return 1
    return _EVERY_TRAINING if compared == "train" else _EVERY_UNLABELED


def _settings(net: Net, run: FitRun, weights: list[float], compared: str) -> PenaltySettings:
    of_layer, choices = unrelated_choices(
        net.layer,
        net.unrelated_layer,
        len(run.sources),
        several=isinstance(net.unrelated, list | tuple),
    )
    return PenaltySettings(
        metric=net.metric,
        aggregation=net.aggregation,
        layer=net.layer,
        weight_schedule=net.weight_schedule,
        weights=weights,
        target_similarity=net.target_similarity,
        unrelated_layers=choices,
        of_layer=of_layer,
        compares_training=compared in ("train", "both"),
        batch_size=net.penalty_batch_size,
        every=steps_between(
            net.penalty_every, compared, controlled=has_target(net.target_similarity)
        ),
        conditional=net.conditional,
        cache=net.cache,
        cache_size=net.cache_size,
        memory=net.memory,
        precision=net.precision,
        device=run.placement.device,
        max_epochs=run.max_epochs,
        seed=net._stream().seed,
        validates=get_splitter(net) is not None,
        keeps_in_order=net.checkpoint_dir is not None,
        verbose=bool(net.verbose),
        augmented=run.augmenting is not None and bool(net.augment_unrelated),
    )


def compared_data(net: Net, run: FitRun) -> str:
    """Return what the penalty sees: "train", "unlabeled" or "both"."""
    if net.penalty_data != "auto":
        return net.penalty_data
    return "train" if run.data.unlabeled is None else "unlabeled"


def make_penalty(
    net: Net, run: FitRun, weights: list[float], rehearsal: Rehearsal, state: dict[str, Any] | None
) -> PenaltyRun | None:
    """Return the penalty of a fit, or None where nothing is compared.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    run : FitRun
        Its fit; the sources are fitted.
    weights : list of float
        One for each of the sources.
    rehearsal : Rehearsal
        What the network made of the first samples.
    state : dict or None
        What the penalty of an earlier fit left that this one continues.
    """
    if rehearsal.trial is None or not any(weights):
        return None
    unlabeled = run.data.unlabeled if net.penalty_data != "train" else None
    if unlabeled is not None:
        run.placement.whole(unlabeled)
    compared = compared_data(net, run)
    data, n_steps = rehearsal.data, None
    if makes_batches(data, net):
        n_steps = len(net.get_iterator(data, training=True))
    return PenaltyRun(
        _settings(net, run, weights, compared),
        unwrapped(net.module_),
        NetworkCalls(
            net.infer, partial(try_out, net), run.placement.batch, net._get_predict_nonlinearity()
        ),
        run.sides,
        rehearsal.tried,
        rehearsal.trial,
        data=data,
        n_steps=n_steps,
        exits=run.exits,
        unlabeled=unlabeled,
        augment=None if run.augmenting is None else run.augmenting.of_unlabeled,
        state=state,
    )

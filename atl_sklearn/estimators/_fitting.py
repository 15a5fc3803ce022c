"""Fitting: from what the user called to a trained network, and what is left behind."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet

from atl_sklearn._user_warnings import warn_user
from atl_sklearn.estimators._augmenting import make_augmenting
from atl_sklearn.estimators._checkpoints import open_checkpoints
from atl_sklearn.estimators._choice import Choice, choose, given_weights, may_explain
from atl_sklearn.estimators._clipping import max_norm_of
from atl_sklearn.estimators._experts import make_experts
from atl_sklearn.estimators._finiteness import FiniteWeights
from atl_sklearn.estimators._fit_plan import FitCall, FitPlan, plan_fit
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._freed_memory import keep_freed_memory
from atl_sklearn.estimators._learning_rate import learning_rate_of
from atl_sklearn.estimators._lookup import in_types_of_network
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._outcome import summarise
from atl_sklearn.estimators._penalty_making import make_penalty
from atl_sklearn.estimators._placement import numpy_dtype
from atl_sklearn.estimators._rehearsal import Rehearsal, check_forward_params, rehearse
from atl_sklearn.estimators._same_answer import make_same_answer
from atl_sklearn.estimators._scales import rescale_layer
from atl_sklearn.estimators._seeding import own_random_numbers
from atl_sklearn.estimators._seeds_of_parts import set_seeds
from atl_sklearn.estimators._sides import make_sides
from atl_sklearn.estimators._steps import Steps
from atl_sklearn.estimators._unlabeled import check_pipeline
from atl_sklearn.unrelated import fit_sources, is_fitted, source_name

# Newer skorch resolves metadata for the method that the user called.
_ROUTES = "_routing_method" in inspect.signature(NeuralNet.fit_loop).parameters

# State that the next training does not take over.
_OF_ONE_TRAINING = (
    "_random_stream",
    "_penalty_state",
    "history_",
    "_completed",
    "_module_changed",
    "weight_",
    "product_of_experts_",
)


def fit(net: Net, call: FitCall) -> None:
    """Do what the user called; an estimator that could not be fitted is as it was before.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    call : FitCall
        The method and its arguments.
    """
    net.check_training_readiness()
    if call.X_unlabeled is not None:
        check_pipeline(net)
    before, rows = dict(vars(net)), _kept_rows(net)
    try:
        run = _prepare(net, call)
    except BaseException:
        _forget_run(net)
        _restore(net, before, rows)
        raise
    summary = None
    try:
        with run.watch, net._stream().active(net.device):
            interrupt = _train(net, run, call)
            if interrupt is None or run.finished > run.begun:
                if run.penalty is not None:  # what a later call needs to go on with it
                    net.__dict__["_penalty_state"] = run.penalty.state()
                    _set_weight(net, run, run.penalty.weights)
                summary = summarise(net, run, interrupted=interrupt is not None,
                                    judged=call.method == "fit")  # fmt: skip
            if run.checkpoints is not None:
                run.checkpoints.finished = interrupt is None
    finally:
        _forget_run(net)
    if summary is None:
        assert interrupt is not None
        # Nothing was learnt, so that what was there before is what is left.
        _restore(net, before, rows)
        raise interrupt
    _complete(net, run)
    net.summary_ = summary
    if net.verbose:
        print(*summary.lines(), sep="\n")
    if interrupt is not None:
        raise interrupt
    for text in summary.warnings:
        warn_user(text, ConvergenceWarning)


def _kept_rows(net: Net) -> list[dict[str, object]] | None:
    """Return what is in a history that the user has passed, which a fit clears."""
    history = net.history_
    if not (net._keeps_history and isinstance(history, list)):
        return None
    return list(list.__iter__(history))


def _restore(net: Net, before: dict[str, object], rows: list[dict[str, object]] | None) -> None:
    net.__dict__.clear()
    net.__dict__.update(before)
    if rows is not None:
        net.history[:] = rows


def _forget_run(net: Net) -> None:
    if net._run is not None:
        net._run.exits.close()
        del net._run


def _prepare(net: Net, call: FitCall) -> FitRun:
    """Check everything, make what is trained, and try it; return what lives during the fit."""
    keep_freed_memory()
    plan = plan_fit(net, call)
    scores: list[float | None] | None
    scores = None if plan.keeps_sources else [None] * len(plan.sources)
    run = FitRun(plan.data, net._placement(), plan.max_epochs, plan.sources, scores)
    net._run = run
    if not plan.continues:
        # Popped, and not cleared, for the case that this fit fails before training.
        for name in _OF_ONE_TRAINING:
            if name != "history_" or not net._keeps_history:
                net.__dict__.pop(name, None)
    if net.checkpoint_dir is not None:
        _open_checkpoints(net, run, call, continues=plan.continues)
    with net._stream().active(net.device):
        if not plan.continues:
            net._make_parts()
        _begin_callbacks(net, run)
        run.data = in_types_of_network(net, run.data)
        run.forward_params = check_forward_params(net, call.passed_on)
        compares = any(given_weights(net.weight, len(run.sources)))
        asks_sources = net.augment is not None and net.augment_keep == "same_answer"
        explains = may_explain(net, len(run.sources))
        uses_sources = compares or explains or asks_sources
        rehearsal = rehearse(net, run.data.X, run.data.y, compares=compares)
        run.augmenting = make_augmenting(net, run, rehearsal)
    if plan.labels and uses_sources:
        _fit_sources(net, run, plan)
    with net._stream().active(net.device):
        if uses_sources:
            run.sides = make_sides(net, run, plan.sides, rehearsal)
        if run.augmenting is not None:
            run.augmenting.same_answer = make_same_answer(net, run, plan.sides, rehearsal)
        _begin(net, run, rehearsal, in_parts=call.method == "partial_fit")
    run.trains = True
    return run


def _begin_callbacks(net: Net, run: FitRun) -> None:
    """Let the callbacks begin, which may load weights or ask for another network."""
    run.rate = learning_rate_of(net, run.max_epochs)
    optimizers = [getattr(net, f"{name}_") for name in net._optimizers]
    net.notify("on_train_begin", X=run.data.X, y=run.data.y)
    made = [getattr(net, f"{name}_") for name in net._optimizers]
    if any(new is not old for new, old in zip(made, optimizers, strict=True)):
        run.rate = learning_rate_of(net, run.max_epochs)
    elif run.rate is not None:
        run.rate.follow_loaded()


def _open_checkpoints(net: Net, run: FitRun, call: FitCall, *, continues: bool) -> None:
    """Find out where the fit was interrupted, if it was, and take over its random numbers."""
    data = {
        "X": run.data.X, "y": run.data.y, "classes": vars(net).get("classes_inferred_"),
        "sample_weight": call.sample_weight, "X_unlabeled": call.X_unlabeled,
        "fit_params": call.params, **call.inputs.named(),
    }  # fmt: skip
    found = open_checkpoints(
        net, data, max_epochs=run.max_epochs, method=call.method, continues=continues
    )
    if found is None:
        return
    run.checkpoints = found
    run.exits.callback(found.close)
    if found.state is not None:
        net._stream().seed = found.state["seed"]


def _fit_sources(net: Net, run: FitRun, plan: FitPlan) -> None:
    """Fit the unrelated estimators that are not fitted."""
    if net.verbose:
        names = ", ".join(source_name(plan.sources[at]) for at in plan.labels)
        print(f"Fitting what is unrelated, and another one for its score: {names}")
    report = print if net.verbose else None
    with _determined(net, plan) as sources:
        views = plan.sides.views_of(sources, numpy_dtype(net.precision))
        found = fit_sources(
            sources, run.data.X, plan.labels, net.memory, views=views, report=report
        )
    run.sources, run.unrelated_scores = found


@contextmanager
def _determined(net: Net, plan: FitPlan) -> Iterator[list[object]]:
    """Let the block fit the same unrelated estimators as any fit of this `random_state`.

    A resumed fit gets the same ones, too. The libraries' generators stay as they are.
    """
    if net.checkpoint_dir is None and net.random_state is None:
        yield plan.sources
        return
    seed = net._stream().seed
    with own_random_numbers(seed, net.device):
        yield [
            set_seeds(clone(source), seed + at) if at in plan.labels else source
            for at, source in enumerate(plan.sources)
        ]


def _begin(net: Net, run: FitRun, rehearsal: Rehearsal, *, in_parts: bool) -> None:
    """Make what lives as long as the training."""
    run.weights = FiniteWeights(net.module_)
    run.rescale = rescale_layer(net.module_)
    run.begun = run.finished = len(net.history)
    if net.precision == "float16":
        run.scaler = torch.amp.GradScaler(next(net.module_.parameters()).device.type)
    if run.rate is not None:
        run.exits.callback(run.rate.restore)
    run.max_grad_norm = max_norm_of(net)
    checkpoints = run.checkpoints
    if checkpoints is not None and checkpoints.done:
        choice = Choice(checkpoints.weights, checkpoints.strength)
        net.__dict__["_penalty_state"] = checkpoints.state["penalty"]
    else:
        choice = choose(net, run, rehearsal, in_parts=in_parts)
    _set_weight(net, run, choice.weights)
    net.__dict__["product_of_experts_"] = choice.strength
    run.experts = make_experts(net, run, rehearsal, choice)
    state = vars(net).get("_penalty_state")
    run.penalty = make_penalty(net, run, choice.weights, rehearsal, state)
    run.steps = Steps(net, run)
    # They refer to the run: together they would keep the data until Python looks for such.
    run.exits.callback(delattr, run, "steps")
    if checkpoints is not None:
        checkpoints.weights, checkpoints.strength = choice.weights, choice.strength
        checkpoints.check(net)


def _has_several(net: Net, run: FitRun) -> bool:
    """Tell whether what is said of unrelated tasks is a list; one word may stand for several."""
    return isinstance(net.unrelated, list | tuple) or len(run.sources) > 1


def _set_weight(net: Net, run: FitRun, weights: list[float]) -> None:
    several = _has_several(net, run)
    net.__dict__["weight_"] = weights if several else (weights[0] if weights else 0.0)


def _train(net: Net, run: FitRun, call: FitCall) -> KeyboardInterrupt | None:
    """Train, and return the interruption by the user that ended it, if there was one."""
    X, y = run.data.X, run.data.y
    params = dict(call.params) | ({"_routing_method": call.method} if _ROUTES else {})
    interrupt = None
    try:
        if run.checkpoints is not None:
            params["epochs"] = run.max_epochs - run.checkpoints.done
        net.fit_loop(X, y, **params)
        if run.checkpoints is not None:
            run.checkpoints.go_on(net)  # if there was no epoch left
    except KeyboardInterrupt as error:
        if not run.ended_by_callback:
            interrupt = error
            run.weights.go_back()
            if isinstance(net.history, list):  # one of several processes keeps what it has
                del net.history[run.finished :]
    net.notify("on_train_end", X=X, y=y)
    return interrupt


def _complete(net: Net, run: FitRun) -> None:
    """Set what a fit leaves behind besides the network."""
    several = _has_several(net, run)
    sources = run.sources
    scores = run.unrelated_scores
    net.__dict__["_unrelated_given"] = net.unrelated
    if scores is not None:
        net.unrelated_score_ = scores if several else (scores[0] if scores else None)
    if not all(map(is_fitted, sources)):  # not needed, so not fitted
        net.unrelated_ = None
    elif several:
        net.unrelated_ = sources
    else:
        net.unrelated_ = sources[0] if sources else None
    net._completed = True

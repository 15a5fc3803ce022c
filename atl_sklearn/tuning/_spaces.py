"""Search spaces: what of anti-transfer is worth searching over, for three kinds of search."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike
from optuna.distributions import CategoricalDistribution
from optuna.trial import BaseTrial
from sklearn.base import BaseEstimator

from atl_sklearn._types import Params, Views
from atl_sklearn._validation import is_real, refuse_value
from atl_sklearn.similarity import can_have_target, check_target, get_weight_schedule, has_target
from atl_sklearn.tuning._checks import listed_names
from atl_sklearn.tuning._combinations import find_combinations
from atl_sklearn.tuning._target import find_network

_METRICS = ("cross_correlation", "cka", "ridge_r2", "adversarial", "squared_cosine")
_AGGREGATIONS = ("spatial_mean", "none", "gram", "max")
_WEIGHTS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
_SCHEDULES = ("constant", "linear_warmup")
_MOST_WEIGHT = 1e30


def _is_auto(value: object) -> bool:
    return isinstance(value, str) and value == "auto"


def _in_order(values: Iterable[float | str]) -> list[float | str]:
    """Return each value once, numbers from the smallest on."""
    numbers = sorted({float(value) for value in values if not isinstance(value, str)})
    return [*numbers, *(["auto"] if any(map(_is_auto, values)) else [])]


def anti_transfer_distributions(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    layers: Iterable[str] | None = None,
    metrics: Iterable[str] = _METRICS,
    aggregations: Iterable[str] = _AGGREGATIONS,
    weights: Iterable[float | str] = _WEIGHTS,
    schedules: Iterable[str] = _SCHEDULES,
    targets: Iterable[float | None] | None = None,
    strengths: Iterable[float | str] | None = None,
    X_unrelated: Views | None = None,
) -> dict[str, CategoricalDistribution]:
    """Return distributions of layer, metric, aggregation, weight and its schedule.

    Parameters
    ----------
    estimator : AntiTransferClassifier, AntiTransferRegressor or Pipeline that ends in one
        What to search for; its `unrelated` may be fitted or not. It does not change.
    X : array-like of shape (n_samples, ...)
        Data as `estimator` takes them. A few samples run through the untrained networks, to see
        which layers there are and what can be compared.
    y : array-like of shape (n_samples,) or None, default=None
        Targets, for pipelines whose other steps need them.
    layers : iterable of str or None, default=None
        Layers to choose from; None for ``"last"`` and all hidden layers with an index, each with
        its nonlinearity.
    metrics, aggregations : iterable of str, optional
        Names to choose from. Those that cannot compare the two networks in every combination are
        left out.
    weights : iterable of float or "auto", default=(0, 0.1, 0.3, 1, 3, 10)
        Weights, on a logarithmic scale with 0: a plain network. ``"auto"`` is the choice that the
        estimator makes by default.
    schedules : iterable of str, default=("constant", "linear_warmup")
        Schedules of the weight.
    targets : iterable of float or None, default=None
        Values of ``target_similarity``, None among them for a weight that stays as it is;
        metrics that cannot have a target are left out then. None does not search over targets.
    strengths : iterable of float or "auto", or None, default=None
        Values of ``product_of_experts``, 0 among them for none; None does not search over it.
        ``"auto"`` is 0 with weights other than ``"auto"``.
    X_unrelated : array-like of shape (n_samples, ...) or None, default=None
        What unrelated networks see instead of X, as in `fit`.

    Returns
    -------
    distributions : dict of str to CategoricalDistribution
        Under the names of `estimator`'s parameters, for ``optuna_integration.OptunaSearchCV``
        and :class:`AntiTransferSearchCV`. All values are strings and numbers, so that they can
        be stored in a database.

    Raises
    ------
    TypeError, ValueError
        If `estimator` has no network or no `unrelated`, a name is unknown, or no combination
        can be computed.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.tuning import anti_transfer_distributions
    >>> net = AntiTransferClassifier(unrelated=AntiTransferClassifier())
    >>> found = anti_transfer_distributions(net, np.zeros((20, 5)), metrics=["cka"])
    >>> {name: distribution.choices[:2] for name, distribution in found.items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'layer': ('last', 'hidden.0.activation'), 'metric': ('cka',),
     'aggregation': ('spatial_mean', 'none'), 'weight': (0.0, 0.1),
     'weight_schedule': ('constant', 'linear_warmup')}
    """
    owner = "a search space"
    weights = listed_names(owner, "weights", weights)
    if not weights or not all(
        _is_auto(w) or (is_real(w) and 0 <= w <= _MOST_WEIGHT) for w in weights
    ):
        must = f"one or more floats in [0, {_MOST_WEIGHT:g}], or 'auto'"
        raise refuse_value(owner, "weights", must, weights)
    weights = _in_order(weights)
    schedules = list(dict.fromkeys(listed_names(owner, "schedules", schedules)))
    if not schedules:
        raise refuse_value(owner, "schedules", "a list of one or more schedules", schedules)
    for schedule in schedules:
        get_weight_schedule(schedule)
    metrics = listed_names(owner, "metrics", metrics)
    experts = listed_names(owner, "strengths", strengths or ())
    if not all(_is_auto(value) or (is_real(value) and 0 <= value < math.inf) for value in experts):
        raise refuse_value(owner, "strengths", "None, floats in [0, inf), or 'auto'", strengths)
    goals = list(dict.fromkeys(targets or ()))
    check_target(goals, (), "the network")
    if has_target(goals):
        metrics = [metric for metric in metrics if can_have_target(metric)]
        if not metrics:
            raise ValueError(
                "metrics must have one that can have a target. Leave targets out, or add a metric "
                "such as 'cross_correlation'."
            )
    prefix, _ = find_network(estimator)
    found = find_combinations(
        estimator,
        X,
        y,
        X_unrelated=X_unrelated,
        layers=None if layers is None else listed_names(owner, "layers", layers),
        metrics=metrics,
        aggregations=listed_names(owner, "aggregations", aggregations),
    )
    choices: dict[str, Sequence[str | float | None]] = {
        "layer": found.layers,
        "metric": found.metrics,
        "aggregation": found.aggregations,
        "weight": weights,
        "weight_schedule": schedules,
        **({"target_similarity": goals} if goals else {}),
        **({"product_of_experts": _in_order(experts)} if experts else {}),
    }
    return {prefix + name: CategoricalDistribution(values) for name, values in choices.items()}


def suggest_anti_transfer(
    trial: BaseTrial,
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike | None = None,
    **choices: Any,
) -> Params:
    """Let a trial choose layer, metric, aggregation, weight and its schedule.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The trial, in your own objective.
    estimator : AntiTransferClassifier, AntiTransferRegressor or Pipeline that ends in one
        What to tune.
    X : array-like of shape (n_samples, ...)
        Data as `estimator` takes them; a few samples are used.
    y : array-like of shape (n_samples,) or None, default=None
        Targets, for pipelines whose other steps need them.
    **choices : dict
        What to choose from, as :func:`anti_transfer_distributions` takes it: `layers`,
        `metrics`, `aggregations`, `weights`, `schedules`, `targets`, `strengths`.

    Returns
    -------
    params : dict
        For ``estimator.set_params``; strings and numbers.

    Raises
    ------
    TypeError, ValueError
        As :func:`anti_transfer_distributions`.

    Examples
    --------
    >>> import numpy as np
    >>> import optuna
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.tuning import suggest_anti_transfer
    >>> net = AntiTransferClassifier(unrelated=AntiTransferClassifier())
    >>> trial = optuna.trial.FixedTrial(
    ...     {
    ...         "layer": "last",
    ...         "metric": "cka",
    ...         "aggregation": "spatial_mean",
    ...         "weight": 3.0,
    ...         "weight_schedule": "constant",
    ...     }
    ... )
    >>> params = suggest_anti_transfer(trial, net, np.zeros((20, 5)))
    >>> net.set_params(**params).weight
    3.0
    """
    found = anti_transfer_distributions(estimator, X, y, **choices)
    return {
        name: trial.suggest_categorical(name, distribution.choices)
        for name, distribution in found.items()
    }


def anti_transfer_grid(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    layers: Iterable[str] | None = ("last",),
    metrics: Iterable[str] = ("cross_correlation", "cka"),
    aggregations: Iterable[str] = ("spatial_mean",),
    weights: Iterable[float | str] = (0.0, 0.3, 1.0, 3.0),
    schedules: Iterable[str] = ("constant",),
    targets: Iterable[float | None] | None = None,
    strengths: Iterable[float | str] | None = None,
    X_unrelated: Views | None = None,
) -> list[dict[str, list]]:
    """Return a grid for GridSearchCV in which the plain network occurs once.

    Parameters
    ----------
    estimator : AntiTransferClassifier, AntiTransferRegressor or Pipeline that ends in one
        What to search for.
    X : array-like of shape (n_samples, ...)
        Data as `estimator` takes them; a few samples are used.
    y : array-like of shape (n_samples,) or None, default=None
        Targets, for pipelines whose other steps need them.
    layers : iterable of str or None, default=("last",)
        Layers to try; None for all.
    metrics, aggregations : iterable of str, optional
        Names to try; combinations that cannot be computed are left out.
    weights : iterable of float or "auto", default=(0, 0.3, 1, 3)
        Weights; with 0 among them the plain network is one candidate, whatever the rest.
        ``"auto"`` is the choice that the estimator makes by default.
    schedules : iterable of str, default=("constant",)
        Schedules of the weight.
    targets : iterable of float or None, default=None
        Values of ``target_similarity``, None among them for a weight that stays as it is;
        metrics that cannot have a target are left out then. None does not search over targets.
    strengths : iterable of float or "auto", or None, default=None
        Values of ``product_of_experts``, 0 among them for none; None does not search over it.
        ``"auto"`` is 0 with weights other than ``"auto"``.
    X_unrelated : array-like of shape (n_samples, ...) or None, default=None
        What unrelated networks see instead of X, as in `fit`.

    Returns
    -------
    grid : list of dict
        For ``sklearn.model_selection.GridSearchCV`` and its relatives.

    Raises
    ------
    TypeError, ValueError
        As :func:`anti_transfer_distributions`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import ParameterGrid
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.tuning import anti_transfer_grid
    >>> net = AntiTransferClassifier(unrelated=AntiTransferClassifier())
    >>> grid = anti_transfer_grid(net, np.zeros((20, 5)))
    >>> len(ParameterGrid(grid))
    7
    """
    found = anti_transfer_distributions(
        estimator,
        X,
        y,
        layers=layers,
        metrics=metrics,
        aggregations=aggregations,
        weights=weights,
        schedules=schedules,
        targets=targets,
        strengths=strengths,
        X_unrelated=X_unrelated,
    )
    names = {name: list(distribution.choices) for name, distribution in found.items()}
    prefix, network = find_network(estimator)
    weight = f"{prefix}weight"
    experts = {name: v for name, v in names.items() if name.endswith("product_of_experts")}
    # With a weight that is a number, "auto" adds nothing, as 0 does.
    numbers = {
        name: list(dict.fromkeys(0.0 if _is_auto(value) else value for value in values))
        for name, values in experts.items()
    }
    positive = [value for value in names[weight] if is_real(value) and value > 0]
    grid: list[dict[str, list]] = []
    if 0 in names[weight]:
        own = network.product_of_experts
        alone = not experts and is_real(own) and own  # which the plain network has not
        added = {f"{prefix}product_of_experts": [0.0]} if alone else numbers
        grid.append({weight: [0.0], **added})
    if positive:
        grid.append({**names, weight: positive, **numbers})
    if "auto" in names[weight]:
        grid.append({**names, weight: ["auto"]})
    return grid

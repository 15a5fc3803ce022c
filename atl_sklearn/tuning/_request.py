"""What a search is asked for, checked and made into a job before any trial runs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples
from skorch.utils import is_dataset

from atl_sklearn._fingerprint import Unidentifiable, fingerprint, fingerprint_read
from atl_sklearn._types import Params
from atl_sklearn._user_warnings import warn_user
from atl_sklearn._validation import (
    ENABLE_ROUTING,
    is_bool,
    is_integer,
    is_real,
    refuse,
    shown,
)
from atl_sklearn.estimators import AntiTransferEstimator, is_mapping
from atl_sklearn.inspection import make_groups, needs_labels
from atl_sklearn.tuning._checks import check_run, is_one_of
from atl_sklearn.tuning._evaluation import Data, Evaluation
from atl_sklearn.tuning._folds import (
    Fold,
    check_groups,
    check_not_split,
    check_probed,
    label_codes,
    make_folds,
)
from atl_sklearn.tuning._objectives import OBJECTIVES, Objective
from atl_sklearn.tuning._results import RULES
from atl_sklearn.tuning._spaces import anti_transfer_distributions
from atl_sklearn.tuning._study import ALONE, Job, SeededByTrial, of_first_trial, space_text
from atl_sklearn.tuning._target import find_network, fits_unrelated
from atl_sklearn.unrelated import as_sources

if TYPE_CHECKING:
    from atl_sklearn.tuning._search import AntiTransferSearchCV

_STARTUP = 5  # trials before any is pruned
_WARMUP = 1 / 3  # of the first fold's epochs, before any is pruned
# What a plain network needs of a distribution, and one that has it.
_TO_BEGIN = {
    "weight": (
        "0",
        "FloatDistribution(0, 10), or CategoricalDistribution((0, 0.1, 0.3, 1, 3, 10))",
    ),
    "product_of_experts": ("0 or 'auto'", "CategoricalDistribution((0, 0.5, 1))"),
}


def check_parameters(search: AntiTransferSearchCV) -> None:
    """Check what can be checked without data.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not what it must be.
    """
    find_network(search.estimator)
    space = search.param_distributions
    if not (space is None or isinstance(space, Mapping)):
        raise refuse(
            search, "param_distributions", "None or a dict from names to Optuna distributions"
        )
    if not is_one_of(search.objective, OBJECTIVES):
        raise refuse(search, "objective", f"one of {list(OBJECTIVES)}")
    if not is_one_of(search.group_by, ("auto", "groups", "y_unrelated")):
        raise refuse(search, "group_by", "'auto', 'groups' or 'y_unrelated'")
    for name in ("resume", "progress_bar"):
        if not is_bool(getattr(search, name)):
            raise refuse(search, name, "True or False")
    check_run(
        type(search).__name__,
        n_jobs=search.n_jobs,
        random_state=search.random_state,
        scoring=search.scoring,
    )
    if not is_integer(search.n_trials, 1):
        raise refuse(search, "n_trials", "an int in [1, inf)")
    timeout = search.timeout
    if timeout is not None and not (is_real(timeout) and timeout > 0):
        raise refuse(search, "timeout", "None or a number of seconds above 0")
    refit = search.refit
    if not (is_bool(refit) or is_one_of(refit, RULES) or callable(refit)):
        raise refuse(search, "refit", f"a bool, a callable or one of {list(RULES)}")
    if search.sampler is not None and not isinstance(search.sampler, BaseSampler):
        raise refuse(search, "sampler", "None or an Optuna sampler")
    pruner = search.pruner
    if not (pruner is None or is_one_of(pruner, ("auto",)) or isinstance(pruner, BasePruner)):
        raise refuse(search, "pruner", "None, 'auto' or an Optuna pruner")
    if search.objective == "trade_off" and isinstance(pruner, BasePruner):
        raise ValueError(
            "The 'pruner' parameter must be 'auto' or None for objective='trade_off': Optuna does "
            "not prune trials with two objectives."
        )
    if search.study_name is not None and not isinstance(search.study_name, str):
        raise refuse(search, "study_name", "None or a str")
    is_nan = isinstance(search.error_score, float) and np.isnan(search.error_score)
    if not (is_nan or is_one_of(search.error_score, ("raise",))):
        raise refuse(search, "error_score", "'raise' or np.nan")


def _check_data(search: AntiTransferSearchCV, data: Data) -> Data:
    if data.y is None:
        raise ValueError(
            f"{type(search).__name__} requires y to be passed, but the target y is None."
        )
    if is_dataset(data.X) or is_mapping(data.X):
        raise TypeError(
            f"{type(search).__name__} splits X into folds, so it must be an array, a list or a "
            f"DataFrame. Got {type(data.X).__name__} instead."
        )
    return data.checked()


def _make_objective(search: AntiTransferSearchCV, data: Data, folds: list[Fold]) -> Objective:
    scorer = check_scoring(search.estimator, scoring=search.scoring)
    if search.objective == "accuracy":
        return Objective("accuracy", scorer)
    by = search.group_by
    if by == "auto":
        # Groups are who was recorded; what is probed for is what is to be avoided.
        order = ("groups", "y_unrelated")
        order = order if search.objective == "worst_group" else order[::-1]
        by = next((name for name in order if getattr(data, name) is not None), order[0])
    labels = getattr(data, by)
    if labels is None:
        raise ValueError(
            f"objective={search.objective!r} needs labels: pass groups or y_unrelated to fit "
            f"(group_by={search.group_by!r})."
        )
    labels = label_codes(labels, _num_samples(data.X), by)
    numbers = labels.dtype.kind == "f" and type_of_target(labels, by) == "continuous"
    if search.objective == "worst_group" and numbers:
        groups = make_groups(type(search).__name__, by, labels, len(labels))
        labels = np.array(groups.names)[groups.codes]
    if search.objective == "trade_off":
        check_probed(labels, folds, by)
    else:
        tests = [set(labels[test].tolist()) for _, test in folds]
        apart = all(not tests[i] & tests[j] for i in range(len(tests)) for j in range(i))
        check_groups(labels, folds, by, grouped=apart)
    return Objective(search.objective, scorer, labels)


def _own_weight(network: AntiTransferEstimator, name: str) -> float | str:
    """Return the one weight that an estimator has for all of its unrelated tasks; 1 instead of 0.

    Raises
    ------
    ValueError
        If it has several, which no study can store.
    """
    given = network.weight
    values = list(given) if isinstance(given, list | tuple) else [given]
    if any(value != values[0] for value in values):
        way_out = (
            f"Add {name!r} to param_distributions, FloatDistribution(0, 10), say: a number is "
            "the weight of all unrelated tasks."
        )
        must = "one for all unrelated tasks in a search over no weight, as studies store no list"
        raise refuse(network, "weight", must, way_out)
    own = values[0] if values else 1.0
    if isinstance(own, str):
        return own
    return float(own) if is_real(own) and own else 1.0


def _make_space(
    search: AntiTransferSearchCV, data: Data
) -> tuple[dict[str, BaseDistribution], Params, str]:
    """Return the space, the plain network as parameters, and the name of the weight."""
    prefix, network = find_network(search.estimator)
    weight = f"{prefix}weight"
    space = search.param_distributions
    if not as_sources(network.unrelated) and f"{prefix}unrelated" not in (space or {}):
        raise ValueError(
            "There is nothing to search for: the 'unrelated' parameter of "
            f"{type(network).__name__} is None. Pass a network that knows the nuisance, or an "
            "unfitted estimator and its labels as y_unrelated."
        )
    if space is None:
        space = anti_transfer_distributions(
            search.estimator, data.X, data.y, X_unrelated=data.X_unrelated
        )
    known = search.estimator.get_params()
    for name, distribution in space.items():
        # Arguments of the parts (module__dropout) are told by the part itself.
        if name not in known and "__" not in name.removeprefix(prefix):
            raise ValueError(
                f"The 'param_distributions' parameter names {name!r}, which is no parameter of "
                f"the estimator. Available: {sorted(known)}."
            )
        if not isinstance(distribution, BaseDistribution):
            raise TypeError(
                f"The 'param_distributions' parameter must hold Optuna distributions. Got "
                f"{distribution!r} for {name!r} instead."
            )
        choices = getattr(distribution, "choices", ())
        if not all(v is None or isinstance(v, str | int | float | bool) for v in choices):
            raise TypeError(
                f"The choices of {name!r} in 'param_distributions' must be strings, numbers, "
                f"bools or None, which studies can store. Got {shown(choices)} instead."
            )
    if weight not in space:
        space = {**space, weight: CategoricalDistribution((0.0, _own_weight(network, weight)))}
    experts = f"{prefix}product_of_experts"
    # "auto" adds nothing beside a weight that is a number.
    plain: dict[str, tuple[object, ...]] = {weight: (0.0,), experts: (0.0, "auto")}
    baseline: Params = {}
    for name, distribution in space.items():
        values = plain.get(name, (known.get(name),))
        found = [value for value in values if _contains(distribution, value)]
        if not found and name in plain:
            must, example = _TO_BEGIN[name.removeprefix(prefix)]
            raise ValueError(
                f"The distribution of {name!r} must contain {must}, since every search begins with "
                f"the plain network: {example}, say. Got {shown(distribution)} instead."
            )
        choices = getattr(distribution, "choices", ())
        baseline[name] = [*found, *choices, getattr(distribution, "low", None)][0]
    if experts not in space and is_real(network.product_of_experts) and network.product_of_experts:
        baseline[experts] = 0.0
    return dict(space), baseline, weight


def _contains(distribution: BaseDistribution, value: object) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (TypeError, ValueError):
        return False


def _make_pruner(search: AntiTransferSearchCV, n_epochs: int) -> BasePruner:
    if search.pruner is None or search.objective == "trade_off":
        return NopPruner()
    if isinstance(search.pruner, BasePruner):
        return search.pruner
    return MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=int(_WARMUP * n_epochs))


def _identify(read_by: object = None, **values: object) -> tuple[str, str]:
    """Return what tells values, and the files that they name, from others; and why nothing does.

    Values that cannot be told from others are those of this search alone.
    """
    try:
        if read_by is None:
            return fingerprint(values), ""
        return fingerprint_read(values, values, estimator=read_by), ""
    except Unidentifiable as error:
        return f"{ALONE} {uuid.uuid4().hex}", str(error)


def make_job(search: AntiTransferSearchCV, data: Data, deadline: float | None) -> Job:
    """Check everything, and return what the processes of a search need.

    Parameters
    ----------
    search : AntiTransferSearchCV
        Its parameters say what is wanted.
    data : Data
        What was passed to fit.
    deadline : float or None
        Time after which no trial is begun.

    Returns
    -------
    job : Job
        Nothing of it has run.

    Raises
    ------
    TypeError, ValueError
        If a parameter or the data are not what they must be.
    """
    check_parameters(search)
    data = _check_data(search, data)
    prefix, network = find_network(search.estimator)
    if needs_labels(network) and data.y_unrelated is None:
        raise ValueError(
            "The 'unrelated' parameter is not fitted, and y_unrelated is None. Pass its labels, "
            "fit(X, y, y_unrelated=...), or fit it before. If they were passed to a Pipeline or a "
            f"cross-validation around the search: run {ENABLE_ROUTING} first."
        )
    classifier = is_classifier(search.estimator)
    folds = make_folds(search.cv, data.X, data.y, data.groups, classifier=classifier)
    check_not_split(data.X_unlabeled, _num_samples(data.X), folds)
    objective = _make_objective(search, data, folds)
    space, baseline, weight = _make_space(search, data)
    epochs = space.get(f"{prefix}max_epochs")
    n_epochs = max(network.max_epochs, int(getattr(epochs, "high", 0)), 1)
    pruner = _make_pruner(search, n_epochs)
    rng = check_random_state(search.random_state)
    seeds = rng.randint(np.iinfo(np.int32).max, size=len(folds)).tolist()
    identities = {
        "estimator": _identify(estimator=clone(search.estimator)),
        "data": _identify(search.estimator, **vars(data), folds=folds),
        "objective": _identify(
            objective=objective.name, group_by=search.group_by, scoring=search.scoring
        ),
    }
    whole = space_text(space | of_first_trial(space, baseline))
    purpose = {"space": whole} | {part: found[0] for part, found in identities.items()}
    reasons = [found[1] for found in identities.values() if found[1]]
    if reasons and search.storage is not None:
        warn_user(
            "This search cannot be resumed, nor shared with other processes that are started by "
            f"hand: nothing tells it from others. {' '.join(reasons)}"
        )
    name = search.study_name or f"anti_transfer_{fingerprint(purpose)[:12]}"
    sampler = search.sampler or SeededByTrial(int(rng.randint(np.iinfo(np.int32).max)))
    return Job(
        evaluation=Evaluation(
            search.estimator,
            data,
            folds,
            objective,
            seeds,
            steps_per_fold=n_epochs,
            prunes=not isinstance(pruner, NopPruner),
        ),
        space=space,
        baseline=baseline,
        weight=weight,
        purpose=purpose,
        study_name=name,
        storage=search.storage,
        sampler=sampler,
        pruner=pruner,
        n_trials=int(search.n_trials),
        deadline=deadline,
        raises=search.error_score == "raise",
        remembers=f"{prefix}memory" if fits_unrelated(network) and network.memory is None else None,
    )


def check_storage(search: AntiTransferSearchCV, n_jobs: int) -> None:
    """Check that several processes can see the study.

    Raises
    ------
    ValueError
        If they cannot.
    """
    if n_jobs > 1 and isinstance(search.storage, InMemoryStorage):
        raise ValueError(
            f"n_jobs={search.n_jobs} needs a 'storage' that other processes can see: a folder, "
            "the URL of a database, or None for a temporary folder. Got an InMemoryStorage."
        )

"""What is inside of a Pipeline or a FrozenEstimator, and what that is given."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _check_feature_names, _get_feature_names


def innermost(estimator: BaseEstimator) -> BaseEstimator:
    """Return what pipelines end in, without frozen wrappers; anything else as it is.

    Examples
    --------
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from atl_sklearn._pipelines import innermost
    >>> innermost(FrozenEstimator(make_pipeline(StandardScaler(), Ridge())))
    Ridge()
    """
    while isinstance(estimator, FrozenEstimator | Pipeline):
        frozen = isinstance(estimator, FrozenEstimator)
        estimator = estimator.estimator if frozen else estimator.steps[-1][1]
    return estimator


def has_steps(estimator: object) -> bool:
    """Tell whether pipelines do something before what :func:`innermost` returns.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from atl_sklearn._pipelines import has_steps
    >>> has_steps(make_pipeline("passthrough", Ridge())), has_steps(Ridge())
    (False, False)
    """
    return bool(steps_before(estimator))


def steps_before(estimator: object) -> list[BaseEstimator]:
    """Return what pipelines do before what :func:`innermost` returns, in their order.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from atl_sklearn._pipelines import steps_before
    >>> steps_before(make_pipeline("passthrough", StandardScaler(), Ridge()))
    [StandardScaler()]
    """
    found: list[BaseEstimator] = []
    while isinstance(estimator, FrozenEstimator | Pipeline):
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
            continue
        steps = [step for _, step in estimator.steps]
        found += [step for step in steps[:-1] if step not in (None, "passthrough")]
        estimator = steps[-1]
    return found


def last_step(estimator: BaseEstimator) -> tuple[str, BaseEstimator]:
    """Return what the names of the last step's parameters begin with, and that step.

    Parameters
    ----------
    estimator : estimator
        A pipeline, perhaps of pipelines, or any other.

    Returns
    -------
    prefix : str
        Empty for what is no pipeline.
    step : estimator
        Frozen wrappers stay.
    """
    prefix = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix, estimator


def as_innermost_sees(
    estimator: BaseEstimator, X: ArrayLike, y: ArrayLike | None = None, *, fits: bool = False
) -> Any:
    """Return X after the other steps of pipelines.

    Parameters
    ----------
    estimator : estimator
        What :func:`innermost` looks into.
    X : array-like of shape (n_samples, ...)
        Data as `estimator` takes it.
    y : array-like of shape (n_samples,), default=None
        Targets, for steps that are fitted.
    fits : bool, default=False
        Whether clones of the steps are fitted; otherwise they have been. What is frozen has.

    Returns
    -------
    X : array-like of shape (n_samples, ...)
        Data as :func:`innermost` takes it.

    Raises
    ------
    ValueError
        If the columns have other names than those that :func:`innermost` was fitted on, or stand in
        another order. What takes data from here would not look.
    """
    if isinstance(estimator, FrozenEstimator):
        return as_innermost_sees(estimator.estimator, X)
    if not isinstance(estimator, Pipeline):
        if hasattr(estimator, "feature_names_in_") and _get_feature_names(X) is not None:
            _check_feature_names(estimator, X, reset=False)
        return X
    if any(step not in (None, "passthrough") for _, step in estimator.steps[:-1]):
        before = estimator[:-1]
        X = clone(before).fit_transform(X, y) if fits else before.transform(X)
    return as_innermost_sees(estimator.steps[-1][1], X, y, fits=fits)

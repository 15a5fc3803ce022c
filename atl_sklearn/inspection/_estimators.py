"""The fitted estimators that are inspected, and the samples that probes see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from atl_sklearn._pipelines import innermost
from atl_sklearn._validation import refuse_value, shown
from atl_sklearn.inspection._labels import Groups
from atl_sklearn.inspection._streaming import unwrapped_search


def named_estimators(owner: str, estimators: object) -> dict[str, BaseEstimator]:
    """Return fitted estimators by name.

    Raises
    ------
    TypeError, ValueError, NotFittedError
        If one is no classifier or regressor, they are of both kinds, or one is not fitted.
    """
    if not isinstance(estimators, Mapping):
        estimators = {type(innermost(unwrapped_search(estimators))).__name__: estimators}
    if not estimators:
        way_out = "Pass {'plain': ..., 'anti-transfer': ...}."
        raise refuse_value(owner, "estimators", "at least one fitted estimator", {}, way_out)
    found = {}
    for name, given in estimators.items():
        estimator = unwrapped_search(given)
        is_instance = isinstance(estimator, BaseEstimator)
        if not is_instance or not (is_classifier(estimator) or is_regressor(estimator)):
            raise TypeError(
                f"The 'estimators' parameter of {owner} must be a fitted classifier or regressor, "
                f"or a dict of these by name. Got {shown(given)} for {name!r}."
            )
        check_is_fitted(innermost(estimator))
        found[str(name)] = estimator
    if len({bool(is_classifier(estimator)) for estimator in found.values()}) > 1:
        raise ValueError(
            "The estimators must be all classifiers or all regressors, which are scored "
            "differently. Make a report of each kind."
        )
    return found


def choose_samples(groups: Groups, n_probed: int, seed: int) -> np.ndarray:
    """Return the samples that probes see, in order: all, or as many of each label."""
    n_samples = len(groups.codes)
    if n_probed >= n_samples:
        return np.arange(n_samples)
    stratify = groups.codes if n_probed >= len(groups.names) else None
    kept, _ = train_test_split(
        np.arange(n_samples), train_size=n_probed, random_state=seed, stratify=stratify
    )
    return np.sort(kept)

"""Which of the arguments that were given an estimator's `fit` takes, and under which names."""

from __future__ import annotations

from inspect import Parameter, signature

from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils.validation import has_fit_parameter

from atl_sklearn._pipelines import last_step
from atl_sklearn.estimators import AntiTransferEstimator
from atl_sklearn.unrelated import as_sources, is_fitted, is_word
from atl_sklearn.unrelated import needs_labels as learns_from_labels


def needs_labels(network: AntiTransferEstimator) -> bool:
    """Tell whether `unrelated` is to be fitted on ``y_unrelated``, or is these labels."""
    return any(
        is_word(source, "labels") or (not is_fitted(source) and learns_from_labels(source))
        for source in as_sources(network.unrelated)
    )


def _not_for(network: AntiTransferEstimator) -> set[str]:
    """Return the arguments of fit that are in vain for what `unrelated` is."""
    sources = as_sources(network.unrelated)
    in_vain = set() if needs_labels(network) else {"y_unrelated"}
    if not any(is_word(source, "precomputed") for source in sources):
        in_vain.add("Z_unrelated")
    if not any(map(is_word, sources)):
        in_vain.add("Z_unlabeled")
    if all(map(is_word, sources)):
        in_vain |= {"X_unrelated", "X_unrelated_unlabeled"}
    return in_vain


def _hands_on(estimator: BaseEstimator) -> bool:
    """Tell whether `fit` hands all arguments that it does not know on to the estimator within."""
    if not hasattr(estimator, "estimator"):
        return False
    kinds = [parameter.kind for parameter in signature(estimator.fit).parameters.values()]
    return Parameter.VAR_KEYWORD in kinds


def fit_arguments(estimator: BaseEstimator, **given: object) -> dict[str, object]:
    """Return those of `given` that ``estimator.fit`` takes, under the names that it takes.

    Parameters
    ----------
    estimator : estimator
        Any; of a Pipeline the last step counts, and of an estimator that hands arguments on to
        one within, such as a SegmentAggregator, that one.
    **given : object
        ``y_unrelated``, ``X_unlabeled``, ``sample_weight``, ``groups`` and so on; those that are
        None are left out, and those that are in vain for what `unrelated` is.

    Returns
    -------
    arguments : dict
        Keyword arguments of fit.
    """
    given = {name: value for name, value in given.items() if value is not None}
    prefix, last = last_step(estimator)
    if isinstance(last, AntiTransferEstimator):  # or of a subclass that hands on what it is given
        given.pop("groups", None)
        in_vain = _not_for(last)
        given = {name: value for name, value in given.items() if name not in in_vain}
    elif _hands_on(last):
        given = fit_arguments(last.estimator, **given)
    else:
        given = {name: value for name, value in given.items() if has_fit_parameter(last, name)}
    if get_config()["enable_metadata_routing"]:
        return given  # a Pipeline hands them on by name
    return {prefix + name: value for name, value in given.items()}

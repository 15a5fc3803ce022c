"""The anti-transfer network in what the user passes: itself, or the end of a pipeline."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from atl_sklearn._pipelines import last_step
from atl_sklearn._validation import shown
from atl_sklearn.estimators import AntiTransferEstimator
from atl_sklearn.unrelated import as_sources, is_fitted


def find_network(estimator: BaseEstimator) -> tuple[str, AntiTransferEstimator]:
    """Return the anti-transfer estimator and what its parameters' names begin with.

    Parameters
    ----------
    estimator : AntiTransferClassifier, AntiTransferRegressor or Pipeline that ends in one
        What is searched.

    Returns
    -------
    prefix : str
        Empty, or the names of the pipelines' last steps, each with ``__``.
    network : AntiTransferClassifier or AntiTransferRegressor
        The estimator itself.

    Raises
    ------
    TypeError
        If there is none.
    """
    prefix, found = last_step(estimator)
    if not isinstance(found, AntiTransferEstimator):
        raise TypeError(
            "The 'estimator' parameter must be an AntiTransferClassifier, an "
            "AntiTransferRegressor, or a Pipeline that ends in one. "
            f"Got {shown(estimator)} instead."
        )
    return prefix, found


def fits_unrelated(network: AntiTransferEstimator) -> bool:
    """Tell whether `unrelated` is to be fitted."""
    return not all(is_fitted(source) for source in as_sources(network.unrelated))

"""Metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch

from atl_sklearn.similarity._batch_metrics import (
    cka,
    cross_correlation,
    debiased_cka,
    distance_correlation,
    hsic,
)
from atl_sklearn.similarity._registry import look_up
from atl_sklearn.similarity._ridge import ridge_r2
from atl_sklearn.similarity._row_metrics import cosine, sigmoid_mse, squared_cosine

ROW_METRICS: dict[str, Callable[..., torch.Tensor]] = {
    "cosine": cosine,
    "sigmoid_mse": sigmoid_mse,
    "squared_cosine": squared_cosine,
}
BATCH_METRICS: dict[str, Callable[..., torch.Tensor]] = {
    "cka": cka,
    "cross_correlation": cross_correlation,
    "debiased_cka": debiased_cka,
    "distance_correlation": distance_correlation,
    "hsic": hsic,
    "ridge_r2": ridge_r2,
}
# What `metric` may be.
Metric: TypeAlias = str | Callable[..., torch.Tensor]

ADVERSARIAL = "adversarial"  # has parameters of its own, so that AntiTransferLoss computes it


def _adversarial(*args: object, **kwargs: object) -> torch.Tensor:
    raise ValueError(
        "The metric 'adversarial' trains a network that reads the activations, so there is no "
        "value without it. Use AntiTransferLoss(metric='adversarial'), or metric='ridge_r2', "
        "whose read-out is in closed form."
    )


_METRICS = {**ROW_METRICS, **BATCH_METRICS, ADVERSARIAL: _adversarial}


def get_metric_names() -> list[str]:
    """Return the names that `metric` can have.

    Returns
    -------
    names : list of str
        Sorted.

    Examples
    --------
    >>> from atl_sklearn.similarity import get_metric_names
    >>> get_metric_names()[:5]
    ['adversarial', 'cka', 'cosine', 'cross_correlation', 'debiased_cka']
    """
    return sorted(_METRICS)


def get_metric(metric: Metric) -> Callable[..., torch.Tensor]:
    """Return the named metric, or the callable itself.

    Parameters
    ----------
    metric : str or callable
        A name, or a function of two aggregated activations.

    Returns
    -------
    metric : callable
        A named one takes the inner products that :func:`activation_similarity` makes.

    Raises
    ------
    ValueError
        If there is no such name.

    Examples
    --------
    >>> from atl_sklearn.similarity import get_metric
    >>> get_metric("cka").__name__
    'cka'
    """
    return metric if callable(metric) else look_up(_METRICS, metric, "metric")


def is_batch_metric(metric: Metric) -> bool:
    """Tell whether a metric compares activations of different shapes.

    Parameters
    ----------
    metric : str or callable
        A metric, as :func:`activation_similarity` takes it.

    Returns
    -------
    is_batch_metric : bool
        True for names of metrics that compare how two networks arrange the samples.

    Examples
    --------
    >>> from atl_sklearn.similarity import is_batch_metric
    >>> is_batch_metric("cka"), is_batch_metric("cosine")
    (True, False)
    """
    return isinstance(metric, str) and (metric in BATCH_METRICS or metric == ADVERSARIAL)

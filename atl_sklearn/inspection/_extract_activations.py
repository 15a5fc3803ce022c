"""The activations of a trained network as features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from atl_sklearn._row_buffer import RowBuffer
from atl_sklearn._validation import is_integer, refuse_value, shown
from atl_sklearn.similarity import spatial_mean
from atl_sklearn.unrelated import FrozenNetwork, freeze


def _none(activations: torch.Tensor) -> torch.Tensor:
    return activations


_AGGREGATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": _none,
    "spatial_mean": spatial_mean,
}


def extract_activations(
    estimator: BaseEstimator,
    X: ArrayLike,
    *,
    layer: str | int = "last",
    aggregation: str | Callable[[torch.Tensor], torch.Tensor] = "spatial_mean",
    batch_size: int = 128,
) -> np.ndarray:
    """Return the activations of one layer of a trained network.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        A fitted :class:`~atl_sklearn.AntiTransferClassifier`,
        :class:`~atl_sklearn.AntiTransferRegressor` or other skorch net, the same in a
        ``FrozenEstimator`` or as the last step of a fitted ``Pipeline``, or a module.
    X : array-like or sparse matrix of shape (n_samples, ...)
        Data as `estimator` takes it.
    layer : str or int, default="last"
        A layer, as the estimators take it.
    aggregation : {"spatial_mean", "none"} or callable, default="spatial_mean"
        How activations of shape (n_samples, n_channels, ...) are summarised: their mean over
        positions, all of them, or what a callable returns.
    batch_size : int, default=128
        Samples that run through the network at a time.

    Returns
    -------
    activations : ndarray of shape (n_samples, n_features)
        Activations in evaluation mode.

    Raises
    ------
    TypeError
        If there is no network in `estimator`.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    ValueError
        If there is no such layer or aggregation, or the network cannot take `X`.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.inspection import extract_activations
    >>> X, y = np.random.default_rng(0).normal(size=(20, 4)), [0, 1] * 10
    >>> net = AntiTransferClassifier(max_epochs=1, module__hidden_layer_sizes=(8, 3)).fit(X, y)
    >>> extract_activations(net, X).shape
    (20, 3)
    """
    if not is_integer(batch_size, 1):
        raise refuse_value("extract_activations", "batch_size", "an int in [1, inf)", batch_size)
    is_name = isinstance(aggregation, str) and aggregation in _AGGREGATIONS
    if not (is_name or callable(aggregation)) or isinstance(aggregation, type):
        raise ValueError(
            f"The 'aggregation' parameter must be a callable or one of {sorted(_AGGREGATIONS)}. "
            f"Got {shown(aggregation)} instead."
        )
    aggregate = aggregation if callable(aggregation) else _AGGREGATIONS[aggregation]
    frozen, data = freeze(estimator, X)
    frozen.choose(layer, data[:2], parameter="layer")
    features = RowBuffer(len(data))
    for start in range(0, len(data), int(batch_size)):
        features.add(_features(frozen, data[start : start + int(batch_size)], aggregate))
    return features.array()


def _features(
    frozen: FrozenNetwork,
    batch: Any,
    aggregate: Callable[[torch.Tensor], torch.Tensor],
) -> np.ndarray:
    """Return the features of a batch; its maps are gone before those of the next are computed."""
    (activations,) = frozen(batch)
    found = aggregate(activations)
    if not torch.is_tensor(found) or found.ndim < 1 or len(found) != len(activations):
        raise ValueError(
            "A callable 'aggregation' must return a tensor with a row for each of the "
            f"{len(activations)} samples it is given. Got "
            f"{tuple(found.shape) if torch.is_tensor(found) else type(found).__name__} for "
            f"activations of shape {tuple(activations.shape)}."
        )
    return found.reshape(len(found), -1).cpu().numpy()

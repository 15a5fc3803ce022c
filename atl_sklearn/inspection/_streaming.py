"""What a fitted estimator says of data, and what its network makes of them, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import _safe_indexing

from atl_sklearn._pipelines import as_innermost_sees, innermost
from atl_sklearn._row_buffer import RowBuffer
from atl_sklearn.similarity import spatial_mean
from atl_sklearn.unrelated import FrozenNetwork, as_tensors


def rows_of(X: object, rows: slice | np.ndarray) -> Any:
    """Return some rows of whatever an estimator takes as X."""
    if isinstance(X, torch.Tensor):
        return X[torch.as_tensor(rows) if isinstance(rows, np.ndarray) else rows]
    return _safe_indexing(X, rows)


def unwrapped_search(estimator: object) -> object:
    """Return the best estimator of a search; anything else as it is."""
    return getattr(estimator, "best_estimator_", estimator)


@dataclass(frozen=True)
class Readings:
    """What was read of one estimator.

    Attributes
    ----------
    predictions : ndarray of shape (n_samples,)
        What it predicts.
    probabilities : ndarray of shape (n_samples, n_classes) or None
        Of a classifier that has them.
    """

    predictions: np.ndarray
    probabilities: np.ndarray | None


def choose_all(
    frozen: FrozenNetwork, few: torch.Tensor, layers: Sequence[str | int] | str | int | None
) -> list[str]:
    """Choose layers, None for all convolutions and linear layers; return their names."""
    if layers is None:
        found = frozen.list_layers(few)
        layers = [layer.index for layer in found if layer.index is not None] or ["output"]
    frozen.choose(layers, few, parameter="layers")
    names = [point.name or str(kind) for point, kind in frozen.chosen]
    # A module that runs several times has one name.
    several = {name for name in names if names.count(name) > 1}
    return [
        f"{name} (run {point.run + 1})" if name in several else name
        for name, (point, _) in zip(names, frozen.chosen, strict=True)
    ]


def _dense(data: object) -> np.ndarray:
    array = data.toarray() if issparse(data) else np.asarray(data)  # type: ignore[attr-defined]
    return array.reshape(len(array), -1)


def batches(n_samples: int, batch_size: int) -> Iterator[slice]:
    """Yield the slices of all batches."""
    for start in range(0, n_samples, batch_size):
        yield slice(start, min(start + batch_size, n_samples))


def through(stages: Sequence[object], X: ArrayLike) -> ArrayLike:
    """Return data after all steps but the last of each pipeline, one after the other."""
    for stage in stages:
        X = as_innermost_sees(stage, X)
    return X


def read_activations(
    stages: Sequence[object],
    frozen: FrozenNetwork,
    X: object,
    chosen: np.ndarray,
    *,
    batch_size: int,
) -> list[np.ndarray]:
    """Return the chosen layers' means over positions, of some of the samples.

    Parameters
    ----------
    stages : sequence of fitted estimators
        Whose other steps X goes through, one after the other.
    frozen : FrozenNetwork
        Its layers are chosen.
    X : array-like of shape (n_samples, ...)
        Data.
    chosen : ndarray of int
        The samples.
    batch_size : int
        How many at a time.

    Returns
    -------
    activations : list of ndarray of shape (n_chosen, n_channels)
        One for each layer.
    """
    found = [RowBuffer(len(chosen)) for _ in frozen.chosen]
    for batch in batches(len(chosen), batch_size):
        seen = through(stages, rows_of(X, chosen[batch]))
        data = as_tensors(frozen.network, seen)[: len(chosen[batch])]
        # Means alone outlive a batch: its maps are gone before those of the next are computed.
        means = [spatial_mean(activations).flatten(1) for activations in frozen(data)]
        for layer, mean in zip(found, means, strict=True):
            layer.add(mean.float().cpu().numpy())
    return [layer.array() for layer in found]


def read_predictions(
    estimator: BaseEstimator, X: object, n_samples: int, *, batch_size: int
) -> Readings:
    """Return what an estimator predicts, a batch of samples at a time.

    Parameters
    ----------
    estimator : fitted estimator
        A classifier or a regressor, perhaps in a pipeline.
    X : array-like of shape (n_samples, ...)
        Data.
    n_samples : int
        How many samples there are.
    batch_size : int
        How many are predicted at a time.

    Returns
    -------
    readings : Readings
        Predictions and probabilities.
    """
    model = innermost(estimator)
    predicted, probabilities = RowBuffer(n_samples), RowBuffer(n_samples)
    has_probabilities = is_classifier(model) and hasattr(model, "predict_proba")
    for batch in batches(n_samples, batch_size):
        seen = as_innermost_sees(estimator, rows_of(X, batch))
        predicted.add(np.asarray(model.predict(seen)))
        if has_probabilities:
            probabilities.add(np.asarray(model.predict_proba(seen)))
    return Readings(predicted.array(), probabilities.array() if has_probabilities else None)


def read_inputs(estimator: object, X: object, chosen: np.ndarray, *, batch_size: int) -> np.ndarray:
    """Return some samples as the network sees them, a row each."""
    found = RowBuffer(len(chosen))
    for batch in batches(len(chosen), batch_size):
        found.add(_dense(as_innermost_sees(estimator, rows_of(X, chosen[batch]))))
    return found.array()

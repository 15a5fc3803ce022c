"""Layers that scale inputs and outputs, adapted to the training data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from torch.utils.data import default_collate

from atl_sklearn.estimators._data import ArrayData, IndexedData, is_own_data, whole_of
from atl_sklearn.modules import Moments, Rescale, Standardize

_PIECE = 2**21  # numbers that are looked at together
_ROWS = 32  # of a table, so that one that is sparse is made dense, and rounded, as any other is
_FROM_DATASET = 1000  # samples of a torch Dataset, where each may be read from a file


def _pieces(dataset: IndexedData) -> Iterator[tuple[object, object, torch.Tensor | None]]:
    """Yield X, y and the samples' weights: of all samples of arrays, of some of a Dataset."""
    n_samples = len(dataset)
    chosen = range(n_samples)
    if not isinstance(whole_of(dataset), ArrayData) and n_samples > _FROM_DATASET:
        chosen = np.linspace(0, n_samples - 1, _FROM_DATASET).astype(int).tolist()
    own: Any = dataset if is_own_data(dataset) else None
    first = dataset[chosen[0]][0] if own is None else own.__getitems__([chosen[0]]).X[0]
    first = np.asarray(_array(first))
    size = _ROWS if first.ndim < 2 else max(1, _PIECE // first.size)
    whole = whole_of(dataset)
    dense = isinstance(whole, ArrayData) and not issparse(whole.X)
    at_once = max(size, _PIECE // first.size // size * size) if dense else size
    for start in range(0, len(chosen), at_once):
        index = chosen[start : start + at_once]
        if own is not None:
            batch = own.__getitems__(index)
            for at in range(0, len(index), size):
                weight = batch.task_weight
                piece = slice(at, at + size)
                yield batch.X[piece], batch.y[piece], None if weight is None else weight[piece]
        else:
            X, y = default_collate([tuple(dataset[i]) for i in index])
            yield X, y, None


def _array(values: object) -> Any:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values


def adapt_layers(network: torch.nn.Module, dataset: IndexedData) -> None:
    """Let the layers that scale data take mean and scale from the training data.

    Layers that have been adapted, in an earlier fit or by loading weights, stay as they are.

    Parameters
    ----------
    network : torch.nn.Module
        The network in training.
    dataset : torch.utils.data.Dataset
        The training data, without those for validation. Of a Dataset of the user's, 1,000
        samples are read.
    """
    layers = [
        layer
        for layer in network.modules()
        if isinstance(layer, Standardize | Rescale) and not layer.adapted
    ]
    if not layers or not len(dataset):
        return
    of_input, of_target = Moments(), Moments()
    for X, y, weight in _pieces(dataset):
        weight = _array(weight)
        if any(isinstance(layer, Standardize) for layer in layers):
            of_input.add(_array(X), weight)
        if any(isinstance(layer, Rescale) for layer in layers):
            of_target.add(_array(y), weight)
    for layer in layers:
        layer.adapt(of_input if isinstance(layer, Standardize) else of_target)


def rescale_layer(network: torch.nn.Module) -> Rescale | None:
    """Return the layer that brings outputs to the units of the target, if there is one."""
    return next((layer for layer in network.modules() if isinstance(layer, Rescale)), None)

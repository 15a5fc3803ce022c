"""From an estimator and data as users pass them to a frozen network and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse

from atl_sklearn._pipelines import as_innermost_sees
from atl_sklearn.unrelated._frozen import FrozenNetwork
from atl_sklearn.unrelated._sources import get_network, get_nonlinearity
from atl_sklearn.unrelated._sparse import dense_rows, sliceable


def takes_indices(network: torch.nn.Module) -> bool:
    """Tell whether a network embeds integers, which must stay integers then."""
    return any(isinstance(m, torch.nn.Embedding | torch.nn.EmbeddingBag) for m in network.modules())


class SparseRows:
    """Sparse data, of which slices are tensors.

    Parameters
    ----------
    data : sparse matrix or array of shape (n_samples, n_features)
        The data.
    """

    def __init__(self, data: Any) -> None:
        self._data = sliceable(data)

    def __len__(self) -> int:
        return int(self._data.shape[0])

    def __getitem__(self, rows: slice) -> torch.Tensor:
        found = torch.from_numpy(dense_rows(self._data, rows))
        return found if found.is_floating_point() else found.float()


def freeze(estimator: Any, X: Any) -> tuple[FrozenNetwork, Any]:
    """Return the network in an estimator, frozen where it is, and data as it takes them.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        As :func:`get_network` takes it.
    X : array-like, sparse matrix or Tensor of shape (n_samples, ...)
        Data as `estimator` takes it.

    Returns
    -------
    frozen : FrozenNetwork
        The network.
    data : Tensor of shape (n_samples, ...) or SparseRows
        After the other steps of a pipeline; slices are tensors.
    """
    network = get_network(estimator)
    data = as_innermost_sees(estimator, X)
    if issparse(data):
        data = SparseRows(data)
    else:
        if not isinstance(data, torch.Tensor):
            data = torch.as_tensor(np.asarray(data))
        if not data.is_floating_point() and not takes_indices(network):
            data = data.float()
    devices = {tensor.device for tensor in [*network.parameters(), *network.buffers()]}
    device = next(iter(devices), torch.device("cpu"))
    label = type(estimator).__name__
    nonlinearity = get_nonlinearity(estimator)
    return FrozenNetwork(network, device=device, label=label, nonlinearity=nonlinearity), data

"""From an estimator and data as users pass them to a frozen network and tensors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse import issparse, sparray

from atl_sklearn._pipelines import as_innermost_sees
from atl_sklearn.unrelated._frozen import FrozenNetwork
from atl_sklearn.unrelated._indices import has_embedding
from atl_sklearn.unrelated._sources import get_network, get_nonlinearity
from atl_sklearn.unrelated._sparse import dense_rows, sliceable


class SparseRows:
    """Sparse data, of which slices are tensors.

    Parameters
    ----------
    data : sparse matrix or array of shape (n_samples, n_features)
        The data.
    """

    def __init__(self, data: sparray) -> None:
        self._data = sliceable(data)

    def __len__(self) -> int:
        return int(self._data.shape[0])

    def __getitem__(self, rows: slice) -> torch.Tensor:
        found = torch.from_numpy(dense_rows(self._data, rows))
        return found if found.is_floating_point() else found.float()


def as_tensors(network: torch.nn.Module, X: object) -> torch.Tensor | SparseRows:
    """Return data of which slices are tensors that a network takes.

    Parameters
    ----------
    network : torch.nn.Module
        Whole numbers stay what they are where it looks them up in a table.
    X : array-like, sparse matrix or Tensor of shape (n_samples, ...)
        The data, as the network itself is to see them.

    Returns
    -------
    data : Tensor of shape (n_samples, ...) or SparseRows
        Without a copy where none is needed.
    """
    if issparse(X):
        return SparseRows(X)
    data = X if isinstance(X, torch.Tensor) else torch.as_tensor(np.asarray(X))
    return data if data.is_floating_point() or has_embedding(network) else data.float()


def freeze_network(estimator: object, network: torch.nn.Module | None = None) -> FrozenNetwork:
    """Return the network in an estimator, frozen where it is.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        As :func:`get_network` takes it.
    network : torch.nn.Module or None, default=None
        Another one that is frozen in its place.

    Returns
    -------
    frozen : FrozenNetwork
        The network.
    """
    network = get_network(estimator) if network is None else network
    devices = {tensor.device for tensor in [*network.parameters(), *network.buffers()]}
    device = next(iter(devices), torch.device("cpu"))
    label = type(estimator).__name__
    nonlinearity = get_nonlinearity(estimator)
    return FrozenNetwork(network, device=device, label=label, nonlinearity=nonlinearity)


def freeze(estimator: object, X: ArrayLike) -> tuple[FrozenNetwork, torch.Tensor | SparseRows]:
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
    frozen = freeze_network(estimator)
    return frozen, as_tensors(frozen.network, as_innermost_sees(estimator, X))

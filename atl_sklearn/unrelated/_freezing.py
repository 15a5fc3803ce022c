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


class Rows:
    """Data of which slices are tensors with memory of their own: sparse, or not to be written.

    Parameters
    ----------
    data : sparse matrix or ndarray of shape (n_samples, ...)
        The data.
    as_floats : bool, default=True
        Whether whole numbers become floats.
    """

    def __init__(self, data: sparray | np.ndarray, *, as_floats: bool = True) -> None:
        self._data = sliceable(data) if issparse(data) else data
        self._as_floats = as_floats

    def __len__(self) -> int:
        return int(self._data.shape[0])

    def __getitem__(self, rows: slice) -> torch.Tensor:
        # torch warns of arrays that must not be written, such as maps of files.
        found = torch.from_numpy(np.require(dense_rows(self._data, rows), requirements="W"))
        return found.float() if self._as_floats and not found.is_floating_point() else found


def as_tensors(network: torch.nn.Module, X: object) -> torch.Tensor | Rows:
    """Return data of which slices are tensors that a network takes.

    Parameters
    ----------
    network : torch.nn.Module
        Whole numbers stay what they are where it looks them up in a table.
    X : array-like, sparse matrix or Tensor of shape (n_samples, ...)
        The data, as the network itself is to see them.

    Returns
    -------
    data : Tensor of shape (n_samples, ...) or Rows
        Without a copy of all of them where none is needed.
    """
    as_floats = not has_embedding(network)
    if issparse(X):
        return Rows(X)
    data = X if isinstance(X, torch.Tensor) else np.asarray(X)
    if isinstance(data, np.ndarray) and not data.flags.writeable:
        return Rows(data, as_floats=as_floats)
    data = torch.as_tensor(data)
    return data.float() if as_floats and not data.is_floating_point() else data


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


def freeze(estimator: object, X: ArrayLike) -> tuple[FrozenNetwork, torch.Tensor | Rows]:
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
    data : Tensor of shape (n_samples, ...) or Rows
        After the other steps of a pipeline; slices are tensors.
    """
    frozen = freeze_network(estimator)
    return frozen, as_tensors(frozen.network, as_innermost_sees(estimator, X))

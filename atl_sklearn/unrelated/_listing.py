"""What layers a network has, for people who want to name one."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from atl_sklearn._generator import forked_generator
from atl_sklearn._pipelines import as_innermost_sees, innermost
from atl_sklearn.unrelated._freezing import freeze
from atl_sklearn.unrelated._layers import LayerList
from atl_sklearn.unrelated._made_elsewhere import as_module
from atl_sklearn.unrelated._sources import check_network, is_fitted
from atl_sklearn.unrelated._sparse import sliceable


def _untrained(estimator: BaseEstimator, X: ArrayLike) -> tuple[torch.nn.Module, ArrayLike]:
    """Return a network as `fit` would make it, and X as it takes them."""
    X = as_innermost_sees(estimator, X, fits=True)
    made = clone(innermost(estimator))
    if hasattr(made, "_make_network"):
        return made._make_network(X), X
    with forked_generator(), made._current_init_context("module"):
        made.initialize_module()
    return made.module_, X


def list_layers(estimator: BaseEstimator, X: ArrayLike) -> LayerList:
    """List the layers that you can name in ``layer`` and ``unrelated_layer``.

    Parameters
    ----------
    estimator : estimator or torch.nn.Module
        An :class:`~atl_sklearn.AntiTransferClassifier`, :class:`~atl_sklearn.AntiTransferRegressor`
        or other skorch net, also in a ``FrozenEstimator`` or as the last step of a ``Pipeline``; a
        module, an exported program or the path of an ONNX file. If an estimator is not fitted, its
        network is made as `fit` would make it for X, with two outputs if it does not say how many,
        and one for a regressor; the estimator itself does not change.
    X : array-like, sparse matrix or Tensor of shape (n_samples, ...)
        Data as `estimator` takes it. Two samples run through the network; all are used to fit
        copies of the other steps of an unfitted ``Pipeline``.

    Returns
    -------
    layers : LayerList
        A tuple of :class:`Layer` in the order in which they run. Each has ``name``, ``index``
        (among convolutions, linear, recurrent and attention layers, else None), ``type`` and
        ``output_shape`` (without the samples, channels first). It prints as a table. Parts of
        outputs that have names are listed too; then so is what the network itself returns.

    Raises
    ------
    TypeError
        If there is no network in `estimator`.
    ValueError
        If the network cannot take `X`.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn import list_layers
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> list_layers(net, torch.zeros(1, 4))
    index  name  type    output shape
    -----  ----  ------  --------------
    0      0     Linear  (n_samples, 8)
           1     ReLU    (n_samples, 8)
    1      2     Linear  (n_samples, 2)
    """
    estimator = as_module(estimator)
    check_network(estimator, "estimator")
    X = sliceable(X)
    if not is_fitted(estimator):
        estimator, X = _untrained(estimator, X)
    frozen, few = freeze(estimator, sliceable(X)[:2])
    return frozen.list_layers(few[:2])

"""What layers a network has, for people who want to name one."""

from __future__ import annotations

from typing import Any

from atl_sklearn.unrelated._frozen import freeze
from atl_sklearn.unrelated._layers import LayerList


def list_layers(estimator: Any, X: Any) -> LayerList:
    """List the layers of a network that can be named in ``layer`` and ``unrelated_layer``.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        A fitted :class:`~atl_sklearn.AntiTransferClassifier`,
        :class:`~atl_sklearn.AntiTransferRegressor` or other skorch net, the same in a
        ``FrozenEstimator`` or as the last step of a fitted ``Pipeline``, or a module.
    X : array-like or Tensor of shape (n_samples, ...)
        Data as `estimator` takes it; two samples are used.

    Returns
    -------
    layers : LayerList
        A tuple of :class:`Layer` in the order in which they run, each with ``name``,
        ``index`` (among convolutions and linear layers, else None), ``type`` and
        ``output_shape`` (without the samples); prints as a table.

    Raises
    ------
    TypeError
        If there is no network in `estimator`.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
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
    frozen, few = freeze(estimator, X[:2])
    return frozen.list_layers(few)

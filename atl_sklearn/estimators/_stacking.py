"""The network's outputs for all samples, in one array."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from skorch.utils import to_numpy

from atl_sklearn._row_buffer import RowBuffer
from atl_sklearn.estimators._net import Net


def stack_outputs(
    net: Net, X: object, nonlinearity: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> np.ndarray:
    """Return what a network returns for all samples, a batch at a time.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Fitted.
    X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
        Checked data.
    nonlinearity : callable or None, default=None
        Applied to the output of each batch: that of skorch's ``predict_nonlinearity`` makes
        probabilities of scores.

    Returns
    -------
    outputs : ndarray of shape (n_samples, ...)
        Of a network that returns several, the first.
    """
    outputs = RowBuffer()
    for output in net.forward_iter(X, training=False):
        first = output[0] if isinstance(output, tuple) else output
        outputs.add(to_numpy(first if nonlinearity is None else nonlinearity(first)))
    return outputs.array()

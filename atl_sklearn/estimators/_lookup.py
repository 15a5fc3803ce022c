"""Integers as data: looked up by networks that embed them, and numbers for all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse

from atl_sklearn.estimators._data import ArrayData
from atl_sklearn.estimators._input_checks import TrainingData, in_type_of_network, is_mapping
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._placement import PRECISIONS
from atl_sklearn.estimators._trying import try_out
from atl_sklearn.unrelated import has_embedding

_N_TRIED = 8  # samples


def _looks_up(net: Net, X: Any) -> bool:
    """Tell whether a network takes integers, and does not take them as floats."""
    if not has_embedding(net.module_):
        return False
    try:
        try_out(net, torch.as_tensor(X[:_N_TRIED]).to(PRECISIONS[net.precision]))
    except Exception:  # whatever the network raises
        return True
    return False


@contextmanager
def refusing_floats(net: Net, X: object) -> Iterator[None]:
    """Let the block run a network; where it fails because X is not integers, the error says so.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Its network has been made.
    X : Tensor of shape (n_samples, ...), or another input
        What the block passes to it.
    """
    try:
        yield
    except Exception as error:
        if not (
            isinstance(X, torch.Tensor) and X.is_floating_point() and has_embedding(net.module_)
        ):
            raise
        try:
            try_out(net, X.long())
        except Exception:
            raise error from None
        raise ValueError(
            f"The network looks X up in an Embedding, which takes integers. Got {X.dtype}. Pass "
            "X.astype('int64')."
        ) from error


def in_types_of_network(net: Net, data: TrainingData) -> TrainingData:
    """Return data whose integers are floats, unless the network looks them up.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Its network has been made; it remembers which of the two it takes.
    data : TrainingData
        As the user gave them.
    """
    X, unlabeled = data.X, data.unlabeled
    net.__dict__.pop("_looks_up", None)
    if isinstance(X, np.ndarray) and X.dtype.kind in "iu" and _looks_up(net, X):
        net.__dict__["_looks_up"] = True
    if isinstance(X, np.ndarray) or issparse(X):
        X = in_type_of_network(net, X)
    if isinstance(unlabeled, ArrayData) and not is_mapping(unlabeled.X):
        found = in_type_of_network(net, unlabeled.X)
        unlabeled = unlabeled if found is unlabeled.X else ArrayData(found, None)
    return replace(data, X=X, unlabeled=unlabeled)

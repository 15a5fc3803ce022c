"""Data as users bring them, checked before training and prediction."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse import issparse, sparray
from sklearn.utils.validation import _check_sample_weight, validate_data
from skorch.dataset import Dataset, get_len
from skorch.helper import SliceDataset
from torch.utils.data import DataLoader, IterableDataset

from atl_sklearn._validation import check_no_missing, shown
from atl_sklearn.estimators._data import ArrayData, UnlabeledData
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._placement import numpy_dtype
from atl_sklearn.estimators._unlabeled import check_unlabeled
from atl_sklearn.estimators._user_datasets import (
    check_indexed,
    check_one_shape,
    check_pairs,
    is_torch_dataset,
    refuse_loader,
    targets_of,
)
from atl_sklearn.unrelated import sliceable

_INTEGERS = [np.dtype(f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)]


@dataclass(frozen=True)
class TrainingData:
    """What a fit learns from, checked.

    Attributes
    ----------
    X : array, mapping of arrays or Dataset
        The samples.
    y : ndarray of shape (n_samples, ...)
        Their targets, encoded.
    task_weight, sample_weight : ndarray of shape (n_samples,) or None
        Weights of the samples in the task loss, of mean 1, and in the penalty.
    unlabeled : ArrayData, UnlabeledData or None
        Data that only the penalty sees.
    """

    X: object
    y: np.ndarray
    task_weight: np.ndarray | None
    sample_weight: np.ndarray | None
    unlabeled: ArrayData | UnlabeledData | None


def is_mapping(X: object) -> bool:
    """Tell whether X is a mapping of arrays; one kind of sparse matrix is a mapping too."""
    return isinstance(X, Mapping) and not issparse(X)


def accepted(function: Callable[..., object] | None, names: Collection[str]) -> frozenset[str]:
    """Return those of `names` that a function, if there is one, takes as keyword arguments."""
    if function is None:
        return frozenset()
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # it is not written in Python, as TorchScript is not
        return frozenset()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return frozenset(names)
    return frozenset(names) & parameters.keys()


def as_array(X: object) -> object:
    """Return tensors, and skorch's slices of datasets, as arrays; anything else as it is."""
    if isinstance(X, SliceDataset):
        return np.stack([np.asarray(value) for value in X])
    if isinstance(X, torch.Tensor) and X.layout is not torch.strided:
        raise TypeError(
            f"X is a Tensor of layout {X.layout}. Pass a sparse matrix or array of scipy.sparse, "
            "which becomes dense a batch at a time, or X.to_dense()."
        )
    return X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else X


def check_X(net: Net, X: object) -> object:
    """Check X for prediction.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Fitted, or in the middle of a fit.
    X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
        The samples.

    Returns
    -------
    X : ndarray, CSR array, mapping or torch Dataset
        Arrays in the precision of the estimator.

    Raises
    ------
    ValueError
        If it is not of the kind and shape of X in `fit`.
    """
    refuse_loader(X, "X")
    if is_mapping(X):
        return X
    if is_torch_dataset(X):
        own = net.get_params_for("iterator_valid").keys() & {"collate_fn", "batch_sampler"}
        by_index = net.iterator_valid is DataLoader and not isinstance(X, IterableDataset)
        if net._run is None and by_index and not own and get_len(X):
            check_pairs(X, "X")
        return X
    return in_type_of_network(net, _of_known_shape(net, X))


def _of_known_shape(net: Net, X: object) -> object:
    """Return arrays of the shape of X in `fit`, and mappings as they are."""
    if not is_mapping(X):
        X = _checked(net, X, reset=False)
        _check_shape(net, X)
    return X


def _checked(net: Net, *data: object, reset: bool, **checks: object) -> Any:
    """Return X, or X and y, as arrays; integers stay where the network may look them up."""
    floats = numpy_dtype(net.precision)
    dtype = floats if isinstance(net.module, str) else [floats, *_INTEGERS]
    arrays = [as_array(values) for values in data]
    if isinstance(dtype, list) and isinstance(arrays[0], list):  # which has no type of its own
        with suppress(ValueError):
            array = np.asarray(arrays[0])
            arrays[0] = array if array.dtype in dtype else arrays[0]
    try:
        return validate_data(
            net, *arrays, reset=reset, dtype=dtype, allow_nd=True, accept_sparse="csr", **checks
        )
    except ValueError:
        check_one_shape(data[0], "X")
        raise


def in_type_of_network(net: Net, X: Any) -> object:
    """Return X as floats, or as integers for a network that looks its input up.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        It is known which of the two its network takes.
    X : ndarray or sparse array of shape (n_samples, ...), or mapping of arrays
        The samples; mappings stay as they are.
    """
    if is_mapping(X) or X.dtype.kind not in "iu":
        return X
    takes_ids = net._looks_up and not issparse(X)
    return X.astype(np.int64 if takes_ids else numpy_dtype(net.precision))


def _check_shape(net: Net, X: np.ndarray | sparray) -> None:
    shape = getattr(net, "input_shape_", None)
    if shape is not None and X.shape[1:] != shape:
        expected, got = (", ".join(["n_samples", *map(str, s)]) for s in (shape, X.shape[1:]))
        raise ValueError(
            f"X must have shape ({expected}), as in fit. Got ({got}) instead. Pad, cut or "
            "resample the samples to the same shape."
        )


def check_training_data(
    net: Net,
    X: object,
    y: object,
    sample_weight: object,
    X_unlabeled: object,
    *,
    reset: bool,
) -> TrainingData:
    """Check the data that `fit` was given, of any kind that skorch takes.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Its parameters have been checked. It learns the shape of X, and what there is in y.
    X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
        The samples.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
        The targets as the user gave them.
    sample_weight : array-like of shape (n_samples,) or None
        Weights of the samples.
    X_unlabeled : array-like of shape (n_unlabeled, ...), mapping, torch Dataset or None
        Samples without targets.
    reset : bool
        Whether the shapes are learnt anew; otherwise they must be those of the last fit.

    Returns
    -------
    data : TrainingData
        What is trained on.

    Raises
    ------
    TypeError, ValueError
        If something is not of the kind or shape that it must be.
    """
    X, labels = _check_samples(net, X, y, reset=reset)
    y = net._encode_targets(labels, reset=reset)
    weights = _check_weights(net, labels, sample_weight)
    unlabeled = None
    if X_unlabeled is not None:
        unlabeled = check_unlabeled(
            X_unlabeled,
            n_samples=len(y),
            check_X=lambda X: _of_known_shape(net, X),
            shape=net.input_shape_,
            same=net.cache in ("mapped", "memory"),
            collate=net.get_params_for("iterator_train").get("collate_fn"),
        )
    elif net.penalty_data in ("unlabeled", "both"):
        raise ValueError(
            f"penalty_data={net.penalty_data!r} needs unlabeled data: pass them as "
            "X_unlabeled to fit, or set penalty_data='train'."
        )
    return TrainingData(X, y, *weights, unlabeled)


def _check_samples(net: Net, X: Any, y: Any, *, reset: bool) -> tuple[object, np.ndarray]:
    """Return X and y; y comes back as the user's labels."""
    name = type(net).__name__
    refuse_loader(X, "X")
    check_no_missing(list(y) if isinstance(y, SliceDataset) else y, "y")
    net._check_target(y)
    if is_torch_dataset(X):
        check_indexed(X, f"{name} needs")
        if len(X) == 0:
            raise ValueError("The Dataset has 0 samples; at least 1 is required.")
        check_pairs(X, "X")
        y = targets_of(X) if y is None else np.asarray(y)
        shape = np.shape(X[0][0]) if not is_mapping(X[0][0]) else None
    elif is_mapping(X):
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        X = {k: sliceable(v) if issparse(v) else np.asarray(v) for k, v in X.items()}
        y, shape = np.asarray(y), None
    else:
        X, y = _checked(net, X, y, reset=reset, **net._target_checks)
        shape = X.shape[1:]
    if get_len(X) != len(y):
        raise ValueError(f"X has {get_len(X)} samples, but y has {len(y)}.")
    if reset:
        net.input_shape_ = shape
    elif shape is not None and not is_torch_dataset(X):
        _check_shape(net, X)
    return X, y


def _check_weights(
    net: Net, y: ArrayLike, sample_weight: Any
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the weights in the task loss, of mean 1, and in the penalty; None without."""
    dtype = numpy_dtype(net.precision)
    weight: np.ndarray | None = None
    if sample_weight is not None:
        check_no_missing(sample_weight, "sample_weight")
        # Measured against y, which has as many samples as X of any kind.
        weight = _check_sample_weight(sample_weight, y, dtype=dtype, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
    task_weight = net._task_weight(y, weight)
    if task_weight is None:
        return None, weight
    if not task_weight.any():
        raise ValueError("class_weight and sample_weight together give every sample the weight 0.")
    if net.dataset is not Dataset:
        raise ValueError(
            "sample_weight and class_weight need the default 'dataset' parameter. "
            f"Got {shown(net.dataset)}. Leave it out, or pass a torch Dataset as X."
        )
    return (task_weight / np.mean(task_weight)).astype(dtype), weight

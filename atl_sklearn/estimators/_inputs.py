"""Data as users bring them, checked and made into batches."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils.validation import _check_sample_weight, validate_data
from skorch.dataset import Dataset, get_len
from skorch.helper import SliceDataset
from skorch.utils import is_dataset, to_tensor
from torch.utils.data import DataLoader, IterableDataset, Subset

from atl_sklearn._generator import forked_generator
from atl_sklearn._validation import check_no_missing
from atl_sklearn.estimators._contract import SklearnContract
from atl_sklearn.estimators._data import (
    ArrayData,
    LabelledData,
    SingleSamples,
    batch_loader,
    is_own_data,
    targets_of,
)
from atl_sklearn.estimators._fit_run import unwrapped
from atl_sklearn.estimators._precision import (
    HALF_PRECISIONS,
    PRECISIONS,
    autocast,
    in_single,
)
from atl_sklearn.estimators._scales import adapt_layers
from atl_sklearn.estimators._side_checks import check_validation
from atl_sklearn.estimators._splits import get_splitter, split_data
from atl_sklearn.unrelated import sliceable

_GPU_SHARE = 0.25  # of a GPU's free memory, up to which arrays are moved there at once


def is_mapping(X: Any) -> bool:
    """Tell whether X is a mapping of arrays; one kind of sparse matrix is a mapping too."""
    return isinstance(X, Mapping) and not issparse(X)


def accepted(function: Any, names: Any) -> frozenset[str]:
    """Return those of `names` that a function, if there is one, takes as keyword arguments."""
    if function is None:
        return frozenset()
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return frozenset(names)
    return frozenset(names) & parameters.keys()


def as_array(X: Any) -> Any:
    """Return tensors, and skorch's slices of datasets, as arrays; anything else as it is."""
    if isinstance(X, SliceDataset):
        return np.stack([np.asarray(value) for value in X])
    if isinstance(X, torch.Tensor) and X.layout is not torch.strided:
        raise TypeError(
            f"X is a Tensor of layout {X.layout}. Pass a sparse matrix or array of scipy.sparse, "
            "which becomes dense a batch at a time, or X.to_dense()."
        )
    return X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else X


class Inputs(SklearnContract):
    """How classifier and regressor take X, y and weights."""

    # Arguments of validate_data for y.
    _target_checks: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def _encode_targets(self, y: Any, *, reset: bool) -> Any:
        raise NotImplementedError  # pragma: no cover

    def _check_target(self, y: Any) -> None:
        """Check the shape of y as the user gave it, before anything else looks at it."""

    def _check_output(self, output: Any) -> None:
        """Check what the network returns for a few samples."""

    def _task_weight(self, y: Any, sample_weight: Any) -> Any:
        """Return the weights of the samples in the task loss; `y` as the user gave it."""
        return sample_weight

    def _numpy_dtype(self) -> Any:
        return np.dtype(str(PRECISIONS[self.precision]).removeprefix("torch."))

    def _check_X(self, X: Any) -> Any:
        """Check X for prediction."""
        if is_dataset(X) or is_mapping(X):
            return X
        X = as_array(X)
        X = validate_data(
            self,
            X,
            reset=False,
            dtype=self._numpy_dtype(),
            allow_nd=True,
            accept_sparse="csr",
        )
        self._check_shape(X)
        return X

    def _check_shape(self, X: Any) -> None:
        shape = getattr(self, "input_shape_", None)
        if shape is not None and X.shape[1:] != shape:
            expected, got = (", ".join(["n_samples", *map(str, s)]) for s in (shape, X.shape[1:]))
            raise ValueError(
                f"X must have shape ({expected}), as in fit. Got ({got}) instead. Pad, cut or "
                "resample the samples to the same shape."
            )

    def _check_training_data(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        """Check X and y of any kind that skorch takes; y comes back as the user's labels."""
        name = type(self).__name__
        check_no_missing(list(y) if isinstance(y, SliceDataset) else y, "y")
        self._check_target(y)
        if is_dataset(X):
            if isinstance(X, IterableDataset):
                raise TypeError(
                    f"{name} needs a torch Dataset with a length and an index. Got "
                    f"{type(X).__name__}, which is iterable only."
                )
            if len(X) == 0:
                raise ValueError("The Dataset has 0 samples; at least 1 is required.")
            y = targets_of(X) if y is None else np.asarray(y)
            shape = np.shape(X[0][0]) if not is_mapping(X[0][0]) else None
        elif is_mapping(X):
            if y is None:
                raise ValueError(f"{name} requires y to be passed, but the target y is None.")
            X = {k: sliceable(v) if issparse(v) else np.asarray(v) for k, v in X.items()}
            y, shape = np.asarray(y), None
        else:
            X, y = validate_data(
                self,
                as_array(X),
                as_array(y),
                reset=reset,
                dtype=self._numpy_dtype(),
                allow_nd=True,
                accept_sparse="csr",
                **self._target_checks,
            )
            shape = X.shape[1:]
        if get_len(X) != len(y):
            raise ValueError(f"X has {get_len(X)} samples, but y has {len(y)}.")
        if reset:
            self.input_shape_ = shape
        elif shape is not None and not is_dataset(X):
            self._check_shape(X)
        return X, y

    def _check_weights(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Return the weights in the task loss, of mean 1, and in the penalty; None without."""
        dtype = self._numpy_dtype()
        if sample_weight is not None:
            check_no_missing(sample_weight, "sample_weight")
            # Measured against y, which has as many samples as X of any kind.
            sample_weight = _check_sample_weight(
                sample_weight, y, dtype=dtype, ensure_non_negative=True
            )
            if not sample_weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        task_weight = self._task_weight(y, sample_weight)
        if task_weight is not None:
            if not task_weight.any():
                raise ValueError(
                    "class_weight and sample_weight together give every sample the weight 0."
                )
            task_weight = (task_weight / np.mean(task_weight)).astype(dtype)
        if task_weight is not None and self.dataset is not Dataset:
            raise ValueError(
                "sample_weight and class_weight need the default 'dataset' parameter. "
                f"Got {self.dataset!r}. Leave it out, or pass a torch Dataset as X."
            )
        return task_weight, sample_weight

    def check_data(self, X: Any, y: Any = None) -> None:
        """Do nothing: the data are checked before, where skorch would look at them again."""

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Return the dataset that is trained on or predicted; see skorch.

        Parameters
        ----------
        X : array, mapping or Dataset
            The data.
        y : array or None, default=None
            The targets.

        Returns
        -------
        dataset : torch.utils.data.Dataset
            Arrays are sliced a batch at a time.
        """
        weights = (None, None)
        if self._run is not None and y is not None:  # the training data, not what is predicted
            weights = (self._run.task_weight, self._run.sample_weight)
            if is_dataset(X):
                return LabelledData(X, y, *weights, same=self.cache in ("mapped", "memory"))
        if self.dataset is not Dataset or is_dataset(X):
            return super().get_dataset(X, y)
        return ArrayData(X, y, *weights)

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Return the datasets for training and validation; see skorch.

        Parameters
        ----------
        X : array, mapping or Dataset
            The data.
        y : array
            The encoded targets.
        **fit_params : dict
            Passed on to ``train_split``.

        Returns
        -------
        dataset_train, dataset_valid : torch.utils.data.Dataset
            The second is None without ``train_split``.
        """
        taken = accepted(get_splitter(self), fit_params)
        of_split = {name: fit_params[name] for name in taken}
        train, valid = split_data(self, self.get_dataset(X, y), y, **of_split)
        if self._run is not None and self._run.checkpoints is not None:
            train, valid = self._run.checkpoints.same_split(train, valid)
        if valid is not None and self.dataset is Dataset and not is_own_data(valid):
            # One that the user made for validation: its labels are the user's.
            check_validation(self)
            y_valid = self._encode_targets(targets_of(valid), reset=False)
            valid = LabelledData(valid, y_valid, is_training=False)
        if self._run is not None:
            self._run.dataset = train
            adapt_layers(self.module_, train)
        return train, valid

    def _makes_batches(self, dataset: Any, stage: str = "iterator_train") -> bool:
        """Tell whether batches are made here, and not by an iterator of the user's."""
        customised = self.get_params_for(stage).keys() & {"sampler", "batch_sampler", "collate_fn"}
        return getattr(self, stage) is DataLoader and is_own_data(dataset) and not customised

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return the iterator over the batches of a dataset; see skorch.

        Parameters
        ----------
        dataset : torch.utils.data.Dataset
            The data.
        training : bool, default=False
            Whether they are trained on: ``iterator_train`` is used, and shuffles unless
            ``iterator_train__shuffle`` says otherwise.

        Returns
        -------
        iterator : iterable
            Of batches.
        """
        stage = "iterator_train" if training else "iterator_valid"
        iterator, kwargs = getattr(self, stage), self.get_params_for(stage)
        if self._makes_batches(dataset, stage):
            kwargs = {"batch_size": int(self.batch_size), "shuffle": training, **kwargs}
            if self._run is not None and not (
                kwargs.get("num_workers") or kwargs.get("pin_memory")
            ):
                self._place(dataset)
            return batch_loader(dataset, training=training, **kwargs)
        if training and self._run is not None and self._run.task_weight is not None:
            raise ValueError(
                "sample_weight and class_weight need the default 'iterator_train', without a "
                "sampler, batch_sampler or collate_fn of its own. Leave these out."
            )
        if is_own_data(dataset):
            dataset = SingleSamples(dataset)
        if iterator is DataLoader and not training:
            kwargs.setdefault("generator", torch.Generator())  # not the global one
        size = kwargs.get("batch_size", int(self.batch_size))
        return iterator(dataset, **{**kwargs, "batch_size": len(dataset) if size == -1 else size})

    def _place(self, dataset: Any) -> None:
        """Move arrays to a GPU at once, where they take a small part of what is free there."""
        while isinstance(dataset, Subset):
            dataset = dataset.dataset
        device = self._running_device
        if isinstance(dataset, ArrayData) and device is not None and device.type == "cuda":
            dataset.place(device, _GPU_SHARE * torch.cuda.mem_get_info(device)[0])

    @property
    def _running_device(self) -> Any:
        """The device as torch knows it, or None where something else places the data."""
        device = self.device
        return None if device is None else torch.device(device)

    def _on_device(self, X: Any) -> Any:
        """Return a batch as a tensor on the network's device, in its floating type."""
        device, dtype = self._running_device, PRECISIONS[self.precision]
        if isinstance(X, torch.Tensor) and X.device == device and X.dtype == dtype:
            return X
        if isinstance(X, torch.Tensor):
            kind = dtype if X.is_floating_point() else X.dtype
            return X.to(device=device, dtype=kind, non_blocking=True)
        X = to_tensor(X, device=device)
        if is_mapping(X):
            return {key: _as_type(value, dtype) for key, value in X.items()}
        return _as_type(X, dtype)

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the network on a batch; see skorch.

        Parameters
        ----------
        x : array, Tensor or mapping of these
            The batch.
        **fit_params : dict
            Passed on to the network.

        Returns
        -------
        y_pred : Tensor
            What the network returns.
        """
        if self._run is not None:
            fit_params = self._run.forward_params
        x = self._on_device(x)
        if self.precision in HALF_PRECISIONS:
            with autocast(self.precision, self._running_device, self.module_):
                return in_single(super().infer(x, **fit_params))
        if isinstance(x, torch.Tensor):
            return self.module_(x, **fit_params)
        return super().infer(x, **fit_params)

    def _try_out(self, X: Any, *, training: bool = False) -> Any:
        """Return what the network makes of a few samples, which leaves no trace in it.

        In training mode the caller takes care of its buffers.
        """
        self._set_training(training)
        module = self.module_
        # A compiled network would never run hooks that come after its first call.
        self.__dict__["module_"] = unwrapped(module)
        try:
            with torch.no_grad(), forked_generator():
                return self.infer(X)
        finally:
            self.__dict__["module_"] = module
            if training:
                self._set_training(False)


def _as_type(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.to(dtype)
    return value

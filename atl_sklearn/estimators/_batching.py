"""From data to the batches that training, validation and prediction go through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np
import torch
from skorch.dataset import Dataset
from torch.utils.data import DataLoader, default_collate

from atl_sklearn._generator import forked_generator
from atl_sklearn.estimators._data import (
    ArrayData,
    BatchedData,
    IndexedData,
    LabelledData,
    SingleSamples,
    is_own_data,
    whole_of,
)
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._input_checks import accepted
from atl_sklearn.estimators._loading import batch_loader
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._scales import adapt_layers
from atl_sklearn.estimators._side_checks import check_validation
from atl_sklearn.estimators._splits import get_splitter, split_data
from atl_sklearn.estimators._user_datasets import is_torch_dataset, targets_of


def own_dataset(
    net: Net, run: FitRun | None, X: object, y: np.ndarray | None
) -> torch.utils.data.Dataset | None:
    """Return this package's dataset of some data, or None where another kind is asked for.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    run : FitRun or None
        Its fit; None outside of one.
    X : array, mapping or Dataset
        The samples.
    y : array or None
        The targets; None for data that are predicted.

    Returns
    -------
    dataset : ArrayData, LabelledData or None
        Slices whole batches.
    """
    weights: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    if run is not None and y is not None:  # the training data, not what is predicted
        weights = (run.data.task_weight, run.data.sample_weight)
        if is_torch_dataset(X):
            return LabelledData(X, y, *weights, same=net.cache in ("mapped", "memory"))
    if net.dataset is not Dataset or is_torch_dataset(X):
        return None
    return ArrayData(X, y, *weights)


def split_datasets(
    net: Net, run: FitRun | None, X: object, y: np.ndarray | None, fit_params: dict[str, object]
) -> tuple[IndexedData, IndexedData | None]:
    """Return the datasets for training and validation.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator; layers of its network that scale data are adapted to those of training.
    run : FitRun or None
        Its fit; None outside of one.
    X : array, mapping or Dataset
        The samples.
    y : array
        The encoded targets.
    fit_params : dict
        Further arguments of `fit`, some of which ``train_split`` may take.

    Returns
    -------
    train, valid : torch.utils.data.Dataset
        The second is None without ``train_split``.
    """
    taken = accepted(get_splitter(net), fit_params)
    of_split = {name: fit_params[name] for name in taken}
    train, valid = split_data(net, net.get_dataset(X, y), y, **of_split)
    if run is not None and run.checkpoints is not None:
        train, valid = run.checkpoints.same_split(train, valid)
    if valid is not None and net.dataset is Dataset and not is_own_data(valid):
        # One that the user made for validation: its labels are the user's.
        if run is not None:
            check_validation(run.sides)
        y_valid = net._encode_targets(targets_of(valid), reset=False)
        valid = LabelledData(valid, y_valid, is_training=False)
    if run is not None:
        run.dataset, whole = train, whole_of(train)
        if isinstance(whole, ArrayData):
            whole.lay_in_rows()
        if run.experts is not None:
            run.experts.learn(train)
            if run.penalty is not None:
                run.penalty.scale = run.experts.left
        adapt_layers(net.module_, train)
    return train, valid


def makes_batches(
    dataset: IndexedData, net: Net, stage: str = "iterator_train"
) -> TypeGuard[BatchedData]:
    """Tell whether batches are made here, and not by an iterator of the user's."""
    customised = net.get_params_for(stage).keys() & {"sampler", "batch_sampler", "collate_fn"}
    return getattr(net, stage) is DataLoader and is_own_data(dataset) and not customised


def few_samples(net: Net, dataset: IndexedData, index: list[int]) -> Any:
    """Return some samples as a batch, as training is given them.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    dataset : torch.utils.data.Dataset
        The training data.
    index : list of int
        Which samples; an iterator class of the user's returns those of its first batch instead.

    Returns
    -------
    batch : Batch or what the user's iterator yields
        Of which the first is X, and the second y.
    """
    if makes_batches(dataset, net):
        return dataset.__getitems__(index)
    if net.iterator_train is DataLoader:
        single = SingleSamples(dataset) if is_own_data(dataset) else dataset
        collate = net.get_params_for("iterator_train").get("collate_fn") or default_collate
        return collate([single[place] for place in index])
    generators = [
        value if name == "generator" else getattr(value, "generator", None)
        for name, value in net.get_params_for("iterator_train").items()
    ]
    known = [g for g in generators if isinstance(g, torch.Generator)]
    states = [generator.get_state() for generator in known]
    try:
        with forked_generator():
            return next(iter(net.get_iterator(dataset, training=True)))
    finally:
        for generator, state in zip(known, states, strict=True):
            generator.set_state(state)


def make_iterator(
    net: Net, run: FitRun | None, dataset: IndexedData, *, training: bool
) -> Iterable[object]:
    """Return the iterator over the batches of a dataset.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    run : FitRun or None
        Its fit; None outside of one.
    dataset : torch.utils.data.Dataset
        The data.
    training : bool
        Whether they are trained on.

    Returns
    -------
    iterator : iterable
        Of batches.

    Raises
    ------
    ValueError
        If an iterator of the user's would lose the samples' weights.
    """
    stage = "iterator_train" if training else "iterator_valid"
    iterator, kwargs = getattr(net, stage), net.get_params_for(stage)
    if makes_batches(dataset, net, stage):
        kwargs = {"batch_size": int(net.batch_size), "shuffle": training, **kwargs}
        if run is not None and not (kwargs.get("num_workers") or kwargs.get("pin_memory")):
            net._placement().whole(dataset)
        if training and run is not None and run.augmenting is not None:
            n_workers = int(kwargs.get("num_workers", 0))
            dataset = run.augmenting.data(dataset, n_workers=n_workers)
        return batch_loader(dataset, training=training, **kwargs)
    if training and run is not None and run.data.task_weight is not None:
        raise ValueError(
            "sample_weight and class_weight need the default 'iterator_train', without a "
            "sampler, batch_sampler or collate_fn of its own. Leave these out."
        )
    if is_own_data(dataset):
        dataset = SingleSamples(dataset)
    if iterator is DataLoader and not training:
        kwargs.setdefault("generator", torch.Generator())  # not the global one
    size = kwargs.get("batch_size", int(net.batch_size))
    return iterator(dataset, **{**kwargs, "batch_size": len(dataset) if size == -1 else size})

"""What training will do, tried with a few samples before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch

from atl_sklearn._generator import forked_generator
from atl_sklearn._validation import is_number, refuse, shown
from atl_sklearn.estimators._batch import Batch
from atl_sklearn.estimators._batching import few_samples, makes_batches
from atl_sklearn.estimators._callbacks import check_watched
from atl_sklearn.estimators._data import IndexedData, is_own_data
from atl_sklearn.estimators._input_checks import accepted, is_mapping
from atl_sklearn.estimators._lookup import refusing_floats
from atl_sklearn.estimators._names import with_arguments
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._penalty import kept_buffers
from atl_sklearn.estimators._samples import Samples, first_samples
from atl_sklearn.estimators._splits import get_splitter, split_data
from atl_sklearn.estimators._steps import task_loss
from atl_sklearn.estimators._trying import try_out
from atl_sklearn.estimators._wrapped import unwrapped
from atl_sklearn.unrelated import Trial, trace_layers

_N_TRIED = 8  # samples


def check_forward_params(net: Net, fit_params: dict[str, object]) -> dict[str, object]:
    """Return those of ``fit_params`` that the network's ``forward`` takes.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    fit_params : dict
        Further arguments of `fit`.

    Returns
    -------
    params : dict
        Arguments of ``forward``.

    Raises
    ------
    TypeError
        If there is one that neither ``forward`` nor ``train_split`` takes.
    """
    of_forward = accepted(unwrapped(net.module_).forward, fit_params)
    unknown = fit_params.keys() - of_forward - accepted(get_splitter(net), fit_params)
    if unknown:
        raise TypeError(
            f"{type(net).__name__}.fit got unexpected arguments {sorted(unknown)}: neither the "
            "network's forward nor train_split takes them."
        )
    return {name: fit_params[name] for name in of_forward}


@dataclass(frozen=True)
class Rehearsal:
    """What was tried before training.

    Attributes
    ----------
    data : torch.utils.data.Dataset
        The training data.
    tried : Tensor of shape (n_few, ...) or mapping of these
        The first samples, where the network is.
    trial : Trial or None
        What the network made of them; None if its layers are not compared.
    """

    data: IndexedData
    tried: Samples
    trial: Trial | None


def rehearse(net: Net, X: object, y: object, *, compares: bool) -> Rehearsal:
    """Run the network, and compute the loss, on the first samples.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised, with the run of this fit.
    X : array, mapping or Dataset
        The training data.
    y : array
        The encoded targets.
    compares : bool
        Whether its layers will be compared with others.

    Returns
    -------
    rehearsal : Rehearsal
        What is handed on to the training.

    Raises
    ------
    ValueError
        If the network, the criterion, the callbacks or the validation data do not fit together.
    """
    try:
        data = net.get_dataset(X, y)
    except TypeError as error:
        must = "a class that takes X, y and dataset__ arguments"
        raise refuse(net, "dataset", must, f"{error}.") from error
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        must = "a class that makes a torch Dataset"
        raise refuse(net, "dataset", must, f"It made {shown(data)}.")
    _try_iterators(net, data)
    few = list(range(min(_N_TRIED, len(data))))
    batch = few_samples(net, data, few)
    tried = net._placement().batch(batch[0])
    trial = None
    with refusing_floats(net, tried):
        if compares:
            trial = trace_layers(unwrapped(net.module_), lambda: try_out(net, tried))
        output = try_out(net, tried) if trial is None else trial.output
    net._check_output(output)
    if callable(net.predict_nonlinearity):
        _try_predicting(net, net.predict_nonlinearity, output)
    if is_own_data(data) and len(batch) == 2 and isinstance(batch[1], torch.Tensor):
        batch = Batch(*batch)
    if isinstance(batch, Batch):
        _try_loss(net, output, batch, tried)
    _try_single_sample(net, data, tried)
    if get_splitter(net) is None:
        check_watched(net)
    elif is_number(net.train_split):
        split_data(net, data, y)
    return Rehearsal(data, tried, trial)


@contextmanager
def _spare_criterion(net: Net) -> Iterator[None]:
    """Let the block compute losses with a copy of the criterion, which may count its calls."""
    criterion = net.__dict__["criterion_"]
    with suppress(Exception):  # what cannot be copied is used as it is
        net.__dict__["criterion_"] = deepcopy(unwrapped(criterion))
    try:
        yield
    finally:
        net.__dict__["criterion_"] = criterion


def _try_loss(net: Net, output: object, batch: Any, X: Samples) -> None:
    of_package = type(net).get_loss.__module__.startswith(("atl_sklearn.", "skorch."))
    if not of_package or "criterion_" not in vars(net):
        return  # one of the user's own may need what its training steps prepare
    name = f"{type(net.criterion_).__name__}{with_arguments(net, 'criterion')}"
    shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    with _spare_criterion(net), torch.no_grad(), forked_generator():
        try:
            loss = net.get_loss(output, batch.y, X=X, training=False)
        except Exception as error:
            raise ValueError(
                f"The 'criterion' parameter, {name}, cannot compute the loss of what the network "
                f"returns, {shape}, and {len(batch)} targets of shape {tuple(batch.y.shape)} and "
                f"type {batch.y.dtype}: {error}"
            ) from error
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            got = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else shown(loss)
            must = "one whose loss is a single number"
            way_out = f"Its loss of {len(batch)} samples has {got}. "
            if getattr(net.criterion_, "reduction", None) == "none":
                way_out += "Leave out criterion__reduction='none', or set it to 'mean' or 'sum'."
            raise refuse(net, "criterion", must, way_out.rstrip())
        if batch.task_weight is not None:
            task_loss(net, output, batch, X, batch.y, training=False)


def _try_predicting(net: Net, function: Callable[..., object], output: Any) -> None:
    first = output[0] if isinstance(output, tuple) else output
    with torch.no_grad(), forked_generator():
        try:
            found = function(first)
        except Exception as error:
            raise ValueError(
                f"The 'predict_nonlinearity' parameter, {shown(function)}, cannot take what the "
                f"network returns, of shape {tuple(first.shape)}: {error}"
            ) from error
    if not isinstance(found, torch.Tensor) or len(found) != len(first):
        must = "a callable that returns a tensor with a row for each sample"
        raise refuse(net, "predict_nonlinearity", must, f"It returned {shown(found)}.")


def _try_iterators(net: Net, data: object) -> None:
    for stage, training in (("iterator_train", True), ("iterator_valid", False)):
        must = f"an iterator's class, which takes the data and {stage}__ arguments"
        try:
            with forked_generator():
                found = net.get_iterator(data, training=training)
        except TypeError as error:
            raise refuse(net, stage, must, f"{error}.") from error
        if not hasattr(found, "__iter__"):
            raise refuse(net, stage, must, f"It made {shown(found)}.")


def _may_be_single(net: Net, data: IndexedData) -> bool:
    """Tell whether a training batch may have one sample."""
    kwargs = net.get_params_for("iterator_train")
    size, n_samples = kwargs.get("batch_size", net.batch_size), len(data)
    if is_number(net.train_split):
        n_samples = round((1 - net.train_split) * n_samples)
    if not is_number(size, Integral) or "batch_sampler" in kwargs:
        return False
    left_over = not makes_batches(data, net) and not kwargs.get("drop_last") and size > 1
    return size == 1 or n_samples == 1 or (left_over and n_samples % size == 1)


def _try_single_sample(net: Net, data: IndexedData, tried: Samples) -> None:
    if not _may_be_single(net, data) or not (is_mapping(tried) or torch.is_tensor(tried)):
        return

    def trains_on(count: int) -> str:
        with kept_buffers(unwrapped(net.module_)):
            try:
                try_out(net, first_samples(tried, count), training=True)
            except Exception as error:
                return str(error)
        return ""

    error = trains_on(1)
    if error and (len(data) < 2 or not trains_on(2)):
        size = net.get_params_for("iterator_train").get("batch_size", net.batch_size)
        raise ValueError(
            "The network cannot be trained on a batch of one sample (BatchNorm, for one, cannot), "
            f"and batch_size={size} makes one of {len(data)} samples. Raise batch_size. ({error})"
        )

"""Checks of the estimators' parameters, all of them before training starts."""

from __future__ import annotations

import math
import os
from numbers import Integral
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import is_classifier

from atl_sklearn._folders import as_folder
from atl_sklearn._seeds import is_seed
from atl_sklearn._validation import (
    check_no_missing,
    is_auto,
    is_bool,
    is_number,
    refuse,
    shown,
)
from atl_sklearn.estimators._augmentation import check_augment
from atl_sklearn.estimators._callbacks import check_callbacks
from atl_sklearn.estimators._class_weight import check_class_weight
from atl_sklearn.estimators._learning_rate import get_lr_schedule
from atl_sklearn.estimators._names import check_names, check_optimizer, get_optimizer
from atl_sklearn.estimators._net import ClassifierNet, Net
from atl_sklearn.estimators._outputs import takes_sums
from atl_sklearn.estimators._placement import PRECISIONS
from atl_sklearn.estimators._splits import check_train_split
from atl_sklearn.modules import get_module_names
from atl_sklearn.similarity import (
    check_target,
    get_aggregation,
    get_metric,
    get_weight_schedule,
    is_batch_metric,
)
from atl_sklearn.unrelated import CACHES, as_choices, as_sources, get_memory, is_word

_PENALTY_DATA = ("auto", "both", "train", "unlabeled")


def _check_weight(net: Net) -> None:
    values = net.weight if isinstance(net.weight, list | tuple) else [net.weight]
    for value in values:
        if is_auto(value):
            continue
        if not (is_number(value) and value >= 0):
            raise refuse(
                net,
                "weight",
                "a float in [0, inf), 'auto', or a list of these, one for each unrelated network",
                "0 trains the plain network.",
            )


def check_lengths(net: Net, n_networks: int) -> None:
    """Check that parameters that are lists have an entry for each unrelated task.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    n_networks : int
        Number of unrelated tasks.

    Raises
    ------
    ValueError
        If one has another number of entries.
    """
    for name, without in (("weight", "a float"), ("target_similarity", "None, a float")):
        value = getattr(net, name)
        if isinstance(value, list | tuple) and len(value) != n_networks:
            of_each = f"one for each of the {n_networks} unrelated networks"
            raise refuse(net, name, f"{without}, or a list of {of_each}")


def _check_classes(net: Net) -> None:
    """Check the parts that are made in fit: that they are classes of the right kind."""
    module = net.module
    if isinstance(module, str):
        if module not in get_module_names():
            names = get_module_names()
            raise refuse(net, "module", f"a torch.nn.Module, its class, or one of {names}")
    elif not callable(module) or (
        isinstance(module, type) and not issubclass(module, torch.nn.Module)
    ):
        raise refuse(net, "module", "a torch.nn.Module, its class, or a name such as 'auto'")
    loss = net.criterion
    if isinstance(loss, str):
        raise refuse(net, "criterion", "a class, not its name", "Pass torch.nn.CrossEntropyLoss.")
    # A class makes something to call; that classes themselves can be called says nothing.
    makes = isinstance(loss, type) and any("__call__" in vars(c) for c in loss.__mro__)
    if not callable(loss) or (isinstance(loss, type) and not makes):
        raise refuse(net, "criterion", "a loss of torch.nn, or another torch.nn.Module's class")
    for name in ("iterator_train", "iterator_valid"):
        found = getattr(net, name)
        if not callable(found) or (isinstance(found, type) and not hasattr(found, "__iter__")):
            raise refuse(net, name, "a class, such as torch.utils.data.DataLoader")
    data = net.dataset
    is_data = isinstance(data, torch.utils.data.Dataset) or callable(data)
    if not is_data or (isinstance(data, type) and not hasattr(data, "__getitem__")):
        raise refuse(net, "dataset", "a class, such as skorch.dataset.Dataset")
    check_optimizer(net)
    check_train_split(net)
    check_callbacks(net)


def _check_comparison(net: Net) -> None:
    n_layers = len(as_choices(net.layer, "layer"))
    for name, get in (("metric", get_metric), ("aggregation", get_aggregation)):
        option = getattr(net, name)
        for entry in option if isinstance(option, list | tuple) else [option]:
            get(entry)
        if isinstance(option, list | tuple) and len(option) != n_layers:
            raise refuse(net, name, f"one entry, or a list of one for each of {n_layers} layers")
    metrics = net.metric if isinstance(net.metric, list | tuple) else [net.metric]
    if net.conditional and not all(is_batch_metric(metric) for metric in metrics):
        raise refuse(
            net,
            "conditional",
            "False for metrics that compare sample by sample",
            f"Got metric={shown(net.metric)} with it; 'cka' compares how samples are arranged.",
        )
    _check_experts(net)
    if not isinstance(net.penalty_data, str) or net.penalty_data not in _PENALTY_DATA:
        raise refuse(net, "penalty_data", f"one of {sorted(_PENALTY_DATA)}")
    if net.target_similarity is not None:
        check_target(net.target_similarity, metrics, type(net).__name__)
    size = net.penalty_batch_size
    if not is_number(size, Integral) or size < 2:
        raise refuse(net, "penalty_batch_size", "an int in [2, inf)")
    every = net.penalty_every
    if not is_auto(every) and (not is_number(every, Integral) or every < 1):
        raise refuse(net, "penalty_every", "'auto' or an int in [1, inf)")
    if not isinstance(net.cache, str) or net.cache not in CACHES:
        raise refuse(net, "cache", f"one of {sorted(CACHES)}")
    if not is_number(net.cache_size, Integral) or net.cache_size < 0:
        raise refuse(net, "cache_size", "an int in [0, inf), a number of bytes")
    if net.memory is not None:
        get_memory(net.memory, warn=True)


def _check_experts(net: Net) -> None:
    strength = net.product_of_experts
    if is_auto(strength):
        return
    if not is_number(strength) or not 0 <= strength < math.inf:
        raise refuse(net, "product_of_experts", "a float in [0, inf), or 'auto'")
    kind = net.criterion if isinstance(net.criterion, type) else type(net.criterion)
    if strength and issubclass(kind, torch.nn.NLLLoss | torch.nn.BCELoss):
        raise refuse(
            net,
            "product_of_experts",
            f"0 with criterion={kind.__name__}, which takes probabilities",
            "It is added to scores: take torch.nn.CrossEntropyLoss or BCEWithLogitsLoss.",
        )
    of_torch = kind.__module__.startswith("torch.nn.")
    if strength and of_torch and not is_classifier(net) and not takes_sums(net):
        raise refuse(
            net,
            "product_of_experts",
            f"0 with criterion={kind.__name__}, whose predictions are no numbers of the target's "
            "own scale",
            "It is added to these: take torch.nn.MSELoss or L1Loss.",
        )


def _check_checkpoint_dir(net: Net, folder: str | os.PathLike[str]) -> None:
    is_path = isinstance(folder, str | os.PathLike) and isinstance(os.fspath(folder), str)
    if not is_path or not os.fspath(folder) or "\0" in os.fspath(folder):
        raise refuse(net, "checkpoint_dir", "None or a folder (a str or path)")
    place = os.fspath(as_folder(folder))
    while not os.path.lexists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place) or os.curdir
    if not os.path.isdir(place):
        raise refuse(net, "checkpoint_dir", "a folder", f"{place} is a file.")


def _check_numbers(net: Net) -> None:
    if not is_number(net.max_epochs, Integral) or net.max_epochs < 0:
        raise refuse(net, "max_epochs", "an int in [0, inf)")
    if not is_number(net.batch_size, Integral) or net.batch_size < -1 or net.batch_size == 0:
        raise refuse(net, "batch_size", "an int in [1, inf), or -1 for all samples at once")
    if not is_number(net.lr) or net.lr < 0:
        raise refuse(net, "lr", "a float in [0, inf)")
    norm = net.max_grad_norm
    if norm is not None and not (is_number(norm) and norm > 0):
        raise refuse(net, "max_grad_norm", "None or a float in (0, inf)", "None does not clip.")
    if not is_number(net.weight_decay) or net.weight_decay < 0:
        raise refuse(net, "weight_decay", "a float in [0, inf)")
    for name in ("conditional", "warm_start", "compile"):
        if not is_bool(getattr(net, name)):
            raise refuse(net, name, "True or False")
    verbose = net.verbose
    if not is_bool(verbose) and not (is_number(verbose, Integral) and verbose >= 0):
        raise refuse(net, "verbose", "an int in [0, inf), or a bool")
    seed = net.random_state
    if seed is np.random or not is_seed(seed):  # a module cannot be pickled
        must = "None, an int in [0, 2**32) or a numpy.random.RandomState"
        raise refuse(net, "random_state", must)


def _check_of_skorch(net: Net) -> None:
    function = net.predict_nonlinearity
    if not (function is None or is_auto(function) or callable(function)):
        raise refuse(net, "predict_nonlinearity", "a callable, 'auto' or None")
    keeps = net.use_caching
    if not (is_bool(keeps) or is_auto(keeps)):
        raise refuse(net, "use_caching", "True, False or 'auto'")
    kwargs = net.torch_load_kwargs
    if not (kwargs is None or isinstance(kwargs, dict)) or not all(
        isinstance(name, str) for name in kwargs or ()
    ):
        raise refuse(net, "torch_load_kwargs", "None or a dict of arguments of torch.load")


def check_device(net: Net) -> None:
    """Check that there is the device on which a network shall run."""
    device = net.device
    if device is None:  # left to the module, and to accelerate
        return
    must = "'auto' or a device as torch.device takes it"
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise refuse(net, "device", must) from None
    try:
        if place.type == "meta":
            raise RuntimeError("it holds no numbers")
        torch.empty(0, device=place)
    except Exception as error:  # AssertionError, RuntimeError, NotImplementedError, ...
        way_out = f"It is not there: {str(error).splitlines()[0].rstrip('.')}."
        raise refuse(net, "device", f"{must}, of this machine", way_out) from error


def _check_schedules(net: Net) -> None:
    """Check the two schedules; a callable is called once."""
    of_weight = get_weight_schedule(net.weight_schedule)
    of_rate = get_lr_schedule(net.lr_schedule)
    for name, takes, call in (
        ("weight_schedule", "the epoch", lambda: of_weight(0, max(int(net.max_epochs), 1))),
        ("lr_schedule", "the share of the training that is done", lambda: of_rate(1.0, 0, 1)),
    ):
        if not callable(getattr(net, name)):
            continue
        try:
            call()
        except Exception as error:
            must = f"a name, or a callable that takes {takes} and returns a float in [0, inf)"
            raise refuse(net, name, must, f"Called with 0: {error}") from error


def check_classes(net: Net, classes: ArrayLike) -> None:
    """Check the classes that a classifier is told.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    classes : array-like
        Its ``classes``, or those of the first partial_fit.

    Raises
    ------
    ValueError
        If they are not one label each.
    """
    check_no_missing(classes, "classes")
    labels = np.asarray(classes)
    if labels.ndim != 1 or len(labels) == 0 or len(np.unique(labels)) < len(labels):
        raise ValueError(
            f"The 'classes' parameter of {type(net).__name__} must be None or an array-like of "
            f"shape (n_classes,), each label once and at least one. Got {shown(classes)} instead."
        )


def check_parameters(net: Net) -> None:
    """Check what `net` was constructed with, as far as it can be without data.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or value; the message names it, says what it must
        be and what it is.
    """
    check_names(net)
    _check_classes(net)
    _check_numbers(net)
    _check_of_skorch(net)
    sources = as_sources(net.unrelated)
    _check_weight(net)
    if not is_word(net.unrelated):  # which may stand for several
        check_lengths(net, len(sources))
    as_choices(net.layer, "layer")
    choices, several = net.unrelated_layer, isinstance(net.unrelated, list | tuple)
    for choice in choices if several and isinstance(choices, list | tuple) else [choices]:
        if choice is not None:
            as_choices(choice, "unrelated_layer")
    _check_comparison(net)
    check_augment(net)
    if net.checkpoint_dir is not None:
        _check_checkpoint_dir(net, net.checkpoint_dir)
    _check_schedules(net)
    if not isinstance(net.precision, str) or net.precision not in PRECISIONS:
        raise refuse(net, "precision", f"one of {sorted(PRECISIONS)}")
    if net.precision == "float16" and get_optimizer(net.optimizer) is torch.optim.LBFGS:
        raise refuse(
            net,
            "precision",
            "another one with an optimizer that computes the loss several times in a step",
            "LBFGS works in the others.",
        )
    if getattr(net, "class_weight", None) is not None:
        check_class_weight(cast(ClassifierNet, net))
    if (classes := getattr(net, "classes", None)) is not None:
        check_classes(net, classes)
    check_device(net)

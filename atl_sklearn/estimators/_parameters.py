"""Checks of the estimators' parameters, all of them before training starts."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import torch

from atl_sklearn._validation import is_number, refuse
from atl_sklearn.estimators._callbacks import check_callbacks
from atl_sklearn.estimators._learning_rate import get_lr_schedule
from atl_sklearn.estimators._names import check_names, check_optimizer, get_optimizer
from atl_sklearn.estimators._splits import check_train_split
from atl_sklearn.modules import get_module_names
from atl_sklearn.similarity import (
    get_aggregation,
    get_metric,
    get_weight_schedule,
    is_batch_metric,
)
from atl_sklearn.similarity._similarity_target import check_target
from atl_sklearn.unrelated._layers import as_choices
from atl_sklearn.unrelated._memory import get_memory
from atl_sklearn.unrelated._sources import as_sources
from atl_sklearn.unrelated._store import CACHES

_PENALTY_DATA = ("auto", "both", "train", "unlabeled")
# The floating type of the network and of X; the half ones are those of autocast.
PRECISIONS = {
    "bfloat16": torch.float32,
    "float16": torch.float32,
    "float32": torch.float32,
    "float64": torch.float64,
}
HALF_PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def _check_weight(net: Any, n_networks: int) -> None:
    several = isinstance(net.weight, list | tuple)
    values = net.weight if several else [net.weight]
    for value in values:
        if isinstance(value, str) and value == "auto":
            continue
        if not (is_number(value) and 0 <= value < math.inf):
            raise refuse(
                net,
                "weight",
                "a float in [0, inf), 'auto', or a list of these, one for each unrelated network",
                "0 trains the plain network.",
            )
    if several and len(values) != n_networks:
        raise refuse(
            net,
            "weight",
            f"a float, or a list of one float for each of the {n_networks} unrelated networks",
        )


def _check_module(net: Any) -> None:
    if isinstance(net.module, str):
        if net.module not in get_module_names():
            names = get_module_names()
            raise refuse(net, "module", f"a torch.nn.Module, its class, or one of {names}")
    elif not callable(net.module):
        raise refuse(net, "module", "a torch.nn.Module, its class, or a name such as 'auto'")


def _check_comparison(net: Any) -> None:
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
            f"Got metric={net.metric!r} with it; 'cka' compares the arrangement of the samples.",
        )
    if net.penalty_data not in _PENALTY_DATA:
        raise refuse(net, "penalty_data", f"one of {sorted(_PENALTY_DATA)}")
    check_target(net.target_similarity, metrics, type(net).__name__)
    targets = net.target_similarity
    n_networks = len(as_sources(net.unrelated))
    if isinstance(targets, list | tuple) and len(targets) != n_networks:
        must = f"None, a float, or a list of one for each of the {n_networks} unrelated networks"
        raise refuse(net, "target_similarity", must)
    size = net.penalty_batch_size
    if not is_number(size, Integral) or size < 2:
        raise refuse(net, "penalty_batch_size", "an int in [2, inf)")
    if net.cache not in CACHES:
        raise refuse(net, "cache", f"one of {sorted(CACHES)}")
    if not is_number(net.cache_size, Integral) or net.cache_size < 0:
        raise refuse(net, "cache_size", "an int in [0, inf), a number of bytes")
    get_memory(net.memory)


def check_parameters(net: Any) -> None:
    """Check what `net` was constructed with, as far as it can be without data.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator; skorch checks the names of its own parameters.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or value; the message names it, says what it must
        be and what it is.
    """
    check_names(net)
    _check_module(net)
    sources = as_sources(net.unrelated)
    _check_weight(net, len(sources))
    as_choices(net.layer, "layer")
    several = isinstance(net.unrelated, list | tuple) and isinstance(
        net.unrelated_layer, list | tuple
    )
    for choice in net.unrelated_layer if several else [net.unrelated_layer]:
        if choice is not None:
            as_choices(choice, "unrelated_layer")
    _check_comparison(net)
    get_weight_schedule(net.weight_schedule)
    if net.precision == "float16" and get_optimizer(net.optimizer) is torch.optim.LBFGS:
        raise refuse(
            net,
            "precision",
            "another one with an optimizer that computes the loss several times in a step",
            "LBFGS works in the others.",
        )
    if net.precision not in PRECISIONS:
        raise refuse(net, "precision", f"one of {sorted(PRECISIONS)}")
    if not is_number(net.max_epochs, Integral) or net.max_epochs < 0:
        raise refuse(net, "max_epochs", "an int in [0, inf)")
    if not is_number(net.batch_size, Integral) or net.batch_size < -1 or net.batch_size == 0:
        raise refuse(net, "batch_size", "an int in [1, inf), or -1 for all samples at once")
    if not is_number(net.lr) or not 0 <= net.lr < math.inf:
        raise refuse(net, "lr", "a float in [0, inf)")
    get_lr_schedule(net.lr_schedule)
    norm = net.max_grad_norm
    if norm is not None and not (is_number(norm) and norm > 0):
        raise refuse(net, "max_grad_norm", "None or a float in (0, inf]", "None does not clip.")
    if not is_number(net.weight_decay) or not 0 <= net.weight_decay < math.inf:
        raise refuse(net, "weight_decay", "a float in [0, inf)")
    for name in ("criterion", "iterator_train", "iterator_valid", "dataset"):
        if not callable(getattr(net, name)) and name not in ("criterion", "dataset"):
            raise refuse(net, name, "a class")
        if isinstance(getattr(net, name), str):
            raise refuse(net, name, "a class, not its name")
    check_optimizer(net)
    check_train_split(net)
    check_callbacks(net)
    class_weight = getattr(net, "class_weight", None)
    if not (class_weight is None or class_weight == "balanced" or isinstance(class_weight, dict)):
        raise refuse(net, "class_weight", "None, 'balanced' or a dict from class to weight")
    try:
        if net.device is not None:  # None leaves it to the module, and to accelerate
            torch.device(net.device)
    except (RuntimeError, TypeError):
        raise refuse(net, "device", "'auto' or a device as torch.device takes it") from None

"""The state of a fit between two epochs, and going on from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

import numpy as np
import torch
from skorch.history import History

from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._object_state import (
    capture,
    capture_parts,
    give_back,
    give_parts_back,
)
from atl_sklearn.estimators._seeding import random_states, set_random_states
from atl_sklearn.estimators._wrapped import unwrapped
from atl_sklearn.persistence import UnknownStateError

# Attributes of estimators that the other entries of the state hold, or that `fit` makes again.
_OF_ESTIMATORS = frozenset(
    {"accelerator", "callbacks_", "classes_inferred_", "cuda_dependent_attributes_"}
    | {"feature_names_in_", "history_", "init_context_", "initialized_", "input_shape_"}
    | {"n_features_in_", "n_outputs_", "prefixes_", "summary_", "unrelated_", "unrelated_score_"}
    | {"virtual_params_", "weight_", "_completed", "_criteria", "_declared_classes", "_kwargs"}
    | {"_keeps_history", "_looks_up", "_metadata_request", "_module_changed", "_modules"}
    | {"_optimizers", "_params_to_validate"}
    | {"_penalty_state", "_random_stream", "_run", "_sklearn_output_config", "_unrelated_given"}
)
_OF_MODULES = frozenset(vars(torch.nn.Module()))


class _ModuleState(TypedDict):
    state: dict[str, object]
    transient: dict[str, torch.Tensor]
    trained: dict[str, bool]
    attributes: dict[str, dict[str, object]]


class _OptimizerState(TypedDict):
    state: dict[str, object]
    attributes: dict[str, object]


def _is_of(value: object, *libraries: str) -> bool:
    return type(value).__module__.partition(".")[0] in libraries


def _modules_of(net: Net) -> Iterator[tuple[str, torch.nn.Module]]:
    for name in (*net._modules, *net._criteria):
        module = getattr(net, f"{name}_")
        if isinstance(module, torch.nn.Module):
            yield f"{name}_", unwrapped(module)


def _transient(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the buffers that a state dict leaves out."""
    kept = module.state_dict(keep_vars=True).keys()
    return {name: x for name, x in module.named_buffers() if name not in kept}


def _module_state(module: torch.nn.Module, where: str) -> _ModuleState:
    attributes = {
        name: capture_parts(part, f"{where}.{name}".rstrip("."), vars(part).keys() - _OF_MODULES)
        for name, part in module.named_modules()
        if not _is_of(part, "torch")
    }
    return {
        "state": capture(module.state_dict(), f"the state_dict of {where}"),
        "transient": _transient(module),
        "trained": {name: p.requires_grad for name, p in module.named_parameters()},
        "attributes": attributes,
    }


def _give_module_back(module: torch.nn.Module, state: _ModuleState, where: str) -> None:
    module.load_state_dict(give_back(module.state_dict(), state["state"], where))
    buffers = dict(module.named_buffers())
    for name, value in state["transient"].items():
        buffers[name].copy_(value)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(state["trained"][name])
    for name, part in module.named_modules():
        if name in state["attributes"]:
            give_parts_back(part, state["attributes"][name], f"{where}.{name}".rstrip("."))


def _optimizer_state(optimizer: torch.optim.Optimizer, where: str) -> _OptimizerState:
    names = () if _is_of(optimizer, "torch") else vars(optimizer).keys()
    own = [name for name in names if name not in ("state", "param_groups", "defaults")]
    own = [name for name in own if not name.endswith(("_hooks", "_hook", "_profile"))]
    return {
        "state": capture(optimizer.state_dict(), f"the state_dict of {where}"),
        "attributes": capture_parts(optimizer, where, own),
    }


def _give_optimizer_back(
    optimizer: torch.optim.Optimizer, state: _OptimizerState, where: str
) -> None:
    groups = optimizer.param_groups
    optimizer.load_state_dict(give_back(optimizer.state_dict(), state["state"], where))
    # What sets their learning rates holds these very groups.
    for group, loaded in zip(groups, optimizer.param_groups, strict=True):
        if loaded is not group:
            group.clear()
            group.update(loaded)
    optimizer.param_groups[:] = groups
    give_parts_back(optimizer, state["attributes"], where)


def _own_attributes(net: Net) -> list[str]:
    """Return the attributes that a subclass of the user's has added to the estimator's."""
    if all(cls.__module__.startswith("atl_sklearn.") for cls in type(net).__mro__[:1]):
        return []
    parts = {f"{name}_" for name in (*net._modules, *net._criteria, *net._optimizers)}
    known = _OF_ESTIMATORS | parts | set(net.get_params(deep=False))
    return [name for name in vars(net) if name not in known]


def _generators(net: Net) -> dict[str, torch.Generator]:
    """Return the generators that the user has given the iterators."""
    found = {}
    for stage in ("iterator_train", "iterator_valid"):
        for name, value in net.get_params_for(stage).items():
            generator = value if name == "generator" else getattr(value, "generator", None)
            if isinstance(generator, torch.Generator):
                found[f"{stage}__{name}"] = generator
    return found


def take_state(net: Net) -> dict[str, Any]:
    """Return everything that the rest of a fit depends on, as it is between two epochs.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        In training.

    Returns
    -------
    state : dict
        Of what :func:`~atl_sklearn.persistence.pack_state` writes down.

    Raises
    ------
    UnknownStateError
        If something has a state that cannot be written down. The message says what.
    """
    run = net._run
    assert run is not None and run.checkpoints is not None
    if type(net.history) is not History:
        raise UnknownStateError(f"history is of type {type(net.history).__name__}")
    optimizers = [(f"{name}_", getattr(net, f"{name}_")) for name in net._optimizers]
    return {
        "epochs": len(net.history),
        "seed": net._stream().seed,
        "weights": run.checkpoints.weights,
        "strength": run.checkpoints.strength,
        "split": run.checkpoints.split,
        "history": list(list.__iter__(net.history)),
        "losses": np.asarray(run.losses, dtype=np.float64),
        "rates": np.asarray(run.rates, dtype=np.float64),
        "random": random_states(net.device),
        "generators": _generators(net),
        "modules": {name: _module_state(module, name) for name, module in _modules_of(net)},
        "optimizers": {name: _optimizer_state(part, name) for name, part in optimizers},
        "penalty": None if run.penalty is None else run.penalty.state(),
        # Rounding depends on it, and it may depend on how full the disk is.
        "kept activations": None if run.penalty is None else run.penalty.kept,
        "rate": None if run.rate is None else run.rate.state(),
        "scaler": None if run.scaler is None else run.scaler.state_dict(),
        "callbacks": [
            [name, capture_parts(callback, f"the callback {type(callback).__name__}")]
            for name, callback in net.callbacks_
        ],
        "estimator": capture_parts(net, type(net).__name__, _own_attributes(net)),
    }


def give_state_back(net: Net, state: Mapping[str, Any]) -> None:
    """Go on from the state of another process; the penalty has been made with its part of it.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        In training, before its first epoch.
    state : dict
        What :func:`take_state` returned there.

    Raises
    ------
    UnknownStateError
        If something is not what it was.
    """
    run = net._run
    assert run is not None
    for name, module in _modules_of(net):
        _give_module_back(module, state["modules"][name], name)
    for (_, callback), (_, parts) in zip(net.callbacks_, state["callbacks"], strict=True):
        give_parts_back(callback, parts, f"the callback {type(callback).__name__}")
    give_parts_back(net, state["estimator"], type(net).__name__)
    for name in net._optimizers:
        _give_optimizer_back(getattr(net, f"{name}_"), state["optimizers"][f"{name}_"], f"{name}_")
    if run.rate is not None:
        run.rate.resume(state["rate"])
    if run.scaler is not None:
        run.scaler.load_state_dict(state["scaler"])
    net.history_ = History(state["history"])
    run.losses, run.rates = state["losses"].tolist(), state["rates"].tolist()
    run.weights.keep()
    run.finished = state["epochs"]
    for name, generator in _generators(net).items():
        generator.set_state(state["generators"][name].get_state())
    set_random_states(state["random"])


def unchanging(state: Mapping[str, object]) -> dict[str, str]:
    """Return the fingerprints of what a state does not hold because it does not change.

    Parameters
    ----------
    state : dict
        What :func:`take_state` returned.

    Returns
    -------
    fingerprints : dict of str to str
        By where it is.
    """
    found: dict[str, str] = {}

    def walk(value: object, where: str) -> None:
        if isinstance(value, dict):
            if set(value) == {"same"}:
                found[where] = value["same"]
            else:
                for key, entry in value.items():
                    if key != "data":
                        walk(entry, f"{where}.{key}")
        elif isinstance(value, list):
            for at, entry in enumerate(value):
                walk(entry, f"{where}.{at}")

    for part in ("modules", "optimizers", "callbacks", "estimator"):
        walk(state[part], part)
    return found

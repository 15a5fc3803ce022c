"""What of an estimator travels in a file, and how it is made again."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from skorch.history import History
from skorch.utils import to_device

from atl_sklearn._user_warnings import warn_user
from atl_sklearn._validation import is_auto
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._wrapped import unwrapped
from atl_sklearn.persistence import HERE_ONLY_OF_NETS, CannotSaveError, allowed_name, shadows
from atl_sklearn.unrelated import LeftBehind, is_fitted

# What is made anew: skorch's own lists of its parts, and what belongs to this process.
_MADE_ANEW = frozenset(
    {"_modules", "_optimizers", "_params_to_validate", "_run", "callbacks_"}
    | {"cuda_dependent_attributes_", "init_context_", "prefixes_", "virtual_params_"}
)
_OF_TRAINING = frozenset({"_penalty_state"})
_OF_UNRELATED = frozenset({"unrelated", "unrelated_", "_unrelated_given"})


# The values of torch.compile's arguments that a file may hold; others could name code to run.
_COMPILE: dict[str, tuple[object, ...]] = {
    "compile__backend": ("aot_eager", "cudagraphs", "eager", "inductor"),
    "compile__dynamic": (None, False, True),
    "compile__fullgraph": (False, True),
    "compile__mode": (
        *(None, "default", "max-autotune", "max-autotune-no-cudagraphs", "reduce-overhead"),
    ),
}


class Kept(Protocol):
    """What travels besides what prediction needs."""

    @property
    def optimizer(self) -> bool: ...
    @property
    def unrelated(self) -> bool: ...
    @property
    def whole(self) -> bool: ...


def _odd_compile(state: Mapping[str, object]) -> str:
    """Return the name of an argument of torch.compile that no file may hold; empty without any."""
    for name, value in state.items():
        plain = value is None or isinstance(value, bool | str)
        if name.startswith("compile__") and not (plain and value in _COMPILE.get(name, ())):
            return name
    return ""


def _is_parameter(name: str) -> bool:
    return not (name.startswith("_") or name.endswith("_"))


def _left_behind(unrelated: object) -> object:
    """Return `unrelated` with what is fitted in it replaced."""
    if isinstance(unrelated, list | tuple):
        return type(unrelated)(map(_left_behind, unrelated))
    light = unrelated is None or isinstance(unrelated, LeftBehind | str | os.PathLike)
    if light or not is_fitted(unrelated):
        return unrelated
    return LeftBehind(type(unrelated).__name__)


def _callbacks_to_save(
    net: Net, *, whole: bool
) -> list[Callback | tuple[str, Callback]] | str | None:
    """Return the callbacks, unfitted, without those of skorch that work with files."""
    if not isinstance(net.callbacks, list):
        return net.callbacks
    kept: list[Callback | tuple[str, Callback]] = []
    stay: list[str] = []
    for entry in net.callbacks:
        callback = entry[1] if isinstance(entry, tuple | list) else entry
        kind = callback if isinstance(callback, type) else type(callback)
        if kind.__module__.startswith("skorch.") and allowed_name(kind) is None:
            stay.append(kind.__name__)
            continue
        if not isinstance(callback, type):
            callback = kind(**callback.get_params(deep=False))
        kept.append((entry[0], callback) if isinstance(entry, tuple | list) else callback)
    if stay and whole:
        raise CannotSaveError(f"The callback {stay[0]} works with files of its own.")
    if stay:
        warn_user(
            f"Callbacks that work with files of this machine are not saved: {', '.join(stay)}. "
            "Set them again where the estimator is trained again."
        )
    return kept


def state_to_save(net: Net, keep: Kept) -> dict[str, object]:
    """Return what of an estimator travels, by name.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Fitted or not.
    keep : Keep
        What travels besides what prediction needs.

    Returns
    -------
    state : dict
        Parameters, and fitted attributes, whose names begin or end with an underscore.
    """
    state = dict.fromkeys(HERE_ONLY_OF_NETS) | {
        "callbacks": _callbacks_to_save(net, whole=keep.whole)
    }
    for name, value in vars(net).items():
        if name in state or name in _MADE_ANEW or (name in _OF_TRAINING and not keep.optimizer):
            continue
        if name in _OF_UNRELATED and not keep.unrelated:
            if name != "_unrelated_given":
                state[name] = _left_behind(value)
        elif isinstance(value, torch.optim.Optimizer):
            if keep.optimizer:
                state[name] = value.state_dict()
        elif isinstance(value, History):
            state[name] = list(list.__iter__(value))
        elif name.endswith("_") and isinstance(value, torch.nn.Module):
            state[name] = unwrapped(value)
        else:
            state[name] = value
    if odd := _odd_compile(state):
        raise CannotSaveError(
            f"The {odd!r} parameter of {type(net).__name__} cannot be saved: with it a file could "
            f"choose which compiler is run. Keep to {sorted(_COMPILE)} with torch's own values."
        )
    return state


def _device_here(device: str | torch.device | None) -> str | torch.device | None:
    if device is None or is_auto(device):
        return device
    kind = torch.device(device).type
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    if kind not in there or there[kind]():
        return device
    warn_user(f"The estimator was on {str(device)!r}, which is not here. It is on the CPU now.")
    return "cpu"


def _check_names(
    cls: type, state: Mapping[str, object], refuse: Callable[[str], Exception]
) -> None:
    known = inspect.signature(cls).parameters
    for name in state:
        if _is_parameter(name):
            good = name.isidentifier() and (name in known or "__" in name)
        else:
            good = name not in _MADE_ANEW and not shadows(cls, name)
        if not good:
            raise refuse(f"The file has {name!r}, which is no parameter and no attribute")


def from_saved_state(
    cls: type, state: dict[str, Any], refuse: Callable[[str], Exception], *, older: bool
) -> Net:
    """Make an estimator of what :func:`state_to_save` returned.

    Parameters
    ----------
    cls : type
        The class of the estimator.
    state : dict
        Checked here; each value is of a kind that is trusted.
    refuse : callable
        Makes the error to be raised, of what is wrong.
    older : bool
        Whether another version wrote it: parameters that are missing have their defaults then.

    Returns
    -------
    net : object of `cls`
        Fitted if it was.
    """
    _check_names(cls, state, refuse)
    params = {name: value for name, value in state.items() if _is_parameter(name)}
    params |= dict.fromkeys(HERE_ONLY_OF_NETS)
    if odd := _odd_compile(params):
        raise refuse(f"The file has {odd!r} as {params[odd]!r}, which could run something")
    lacks = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if name not in params and parameter.kind is not parameter.VAR_KEYWORD
    ]
    if lacks and not older:
        raise refuse(f"The file lacks {lacks[0]!r}")
    params["device"] = _device_here(params.get("device", "auto"))
    net: Net = cls(**params)
    if state.get("initialized_") is not True:
        return net
    net._params_to_validate = set()
    net._initialize_virtual_params()
    if not state.get("_trimmed_for_prediction"):
        net._initialize_callbacks()
    else:
        net.callbacks_ = []
    optimizers = {}
    for name, value in state.items():
        if _is_parameter(name) or name in ("initialized_", "_criteria"):
            continue
        if isinstance(value, torch.nn.Module) and name not in _OF_UNRELATED:
            is_criterion = name[:-1] in state.get("_criteria", ())
            with net._current_init_context("criterion" if is_criterion else "module"):
                made = net.torch_compile(to_device(value, net.device), name=name[:-1])
                setattr(net, name, made)
        elif name == "history_":
            net.history_ = History(value)
        elif name.endswith("_") and isinstance(value, dict) and "param_groups" in value:
            optimizers[name] = value
        else:
            net.__dict__[name] = value
    if not isinstance(vars(net).get("module_"), torch.nn.Module):
        raise refuse("The file lacks 'module_', the network,")
    if not state.get("_trimmed_for_prediction"):
        _make_optimizers(net, optimizers, refuse)
    net.initialized_ = True
    return net


def _make_optimizers(
    net: Net, states: dict[str, dict[str, object]], refuse: Callable[[str], Exception]
) -> None:
    net._initialize_optimizer()
    for name, value in states.items():
        if not hasattr(net, name):
            raise refuse(f"The file has the state of {name!r}, and there is no such optimizer")
        getattr(net, name).load_state_dict(value)


def trim(net: Net) -> None:
    """Let an estimator forget what only training needs.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        It predicts as before, and is no longer trained.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    check_is_fitted(net)
    net._set_training(False)
    for parameter in net.module_.parameters():
        parameter.grad = None
    for name in net._optimizers:
        setattr(net, f"{name}_", None)
    for name in ("_penalty_state", "_random_stream", "_unrelated_given"):
        net.__dict__.pop(name, None)
    net.unrelated_ = None
    net.callbacks_ = []
    net.history_ = History()
    net.virtual_params_ = {}
    net._trimmed_for_prediction = True

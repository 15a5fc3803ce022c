"""Networks: their structure, parameters, buffers and plain attributes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch

from atl_sklearn._user_warnings import warn_user
from atl_sklearn.persistence._errors import ModelFileError
from atl_sklearn.persistence._plain import shadows

_HOOKS = (
    *("_backward_hooks", "_backward_pre_hooks", "_forward_hooks", "_forward_hooks_always_called"),
    *("_forward_hooks_with_kwargs", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"),
    *("_load_state_dict_post_hooks", "_load_state_dict_pre_hooks", "_state_dict_hooks"),
    "_state_dict_pre_hooks",
)
_THAT_RUN = ("_backward_hooks", "_backward_pre_hooks", "_forward_hooks", "_forward_pre_hooks")
_PARTS = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"}
_MACHINERY = {*_PARTS, *_HOOKS, "_is_full_backward_hook", "_compiled_call_impl"}


def module_state(
    module: torch.nn.Module, refuse: Callable[[object, str], Exception], *, whole: bool
) -> dict[str, dict[str, object]]:
    """Return the parts of a network's state by name.

    Parameters
    ----------
    module : torch.nn.Module
        The network; the modules in it are left as they are.
    refuse : callable
        Makes the error to be raised, of an object and what is wrong with it.
    whole : bool
        Whether hooks, which do not travel, are an error.

    Returns
    -------
    state : dict
        ``"parameters"``, ``"buffers"``, ``"modules"`` and ``"plain"``, what else it has.
    """
    state = module.__getstate__() if hasattr(module, "__getstate__") else vars(module)
    if not isinstance(state, dict) or not state.keys() >= _PARTS:
        raise refuse(module, "has a state of its own kind")
    hooks = [h for name in _THAT_RUN for h in state.get(name, {}).values()]
    for hook in hooks:
        if type(hook).__module__.startswith("torch.nn.utils"):
            raise refuse(hook, "computes weights in a hook: remove it, as remove_weight_norm does")
    if hooks and whole:
        raise refuse(module, "has hooks")
    if hooks:
        warn_user(
            f"{len(hooks)} hooks of {type(module).__name__} do not travel with it. If they change "
            "what it returns, predictions will be others."
        )
    plain = {k: v for k, v in state.items() if k not in _MACHINERY}
    for name in plain:
        if name != "training" and shadows(type(module), name):
            raise refuse(plain[name], f"stands for {type(module).__name__}.{name}, a method")
    plain["_non_persistent_buffers_set"] = set(state["_non_persistent_buffers_set"])
    return {
        "parameters": dict(state["_parameters"]),
        "buffers": dict(state["_buffers"]),
        "modules": dict(state["_modules"]),
        "plain": plain,
    }


def check_parts(cls: type, state: dict[str, dict[str, object]], at: str) -> None:
    """Check that the parts of a network from a file are of their kinds."""
    kinds = {
        "parameters": torch.nn.Parameter,
        "buffers": torch.Tensor,
        "modules": torch.nn.Module,
    }
    for part, kind in kinds.items():
        for name, value in state[part].items():
            # Names of modules may be numbers.
            odd = not isinstance(name, str) or not name or "." in name
            if odd or not (value is None or isinstance(value, kind)):
                raise ModelFileError(f"The file has no {kind.__name__} {name!r} at {at}.")
            taken = name in _MACHINERY or (name.isidentifier() and shadows(cls, name))
            if taken:
                raise ModelFileError(f"The file would replace {cls.__name__}.{name}, at {at}.")
    for name, value in state["plain"].items():
        hidden = name in _MACHINERY - {"_non_persistent_buffers_set"}
        if hidden or (name != "training" and shadows(cls, name)):
            raise ModelFileError(f"The file would replace {cls.__name__}.{name}, at {at}.")
        if name == "training" and type(value) is not bool:
            raise ModelFileError(f"The file has {value!r} as 'training', at {at}.")
    for name in ("training", "_non_persistent_buffers_set"):
        if name not in state["plain"]:
            raise ModelFileError(f"The file lacks {name!r} of {cls.__name__}, at {at}.")
    if not isinstance(state["plain"]["_non_persistent_buffers_set"], set):
        raise ModelFileError(f"The file has no set of names at {at}.")


def fill_module(module: torch.nn.Module, state: dict[str, dict[str, object]]) -> None:
    """Give a network, made without its constructor, the state from a file."""
    made: dict[str, object] = {name: OrderedDict() for name in _HOOKS}
    made |= {"_is_full_backward_hook": None, **state["plain"]}
    for part in ("parameters", "buffers", "modules"):
        made[f"_{part}"] = dict(state[part])
    module.__setstate__(made)

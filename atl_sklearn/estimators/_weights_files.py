"""Files of weights alone, as skorch writes them, with what predicting needs to know besides.

Any program reads them as before: what is added is in the metadata of the state dict or of the
safetensors file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import torch
from skorch.utils import get_map_location

from atl_sklearn._types import PathLike
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._wrapped import unwrapped

_KEY = "atl_sklearn"
_SIZES = ("input_shape_", "n_features_in_", "n_outputs_", "_one_target")
_ARRAYS = ("classes_inferred_", "feature_names_in_")


def _facts(net: Net) -> str:
    """Return what predicting needs besides weights, as JSON."""
    found: dict[str, object] = {n: getattr(net, n) for n in _SIZES if hasattr(net, n)}
    for name in _ARRAYS:
        array = vars(net).get(name)
        if array is not None and array.dtype.kind in "biufUO":
            found[name] = {"values": array.tolist(), "dtype": array.dtype.str}
    if net._looks_up:
        found["_looks_up"] = True
    if hasattr(net, "_target_dtype"):
        found["_target_dtype"] = np.dtype(net._target_dtype).str
    try:
        return json.dumps(found)
    except (TypeError, ValueError):  # classes that are neither numbers nor text
        return json.dumps({n: v for n, v in found.items() if n not in _ARRAYS})


def _read_facts(text: object) -> dict[str, object]:
    if not isinstance(text, str):
        return {}
    try:
        found = json.loads(text)
        for name in _ARRAYS:
            if name in found:
                kind = np.dtype(found[name]["dtype"])
                found[name] = np.array(found[name]["values"], dtype=kind)
        if "_target_dtype" in found:
            found["_target_dtype"] = np.dtype(found["_target_dtype"])
        if found.get("input_shape_") is not None:
            found["input_shape_"] = tuple(found["input_shape_"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}  # somebody else's
    known = {*_SIZES, *_ARRAYS, "_looks_up", "_target_dtype"}
    return {name: value for name, value in found.items() if name in known}


def write_weights(net: Net, f_params: PathLike | BinaryIO, *, safetensors: bool) -> None:
    """Write a network's weights.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Whose network it is.
    f_params : file-like or path-like
        Where they are written.
    safetensors : bool
        In which format; otherwise as torch.save does.
    """
    state: Any = unwrapped(net.module_).state_dict()
    if not safetensors:
        state._metadata[_KEY] = _facts(net)
        torch.save(state, f_params)
        return
    from safetensors.torch import save

    others = sorted(k for k, v in state.items() if not isinstance(v, torch.Tensor))
    if others:
        raise ValueError(
            f"safetensors holds only tensors, and the network's state has {others}. Leave "
            "use_safetensors=True out."
        )
    # Contiguous, which is the only layout that the format knows, and without shared memory.
    tensors = {k: v.clone(memory_format=torch.contiguous_format) for k, v in state.items()}
    content = save(tensors, metadata={_KEY: _facts(net)})
    if hasattr(f_params, "write"):
        f_params.write(content)
    else:
        with open(f_params, "wb") as file:
            file.write(content)


def _read_weights(
    net: Net, f_params: PathLike | BinaryIO, *, safetensors: bool
) -> tuple[Mapping[str, object], dict[str, object]]:
    """Return weights from a file, and what is known of their network.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Whose network they are for.
    f_params : file-like or path-like
        The file.
    safetensors : bool
        In which format it is.

    Returns
    -------
    state : dict of str to Tensor
        A state dict.
    facts : dict
        Attributes of the estimator; empty if something else wrote the file.
    """
    if not safetensors:
        kwargs = {"weights_only": True} if net.torch_load_kwargs is None else net.torch_load_kwargs
        state = torch.load(f_params, map_location=get_map_location(net.device), **kwargs)
        facts = getattr(state, "_metadata", None) or {}
        return state, _read_facts(facts.pop(_KEY, None))
    from safetensors import SafetensorError
    from safetensors.torch import load

    if isinstance(f_params, str | os.PathLike):
        where = os.fspath(f_params)
        with open(f_params, "rb") as file:
            content = file.read()
    else:
        where, content = "The file", f_params.read()
    try:
        state = load(content)
    except SafetensorError as error:
        raise ValueError(
            f"{where!r} is no file of safetensors: {error}. If it was saved without "
            "use_safetensors=True, load it without, if you know where it comes from."
        ) from error
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    return state, _read_facts(header.get("__metadata__", {}).get(_KEY))


def _check_weights(net: Net, state: Mapping[str, object], facts: dict[str, object]) -> None:
    """Refuse weights of another network.

    Raises
    ------
    ValueError
        If shapes or names differ; the message has both.
    """
    theirs, name = facts.get("input_shape_"), type(net).__name__
    ours = net.get_params_for("module").get("input_shape") or getattr(net, "input_shape_", None)
    if isinstance(ours, int):
        ours = (ours,)
    if theirs is not None and ours is not None and tuple(ours) != theirs:
        raise ValueError(
            f"The weights are those of a network for samples of shape {theirs}, and this {name} "
            f"takes samples of shape {tuple(ours)}. Load them into a new estimator."
        )
    mine = net.module_.state_dict()
    differ = [
        f"{k!r} has shape {tuple(v.shape)} in the file and {tuple(mine[k].shape)} here"
        for k, v in state.items()
        if k in mine and isinstance(v, torch.Tensor) and v.shape != mine[k].shape
    ]
    for what, names in (
        ("only the file has", sorted(state.keys() - mine.keys())),
        ("only this network has", sorted(mine.keys() - state.keys())),
    ):
        differ += [f"{what} {', '.join(map(repr, names[:3]))}"] * bool(names)
    if differ:
        raise ValueError(
            f"The weights are those of another network than that of this {name}: "
            f"{'; '.join(differ[:3])}. Make it with the same module and module__ parameters."
        )


def load_weights(net: Net, f_params: PathLike | BinaryIO, *, safetensors: bool) -> None:
    """Load a network's weights, making the network if there is none.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator, which can predict afterwards.
    f_params : file-like or path-like
        What :func:`write_weights`, or skorch, wrote.
    safetensors : bool
        In which format it is.

    Raises
    ------
    ValueError
        If the weights are those of another network; the estimator is as it was then.
    """
    state, facts = _read_weights(net, f_params, safetensors=safetensors)
    before = dict(vars(net))
    try:
        if not net.initialized_:
            known = {n: v for n, v in facts.items() if n not in vars(net)}
            net.__dict__.update({n: v for n, v in known.items() if v is not None})
            net.initialize()
        if not net.initialized_:
            raise ValueError(
                f"The weights do not say which shape of X they are for, and module={net.module!r} "
                "needs it. Set module__input_shape and module__n_outputs."
            )
        _check_weights(net, state, facts)
    except BaseException:
        net.__dict__.clear()
        net.__dict__.update(before)
        raise
    unwrapped(net.module_).load_state_dict(state)
    net.__dict__.update({n: v for n, v in facts.items() if v is not None})
    net._completed = True

"""From JSON and tensors to objects, with nothing taken for granted."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from atl_sklearn._types import Json
from atl_sklearn._validation import shown
from atl_sklearn.persistence._allowed import Trust
from atl_sklearn.persistence._decode_values import ValueDecoder
from atl_sklearn.persistence._encode_values import Node
from atl_sklearn.persistence._errors import ModelFileError, UntrustedClassError
from atl_sklearn.persistence._modules import check_parts, fill_module
from atl_sklearn.persistence._plain import (
    BUILTINS,
    HERE_ONLY,
    check_plain,
    is_made_by_constructor,
    shadows,
)


class Decoder(ValueDecoder):
    """Makes objects of what the encoder wrote, of kinds that are trusted only.

    Parameters
    ----------
    tensors : dict of str to Tensor
        The numbers, by name.
    trust : Trust
        Finds classes and functions.
    older : bool, default=False
        Whether other versions of the packages wrote the file: parameters that it does not know
        have their defaults then.
    """

    def __init__(
        self, tensors: dict[str, torch.Tensor], trust: Trust, *, older: bool = False
    ) -> None:
        super().__init__(tensors)
        self._readers |= {
            "builtin": self._builtin,
            "class": self._named,
            "function": self._named,
            "module": self._module,
            "object": self._object,
            "partial": self._partial,
        }
        self._trust = trust
        self._older = older

    def decode(self, node: Json) -> Any:
        """Return the object that JSON describes.

        Raises
        ------
        UntrustedClassError
            If a class or function is not trusted.
        ModelFileError
            If the description is not what the encoder writes.
        """
        try:
            return self._any(node, "the top")
        except RecursionError:
            raise ModelFileError("The file is nested too deeply.") from None

    def _builtin(self, node: Node, at: str) -> object:
        name = str(node["name"])
        if name == "numpy.random":
            return np.random
        if name not in BUILTINS:
            raise UntrustedClassError(f"The file names {shown(name)}, at {at}.")
        return BUILTINS[name]

    def _named(self, node: Node, at: str) -> object:
        found = self._trust.find(node["name"], at)
        if isinstance(found, type) is not (node["is"] == "class") or not callable(found):
            raise ModelFileError(f"The file has {node['name']} as a {node['is']}, at {at}.")
        return found

    def _partial(self, node: Node, at: str) -> object:
        function = self._any(node["function"], at)
        args, kwargs = self._any(node["args"], at), self._any(node["kwargs"], at)
        return functools.partial(function, *args, **kwargs)

    def _class(self, node: Node, at: str) -> type:
        found = self._trust.find(node["class"], at)
        if not isinstance(found, type):
            raise ModelFileError(f"The file has {node['class']} as a class, at {at}.")
        return found

    def _module(self, node: Node, at: str) -> object:
        cls = self._class(node, at)
        if not issubclass(cls, torch.nn.Module):
            raise ModelFileError(f"The file has {cls.__name__} as a network, at {at}.")
        made = self._remember(node, at, cls.__new__(cls))
        parts = ("parameters", "buffers", "modules", "plain")
        state = {part: self._pairs(node, at, part) for part in parts}
        check_parts(cls, state, at)
        fill_module(made, state)
        return made

    def _object(self, node: Node, at: str) -> object:
        cls = self._class(node, at)
        makes = getattr(cls, "_from_saved_state", None)
        if makes or dataclasses.is_dataclass(cls) or is_made_by_constructor(cls):
            state = self._pairs(node, at, "state")
            if makes is not None:
                return self._remember(node, at, makes(state, _refusal(cls, at), self._older))
            return self._remember(node, at, cls(**state))
        check_plain(cls, lambda why: ModelFileError(f"What the file has at {at} {why}."))
        made = self._remember(node, at, object.__new__(cls))
        state = self._pairs(node, at, "state")
        for name in state:
            if shadows(cls, name):
                raise ModelFileError(f"The file would replace {cls.__name__}.{name}, at {at}.")
        vars(made).update(self._with_defaults(cls, state, at))
        return made

    def _with_defaults(self, cls: type, state: dict[str, object], at: str) -> dict[str, object]:
        """Return the state of an estimator, without what belongs to another machine."""
        state = {k: HERE_ONLY.get(k, lambda v: v)(v) for k, v in state.items()}
        if not hasattr(cls, "_get_param_names"):
            return state
        parameters = inspect.signature(cls).parameters
        for name in cls._get_param_names():
            if name in state:
                continue
            default = parameters[name].default
            if not self._older or default is inspect.Parameter.empty:
                raise ModelFileError(f"The file lacks {name!r} of {cls.__name__}, at {at}.")
            state[name] = default
        return state


def _refusal(cls: type, at: str) -> Callable[[str], Exception]:
    """Return what makes the error of a class that finds its own state wrong."""
    return lambda what: ModelFileError(f"{what}, of {cls.__name__} at {at}.")

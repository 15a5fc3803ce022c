"""From objects, classes and networks to JSON and tensors."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch

from atl_sklearn._types import Json
from atl_sklearn._validation import shown
from atl_sklearn.persistence._allowed import Code, allowed_name, full_name
from atl_sklearn.persistence._encode_values import Node, Place, ValueEncoder
from atl_sklearn.persistence._errors import CannotSaveError
from atl_sklearn.persistence._modules import module_state
from atl_sklearn.persistence._plain import (
    BUILTINS,
    HERE_ONLY,
    check_plain,
    is_made_by_constructor,
)

_SET_FIRST = "or set it to another value first"


class Keep(NamedTuple):
    """What travels besides what prediction needs.

    Parameters
    ----------
    optimizer : bool, default=False
        The state of the training.
    unrelated : bool, default=False
        Fitted unrelated networks.
    source : bool, default=False
        The source code of modules of one's own.
    whole : bool, default=False
        Whether it is an error where something else stays behind, and not a warning.
    """

    optimizer: bool = False
    unrelated: bool = False
    source: bool = False
    whole: bool = False


class Encoder(ValueEncoder):
    """Turns objects into what JSON holds, and collects the tensors.

    Parameters
    ----------
    keep : Keep
        What travels besides.

    Attributes
    ----------
    tensors : dict of str to Tensor
        The numbers, by name.
    sources : dict of str to str
        Source code, by the name of the class.
    own : dict of str to (class or function)
        What readers have to trust, by its name.
    """

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self.keep = keep
        self.own: dict[str, Code] = {}
        self.sources: dict[str, str] = {}

    def encode(self, value: object) -> Json:
        """Return a value as JSON has it.

        Raises
        ------
        CannotSaveError
            If there is something in it that cannot be saved faithfully.
        """
        try:
            return self._any(value, Place(type(value).__name__, ""))
        except RecursionError:
            raise CannotSaveError(
                f"{type(value).__name__} cannot be saved: it is nested too deeply, or holds itself."
            ) from None

    def _other(self, value: object, place: Place) -> Json:
        if value in BUILTINS.values() if isinstance(value, type) else value is np.random:
            name = next((n for n, found in BUILTINS.items() if found is value), "numpy.random")
            return {"is": "builtin", "name": name}
        if isinstance(value, type):
            return self._named(value, place, "class")
        if isinstance(value, functools.partial):
            parts = (value.func, value.args, value.keywords)
            function, args, kwargs = (self._any(v, place) for v in parts)
            return {"is": "partial", "function": function, "args": args, "kwargs": kwargs}
        if isinstance(value, torch.nn.Module):
            return self._again(value) or self._module(value, place)
        code = hasattr(value, "__code__") or hasattr(value, "__self__")
        if code or isinstance(value, np.ufunc):
            return self._named(value, place, "function")
        return self._again(value) or self._object(value, place)

    def _refuse(self, place: Place, value: object, why: str, way_out: str = "") -> CannotSaveError:
        kind = (
            "attribute" if place.name.endswith("_") or place.name.startswith("_") else "parameter"
        )
        what = f"The {place.name!r} {kind} of {place.owner}" if place.name else place.owner
        text = f"{what} cannot be saved: {shown(value)} {why}. {way_out}"
        return CannotSaveError(text.rstrip())

    def _attributes(self, owner: str, state: Iterable[tuple[str, object]], place: Place) -> Json:
        """Return attributes with their names."""
        return [[k, self._any(v, Place(owner, k, place.inside(k).path))] for k, v in state]

    def _module(self, value: torch.nn.Module, place: Place) -> Node:
        kind = type(value)
        name = allowed_name(kind) or self._own_name(kind, place)
        node: Node = {"is": "module", "id": self._number(value), "class": name}
        refuse = functools.partial(self._refuse, place)
        state = module_state(value, refuse, whole=self.keep.whole)
        owner = Place(kind.__name__, place.name or "module", place.path)
        for part, found in state.items():
            if part != "plain":
                node[part] = [[k, self._any(v, owner.inside(k))] for k, v in found.items()]
        return node | {"plain": self._attributes(kind.__name__, state["plain"].items(), place)}

    def _named(self, value: object, place: Place, kind: str) -> Node:
        """Return a class or function by its name."""
        name = allowed_name(value)
        if name is None:
            name = self._own_name(value, place)
        return {"is": kind, "name": name}

    def _own_name(self, value: Any, place: Place) -> str:
        way_out = (
            "Define it with def or class at the top level of a module, and whoever loads the file "
            f"names it in trusted; {_SET_FIRST}."
        )
        qualname = getattr(value, "__qualname__", "")
        if not qualname or not getattr(value, "__module__", None):
            raise self._refuse(place, value, "has no name by which it is found again", way_out)
        for sign, what in (("<lambda>", "a lambda"), ("<locals>", "defined inside a function")):
            if sign in qualname:
                raise self._refuse(
                    place, value, f"is {what}, which is found by no name again", way_out
                )
        found: object = sys.modules.get(value.__module__)
        for part in qualname.split("."):
            found = getattr(found, part, None)
        came_here = "_came_in_a_file" in getattr(value, "__dict__", {})
        if found is not value and not came_here:
            raise self._refuse(
                place, value, f"is not what {value.__module__}.{qualname} is", way_out
            )
        if not isinstance(value, type) and not hasattr(value, "__code__"):
            raise self._refuse(place, value, "is no function of Python's", way_out)
        name = full_name(value)
        self.own[name] = value
        if self.keep.source and name not in self.sources:
            from atl_sklearn.persistence._source import source_of

            self.sources[name] = source_of(value)
        return name

    def _object(self, value: Any, place: Place) -> Node:
        number = self._number(value)
        # Of the class: some objects have the attributes of others in them.
        if hasattr(type(value), "_saved_instead"):
            value = value._saved_instead
        kind = type(value)
        save_state = getattr(kind, "_state_to_save", None)
        constructed = is_made_by_constructor(kind)
        if save_state is None and not constructed:
            check_plain(kind, lambda why: self._refuse(place, value, why, _way_out(place)))
        name = allowed_name(kind) or self._own_name(kind, place)
        if save_state is not None:
            state = save_state(value, self.keep)
        elif constructed:
            state = value.get_params(deep=False)
        elif dataclasses.is_dataclass(kind):
            state = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        else:
            state = {k: HERE_ONLY.get(k, lambda v: v)(v) for k, v in vars(value).items()}
        # In one order, whatever was set first.
        encoded = self._attributes(kind.__name__, sorted(state.items()), place)
        return {"is": "object", "id": number, "class": name, "state": encoded}


def _way_out(place: Place) -> str:
    if not place.name or place.name.endswith("_") or place.name.startswith("_"):
        return "Keep such an estimator with pickle or skops instead."
    return f"Leave it out, {_SET_FIRST}: set_params({place.name}=None)."

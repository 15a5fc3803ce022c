"""From objects, classes and networks to JSON and tensors."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np

from atl_sklearn.persistence import _arrays
from atl_sklearn.persistence._allowed import allowed_name, full_name
from atl_sklearn.persistence._encode_values import CONTAINERS, Place, ValueEncoder
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
        self.own: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def encode(self, value: Any) -> Any:
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

    def _any(self, value: Any, place: Place) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"is": "float", "value": repr(value)}
        if kind is list:
            return [self._any(v, place.inside(i)) for i, v in enumerate(value)]
        if kind in CONTAINERS:
            return CONTAINERS[kind](self, value, place)
        if isinstance(value, PurePath):
            return {"is": "path", "value": str(value)}
        if isinstance(value, np.generic) and _arrays.is_fixed(value.dtype):
            return {"is": "scalar", "dtype": value.dtype.str, "bytes": value.tobytes().hex()}
        if kind is np.str_:
            return {"is": "scalar", "dtype": "str", "text": str(value)}
        if isinstance(value, np.dtype) and (_arrays.is_fixed(value) or _arrays.is_text(value)):
            return {"is": "dtype", "value": value.str}
        if kind is np.ndarray or kind is np.memmap:
            return self._array(value, place)
        if kind in (np.random.RandomState, np.random.Generator):
            return self._generator(value, place)
        if value in BUILTINS.values() if isinstance(value, type) else value is np.random:
            name = next((n for n, found in BUILTINS.items() if found is value), "numpy.random")
            return {"is": "builtin", "name": name}
        if isinstance(value, type):
            return self._named(value, place, "class")
        if isinstance(value, functools.partial):
            parts = (value.func, value.args, value.keywords)
            function, args, kwargs = (self._any(v, place) for v in parts)
            return {"is": "partial", "function": function, "args": args, "kwargs": kwargs}
        if "torch" in sys.modules and (found := self._of_torch(value, place)) is not None:
            return found
        if "scipy.sparse" in sys.modules and sys.modules["scipy.sparse"].issparse(value):
            return self._sparse(value, place)
        if hasattr(value, "__code__") or hasattr(value, "__self__") or kind is np.ufunc:
            return self._named(value, place, "function")
        return self._object(value, place)

    def _of_torch(self, value: Any, place: Place) -> Any:
        torch = sys.modules["torch"]
        if type(value) in (torch.Tensor, torch.nn.Parameter, getattr(torch.nn, "Buffer", None)):
            return self._again(value) or self._tensor(value, place)
        if isinstance(value, torch.Size):
            return {"is": "size", "items": list(value)}
        if isinstance(value, torch.dtype | torch.device):
            kind = "torch_dtype" if isinstance(value, torch.dtype) else "device"
            return {"is": kind, "value": str(value).removeprefix("torch.")}
        if isinstance(value, torch.nn.Module):
            return self._again(value) or self._module(value, place)
        return None

    def _tensor(self, value: Any, place: Place) -> Any:
        torch = sys.modules["torch"]
        if value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
            raise self._refuse(place, value, "is no dense tensor", "Make it one: x.to_dense().")
        plain = value.detach().cpu()
        node = {"is": "tensor", "id": self._number(value), "shape": list(plain.shape)}
        node["dtype"] = str(plain.dtype).removeprefix("torch.")
        if type(value) is torch.nn.Parameter:
            node["parameter"] = True
        if value.requires_grad and value.is_leaf:
            node["requires_grad"] = True
        stored = plain.contiguous().clone(memory_format=torch.contiguous_format)
        strides = tuple(plain.stride())
        if strides != stored.stride() and _arrays.is_dense(tuple(plain.shape), strides):
            node["strides"] = list(strides)
        return node | {"tensor": self._store(stored, place)}

    def _module(self, value: Any, place: Place) -> Any:
        name = self._class_name(value, place)
        number = self._number(value)
        refuse = functools.partial(self._refuse, place)
        state = module_state(value, refuse, whole=self.keep.whole)
        owner = Place(type(value).__name__, place.name or "module", place.path)
        encoded = {
            part: [[k, self._any(v, owner.inside(k))] for k, v in found.items()]
            for part, found in state.items()
            if part != "plain"
        }
        plain = [
            [k, self._any(v, Place(type(value).__name__, k, owner.inside(k).path))]
            for k, v in state["plain"].items()
        ]
        return {"is": "module", "id": number, "class": name, "plain": plain, **encoded}

    def _named(self, value: Any, place: Place, kind: str) -> Any:
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
        found: Any = sys.modules.get(value.__module__)
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

    def _class_name(self, value: Any, place: Place) -> str:
        kind = type(value)
        return allowed_name(kind) or self._own_name(kind, place)

    def _object(self, value: Any, place: Place) -> Any:
        again = self._again(value)
        if again is not None:
            return again
        number = self._number(value)
        # Of the class: some objects have the attributes of others in them.
        if hasattr(type(value), "_saved_instead"):
            value = value._saved_instead
        kind = type(value)
        save_state = getattr(kind, "_state_to_save", None)
        constructed = is_made_by_constructor(kind)
        if save_state is None and not constructed:
            check_plain(kind, lambda why: self._refuse(place, value, why, _way_out(place)))
        name = self._class_name(value, place)
        if save_state is not None:
            state = save_state(value, self.keep)
        elif constructed:
            state = value.get_params(deep=False)
        elif dataclasses.is_dataclass(kind):
            state = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        else:
            state = {k: HERE_ONLY.get(k, lambda v: v)(v) for k, v in vars(value).items()}
        # In one order, whatever was set first.
        encoded = [
            [k, self._any(v, Place(kind.__name__, k, place.inside(k).path))]
            for k, v in sorted(state.items())
        ]
        return {"is": "object", "id": number, "class": name, "state": encoded}


def _way_out(place: Place) -> str:
    if not place.name or place.name.endswith("_") or place.name.startswith("_"):
        return "Keep such an estimator with pickle or skops instead."
    return f"Leave it out, {_SET_FIRST}: set_params({place.name}=None)."

"""From plain values, arrays, tensors and random states to JSON and tensors."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse
import torch

from atl_sklearn._types import Json
from atl_sklearn.persistence import _arrays
from atl_sklearn.persistence._simple import SIMPLE, Simple

_TENSORS = (torch.Tensor, torch.nn.Parameter, getattr(torch.nn, "Buffer", torch.Tensor))

# What a value is in a file, unless it is in JSON what it is in Python.
Node: TypeAlias = dict[str, Json]


class Place(NamedTuple):
    """Where a value was found: whose attribute it is, and the names that lead to it."""

    owner: str
    name: str
    path: tuple[object, ...] = ()

    def inside(self, name: object) -> Place:
        return self._replace(path=(*self.path, name))


class ValueEncoder:
    """Turns values into what JSON holds, and collects the tensors.

    Attributes
    ----------
    tensors : dict of str to Tensor
        The numbers, by name.
    """

    _simple: ClassVar[Mapping[type, Simple]] = SIMPLE
    _arrays: ClassVar[tuple[type, ...]] = (np.ndarray, np.memmap)

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._numbers = itertools.count()
        # The objects too: an id is another object's once its own is gone.
        self._seen: dict[int, tuple[int, object]] = {}

    def _any(self, value: object, place: Place) -> Json:
        kind = type(Path()) if isinstance(value, PurePath) else type(value)
        if value is None or type(value) is bool or type(value) is int or type(value) is str:
            return value
        if type(value) is float and math.isfinite(value):
            return value
        if type(value) is list:
            return [self._any(v, place.inside(i)) for i, v in enumerate(value)]
        if (simple := self._simple.get(kind)) is not None:
            return {"is": simple.name, simple.key: self._any(simple.parts(value), place)}
        if type(value) is dict or type(value) is OrderedDict:
            return self._dict(value, place)
        if isinstance(value, np.generic) and _arrays.is_fixed(value.dtype):
            return {"is": "scalar", "dtype": value.dtype.str, "bytes": value.tobytes().hex()}
        if type(value) is np.str_:
            return {"is": "scalar", "dtype": "str", "text": str(value)}
        if isinstance(value, np.dtype) and (_arrays.is_fixed(value) or _arrays.is_text(value)):
            return {"is": "dtype", "value": value.str}
        if isinstance(value, np.ndarray) and kind in self._arrays:
            return self._again(value) or self._array(value, place)
        if type(value) is np.random.RandomState:
            return self._again(value) or self._generator(
                value, value.get_state(legacy=False), place
            )
        if type(value) is np.random.Generator:
            return self._again(value) or self._generator(value, value.bit_generator.state, place)
        if isinstance(value, torch.Tensor) and kind in _TENSORS:
            return self._again(value) or self._tensor(value, place)
        if scipy.sparse.issparse(value):
            return self._again(value) or self._sparse(value, place)
        return self._other(value, place)

    def _other(self, value: object, place: Place) -> Json:
        """Return a value of another kind."""
        raise NotImplementedError  # pragma: no cover

    def _refuse(self, place: Place, value: object, why: str, way_out: str = "") -> Exception:
        """Return the error for a value that no file holds."""
        raise NotImplementedError  # pragma: no cover

    def _again(self, value: object) -> Json:
        """Return what stands for an object that is written already, or None."""
        seen = self._seen.get(id(value))
        return None if seen is None else {"is": "same", "id": seen[0]}

    def _number(self, value: object) -> int:
        number = next(self._numbers)
        self._seen[id(value)] = number, value
        return number

    def _store(self, make: Callable[[], torch.Tensor], place: Place) -> str:
        """Keep a tensor, which no other one may share memory with, and return its name."""
        name = base = ".".join(map(str, place.path)) or "value"
        while name in self.tensors:
            name = f"{base}#{len(self.tensors)}"
        self.tensors[name] = make()
        return name

    def _dict(self, value: Mapping, place: Place) -> Node:
        items: list[Json] = [
            [self._any(k, place), self._any(v, place.inside(k))] for k, v in value.items()
        ]
        return {"is": "ordered" if type(value) is OrderedDict else "dict", "items": items}

    def _array(self, value: np.ndarray, place: Place) -> Node:
        array = np.asarray(value)
        node: Node = {"is": "array", "id": self._number(value), "shape": list(array.shape)}
        if _arrays.is_fixed(array.dtype):
            fortran = array.flags.f_contiguous and not array.flags.c_contiguous
            node |= {"dtype": array.dtype.str, "order": "F" if fortran else "C"}
            return node | {"tensor": self._store(lambda: _arrays.array_as_tensor(array), place)}
        if _arrays.is_text(array.dtype):
            return node | {"dtype": array.dtype.str, "values": array.ravel().tolist()}
        if array.dtype == object:
            return node | {"dtype": "O", "values": self._any(array.ravel().tolist(), place)}
        raise self._refuse(place, value, f"is of type {array.dtype}", "Make it a plain array.")

    def _tensor(self, value: torch.Tensor, place: Place) -> Node:
        if value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
            raise self._refuse(place, value, "is no dense tensor", "Make it one: x.to_dense().")
        plain = value.detach()
        node: Node = {"is": "tensor", "id": self._number(value), "shape": list(plain.shape)}
        node["dtype"] = str(plain.dtype).removeprefix("torch.")
        if type(value) is torch.nn.Parameter:
            node["parameter"] = True
        if value.requires_grad and value.is_leaf:
            node["requires_grad"] = True
        strides = tuple(plain.stride())
        usual = torch.empty(plain.shape, device="meta").stride()
        if strides != usual and _arrays.is_dense(tuple(plain.shape), strides):
            node["strides"] = list(strides)
        contiguous = torch.contiguous_format
        name = self._store(lambda: plain.cpu().clone(memory_format=contiguous), place)
        return node | {"tensor": name}

    def _generator(self, value: object, state: object, place: Place) -> Node:
        number = self._number(value)
        return {"is": type(value).__name__, "id": number, "state": self._any(state, place)}

    def _sparse(self, value: scipy.sparse.csr_array, place: Place) -> Node:
        if not hasattr(value, "indptr") or value.ndim != 2:
            raise self._refuse(place, value, "is sparse in this form", "Make it CSR: x.tocsr().")
        parts = [value.data, value.indices, value.indptr]
        return {
            "is": "sparse",
            "id": self._number(value),
            "kind": type(value).__name__,
            "shape": list(value.shape),
            "parts": self._any(parts, place),
        }

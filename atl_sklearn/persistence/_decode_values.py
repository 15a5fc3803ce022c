"""From JSON and tensors to plain values, arrays, tensors and random states, all of it checked."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
import torch

from atl_sklearn._types import Json
from atl_sklearn._validation import shown
from atl_sklearn.persistence import _arrays
from atl_sklearn.persistence._encode_values import Node
from atl_sklearn.persistence._errors import ModelFileError, UntrustedClassError
from atl_sklearn.persistence._simple import SIMPLE, Simple

# Text takes 4 bytes a character, padded to the longest: a few words must not become gigabytes.
_TEXT_FACTOR = 64
_TEXT_FREE = 2**20
_SPARSE = {f"{form}_{kind}" for form in ("csr", "csc", "bsr") for kind in ("array", "matrix")}
_BIT_GENERATORS = {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"}


class ValueDecoder:
    """Makes values of what the encoder wrote, with nothing taken for granted.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The numbers, by name.
    """

    _simple: ClassVar[Mapping[type, Simple]] = SIMPLE

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self._tensors = tensors
        self._made: dict[int, object] = {}
        self._readers: dict[str, Callable[[Node, str], object]] = {
            **{simple.name: self._simple_value for simple in self._simple.values()},
            "array": self._array,
            "dict": self._mapping,
            "dtype": lambda node, at: _arrays.dtype_of(node["value"], at),
            "Generator": self._generator,
            "ordered": self._mapping,
            "RandomState": self._random_state,
            "same": self._same,
            "scalar": self._scalar,
            "sparse": self._sparse,
            "tensor": self._tensor,
        }
        self._by_name = {simple.name: simple for simple in self._simple.values()}

    def _any(self, node: Json, at: str) -> Any:
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, list):
            return [self._any(v, f"{at}[{i}]") for i, v in enumerate(node)]
        kind = node.get("is")
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise ModelFileError(f"The file has {shown(kind)} at {at}, which is not known.")
        try:
            return reader(node, at)
        except KeyError as error:
            raise ModelFileError(f"The file lacks {error} at {at}.") from error
        except (ModelFileError, RecursionError, MemoryError):
            raise
        except Exception as error:  # whatever NumPy, SciPy or torch say of odd values
            raise ModelFileError(f"The file cannot be read at {at}: {error}") from error

    def _items(self, node: Node, at: str, key: str = "items") -> list[Json]:
        found = node[key]
        if not isinstance(found, list):
            raise ModelFileError(f"The file has {shown(found)} as {key!r} at {at}, not a list.")
        return found

    def _pairs(self, node: Node, at: str, key: str) -> dict[str, Any]:
        """Return attributes by name, each once."""
        found: dict[str, Any] = {}
        for pair in self._items(node, at, key):
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise ModelFileError(f"The file has {shown(pair)} at {at}, not a name and a value.")
            if pair[0] in found:
                raise ModelFileError(f"The file has {pair[0]!r} twice at {at}.")
            found[pair[0]] = self._any(pair[1], f"{at}.{pair[0]}")
        return found

    def _remember(self, node: Node, at: str, value: object) -> Any:
        number = node["id"]
        if type(number) is not int or number in self._made:
            raise ModelFileError(f"The file has the number {shown(number)} twice, at {at}.")
        self._made[number] = value
        return value

    def _same(self, node: Node, at: str) -> object:
        number = node["id"]
        if type(number) is not int or number not in self._made:
            raise ModelFileError(f"The file refers to what is not there, at {at}.")
        return self._made[number]

    def _simple_value(self, node: Node, at: str) -> object:
        simple = self._by_name[str(node["is"])]
        parts = node[simple.key]
        if type(parts) is not simple.kind:
            what = "a list" if simple.kind is list else "text"
            raise ModelFileError(
                f"The file has {shown(parts)} as {simple.key!r} at {at}, not {what}."
            )
        return simple.make(self._any(parts, at))

    def _mapping(self, node: Node, at: str) -> dict:
        made: dict[object, object] = OrderedDict() if node["is"] == "ordered" else {}
        for pair in self._items(node, at):
            key, value = pair if isinstance(pair, list) else []
            name = self._any(key, at)
            if name in made:
                raise ModelFileError(f"The file has {shown(name)} twice at {at}.")
            made[name] = self._any(value, f"{at}[{shown(name)}]")
        return made

    def _scalar(self, node: Node, at: str) -> object:
        if node["dtype"] == "str":
            return np.str_(node["text"])
        dtype = _arrays.dtype_of(node["dtype"], at)
        return np.frombuffer(bytes.fromhex(str(node["bytes"])), dtype=dtype, count=1)[0]

    def _tensor_of(self, node: Node, at: str) -> torch.Tensor:
        name = node["tensor"]
        if not isinstance(name, str) or name not in self._tensors:
            raise ModelFileError(f"The file lacks the tensor {shown(name)}, at {at}.")
        return self._tensors[name]

    def _array(self, node: Node, at: str) -> np.ndarray:
        shape = _arrays.shape_of(node["shape"], at)
        if "tensor" in node:
            dtype = _arrays.dtype_of(node["dtype"], at)
            tensor, fortran = self._tensor_of(node, at), node["order"] == "F"
            array = _arrays.array_from_tensor(tensor, dtype, shape, at, fortran=fortran)
            return self._remember(node, at, array)
        values = self._items(node, at, "values")
        if len(values) != math.prod(shape):
            raise ModelFileError(
                f"The file has {len(values)} values for an array of shape {shape}, at {at}."
            )
        if node["dtype"] == "O":
            array = np.empty(len(values), dtype=object)
            array[:] = [self._any(v, f"{at}[{i}]") for i, v in enumerate(values)]
            return self._remember(node, at, array.reshape(shape))
        dtype, texts = _arrays.dtype_of(node["dtype"], at), [v for v in values if type(v) is str]
        length = sum(len(text) + 4 for text in texts)
        # NumPy before 2 lets huge sizes overflow to negative ones.
        if not 0 <= dtype.itemsize * len(values) <= _TEXT_FREE + _TEXT_FACTOR * length:
            raise ModelFileError(f"The file has text padded to {dtype.itemsize} bytes, at {at}.")
        array = np.array(texts, dtype=dtype).reshape(shape)
        if array.ravel().tolist() != values:
            raise ModelFileError(f"The file has text that is not of type {dtype}, at {at}.")
        return self._remember(node, at, array)

    def _tensor(self, node: Node, at: str) -> torch.Tensor:
        stored = self._tensor_of(node, at)
        shape = _arrays.shape_of(node["shape"], at)
        kind = str(stored.dtype).removeprefix("torch.")
        if tuple(stored.shape) != shape or kind != node["dtype"]:
            raise ModelFileError(
                f"The tensor {node['tensor']!r} must have shape {shape} and type {node['dtype']}, "
                f"at {at}. The file has shape {tuple(stored.shape)} and type {kind}."
            )
        if "strides" in node:
            found = self._items(node, at, "strides")
            strides = tuple(n for n in found if type(n) is int)
            if not len(found) == len(strides) == len(shape) or not _arrays.is_dense(shape, strides):
                raise ModelFileError(f"The file has strides {found} for {shape}, at {at}.")
            stored = torch.empty_strided(shape, strides, dtype=stored.dtype).copy_(stored)
        grad = node.get("requires_grad", False) is True
        if node.get("parameter") is True:
            return self._remember(node, at, torch.nn.Parameter(stored, requires_grad=grad))
        return self._remember(node, at, stored.requires_grad_(grad) if grad else stored)

    def _random_state(self, node: Node, at: str) -> np.random.RandomState:
        made = np.random.RandomState()
        made.set_state(self._any(node["state"], at))
        return self._remember(node, at, made)

    def _generator(self, node: Node, at: str) -> np.random.Generator:
        state = self._any(node["state"], at)
        if state["bit_generator"] not in _BIT_GENERATORS:
            raise UntrustedClassError(f"The file names {state['bit_generator']!r}, at {at}.")
        bits = getattr(np.random, state["bit_generator"])()
        bits.state = state
        return self._remember(node, at, np.random.Generator(bits))

    def _sparse(self, node: Node, at: str) -> scipy.sparse.csr_array:
        if node["kind"] not in _SPARSE:
            raise ModelFileError(f"The file has {shown(node['kind'])} at {at}.")
        parts = tuple(self._any(self._items(node, at, "parts"), at))
        shape = _arrays.shape_of(node["shape"], at)
        made = getattr(scipy.sparse, str(node["kind"]))(parts, shape=shape)
        made.check_format(full_check=True)
        return self._remember(node, at, made)

"""From JSON and tensors to plain values, arrays and random states, each of them checked."""

from __future__ import annotations

import base64
import binascii
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from atl_sklearn._validation import shown
from atl_sklearn.persistence import _arrays
from atl_sklearn.persistence._errors import ModelFileError, UntrustedClassError
from atl_sklearn.persistence._plain import BUILTINS

# Text takes 4 bytes a character, padded to the longest: a few words must not become gigabytes.
_TEXT_FACTOR = 64
_TEXT_FREE = 2**20


class ValueDecoder:
    """Makes values of what the encoder wrote.

    Parameters
    ----------
    tensors : dict of str to Tensor
        The numbers, by name.
    """

    _readers: dict[str, Any]

    def __init__(self, tensors: dict[str, Any]) -> None:
        self._tensors = tensors
        self._made: dict[int, Any] = {}

    def _any(self, node: Any, at: str) -> Any:
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, list):
            return [self._any(v, f"{at}[{i}]") for i, v in enumerate(node)]
        kind = node.get("is")
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise ModelFileError(f"The file has {shown(kind)} at {at}, which is not known.")
        try:
            return reader(self, node, at)
        except KeyError as error:
            raise ModelFileError(f"The file lacks {error} at {at}.") from error
        except (ModelFileError, RecursionError, MemoryError):
            raise
        except Exception as error:  # whatever NumPy, SciPy or torch say of odd values
            raise ModelFileError(f"The file cannot be read at {at}: {error}") from error

    def _items(self, node: Any, at: str, key: str = "items") -> list[Any]:
        found = node[key]
        if not isinstance(found, list):
            raise ModelFileError(f"The file has {shown(found)} as {key!r} at {at}, not a list.")
        return found

    def _pairs(self, node: Any, at: str, key: str) -> dict[str, Any]:
        """Return attributes by name, each once."""
        found: dict[str, Any] = {}
        for pair in self._items(node, at, key):
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise ModelFileError(f"The file has {shown(pair)} at {at}, not a name and a value.")
            if pair[0] in found:
                raise ModelFileError(f"The file has {pair[0]!r} twice at {at}.")
            found[pair[0]] = self._any(pair[1], f"{at}.{pair[0]}")
        return found

    def _remember(self, node: Any, at: str, value: Any) -> Any:
        number = node["id"]
        if type(number) is not int or number in self._made:
            raise ModelFileError(f"The file has the number {shown(number)} twice, at {at}.")
        self._made[number] = value
        return value

    def _same(self, node: Any, at: str) -> Any:
        if node["id"] not in self._made:
            raise ModelFileError(f"The file refers to what is not there, at {at}.")
        return self._made[node["id"]]

    def _sequence(self, node: Any, at: str) -> Any:
        makes = {"tuple": tuple, "set": set, "frozenset": frozenset}
        return makes[node["is"]](self._any(self._items(node, at), at))

    def _mapping(self, node: Any, at: str) -> Any:
        made: dict[Any, Any] = OrderedDict() if node["is"] == "ordered" else {}
        for key, value in self._items(node, at):
            name = self._any(key, at)
            if name in made:
                raise ModelFileError(f"The file has {shown(name)} twice at {at}.")
            made[name] = self._any(value, f"{at}[{shown(name)}]")
        return made

    def _float(self, node: Any, at: str) -> float:
        value = node["value"]
        if value not in ("nan", "inf", "-inf"):
            raise ModelFileError(f"The file has {shown(value)} as a number, at {at}.")
        return float(value)

    def _complex(self, node: Any, at: str) -> complex:
        return complex(*self._any(node["parts"], at))

    def _bytes(self, node: Any, at: str) -> bytes:
        try:
            return base64.b64decode(node["base64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise ModelFileError(f"The file has no bytes at {at}.") from None

    def _range(self, node: Any, at: str) -> Any:
        make = range if node["is"] == "range" else slice
        return make(*self._any(self._items(node, at, "parts"), at))

    def _path(self, node: Any, at: str) -> Path:
        return Path(node["value"])

    def _scalar(self, node: Any, at: str) -> Any:
        if node["dtype"] == "str":
            return np.str_(node["text"])
        dtype = _arrays.dtype_of(node["dtype"], at)
        return np.frombuffer(bytes.fromhex(node["bytes"]), dtype=dtype, count=1)[0]

    def _dtype(self, node: Any, at: str) -> np.dtype[Any]:
        return _arrays.dtype_of(node["value"], at)

    def _builtin(self, node: Any, at: str) -> Any:
        if node["name"] == "numpy.random":
            return np.random
        if node["name"] not in BUILTINS:
            raise UntrustedClassError(f"The file names {shown(node['name'])}, at {at}.")
        return BUILTINS[node["name"]]

    def _tensor_of(self, node: Any, at: str) -> Any:
        name = node["tensor"]
        if name not in self._tensors:
            raise ModelFileError(f"The file lacks the tensor {shown(name)}, at {at}.")
        return self._tensors[name]

    def _array(self, node: Any, at: str) -> np.ndarray:
        shape = _arrays.shape_of(node["shape"], at)
        if node["dtype"] != "O":
            dtype = _arrays.dtype_of(node["dtype"], at)
        if "tensor" in node:
            tensor = self._tensor_of(node, at)
            array = _arrays.array_from_tensor(tensor, dtype, shape, node["order"], at)
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
        length = sum(len(v) + 4 for v in values)
        if dtype.itemsize * len(values) > _TEXT_FREE + _TEXT_FACTOR * length:
            raise ModelFileError(f"The file has text padded to {dtype.itemsize} bytes, at {at}.")
        array = np.array(values, dtype=dtype).reshape(shape)
        if array.ravel().tolist() != values:
            raise ModelFileError(f"The file has text that is not of type {dtype}, at {at}.")
        return self._remember(node, at, array)

    def _random_state(self, node: Any, at: str) -> Any:
        made = np.random.RandomState()
        made.set_state(self._any(node["state"], at))
        return self._remember(node, at, made)

    def _generator(self, node: Any, at: str) -> Any:
        state = self._any(node["state"], at)
        kinds = {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"}
        if state["bit_generator"] not in kinds:
            raise UntrustedClassError(f"The file names {state['bit_generator']!r}, at {at}.")
        bits = getattr(np.random, state["bit_generator"])()
        bits.state = state
        return self._remember(node, at, np.random.Generator(bits))

    def _sparse(self, node: Any, at: str) -> Any:
        import scipy.sparse

        kinds = {f"{f}_{k}" for f in ("csr", "csc", "bsr") for k in ("array", "matrix")}
        if node["kind"] not in kinds:
            raise ModelFileError(f"The file has {shown(node['kind'])} at {at}.")
        parts = tuple(self._any(self._items(node, at, "parts"), at))
        made = getattr(scipy.sparse, node["kind"])(parts, shape=_arrays.shape_of(node["shape"], at))
        made.check_format(full_check=True)
        return self._remember(node, at, made)

    def _size(self, node: Any, at: str) -> Any:
        import torch

        return torch.Size(_arrays.shape_of(node["items"], at))

    def _torch_dtype(self, node: Any, at: str) -> Any:
        import torch

        found = getattr(torch, str(node["value"]), None)
        if not isinstance(found, torch.dtype):
            raise ModelFileError(f"The file has {shown(node['value'])} as a type, at {at}.")
        return found

    def _device(self, node: Any, at: str) -> Any:
        import torch

        return torch.device(node["value"])

    _readers = {  # noqa: RUF012 - never changed
        "array": _array,
        "builtin": _builtin,
        "bytes": _bytes,
        "complex": _complex,
        "device": _device,
        "dict": _mapping,
        "dtype": _dtype,
        "float": _float,
        "frozenset": _sequence,
        "Generator": _generator,
        "ordered": _mapping,
        "path": _path,
        "RandomState": _random_state,
        "range": _range,
        "same": _same,
        "scalar": _scalar,
        "set": _sequence,
        "size": _size,
        "slice": _range,
        "sparse": _sparse,
        "torch_dtype": _torch_dtype,
        "tuple": _sequence,
    }

"""A state of tensors, numbers and containers as bytes that run nothing when they are read."""

from __future__ import annotations

import json
import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

_PLAIN = (type(None), bool, int, float, str)
_KEY = "state"
# What a file may name.
_BIT_GENERATORS = {
    cls.__name__: cls
    for cls in (
        np.random.MT19937,
        np.random.PCG64,
        np.random.PCG64DXSM,
        np.random.Philox,
        np.random.SFC64,
    )
}


class UnknownStateError(TypeError):
    """A state has something in it of which nobody knows how to write it down."""


class _Packer:
    """Makes JSON of a state, and collects its tensors unless it is only to try."""

    def __init__(self, *, tries: bool = False) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._tries = tries

    def _keep(self, tensor: torch.Tensor) -> str:
        if self._tries:
            return ""
        name = str(len(self.tensors))
        # A copy, since a file has no two tensors of one memory.
        self.tensors[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        return name

    def _pairs(self, items: Any, where: str) -> list[Any]:
        return [[self(key, where), self(value, f"{where}[{key!r}]")] for key, value in items]

    def _list(self, values: Any, where: str) -> list[Any]:
        return [self(value, f"{where}[{at}]") for at, value in enumerate(values)]

    def __call__(self, value: Any, where: str) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is list:
            return self._list(value, where)
        if kind is dict and all(type(key) is str and key[:1] != "$" for key in value):
            return {key: self(entry, f"{where}[{key!r}]") for key, entry in value.items()}
        if kind in (torch.Tensor, torch.nn.Parameter):
            return {"$tensor": self._tensor(value, where)}
        if kind is np.ndarray or isinstance(value, np.generic):
            return {"$numpy": self._array(value, where)}
        for tag, (cls, parts) in _PARTS.items():
            if kind is cls:
                return {tag: self(parts(value), where)}
        if kind in (dict, Counter):
            return {f"${kind.__name__.lower()}": self._pairs(value.items(), where)}
        if kind is OrderedDict:  # a module's state dict has its versions besides
            versions = self(getattr(value, "_metadata", None), where)
            return {"$ordered": [self._pairs(value.items(), where), versions]}
        raise UnknownStateError(f"{where} is of type {kind.__module__}.{kind.__qualname__}")

    def _tensor(self, value: torch.Tensor, where: str) -> list[Any]:
        value = value.detach()
        if value.layout is not torch.strided or value.device.type == "meta":
            raise UnknownStateError(f"{where} is a tensor of layout {value.layout}")
        usual = torch.empty(value.shape, device="meta").stride()
        dense = value.stride() != usual and _fills_its_memory(value)
        strides = list(value.stride()) if dense else None
        return [self._keep(value), str(value.device), strides]

    def _array(self, value: Any, where: str) -> list[Any]:
        array = np.asarray(value)
        if array.dtype.hasobject or array.dtype.names:
            raise UnknownStateError(f"{where} is an array of type {array.dtype}")
        flat = np.frombuffer(b"" if self._tries else array.tobytes(), dtype=np.uint8).copy()
        scalar = not isinstance(value, np.ndarray)
        return [self._keep(torch.from_numpy(flat)), array.dtype.str, list(array.shape), scalar]


def _fills_its_memory(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor is a permutation of a contiguous one, such as one of images."""
    order = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    return tensor.permute(order).is_contiguous()


def _generator(parts: Any) -> torch.Generator:
    made = torch.Generator(device=parts[0])
    made.set_state(parts[1])
    return made


def _random_state(parts: Any) -> np.random.RandomState:
    made = np.random.RandomState()
    made.set_state(parts)
    return made


def _numpy_generator(parts: Any) -> np.random.Generator:
    bits = _BIT_GENERATORS[parts["bit_generator"]]()
    bits.state = parts
    return np.random.Generator(bits)


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"torch.{name} is no dtype")
    return found


def _random(parts: Any) -> random.Random:
    made = random.Random()
    made.setstate(parts)
    return made


# Types that are made of other things: the type, how it is taken apart, how it is made.
_PARTS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "$tuple": (tuple, list),
    "$set": (set, lambda value: sorted(value, key=repr)),
    "$frozenset": (frozenset, lambda value: sorted(value, key=repr)),
    "$deque": (deque, lambda value: [list(value), value.maxlen]),
    "$range": (range, lambda value: [value.start, value.stop, value.step]),
    "$size": (torch.Size, list),
    "$dtype": (torch.dtype, lambda value: str(value).removeprefix("torch.")),
    "$device": (torch.device, str),
    "$path": (type(Path()), str),
    "$bytes": (bytes, bytes.hex),
    "$torch_generator": (torch.Generator, lambda value: [str(value.device), value.get_state()]),
    "$random_state": (np.random.RandomState, lambda value: value.get_state(legacy=False)),
    "$numpy_generator": (np.random.Generator, lambda value: value.bit_generator.state),
    "$random": (random.Random, lambda value: value.getstate()),
}
_MAKE: dict[str, Callable[[Any], Any]] = {
    "$tuple": tuple,
    "$set": set,
    "$frozenset": frozenset,
    "$deque": lambda parts: deque(parts[0], parts[1]),
    "$range": lambda parts: range(*parts),
    "$size": torch.Size,
    "$dtype": _dtype,
    "$device": torch.device,
    "$path": Path,
    "$bytes": bytes.fromhex,
    "$torch_generator": _generator,
    "$random_state": _random_state,
    "$numpy_generator": _numpy_generator,
    "$random": _random,
}


def _unpack(found: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(found, list):
        return [_unpack(value, tensors) for value in found]
    if not isinstance(found, dict):
        return found
    tag = next(iter(found), "")
    if not tag.startswith("$"):
        return {key: _unpack(value, tensors) for key, value in found.items()}
    parts = found[tag]
    if tag == "$tensor":
        name, device, strides = parts
        tensor = tensors[name]
        if strides is not None:
            tensor = torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype).copy_(tensor)
        return tensor.to(device)
    if tag == "$numpy":
        name, dtype, shape, scalar = parts
        array = np.frombuffer(tensors[name].numpy().tobytes(), dtype).reshape(shape).copy()
        return array[()] if scalar else array
    parts = _unpack(parts, tensors)
    if tag in ("$dict", "$counter"):
        return (dict if tag == "$dict" else Counter)(dict(map(tuple, parts)))
    if tag == "$ordered":
        made: OrderedDict[Any, Any] = OrderedDict(map(tuple, parts[0]))
        if parts[1] is not None:
            made._metadata = parts[1]  # type: ignore[attr-defined]
        return made
    return _MAKE[tag](parts)


def check_packable(state: Any, where: str) -> None:
    """Refuse a state that cannot be written down.

    Parameters
    ----------
    state : object
        The state.
    where : str
        What errors call it.

    Raises
    ------
    UnknownStateError
        The message says what in it is of which type.

    Examples
    --------
    >>> from atl_sklearn._state_bytes import check_packable
    >>> check_packable({"seen": [1, object()]}, "the callback's state")
    Traceback (most recent call last):
    ...
    atl_sklearn._state_bytes.UnknownStateError: the callback's state['seen'][1] is of type ...
    """
    _Packer(tries=True)(state, where)


def pack(state: Any, where: str = "the state") -> bytes:
    """Write a state as bytes: a safetensors file with its JSON beside the tensors.

    The same state makes the same bytes.

    Parameters
    ----------
    state : object
        Tensors, arrays, generators of random numbers, numbers, strings, None, and lists, tuples,
        dicts and sets of these. What comes back has their types, strides and devices.
    where : str, default="the state"
        What errors call it.

    Returns
    -------
    data : bytes
        For :func:`unpack`.

    Raises
    ------
    UnknownStateError
        If there is something else in it.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn._state_bytes import pack, unpack
    >>> unpack(pack({"step": 3, "betas": (0.9, 0.99), "weight": torch.ones(2)}))
    {'step': 3, 'betas': (0.9, 0.99), 'weight': tensor([1., 1.])}
    """
    packer = _Packer()
    return save_tensors(packer(state, where), packer.tensors)


def save_tensors(description: Any, tensors: dict[str, torch.Tensor]) -> bytes:
    """Return a safetensors file that holds JSON too."""
    return save(tensors, {_KEY: json.dumps(description)})


def unpack(data: bytes) -> Any:
    """Return the state that :func:`pack` wrote; nothing is run.

    Parameters
    ----------
    data : bytes
        What :func:`pack` returned.

    Returns
    -------
    state : object
        Equal to what was packed.
    """
    # The header says its own length in the first eight bytes.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return _unpack(json.loads(header["__metadata__"][_KEY]), load(data))

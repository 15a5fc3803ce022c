"""The codec of states of a training: that of values, as whole as this machine needs them."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping

import numpy as np
import torch

from atl_sklearn._types import Json
from atl_sklearn.persistence._decode_values import ValueDecoder
from atl_sklearn.persistence._encode_values import Node, Place, ValueEncoder
from atl_sklearn.persistence._errors import UnknownStateError
from atl_sklearn.persistence._simple import SIMPLE, Simple


def _torch_generator(parts: list) -> torch.Generator:
    made = torch.Generator(device=parts[0])
    made.set_state(parts[1])
    return made


def _random(parts: list) -> random.Random:
    made = random.Random()
    made.setstate(parts[0])
    return made


_OF_STATES: dict[type, Simple] = {
    **SIMPLE,
    Counter: Simple(
        "counter",
        "items",
        lambda value: list(value.items()),
        lambda pairs: Counter(dict(pairs)),
    ),
    deque: Simple(
        "deque", "parts", lambda value: [list(value), value.maxlen], lambda parts: deque(*parts)
    ),
    random.Random: Simple("random", "parts", lambda value: [value.getstate()], _random),
    torch.Generator: Simple(
        "torch_generator",
        "parts",
        lambda value: [str(value.device), value.get_state()],
        _torch_generator,
    ),
}


class StateEncoder(ValueEncoder):
    """Writes what is equal alike, whether or not it is one object, and where tensors lie."""

    _simple = _OF_STATES
    _arrays = (np.ndarray,)

    def __init__(self, *, tries: bool = False) -> None:
        super().__init__()
        self._tries = tries

    def encode(self, state: object, where: str) -> Json:
        return self._any(state, Place(where, ""))

    def _again(self, value: object) -> Json:
        return None

    def _store(self, make: Callable[[], torch.Tensor], place: Place) -> str:
        return "" if self._tries else super()._store(make, place)

    def _tensor(self, value: torch.Tensor, place: Place) -> Node:
        return super()._tensor(value, place) | {"device": str(value.device)}

    def _dict(self, value: Mapping, place: Place) -> Node:
        node = super()._dict(value, place)
        if hasattr(value, "_metadata"):  # the versions of a module's state dict
            node["metadata"] = self._any(value._metadata, place)
        return node

    def _other(self, value: object, place: Place) -> Json:
        raise self._refuse(place, value, "")

    def _refuse(self, place: Place, value: object, why: str, way_out: str = "") -> Exception:
        where = place.owner + "".join(f"[{name!r}]" for name in place.path)
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        return UnknownStateError(f"{where} is of type {kind}")


class StateDecoder(ValueDecoder):
    _simple = _OF_STATES

    def decode(self, node: Json) -> object:
        return self._any(node, "the state")

    def _tensor(self, node: Node, at: str) -> torch.Tensor:
        return super()._tensor(node, at).to(str(node["device"]))

    def _mapping(self, node: Node, at: str) -> dict:
        made = super()._mapping(node, at)
        if isinstance(made, OrderedDict) and "metadata" in node:
            vars(made)["_metadata"] = self._any(node["metadata"], at)
        return made

"""From plain values, arrays and random states to JSON and tensors."""

from __future__ import annotations

import base64
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from atl_sklearn._validation import shown
from atl_sklearn.persistence import _arrays
from atl_sklearn.persistence._errors import CannotSaveError


class Place(NamedTuple):
    """Where a value was found: whose attribute it is, and the names that lead to it."""

    owner: str
    name: str
    path: tuple[str, ...] = ()

    def inside(self, name: Any) -> Place:
        return self._replace(path=(*self.path, str(name)))


class ValueEncoder:
    """Turns what is no object of a class into what JSON holds, and collects the tensors.

    Attributes
    ----------
    tensors : dict of str to Tensor
        The numbers, by name.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Any] = {}
        # The objects too: an id is another object's once its own is gone.
        self._seen: dict[int, tuple[int, Any]] = {}

    def _any(self, value: Any, place: Place) -> Any:
        raise NotImplementedError  # pragma: no cover

    def _refuse(self, place: Place, value: Any, why: str, way_out: str = "") -> CannotSaveError:
        kind = (
            "attribute" if place.name.endswith("_") or place.name.startswith("_") else "parameter"
        )
        what = f"The {place.name!r} {kind} of {place.owner}" if place.name else place.owner
        text = f"{what} cannot be saved: {shown(value)} {why}. {way_out}"
        return CannotSaveError(text.rstrip())

    def _tuple(self, value: Any, place: Place) -> Any:
        return {"is": "tuple", "items": self._any(list(value), place)}

    def _dict(self, value: Any, place: Place) -> Any:
        items = [[self._any(k, place), self._any(v, place.inside(k))] for k, v in value.items()]
        return {"is": "ordered" if type(value) is OrderedDict else "dict", "items": items}

    def _set(self, value: Any, place: Place) -> Any:
        # In one order: the order of a set is another in each process.
        return {"is": type(value).__name__, "items": self._any(sorted(value, key=repr), place)}

    def _complex(self, value: Any, place: Place) -> Any:
        return {"is": "complex", "parts": self._any([value.real, value.imag], place)}

    def _bytes(self, value: Any, place: Place) -> Any:
        return {"is": "bytes", "base64": base64.b64encode(value).decode()}

    def _range(self, value: Any, place: Place) -> Any:
        parts = [value.start, value.stop, value.step]
        return {"is": type(value).__name__, "parts": self._any(parts, place)}

    def _again(self, value: Any) -> Any:
        """Return what stands for an object that is written already, or None."""
        seen = self._seen.get(id(value))
        return None if seen is None else {"is": "same", "id": seen[0]}

    def _number(self, value: Any) -> int:
        self._seen[id(value)] = len(self._seen), value
        return self._seen[id(value)][0]

    def _store(self, tensor: Any, place: Place) -> str:
        name = base = ".".join(place.path) or "value"
        while name in self.tensors:
            name = f"{base}#{len(self.tensors)}"
        self.tensors[name] = tensor
        return name

    def _array(self, value: Any, place: Place) -> Any:
        again = self._again(value)
        if again is not None:
            return again
        array = np.asarray(value)
        node = {"is": "array", "id": self._number(value), "shape": list(array.shape)}
        if _arrays.is_fixed(array.dtype):
            fortran = array.flags.f_contiguous and not array.flags.c_contiguous
            node |= {"dtype": array.dtype.str, "order": "F" if fortran else "C"}
            return node | {"tensor": self._store(_arrays.array_as_tensor(array), place)}
        if _arrays.is_text(array.dtype):
            return node | {"dtype": array.dtype.str, "values": array.ravel().tolist()}
        if array.dtype == object:
            return node | {"dtype": "O", "values": self._any(array.ravel().tolist(), place)}
        raise self._refuse(place, value, f"is of type {array.dtype}", "Make it a plain array.")

    def _generator(self, value: Any, place: Place) -> Any:
        again = self._again(value)
        if again is not None:
            return again
        legacy = type(value) is np.random.RandomState
        state = value.get_state(legacy=False) if legacy else value.bit_generator.state
        kind = "RandomState" if legacy else "Generator"
        return {"is": kind, "id": self._number(value), "state": self._any(state, place)}

    def _sparse(self, value: Any, place: Place) -> Any:
        again = self._again(value)
        if again is not None:
            return again
        kind = type(value).__name__
        if not hasattr(value, "indptr") or value.ndim != 2:
            raise self._refuse(place, value, "is sparse in this form", "Make it CSR: x.tocsr().")
        parts = [value.data, value.indices, value.indptr]
        return {
            "is": "sparse",
            "id": self._number(value),
            "kind": kind,
            "shape": list(value.shape),
            "parts": self._any(parts, place),
        }


CONTAINERS: dict[type, Any] = {
    tuple: ValueEncoder._tuple,
    dict: ValueEncoder._dict,
    OrderedDict: ValueEncoder._dict,
    set: ValueEncoder._set,
    frozenset: ValueEncoder._set,
    complex: ValueEncoder._complex,
    bytes: ValueEncoder._bytes,
    range: ValueEncoder._range,
    slice: ValueEncoder._range,
}

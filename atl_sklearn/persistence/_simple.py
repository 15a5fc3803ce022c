"""Values that are a few parts and nothing else: how each kind is taken apart, and made again."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from atl_sklearn.persistence import _arrays


class Simple(NamedTuple):
    """How values of a type are written.

    Parameters
    ----------
    name : str
        What the type is called in files.
    key : str
        What the parts are called there.
    parts : callable
        Returns what a value is made of: a list, or text.
    make : callable
        Makes a value of these. What it raises is an error of the file.
    """

    name: str
    key: str
    parts: Callable[..., list | str]
    make: Callable[..., object]

    @property
    def kind(self) -> type:
        """The type of the parts."""
        return list if self.key in ("items", "parts") else str


def _in_order(values: set | frozenset) -> list:
    return sorted(values, key=repr)  # the order of a set is another in each process


def _bounds(value: range | slice) -> list:
    return [value.start, value.stop, value.step]


def _float(text: str) -> float:
    if text not in ("nan", "inf", "-inf"):  # others are numbers in JSON
        raise ValueError(f"{text!r} is no such number")
    return float(text)


def _torch_dtype(name: str) -> torch.dtype:
    found = getattr(torch, name)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"torch.{name} is no dtype")
    return found


SIMPLE: dict[type, Simple] = {
    bytes: Simple(
        "bytes",
        "base64",
        lambda value: base64.b64encode(value).decode(),
        partial(base64.b64decode, validate=True),
    ),
    complex: Simple(
        "complex", "parts", lambda value: [value.real, value.imag], lambda parts: complex(*parts)
    ),
    float: Simple("float", "value", repr, _float),
    frozenset: Simple("frozenset", "items", _in_order, frozenset),
    range: Simple("range", "parts", _bounds, lambda parts: range(*parts)),
    set: Simple("set", "items", _in_order, set),
    slice: Simple("slice", "parts", _bounds, lambda parts: slice(*parts)),
    torch.Size: Simple(
        "size", "items", list, lambda sizes: torch.Size(_arrays.shape_of(sizes, "a size"))
    ),
    torch.device: Simple("device", "value", str, torch.device),
    torch.dtype: Simple(
        "torch_dtype", "value", lambda value: str(value).removeprefix("torch."), _torch_dtype
    ),
    tuple: Simple("tuple", "items", list, tuple),
    type(Path()): Simple("path", "value", str, Path),
}

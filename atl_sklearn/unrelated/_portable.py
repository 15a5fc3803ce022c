"""Networks that pickle does not take, in the pickled state of estimators."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from atl_sklearn.unrelated._forms import is_script
from atl_sklearn.unrelated._made_elsewhere import as_module, is_made_elsewhere

_WHERE = ("unrelated", "unrelated_", "_unrelated_given")


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence the warning that TorchScript is deprecated: whoever uses it has seen it."""
    with warnings.catch_warnings():
        # A DeprecationWarning of torch 2.13, a FutureWarning of 2.14.
        warnings.filterwarnings("ignore", message=".*torch.jit")
        yield


class _Portable:
    """Stands for a network where it is pickled or copied; what comes back is the network."""

    def __init__(self, network: Any, *, as_module: bool = False) -> None:
        self._network = network
        self._as_module = as_module

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        content = io.BytesIO()
        if is_script(self._network):
            with _without_advice():
                torch.jit.save(self._network, content)
            return _load_script, (content.getvalue(),)
        torch.export.save(self._network, content)
        return _load_program, (content.getvalue(), self._as_module)


def _load_script(content: bytes) -> torch.nn.Module:
    with _without_advice():
        return torch.jit.load(io.BytesIO(content))


def _load_program(content: bytes, whether_module: bool) -> object:
    found = torch.export.load(io.BytesIO(content))
    return as_module(found) if whether_module else found


def portable_state(state: dict[str, object]) -> dict[str, object]:
    """Return the state of an estimator with its unrelated networks in forms that pickle takes.

    Parameters
    ----------
    state : dict
        From name to value; stays as it is.

    Returns
    -------
    state : dict
        TorchScript and exported programs, which write themselves in forms of their own, are
        wrapped in objects that become these networks again when they are read.
    """
    stand_ins: dict[int, _Portable] = {}

    def portable(value: object) -> object:
        if isinstance(value, list | tuple):
            found = [portable(x) for x in value]
            same = all(new is old for new, old in zip(found, value, strict=True))
            return value if same else type(value)(found)
        if isinstance(value, torch.nn.Module) and is_script(value):
            stand_ins.setdefault(id(value), _Portable(value))
        elif is_made_elsewhere(value) and not isinstance(value, str | os.PathLike):
            stand_ins.setdefault(id(value), _Portable(value))
            stand_ins.setdefault(id(as_module(value)), _Portable(value, as_module=True))
        return stand_ins.get(id(value), value)

    held = {name: portable(state[name]) for name in _WHERE if name in state}
    return {**state, **held}

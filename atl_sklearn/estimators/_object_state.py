"""The state of objects that others have written: of callbacks, schedulers, a user's modules."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeGuard

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochScoring, ProgressBar

from atl_sklearn._fingerprint import Unidentifiable, fingerprint
from atl_sklearn.persistence import UnknownStateError, check_packable

_CODE = (type, types.BuiltinFunctionType, types.ModuleType, np.ufunc)
# What lasts no longer than an epoch, or is only for display.
_PASSING: tuple[tuple[type, frozenset[str]], ...] = (
    (EpochScoring, frozenset({"y_trues_", "y_preds_"})),
    (ProgressBar, frozenset({"pbar_"})),
)


class Stateful(Protocol):
    """Something that says itself what its state is."""

    def state_dict(self) -> Mapping[str, object]: ...
    def load_state_dict(self, state: dict[str, object], /) -> object: ...


def only_watches(value: object) -> bool:
    """Tell whether a callback is one of skorch's that only report what happens."""
    return isinstance(value, Callback) and type(value).__module__ == "skorch.callbacks.logging"


def has_state_dict(value: object) -> TypeGuard[Stateful]:
    """Tell whether an object says itself what its state is."""
    return not isinstance(value, type) and all(
        callable(getattr(value, name, None)) for name in ("state_dict", "load_state_dict")
    )


def _is_packable(value: object) -> bool:
    try:
        check_packable(value, "")
    except UnknownStateError:
        return False
    return True


def capture(value: object, where: str) -> dict[str, object]:
    """Return what can be written down of a value.

    Parameters
    ----------
    value : object
        Data; something with ``state_dict`` and ``load_state_dict``; a callback; a list, tuple or
        dict of these; or what does not change, which its fingerprint shows.
    where : str
        What errors call it.

    Returns
    -------
    captured : dict
        For :func:`give_back`.

    Raises
    ------
    UnknownStateError
        If it is none of these.
    """
    if isinstance(value, _CODE):
        return {"code": getattr(value, "__qualname__", "")}
    if isinstance(value, NeuralNet) and getattr(value, "_run", None) is not None:
        return {"code": "the estimator in training"}
    if has_state_dict(value):
        return {"state": capture(value.state_dict(), f"the state_dict of {where}")}
    if isinstance(value, Callback):
        return {"parts": capture_parts(value, where)}
    if _is_packable(value):
        return {"data": value}
    if type(value) is list or type(value) is tuple:
        return {"list": [capture(entry, f"{where}[{at}]") for at, entry in enumerate(value)]}
    if type(value) is dict:
        return {"dict": [[k, capture(entry, f"{where}[{k!r}]")] for k, entry in value.items()]}
    try:
        return {"same": fingerprint(value)}
    except Unidentifiable as error:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise UnknownStateError(
            f"{where} is of type {kind}, whose state cannot be written down ({error})"
        ) from error


def give_back(existing: Any, captured: dict[str, Any], where: str) -> Any:
    """Return a value as it was captured; what has a state of its own is changed in place.

    Parameters
    ----------
    existing : object
        What there is now: made anew, and otherwise the same.
    captured : dict
        What :func:`capture` returned.
    where : str
        What errors call it.

    Returns
    -------
    value : object
        To be put in the place of `existing`.

    Raises
    ------
    UnknownStateError
        If `existing` is something else than it was.
    """
    (kind, found), *_ = captured.items()
    if kind == "data":
        return _in_place(existing, found)
    if kind == "state":
        existing.load_state_dict(give_back(existing.state_dict(), found, where))
    elif kind == "parts":
        give_parts_back(existing, found, where)
    elif kind == "list":
        pairs = zip(existing, found, strict=True)
        made = [give_back(e, f, f"{where}[{at}]") for at, (e, f) in enumerate(pairs)]
        return type(existing)(made)
    elif kind == "dict":
        return {key: give_back(existing.get(key), f, f"{where}[{key!r}]") for key, f in found}
    elif capture(existing, where) != captured:
        raise UnknownStateError(f"{where} is not what it was")
    return existing


def _in_place(existing: Any, found: Any) -> Any:
    """Return data, in the object that there is where others may hold it too."""
    if (
        type(existing) is torch.Tensor
        and type(found) is torch.Tensor
        and existing.shape == found.shape
        and existing.stride() == found.stride()
        and (existing.dtype, existing.device) == (found.dtype, found.device)
        and not existing.requires_grad
    ):
        return existing.copy_(found)
    if isinstance(existing, np.random.Generator) and isinstance(found, np.random.Generator):
        existing.bit_generator.state = found.bit_generator.state
        return existing
    if type(existing) is type(found) in (torch.Generator, np.random.RandomState):
        existing.set_state(found.get_state())
        return existing
    return found


def capture_parts(
    owner: object, where: str, names: Iterable[str] | None = None
) -> dict[str, object]:
    """Return what can be written down of an object's attributes.

    Parameters
    ----------
    owner : object
        A callback, a module or an estimator.
    where : str
        What errors call it.
    names : iterable of str or None, default=None
        Which attributes; None for all.

    Returns
    -------
    captured : dict of str to dict
        By name; or under ``""`` the whole, where the object says itself what its state is.

    Raises
    ------
    UnknownStateError
        If something among it has a state that cannot be written down.
    """
    if names is None and has_state_dict(owner):
        return {"": capture(owner, where)}
    passing = frozenset().union(*(some for cls, some in _PASSING if isinstance(owner, cls)))
    captured: dict[str, object] = {}
    for name in sorted(vars(owner) if names is None else names):
        if name in passing:
            continue
        try:
            captured[name] = capture(vars(owner)[name], f"{where}.{name}")
        except UnknownStateError:
            if not only_watches(owner):
                raise
    return captured


def give_parts_back(owner: object, captured: dict[str, Any], where: str) -> None:
    """Set an object's attributes to what was captured.

    Parameters
    ----------
    owner : object
        Made anew, and otherwise the same.
    captured : dict
        What :func:`capture_parts` returned.
    where : str
        What errors call it.
    """
    if set(captured) == {""}:
        give_back(owner, captured[""], where)
        return
    for name, found in captured.items():
        vars(owner)[name] = give_back(vars(owner).get(name), found, f"{where}.{name}")

"""Checks of what the constructors are given, with errors in scikit-learn's grammar."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


def is_integer(value: Any) -> bool:
    """Return whether `value` is an integer, of Python or NumPy; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_integer(value: Any, name: str, owner: str, *, minimum: int = 1) -> int:
    """Return `value` as an int, or raise an error that names the parameter."""
    if not is_integer(value) or value < minimum:
        raise _error(name, owner, f"an int in [{minimum}, inf)", value)
    return int(value)


def check_integers(value: Any, name: str, owner: str, *, minimum: int = 1) -> tuple[int, ...]:
    """Return `value` as a tuple of int, a single int as a tuple of one."""
    if is_integer(value):
        value = (value,)
    # Sets are iterable too, but have no order.
    ordered = isinstance(value, Iterable) and not isinstance(value, str | bytes | set | frozenset)
    items = tuple(value) if ordered else None
    if items is None or not all(is_integer(item) and item >= minimum for item in items):
        raise _error(name, owner, f"an int in [{minimum}, inf) or a sequence of these", value)
    return tuple(int(item) for item in items)


def check_dropout(value: Any, owner: str) -> float:
    """Return the share of values to drop as a float in [0, 1)."""
    if not _is_real(value) or not 0 <= value < 1:
        raise _error("dropout", owner, "a float in [0, 1)", value)
    return float(value)


def check_positive(value: Any, name: str, owner: str) -> float:
    """Return `value` as a float above 0 and below infinity."""
    if not _is_real(value) or not 0 < value < float("inf"):
        raise _error(name, owner, "a float in (0, inf)", value)
    return float(value)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _error(name: str, owner: str, expected: str, value: Any) -> ValueError:
    return ValueError(
        f"The {name!r} parameter of {owner} must be {expected}. Got {value!r} instead."
    )

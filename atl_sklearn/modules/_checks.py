"""Checks of what the constructors are given, with errors in scikit-learn's grammar."""

from __future__ import annotations

from collections.abc import Iterable

from atl_sklearn._validation import is_integer, is_real, refuse_value


def check_integer(value: object, name: str, owner: str, *, minimum: int = 1) -> int:
    """Return `value` as an int, or raise an error that names the parameter."""
    if not is_integer(value, minimum):
        raise refuse_value(owner, name, f"an int in [{minimum}, inf)", value)
    return int(value)


def check_integers(
    value: int | Iterable[int], name: str, owner: str, *, minimum: int = 1
) -> tuple[int, ...]:
    """Return `value` as a tuple of int, a single int as a tuple of one."""
    given = (value,) if is_integer(value) else value
    # Sets are iterable too, but have no order.
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | set | frozenset):
        items = tuple(given)
        if all(is_integer(item, minimum) for item in items):
            return tuple(map(int, items))
    raise refuse_value(owner, name, f"an int in [{minimum}, inf) or a sequence of these", value)


def check_dropout(value: object, owner: str) -> float:
    """Return the share of values to drop as a float in [0, 1)."""
    if not is_real(value) or not 0 <= value < 1:
        raise refuse_value(owner, "dropout", "a float in [0, 1)", value)
    return float(value)


def check_positive(value: object, name: str, owner: str) -> float:
    """Return `value` as a float above 0 and below infinity."""
    if not is_real(value) or not 0 < value < float("inf"):
        raise refuse_value(owner, name, "a float in (0, inf)", value)
    return float(value)

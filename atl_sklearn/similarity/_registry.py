"""Looking things up by name, with an error that leads to the good names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from atl_sklearn._validation import did_you_mean, shown

_T = TypeVar("_T")


def look_up(registry: Mapping[str, _T], name: object, parameter: str) -> _T:
    """Return what is registered under a name.

    Parameters
    ----------
    registry : dict
        From name to object.
    name : object
        What the user gave.
    parameter : str
        Name of the parameter in the error.

    Returns
    -------
    found : object
        ``registry[name]``.

    Raises
    ------
    ValueError
        If there is no such name; the message lists those there are, and near ones.
    """
    try:
        return registry[name]  # type: ignore[index]
    except (KeyError, TypeError):
        raise ValueError(
            f"{parameter} must be a callable or one of {sorted(registry)}. "
            f"Got {shown(name)} instead. {did_you_mean(name, registry)}".rstrip()
        ) from None

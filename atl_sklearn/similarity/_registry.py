"""Looking things up by name, with an error that leads to the good names."""

from __future__ import annotations

import difflib
from typing import Any


def look_up(registry: dict[str, Any], name: Any, parameter: str) -> Any:
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
        return registry[name]
    except (KeyError, TypeError):
        near = difflib.get_close_matches(name, registry, n=1) if isinstance(name, str) else []
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{parameter} must be a callable or one of {sorted(registry)}. "
            f"Got {name!r} instead.{hint}"
        ) from None

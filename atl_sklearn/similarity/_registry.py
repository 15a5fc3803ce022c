"""Looking things up by name, with an error that leads to the good names."""

from __future__ import annotations

from typing import Any

from atl_sklearn._validation import did_you_mean, shown


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
        raise ValueError(
            f"{parameter} must be a callable or one of {sorted(registry)}. "
            f"Got {shown(name)} instead. {did_you_mean(name, registry)}".rstrip()
        ) from None

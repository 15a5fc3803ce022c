"""Checks of the parameters of functions that load or make data."""

from __future__ import annotations

import os

from atl_sklearn._seeds import SEED, is_seed
from atl_sklearn._validation import is_bool, refuse_value


def check_flag(function: str, name: str, value: object) -> None:
    """Check that a value is True or False."""
    if not is_bool(value):
        raise refuse_value(function, name, "True or False", value)


def check_folder(function: str, name: str, value: object) -> None:
    """Check that a value can be the path of a folder."""
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or not path:
        raise refuse_value(function, name, "the path of a folder, a str or path-like", value)


def check_seed(function: str, value: object) -> None:
    """Check that `random_state` makes a generator."""
    if not is_seed(value):
        raise refuse_value(function, "random_state", SEED, value)

"""Checks of the parameters of functions that load or make data."""

from __future__ import annotations

import os
from typing import Any

from atl_sklearn._seeds import SEED, is_seed
from atl_sklearn._validation import is_bool, refuse_value


def check_flag(function: str, name: str, value: Any) -> None:
    """Check that a value is True or False."""
    if not is_bool(value):
        raise refuse_value(function, name, "True or False", value)


def check_folder(function: str, name: str, value: Any) -> None:
    """Check that a value can be the path of a folder."""
    is_path = isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str)
    if not is_path or not os.fspath(value):
        raise refuse_value(function, name, "the path of a folder, a str or path-like", value)


def check_seed(function: str, value: Any) -> None:
    """Check that `random_state` makes a generator."""
    if not is_seed(value):
        raise refuse_value(function, "random_state", SEED, value)

"""Checks of the parameters of functions that load or make data."""

from __future__ import annotations

import math
import os
from numbers import Real
from typing import Any

import numpy as np

from atl_sklearn._seeds import SEED, is_seed


def refuse(function: str, name: str, must: str, value: Any, way_out: str = "") -> ValueError:
    """Return the error for a parameter: what it must be, what it is, and what to do."""
    message = f"The {name!r} parameter of {function} must be {must}. Got {value!r} instead."
    return ValueError(f"{message} {way_out}".rstrip())


def is_number(value: Any, kind: Any = Real) -> bool:
    """Tell whether a value is a finite number of a kind; True and False are none."""
    try:
        return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an int that is larger than any float
        return False


def check_flag(function: str, name: str, value: Any) -> None:
    """Check that a value is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise refuse(function, name, "True or False", value)


def check_folder(function: str, name: str, value: Any) -> None:
    """Check that a value can be the path of a folder."""
    is_path = isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str)
    if not is_path or not os.fspath(value):
        raise refuse(function, name, "the path of a folder, a str or path-like", value)


def check_seed(function: str, value: Any) -> None:
    """Check that `random_state` makes a generator."""
    if not is_seed(value):
        raise refuse(function, "random_state", SEED, value)

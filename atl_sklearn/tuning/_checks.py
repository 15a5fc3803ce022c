"""Checks of arguments that searches, comparisons and search spaces have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from atl_sklearn._seeds import SEED, is_seed
from atl_sklearn._validation import is_integer, refuse_value

_MOST_JOBS = 10_000
_T = TypeVar("_T")


def is_one_of(value: object, choices: Iterable[str]) -> bool:
    """Tell whether a value is one of some names."""
    return isinstance(value, str) and value in choices


def check_run(owner: str, *, n_jobs: object, random_state: object, scoring: object) -> None:
    """Check the parameters that say how something is run and scored.

    Raises
    ------
    ValueError
        If one is not what it must be.
    """
    if n_jobs is not None and not (is_integer(n_jobs, -_MOST_JOBS) and 0 != n_jobs <= _MOST_JOBS):
        must = f"None or an int in [{-_MOST_JOBS}, {_MOST_JOBS}], but not 0"
        raise refuse_value(owner, "n_jobs", must, n_jobs, "-1 stands for all processors.")
    if not is_seed(random_state):
        raise refuse_value(owner, "random_state", SEED, random_state)
    if scoring is not None and (
        not (isinstance(scoring, str) or callable(scoring)) or isinstance(scoring, type)
    ):
        must = "None, the name of a scorer, or a callable (estimator, X, y) that returns a number"
        raise refuse_value(owner, "scoring", must, scoring, "There is one score at a time.")


def listed_names(owner: str, name: str, values: Iterable[_T]) -> list[_T]:
    """Return the values of an argument that is a list of them.

    Raises
    ------
    ValueError
        If it is a single name, or nothing that can be gone through.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        way_out = f"Write {name}=[{values!r}]." if isinstance(values, str) else ""
        raise refuse_value(owner, name, "a list", values, way_out)
    return list(values)

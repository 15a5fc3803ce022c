"""Checks that everything here shares: what errors say of a parameter, and labels that are missing.

Without torch, which the audio alone does not need.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral, Real
from types import UnionType
from typing import TypeGuard, overload

import numpy as np
from numpy.typing import ArrayLike

# The one line after which meta-estimators hand on what `fit` takes besides X and y.
ENABLE_ROUTING = "sklearn.set_config(enable_metadata_routing=True)"

_LONGEST = 300  # characters of a value in an error
_N_SHOWN = 5  # positions in an error
_INT64 = 2**63


def shown(value: object) -> str:
    """Return a value as errors show it: its repr, cut where it is long.

    Examples
    --------
    >>> from atl_sklearn._validation import shown
    >>> shown("adam"), shown(10**400)
    ("'adam'", 'an int of more than 64 bits')
    """
    if isinstance(value, int) and abs(value) >= _INT64:
        return "an int of more than 64 bits"
    try:
        text = repr(value)
    except Exception:  # whatever an object of the user's raises
        return f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def refuse(estimator: object, name: str, must: str, way_out: str = "") -> ValueError:
    """Return the error for a parameter: what it must be, what it is, and what to do.

    Parameters
    ----------
    estimator : estimator
        Whose parameter it is.
    name : str
        The parameter.
    must : str
        What it must be.
    way_out : str, default=""
        What to do.

    Returns
    -------
    error : ValueError
        To be raised.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from atl_sklearn._validation import refuse
    >>> print(refuse(SimpleNamespace(lr=-1), "lr", "a float in [0, inf)"))
    The 'lr' parameter of SimpleNamespace must be a float in [0, inf). Got -1 instead.
    """
    return refuse_value(type(estimator).__name__, name, must, getattr(estimator, name), way_out)


def refuse_value(owner: str, name: str, must: str, value: object, way_out: str = "") -> ValueError:
    """Return the same error for the parameter of a function, whose value is passed.

    Examples
    --------
    >>> from atl_sklearn._validation import refuse_value
    >>> print(refuse_value("compare", "cv", "an int", "a", "Pass 5."))
    The 'cv' parameter of compare must be an int. Got 'a' instead. Pass 5.
    """
    message = f"The {name!r} parameter of {owner} must be {must}. Got {shown(value)} instead."
    return ValueError(f"{message} {way_out}".rstrip())


def did_you_mean(name: object, known: Iterable[str], *, n: int = 1, otherwise: str = "") -> str:
    """Return a sentence that suggests names near to one that is not known.

    Parameters
    ----------
    name : object
        What the user wrote, of which only strings are near to anything.
    known : iterable of str
        The names there are.
    n : int, default=1
        How many are suggested at most.
    otherwise : str, default=""
        What is returned where none is near.

    Returns
    -------
    hint : str
        ``"Did you mean 'relu'?"``, say.

    Examples
    --------
    >>> from atl_sklearn._validation import did_you_mean
    >>> did_you_mean("Rellu", ["relu", "tanh"])
    "Did you mean 'relu'?"
    """
    if not isinstance(name, str):
        return otherwise
    known = list(known)
    near = get_close_matches(name, known, n=n) or get_close_matches(name.lower(), known, n=n)
    near += [other for other in known if name and name in other and other not in near][: n - 1]
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else otherwise


def is_bool(value: object) -> bool:
    """Tell whether a value is True or False, Python's or NumPy's.

    Examples
    --------
    >>> from atl_sklearn._validation import is_bool
    >>> is_bool(True), is_bool(1)
    (True, False)
    """
    return isinstance(value, bool | np.bool_)


def is_auto(value: object) -> TypeGuard[str]:
    """Tell whether a value is the word "auto"; an array is not compared with it."""
    return isinstance(value, str) and value == "auto"


def is_real(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number on the real line, or beyond; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_integer(value: object, least: float = -math.inf) -> TypeGuard[int]:
    """Tell whether a value is an int, Python's or NumPy's, from `least` on; True is none.

    Examples
    --------
    >>> from atl_sklearn._validation import is_integer
    >>> is_integer(3), is_integer(0, least=1), is_integer(True), is_integer(3.0)
    (True, False, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


@overload
def is_number(value: object) -> TypeGuard[float]: ...
@overload
def is_number(value: object, kind: type | UnionType) -> TypeGuard[int]: ...
def is_number(value: object, kind: type | UnionType = Real) -> bool:
    """Tell whether a value is a finite number of a kind, of 64 bits; True and False are none.

    Examples
    --------
    >>> from numbers import Integral
    >>> from atl_sklearn._validation import is_number
    >>> is_number(3, Integral), is_number(True), is_number(10**400), is_number(float("nan"))
    (True, False, False, False)
    """
    if not (is_real(value) and isinstance(value, kind)):
        return False
    if isinstance(value, Integral):
        return -_INT64 <= int(value) < _INT64
    try:
        return math.isfinite(value)
    except OverflowError:  # a fraction that no float can hold
        return False


def _is_missing(value: object) -> bool:
    if value is None or value is np.ma.masked:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA is neither equal nor unequal; arrays are several
        return type(value).__name__ == "NAType"


def _missing(values: ArrayLike) -> np.ndarray:
    """Return where values are missing, an array of their shape."""
    if hasattr(values, "detach"):  # a tensor, on whatever device
        values = np.asarray(values.detach().cpu())
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else False
    # As objects, a list keeps the None or NaN that would become a string beside others.
    array = np.asarray(values) if hasattr(values, "dtype") else np.asarray(values, dtype=object)
    if array.dtype.kind in "fc":
        return np.isnan(array) | masked
    if array.dtype.kind in "mM":
        return np.isnat(array) | masked
    if array.dtype.kind != "O":
        return np.zeros(array.shape, dtype=bool) | masked
    found = np.fromiter(map(_is_missing, array.ravel()), dtype=bool, count=array.size)
    return found.reshape(array.shape) | masked


def check_no_missing(values: ArrayLike | None, name: str) -> None:
    """Refuse values among which some are missing.

    Parameters
    ----------
    values : array-like of shape (n_samples,) or (n_samples, n_columns), or None
        Labels, groups or weights, as the user gave them; None for there being none at all.
    name : str
        Of the argument.

    Raises
    ------
    ValueError
        If one is None, NaN, NaT, pandas.NA or masked. The message names the argument and the
        first positions.

    Examples
    --------
    >>> from atl_sklearn._validation import check_no_missing
    >>> check_no_missing(["a", None, "b", float("nan")], "groups")
    Traceback (most recent call last):
    ...
    ValueError: groups has missing values (None, NaN, NA or masked): 2 of 4, at positions 1, 3. ...
    """
    if values is None:
        return
    found = _missing(values)
    if not found.any():
        return
    places = np.argwhere(np.atleast_1d(found))
    rows = [str(tuple(place.tolist())) if found.ndim > 1 else str(place[0]) for place in places]
    more = len(rows) > _N_SHOWN
    at = f"at position{'s' * (len(rows) > 1)} {', '.join(rows[:_N_SHOWN])}"
    way_out = "Leave these samples out"
    if name in ("groups", "y_unrelated"):
        way_out += ", or give them a label of their own, such as 'unknown'"
    raise ValueError(
        f"{name} has missing values (None, NaN, NA or masked): {len(rows)} of {found.size}, "
        f"{'the first ' * more}{at}. {way_out}."
    )

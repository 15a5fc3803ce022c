"""Parameters of `unrelated` itself, which can be set as long as it is not fitted."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.base import BaseEstimator

from atl_sklearn._pipelines import innermost
from atl_sklearn.unrelated import is_fitted

PREFIX = "unrelated__"


def has_settable_parameters(unrelated: object) -> bool:
    """Tell whether the parameters of `unrelated` are among those of the estimator around it."""
    return (
        isinstance(unrelated, BaseEstimator)
        and isinstance(innermost(unrelated), BaseEstimator)
        and not is_fitted(unrelated)
    )


def check_settable(unrelated: object, names: Mapping[str, object], whose: str) -> None:
    """Refuse parameters of an `unrelated` that cannot be set.

    Parameters
    ----------
    unrelated : object
        The parameter.
    names : mapping
        Those that shall be set, by full name.
    whose : str
        Name of the class whose parameter it is.

    Raises
    ------
    ValueError
        If there are any, and it is fitted or no estimator.
    """
    if not names or (isinstance(unrelated, BaseEstimator) and not is_fitted(unrelated)):
        return
    raise ValueError(
        f"{min(names)!r} cannot be set: the 'unrelated' parameter of {whose} is "
        f"{_why_not_settable(unrelated)}"
    )


def _why_not_settable(unrelated: object) -> str:
    if isinstance(unrelated, list | tuple):
        return (
            f"a {type(unrelated).__name__} of {len(unrelated)}, and the name does not say which "
            "one is meant. Set the parameters of an entry before it is passed; a search can have "
            "several such lists among the values of 'unrelated'."
        )
    if isinstance(unrelated, BaseEstimator):
        what = "fitted, and a fitted network is kept as it is"
    else:
        name = "None" if unrelated is None else f"a {type(unrelated).__name__}"
        what = f"not an estimator but {name}"
    return (
        f"{what}. Pass an unfitted estimator as 'unrelated' and its labels as y_unrelated in fit "
        "to search over its parameters."
    )

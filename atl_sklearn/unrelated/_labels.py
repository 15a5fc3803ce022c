"""Labels of the unrelated tasks: a column for each that needs one."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils.multiclass import type_of_target

from atl_sklearn._pipelines import innermost
from atl_sklearn._user_warnings import warn_user
from atl_sklearn._validation import ENABLE_ROUTING, check_no_missing, shown
from atl_sklearn.unrelated._rows import (
    ArrayRows,
    OneHotRows,
    Rows,
    check_finite_rows,
    moved_to_zero,
)
from atl_sklearn.unrelated._sources import LABELS, is_fitted, is_word, needs_labels

_FEWEST = 10  # samples from which too many classes are told
_MOST_CLASSES = 0.5  # for each sample; with more, hardly two samples have the same label


def columns_of(labels: Any) -> list[np.ndarray]:
    """Return the columns of labels, each of its own type.

    Examples
    --------
    >>> from atl_sklearn.unrelated._labels import columns_of
    >>> [column.tolist() for column in columns_of([["a", 0.5], ["b", 1.5]])]
    [['a', 'b'], [0.5, 1.5]]
    """
    if hasattr(labels, "iloc") and np.ndim(labels) == 2:  # a DataFrame's are of different types
        parts = [np.asarray(labels.iloc[:, place]) for place in range(labels.shape[1])]
    else:
        is_list = isinstance(labels, list | tuple)
        # As objects, a list keeps numbers that would become strings beside others.
        array = np.asarray(labels, dtype=object) if is_list else np.asarray(labels)
        parts = [array] if array.ndim == 1 else list(array.T)
    # Columns of objects get the type of what is in them.
    return [np.asarray(part.tolist()) if part.dtype.kind == "O" else part for part in parts]


def _kind(labels: np.ndarray) -> str:
    """Return what labels are taken as: the numbers that they are, or classes of one sort."""
    if labels.dtype.kind == "f":
        return "numbers"
    return "classes that are integers" if labels.dtype.kind in "biu" else "classes"


def rows_of_labels(labels: np.ndarray, unlabeled: np.ndarray | None) -> dict[bool, Rows]:
    """Return labels as what is compared: a column for each class, or numbers as they are.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Of the training data. Floats are numbers, anything else are classes.
    unlabeled : ndarray of shape (n_unlabeled,) or None
        Of the unlabeled data; they may have classes that the training data have not.

    Returns
    -------
    rows : dict of bool to Rows
        Of training (False) and unlabeled data (True).

    Raises
    ------
    ValueError
        If some are numbers and some classes, or numbers are infinite.
    """
    parts = {False: labels} if unlabeled is None else {False: labels, True: unlabeled}
    if unlabeled is not None and _kind(labels) != _kind(unlabeled):
        raise ValueError(
            f"Z_unlabeled must be labels of the kind of y_unrelated, which has "
            f"{shown(labels.tolist()[0])}. Got {shown(unlabeled.tolist()[0])} instead. Floats are "
            "numbers, anything else are classes."
        )
    if _kind(labels) == "numbers":
        for is_unlabeled, column in parts.items():
            check_finite_rows(column, "Z_unlabeled" if is_unlabeled else "y_unrelated")
        return moved_to_zero({key: ArrayRows(x[:, np.newaxis]) for key, x in parts.items()})
    classes = np.unique(np.concatenate(list(parts.values())))
    if len(labels) >= _FEWEST and len(np.unique(labels)) > _MOST_CLASSES * len(labels):
        warn_user(
            f"y_unrelated has {len(np.unique(labels))} different values in {len(labels)} samples, "
            "each of which is a class of its own here. If they are numbers, pass floats."
        )
    return {
        key: OneHotRows(np.searchsorted(classes, column), len(classes))
        for key, column in parts.items()
    }


def _check_kind(source: object, labels: np.ndarray) -> None:
    """Refuse continuous numbers for a classifier, and anything but numbers for a regressor."""
    name = type(innermost(source)).__name__
    if is_classifier(source) and type_of_target(labels).startswith("continuous"):
        raise ValueError(
            f"y_unrelated has continuous values, and the 'unrelated' parameter is an unfitted "
            f"{name}, which learns classes. Pass an AntiTransferRegressor as 'unrelated', or make "
            "classes of the values."
        )
    if is_regressor(source) and labels.dtype.kind not in "biuf":
        raise ValueError(
            f"y_unrelated has labels such as {shown(labels.tolist()[0])}, and the 'unrelated' "
            f"parameter is an unfitted {name}, which learns numbers. Pass an "
            "AntiTransferClassifier as 'unrelated'."
        )


def _of_pipelines() -> str:
    """Return the line that is needed for a Pipeline to hand on y_unrelated, if it was not run."""
    if get_config()["enable_metadata_routing"]:
        return ""
    return (
        f" In a Pipeline, and in searches and cross-validations of one, run {ENABLE_ROUTING} "
        "first: then pipeline.fit(X, y, y_unrelated=...) and "
        'cross_validate(pipeline, X, y, params={"y_unrelated": ...}) hand the labels on.'
    )


def label_columns(
    sources: list[object], y_unrelated: Any, *, n_samples: int
) -> dict[int, np.ndarray | None]:
    """Return the labels for each of `sources` that needs some: it is unfitted, or labels alone.

    Parameters
    ----------
    sources : list
        What :func:`as_sources` returned.
    y_unrelated : array-like of shape (n_samples,) or (n_samples, n_tasks) or None
        Labels of the unrelated tasks; a column for each entry of `sources` that needs labels, or
        for each entry.
    n_samples : int
        How many samples there are.

    Returns
    -------
    columns : dict of int to array of shape (n_samples,)
        From the position in `sources` to its labels; None for an unfitted one that needs none.

    Raises
    ------
    ValueError
        If labels are missing, given in vain, of another number of samples or columns, or of a
        kind that the estimator does not learn.
    """
    unfitted = [position for position, source in enumerate(sources) if not is_fitted(source)]
    for position in unfitted:
        if isinstance(sources[position], FrozenEstimator):
            raise ValueError(
                "The 'unrelated' parameter is a FrozenEstimator around an estimator that is not "
                "fitted. Fit it before it is frozen, or pass it without FrozenEstimator."
            )
    found: dict[int, np.ndarray | None] = dict.fromkeys(unfitted)
    pending = [
        position
        for position, source in enumerate(sources)
        if is_word(source, LABELS) or (position in found and needs_labels(source))
    ]
    if y_unrelated is None:
        if pending:
            raise _missing(sources[pending[0]])
        return found
    if not pending:
        raise ValueError(
            "y_unrelated was given, but there is no unfitted 'unrelated' estimator to fit on it. "
            "Leave y_unrelated out, or pass an unfitted estimator as 'unrelated', or 'labels'."
        )
    check_no_missing(y_unrelated, "y_unrelated")
    shape = np.shape(y_unrelated)
    if len(shape) not in (1, 2) or shape[0] != n_samples:
        raise ValueError(
            f"y_unrelated must have shape (n_samples,) or (n_samples, n_tasks) with n_samples = "
            f"{n_samples}, as X has. Got shape {shape} instead."
        )
    columns = columns_of(y_unrelated)
    if len(columns) not in (len(pending), len(sources)):
        raise ValueError(
            f"y_unrelated must have one column for each of the {len(pending)} unrelated tasks "
            f"that need labels. Got {len(columns)} columns instead."
        )
    positions = pending if len(columns) == len(pending) else range(len(sources))
    of = dict(zip(positions, columns, strict=True))
    for position in pending:
        if not is_word(sources[position]):
            _check_kind(sources[position], of[position])
        found[position] = of[position]
    return found


def _missing(source: object) -> ValueError:
    """Return the error for a task without its labels."""
    if is_word(source):
        return ValueError(
            "unrelated='labels' compares with labels: pass them, fit(X, y, y_unrelated=...)."
            f"{_of_pipelines()}"
        )
    return ValueError(
        f"The 'unrelated' parameter is an unfitted {type(innermost(source)).__name__} (cloning a "
        "fitted one, as a grid of values for 'unrelated' does, makes it unfitted). Either pass "
        "its labels, fit(X, y, y_unrelated=...), and it is fitted on each training set; or fit "
        "it before and wrap it in sklearn.frozen.FrozenEstimator, which survives cloning."
        f"{_of_pipelines()}"
    )

"""The folds of a search, checked before anything is fitted."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.model_selection import BaseCrossValidator, GroupKFold, StratifiedGroupKFold, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from atl_sklearn._types import Folds, Views
from atl_sklearn._validation import ENABLE_ROUTING, check_no_missing, shown

if TYPE_CHECKING:
    from atl_sklearn.tuning._evaluation import Data

Fold: TypeAlias = tuple[np.ndarray, np.ndarray]
Splitter: TypeAlias = int | BaseCrossValidator | list[Fold]

_CV = "None, an int, a splitter, or an iterable of pairs of training and test positions"


def make_folds(
    cv: Folds, X: ArrayLike, y: ArrayLike | None, groups: ArrayLike | None, *, classifier: bool
) -> list[Fold]:
    """Return the training and test positions of each fold.

    Parameters
    ----------
    cv : None, int, splitter or iterable
        A number of folds is stratified for classifiers, and keeps groups together where there
        are any.
    X : array-like of shape (n_samples, ...)
        The data.
    y : array-like of shape (n_samples,)
        The targets.
    groups : array-like of shape (n_samples,) or None
        Groups.
    classifier : bool
        Whether `y` has classes.

    Returns
    -------
    folds : list of (ndarray, ndarray)
        Positions.

    Raises
    ------
    ValueError
        If there are too few groups or samples of a class, or a fold has one class only.
    """
    cv = as_splitter(cv, _num_samples(X))
    if classifier and len(np.unique(np.asarray(y))) < 2:
        raise ValueError(
            f"y has one class only: {np.unique(np.asarray(y)).tolist()}. There is nothing to learn."
        )
    if groups is not None and isinstance(cv, int | np.integer):
        n_groups = len(np.unique(groups))
        if n_groups < cv:
            raise ValueError(
                f"The groups are too few for the folds: {n_groups} groups cannot be spread over "
                f"cv={cv} folds. Set cv to at most {n_groups}, or leave out groups."
            )
        cv = StratifiedGroupKFold(cv) if classifier else GroupKFold(cv)
    splitter = check_cv(cv, y, classifier=classifier)
    with warnings.catch_warnings():
        # A class with fewer samples than folds: told below where it matters.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        # Groups may be there for the worst of them alone.
        warnings.filterwarnings(
            "ignore", message="The groups parameter is ign", category=UserWarning
        )
        try:
            n_samples = _num_samples(X)
            folds = [_as_positions(fold, n_samples) for fold in splitter.split(X, y, groups)]
        except ValueError as error:
            if groups is None and "groups" in str(error):
                raise ValueError(
                    f"cv={shown(cv)} keeps groups together, and there are none: pass them as "
                    "groups to fit. If they were passed to a Pipeline or a cross-validation "
                    f"around the search: run {ENABLE_ROUTING} first, and pass them as "
                    'params={"groups": ...} to a cross-validation.'
                ) from error
            raise
    if not folds:
        raise ValueError(f"The 'cv' parameter must be {_CV}. Got {shown(cv)}, which has no fold.")
    if classifier:
        targets = np.asarray(y)
        for position, fold in enumerate(folds):
            for part, index in zip(("training", "validation"), fold, strict=True):
                if len(np.unique(targets[index])) < 2 <= len(np.unique(targets)):
                    raise ValueError(
                        f"The {part} samples of fold {position} have one class only: "
                        f"{targets[index][:1].tolist()}. Use fewer folds, or stratified ones "
                        "(StratifiedKFold, or StratifiedGroupKFold with groups)."
                    )
    return folds


def as_splitter(cv: Folds, n_samples: int) -> Splitter:
    """Return a number of folds, a splitter or a list of folds.

    Parameters
    ----------
    cv : None, int, splitter or iterable
        What the user passed.
    n_samples : int
        Number of samples.

    Returns
    -------
    cv : int, splitter or list
        5 for None.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if cv is None:
        return 5
    if isinstance(cv, int | np.integer):
        if isinstance(cv, bool) or not 2 <= cv <= n_samples:
            raise ValueError(
                f"The 'cv' parameter must be an int in [2, {n_samples}], if it is a number of "
                f"folds (n_samples={n_samples}). Got {shown(cv)} instead."
            )
        return cv
    if isinstance(cv, str | bytes | type) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise ValueError(f"The 'cv' parameter must be {_CV}. Got {shown(cv)} instead.")
    if hasattr(cv, "split"):
        return cv
    return [_as_positions(fold, n_samples) for fold in cv]


def _as_positions(fold: Iterable[ArrayLike], n_samples: int) -> Fold:
    """Return the positions of a fold's training and test samples."""
    try:
        train, test = map(np.asarray, fold)
    except (TypeError, ValueError):
        raise ValueError(f"The 'cv' parameter must be {_CV}. Got the fold {shown(fold)}.") from None
    positions = []
    for index, what in ((train, "training"), (test, "test")):
        if index.dtype == bool and index.shape == (n_samples,):
            index = np.flatnonzero(index)
        is_good = index.ndim == 1 and len(index) and index.dtype.kind in "iu"
        if not is_good or index.min() < -n_samples or index.max() >= n_samples:
            raise ValueError(
                f"The 'cv' parameter must give positions of some of the {n_samples} samples. The "
                f"{what} positions of a fold are {shown(index)}."
            )
        positions.append(index)
    return positions[0], positions[1]


def label_codes(labels: ArrayLike, n_samples: int, name: str) -> np.ndarray:
    """Return labels of shape (n_samples,); of several columns their combinations.

    A combination is called by its labels with spaces between them; in quotes, with commas, where
    two combinations would have one name.

    Raises
    ------
    ValueError
        If they are not as many as the samples, or some are missing.
    """
    check_no_missing(labels, name)
    labels = np.asarray(labels)
    if labels.ndim not in (1, 2) or len(labels) != n_samples:
        raise ValueError(
            f"{name} must have shape (n_samples,) with n_samples = {n_samples}, as X has"
            f"{', or a column for each task' if name == 'y_unrelated' else ''}. "
            f"Got shape {labels.shape} instead."
        )
    if labels.ndim == 1:
        return labels
    rows = [tuple(map(str, row)) for row in labels.tolist()]
    names = {row: " ".join(row) for row in rows}
    if len(set(names.values())) < len(names):  # such as ("a b", "c") and ("a", "b c")
        names = {row: ", ".join(map(repr, row)) for row in names}
    return np.array([names[row] for row in rows])


def take_rows(values: Views, index: np.ndarray, n_samples: int) -> Any:
    """Return some rows of data, or of each array in a list or mapping of several."""
    if isinstance(values, Mapping) and not issparse(values):
        return {name: take_rows(values[name], index, n_samples) for name in list(values)}
    if isinstance(values, list | tuple) and len(values) != n_samples:
        return [take_rows(array, index, n_samples) for array in values]
    return _safe_indexing(values, index)


def check_views(data: Data, n_samples: int) -> None:
    """Check that what is split with X has a row for each of its samples.

    Raises
    ------
    ValueError
        If it has not.
    """
    for name in ("X_unrelated", "Z_unrelated"):
        value = getattr(data, name)
        if value is None:
            continue
        several = isinstance(value, list | tuple) and len(value) != n_samples
        arrays = value if several else [value]
        if isinstance(value, Mapping):
            arrays = list(value.values())
        sizes = {_num_samples(array) for array in arrays}
        if sizes != {n_samples}:
            raise ValueError(
                f"{name} must have a row for each of the {n_samples} samples of X. Got "
                f"{sorted(sizes)} rows instead."
            )


def check_groups(labels: np.ndarray, folds: list[Fold], name: str, *, grouped: bool) -> None:
    """Check that the worst group can be told.

    Raises
    ------
    ValueError
        If there is one group only, each sample is one, or one is too small to be in every fold
        (where groups are not kept together).
    """
    values, counts = np.unique(labels, return_counts=True)
    if len(values) < 2:
        raise ValueError(
            f"The worst group needs at least two groups in {name}. Got {values.tolist()} only."
        )
    if counts.max() < 2:
        raise ValueError(
            f"The worst group needs groups of several samples in {name}. Each of the {len(labels)} "
            "samples is a group of its own. Pass labels that samples have in common; a single "
            "column of numbers is cut into quarters."
        )
    if not grouped and counts.min() < len(folds):
        raise ValueError(
            f"The group {values[counts.argmin()].item()!r} in {name} is too small for the folds: "
            f"it has {counts.min()} samples, and there are {len(folds)} folds. Use fewer folds, "
            "join groups, or leave the group out."
        )


def check_probed(labels: np.ndarray, folds: list[Fold], name: str) -> None:
    """Check that a probe for `labels` can be fitted and scored in each validation fold.

    Raises
    ------
    ValueError
        If a fold has one label only, or a single sample of one.
    """
    for position, (_, test) in enumerate(folds):
        values, counts = np.unique(labels[test], return_counts=True)
        if len(values) < 2 or counts.min() < 2:
            raise ValueError(
                "The trade-off reads the labels from the network in each validation fold, which "
                f"needs two labels with two samples each. Fold {position} has, of {name}, "
                f"{shown(dict(zip(values.tolist(), counts.tolist(), strict=True)))}. Use fewer "
                "folds, or folds that do not keep these groups together; cut numbers into a few "
                "ranges, as np.digitize does."
            )


def check_not_split(X_unlabeled: ArrayLike | None, n_samples: int, folds: list[Fold]) -> None:
    """Refuse unlabeled data that cannot be told from a part of X.

    Raises
    ------
    ValueError
        If they have as many samples as X or as a training fold.
    """
    if X_unlabeled is None:
        return
    size = _num_samples(X_unlabeled)
    if size in {n_samples, *(len(train) for train, _ in folds)}:
        raise ValueError(
            f"X_unlabeled has {size} samples, as many as X or a training fold, so it may be only a "
            "part of what you passed: scikit-learn splits what is as long as X. Add or leave out a "
            "sample of X_unlabeled."
        )

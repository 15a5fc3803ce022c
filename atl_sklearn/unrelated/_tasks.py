"""The unrelated tasks of one fit: what was passed for each of them, checked before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from scipy.sparse import issparse

from atl_sklearn._validation import ENABLE_ROUTING
from atl_sklearn.unrelated._labels import columns_of, label_columns, rows_of_labels
from atl_sklearn.unrelated._rows import ArrayRows, Rows, check_finite_rows, moved_to_zero, n_rows
from atl_sklearn.unrelated._sources import LABELS, PRECOMPUTED, is_word

_IN_SPLITS = (
    "Cross-validation splits arrays with a row for each sample of X, and hands on lists of arrays "
    "whole: pass several as skorch.helper.SliceDict(a=..., b=...) there."
)


@dataclass(frozen=True)
class UnrelatedInputs:
    """What `fit` is given for the unrelated side, besides X.

    Attributes
    ----------
    y_unrelated : array-like of shape (n_samples,) or (n_samples, n_tasks) or None
        Labels.
    X_unrelated : array-like of shape (n_samples, ...), mapping of these or None
        What networks and estimators are given instead of X.
    Z_unrelated : array-like of shape (n_samples, ...), list or mapping of these, or None
        What was computed elsewhere.
    X_unrelated_unlabeled, Z_unlabeled : object
        The same for the unlabeled data.
    """

    y_unrelated: object = None
    X_unrelated: object = None
    Z_unrelated: object = None
    X_unrelated_unlabeled: object = None
    Z_unlabeled: object = None

    def named(self) -> dict[str, object]:
        """Return everything by name."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


@dataclass(frozen=True)
class UnrelatedTasks:
    """The unrelated tasks of one fit.

    Attributes
    ----------
    sources : list
        One for each task: what users pass as ``unrelated``.
    labels : dict of int to (array or None)
        For each position of an estimator that is to be fitted, what it is fitted on.
    rows : dict of int to (dict of bool to Rows)
        For each position of a word, what is compared, of training and of unlabeled data.
    has_unlabeled : bool
        Whether all of them have something for the unlabeled data, if there are any.
    """

    sources: list[object]
    labels: dict[int, np.ndarray | None] = field(default_factory=dict)
    rows: dict[int, dict[bool, Rows]] = field(default_factory=dict)
    has_unlabeled: bool = True


def several_arrays(values: object, n_samples: int) -> list[object]:
    """Return what was computed elsewhere as a list: one array, or several.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.unrelated._tasks import several_arrays
    >>> Z = np.zeros((5, 2))
    >>> [len(several_arrays(values, 5)) for values in (Z, [Z, Z], Z.tolist())]
    [1, 2, 1]
    """
    if isinstance(values, Mapping) and not issparse(values):
        return [values[name] for name in values.keys()]  # noqa: SIM118 - skorch's SliceDict
    if not isinstance(values, list | tuple) or len(values) == n_samples:
        return [values]
    return list(values) if all(hasattr(entry, "shape") for entry in values) else [values]


def _array(values: object, name: str, n_samples: int, like: str) -> ArrayRows:
    """Check one array of what was computed elsewhere."""
    try:
        rows = ArrayRows(values)
        found = len(rows)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an array of shape (n_samples, ...), or a list of these: {error}."
        ) from error
    if found != n_samples:
        raise ValueError(
            f"{name} must have a row for each sample of {like}, which has {n_samples}. Got shape "
            f"{tuple(rows.values.shape)} instead. {_IN_SPLITS}"
        )
    if rows.values.ndim == 1:
        rows = ArrayRows(rows.values.reshape(-1, 1))
    check_finite_rows(rows.values, name)
    return rows


def _in_vain(name: str, why: str) -> ValueError:
    return ValueError(f"{name} was given, but {why}. Leave {name} out.")


def _check_views(
    sources: list[object], inputs: UnrelatedInputs, n_samples: int, n_unlabeled: int | None
) -> None:
    """Check what networks and estimators are given instead of X."""
    takes = any(not is_word(source) for source in sources)
    for name, like, count in (
        ("X_unrelated", "X", n_samples),
        ("X_unrelated_unlabeled", "X_unlabeled", n_unlabeled),
    ):
        values = getattr(inputs, name)
        if values is None:
            continue
        if not takes:
            raise _in_vain(name, "no 'unrelated' network or estimator takes it")
        if count is None:
            raise _in_vain(name, f"there is no {like}")
        try:
            found = n_rows(values)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{name} must be an array-like of shape (n_samples, ...), or a mapping of these: "
                f"{error}."
            ) from error
        if found != count:
            raise ValueError(
                f"{name} must have a row for each sample of {like}, which has {count}. Got {found} "
                "rows instead."
            )
    if inputs.X_unrelated is None and inputs.X_unrelated_unlabeled is not None:
        raise _in_vain("X_unrelated_unlabeled", "there is no X_unrelated, so that X is used")


def _check_given(sources: list[object], inputs: UnrelatedInputs, n_unlabeled: int | None) -> None:
    """Check that everything given is used, and that nothing is missing for the training data."""
    is_asked = any(is_word(source, PRECOMPUTED) for source in sources)
    if inputs.Z_unrelated is not None and not is_asked:
        raise _in_vain("Z_unrelated", "'unrelated' is not 'precomputed'")
    if inputs.Z_unrelated is None and is_asked:
        raise ValueError(
            "unrelated='precomputed' compares with what was computed elsewhere: pass it, "
            "fit(X, y, Z_unrelated=...). In a Pipeline, and in searches and cross-validations of "
            f"one, run {ENABLE_ROUTING} first."
        )
    if inputs.Z_unlabeled is not None:
        if n_unlabeled is None:
            raise _in_vain("Z_unlabeled", "there is no X_unlabeled")
        if not any(map(is_word, sources)):
            raise _in_vain("Z_unlabeled", "'unrelated' is neither 'precomputed' nor 'labels'")


def _check_unlabeled(sources: list[object], inputs: UnrelatedInputs, penalty_data: str) -> bool:
    """Tell whether unlabeled data can be compared; refuse them if they should be and cannot."""
    lacks = []
    if any(map(is_word, sources)) and inputs.Z_unlabeled is None:
        lacks.append("Z_unlabeled")
    if inputs.X_unrelated is not None and inputs.X_unrelated_unlabeled is None:
        lacks.append("X_unrelated_unlabeled")
    if not lacks:
        return True
    # Labels of the unlabeled data may be unknown; if anything else is missing, it is a mistake.
    only_labels = lacks == ["Z_unlabeled"] and all(is_word(s, LABELS) for s in sources)
    if penalty_data == "train" or (penalty_data == "auto" and only_labels):
        return False
    what = "the unrelated labels" if only_labels else "what is compared with"
    raise ValueError(
        f"penalty_data={penalty_data!r} compares on X_unlabeled, of which {what} must be known: "
        f"pass {' and '.join(lacks)} to fit, or set penalty_data='train'."
    )


def _of_unlabeled(
    sources: list[object], Z_unlabeled: object, n_unlabeled: int | None
) -> dict[int, object]:
    """Return what was passed of the unlabeled data for each word among `sources`."""
    places = [position for position, source in enumerate(sources) if is_word(source)]
    if Z_unlabeled is None or n_unlabeled is None:
        return {}
    if all(is_word(sources[place], LABELS) for place in places):
        found: Sequence[object] = columns_of(Z_unlabeled)
    else:
        found = several_arrays(Z_unlabeled, n_unlabeled)
    if len(found) != len(places):
        raise ValueError(
            f"Z_unlabeled must have one entry for each of the {len(places)} unrelated tasks that "
            f"are labels or precomputed. Got {len(found)} instead."
        )
    return dict(zip(places, found, strict=True))


def _labels_of(values: object, n_samples: int) -> np.ndarray:
    labels = np.asarray(values)
    labels = columns_of(values)[0] if labels.ndim else labels
    if labels.shape != (n_samples,):
        raise ValueError(
            f"Z_unlabeled must have a label for each sample of X_unlabeled, which has {n_samples}. "
            f"Got shape {labels.shape} instead."
        )
    return labels


def plan_tasks(
    sources: list[object],
    inputs: UnrelatedInputs,
    *,
    several: bool,
    n_samples: int,
    n_unlabeled: int | None,
    penalty_data: str,
) -> UnrelatedTasks:
    """Check what `fit` was given for the unrelated tasks, and put it together.

    Parameters
    ----------
    sources : list
        What :func:`~atl_sklearn.unrelated._sources.as_sources` returned.
    inputs : UnrelatedInputs
        What `fit` was given.
    several : bool
        Whether ``unrelated`` is a list; otherwise one word may stand for several tasks.
    n_samples : int
        Number of samples of X.
    n_unlabeled : int or None
        Number of samples of X_unlabeled, if there are any.
    penalty_data : str
        The parameter.

    Returns
    -------
    tasks : UnrelatedTasks
        The tasks.

    Raises
    ------
    ValueError
        If something is missing, given in vain, not finite, or of another number of samples.

    Examples
    --------
    >>> from atl_sklearn.unrelated._tasks import UnrelatedInputs, plan_tasks
    >>> inputs = UnrelatedInputs(y_unrelated=[["a", 0.5], ["b", 1.5]])
    >>> plan_tasks(
    ...     ["labels"], inputs, several=False, n_samples=2, n_unlabeled=None, penalty_data="auto"
    ... ).sources
    ['labels', 'labels']
    """
    _check_given(sources, inputs, n_unlabeled)
    _check_views(sources, inputs, n_samples, n_unlabeled)
    arrays = [] if inputs.Z_unrelated is None else several_arrays(inputs.Z_unrelated, n_samples)
    if not several and sources == [PRECOMPUTED]:
        sources = sources * len(arrays)
    if not several and sources == [LABELS] and inputs.y_unrelated is not None:
        sources = sources * len(columns_of(inputs.y_unrelated))
    n_arrays = sum(is_word(source, PRECOMPUTED) for source in sources)
    if len(arrays) != n_arrays:
        raise ValueError(
            f"Z_unrelated must have one array for each of the {n_arrays} unrelated tasks that are "
            f"'precomputed'. Got {len(arrays)} instead."
        )
    labels = label_columns(sources, inputs.y_unrelated, n_samples=n_samples)
    has_unlabeled = n_unlabeled is None or _check_unlabeled(sources, inputs, penalty_data)
    unlabeled = _of_unlabeled(sources, inputs.Z_unlabeled, n_unlabeled)
    rows: dict[int, dict[bool, Rows]] = {}
    for position, source in enumerate(sources):
        theirs = unlabeled.get(position)
        if is_word(source, LABELS):
            known = None if theirs is None else _labels_of(theirs, n_unlabeled or 0)
            given = labels.pop(position)
            assert given is not None  # words stand for labels that there are
            rows[position] = rows_of_labels(given, known)
        elif is_word(source, PRECOMPUTED):
            rows[position] = _of_arrays(arrays.pop(0), theirs, n_samples, n_unlabeled or 0)
    return UnrelatedTasks(sources, labels, rows, has_unlabeled)


def _of_arrays(
    values: object, theirs: object, n_samples: int, n_unlabeled: int
) -> dict[bool, Rows]:
    """Check what was computed elsewhere for one task."""
    found = _array(values, "Z_unrelated", n_samples, "X")
    if theirs is None:
        return moved_to_zero({False: found})
    unlabeled = _array(theirs, "Z_unlabeled", n_unlabeled, "X_unlabeled")
    if unlabeled.values.shape[1:] != found.values.shape[1:]:
        raise ValueError(
            f"The samples of Z_unlabeled must have the shape of those of Z_unrelated, "
            f"{tuple(found.values.shape[1:])}. Got {tuple(unlabeled.values.shape[1:])} instead."
        )
    return moved_to_zero({False: found, True: unlabeled})

"""The nuisance: as groups that are scored, and as what probes read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from atl_sklearn._validation import check_no_missing, refuse_value, shown

_N_BINS = 4
_DIGITS = range(3, 18)  # 17 tell any two floats apart
_EMPTY = "(empty)"


@dataclass(frozen=True)
class Groups:
    """Samples by a label.

    Attributes
    ----------
    codes : ndarray of int of shape (n_samples,)
        The group of each sample.
    names : tuple of str
        The groups in order, all different and none empty.
    labels : ndarray of shape (n_samples,)
        What the groups were made of.
    continuous : bool
        Whether these are numbers, of which the groups are quarters.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray
    continuous: bool


def check_length(owner: str, name: str, values: ArrayLike, n_samples: int) -> np.ndarray:
    """Return labels as an array, one for each sample.

    Raises
    ------
    ValueError
        If some are missing, or there is another number of them.
    """
    check_no_missing(values, name)
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = column_or_1d(array)
    if array.ndim != 1 or len(array) != n_samples:
        way_out = "For several unrelated tasks, make one report each." if array.ndim > 1 else ""
        raise refuse_value(
            owner, name, f"of shape ({n_samples},), a label for each sample of X",
            f"an array of shape {array.shape}", way_out,
        )  # fmt: skip
    return array


def group_names(labels: Iterable[object]) -> tuple[str, ...]:
    """Return what groups are called: their labels, and a name for an empty label.

    Where reports and drawings name no group, they mean all samples.

    Parameters
    ----------
    labels : iterable
        The labels, each once.

    Returns
    -------
    names : tuple of str
        An empty label is "(empty)", with more brackets if there is a group of this name.

    Examples
    --------
    >>> from atl_sklearn.inspection._labels import group_names
    >>> group_names(["", "a", 3])
    ('(empty)', 'a', '3')
    """
    names = tuple(map(str, labels))
    empty = _EMPTY
    while empty in names:
        empty = f"({empty})"
    return tuple(name or empty for name in names)


def _quarter_names(ends: Sequence[float], found: Sequence[int]) -> tuple[str, ...]:
    """Return the names of quarters, with as many digits as tell them apart."""
    for digits in _DIGITS:
        names = tuple(f"{ends[k]:.{digits}g} to {ends[k + 1]:.{digits}g}" for k in found)
        if len(set(names)) == len(names):
            break
    return names


def make_groups(owner: str, name: str, values: ArrayLike, n_samples: int) -> Groups:
    """Return the samples by label; of numbers that are not all whole, by quarter.

    Parameters
    ----------
    owner, name : str
        What errors call the function and its argument.
    values : array-like of shape (n_samples,)
        The labels.
    n_samples : int
        How many samples there are.

    Returns
    -------
    groups : Groups
        At least two, of at least two samples each.

    Raises
    ------
    ValueError
        If there is one group only, or one of a single sample.

    Examples
    --------
    >>> from atl_sklearn.inspection._labels import make_groups
    >>> make_groups("report", "y_unrelated", ["a", "b", "a", "b"], 4).names
    ('a', 'b')
    """
    labels = check_length(owner, name, values, n_samples)
    continuous = type_of_target(labels) == "continuous"
    if continuous:
        inner = np.unique(np.quantile(labels, np.linspace(0, 1, _N_BINS + 1)[1:-1]))
        codes = np.searchsorted(inner, labels, side="right")
        ends = [float(labels.min()), *map(float, inner), float(labels.max())]
        found, codes = np.unique(codes, return_inverse=True)
        names = _quarter_names(ends, found.tolist())
    else:
        known, codes = np.unique(labels, return_inverse=True)
        names = group_names(known.tolist())
    if len(names) < 2:
        raise ValueError(
            f"{name} has one label only, {shown(labels.tolist()[0])}: there are no groups to be "
            f"compared, and nothing for a probe to read. Pass to {owner} samples with at least "
            "two labels."
        )
    counts = np.bincount(codes)
    if counts.min() < 2:
        alone = [name for name, count in zip(names, counts, strict=True) if count < 2]
        way_out = "Leave these samples out, or give them a label in common."
        if not continuous and labels.dtype.kind in "iuf":
            way_out += (
                " Whole numbers are labels. If they are quantities, pass bins of them, such as "
                f"pandas.qcut({name}, 4, labels=False); or add 0.5, as numbers that are not all "
                "whole are taken in four quarters."
            )
        raise ValueError(
            f"{name} has groups of a single sample, which have no meaningful score: "
            f"{shown(alone)}. {way_out}"
        )
    return Groups(codes.reshape(-1), names, labels, continuous)

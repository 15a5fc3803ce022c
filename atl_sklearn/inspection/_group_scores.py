"""Scores of predictions by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atl_sklearn.inspection._labels import Groups
from atl_sklearn.inspection._resampling import Resamples, ratio
from atl_sklearn.inspection._streaming import Readings

# (part, place): its value, then that of each resample
Drawn = dict[tuple[str, str, str], np.ndarray]

_N_BINS = 10


def sample_scores(y: np.ndarray, readings: Readings, *, classifies: bool) -> np.ndarray:
    """Return what each sample adds to the score: its mean is the accuracy, or R2."""
    if classifies:
        return (readings.predictions == y).astype(np.float64)
    variance = float(np.var(y))
    return 1 - (readings.predictions.reshape(len(y)) - y) ** 2 / variance


def confusions(
    y: np.ndarray, predictions: np.ndarray, classes: np.ndarray, groups: Groups
) -> np.ndarray:
    """Return the confusion matrix of each group."""
    true, predicted = np.searchsorted(classes, y), np.searchsorted(classes, predictions)
    shape = (len(groups.names), len(classes), len(classes))
    flat = np.ravel_multi_index((groups.codes, true, predicted), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)


def _bins(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    confidence = probabilities.max(axis=1)
    return confidence, np.minimum((confidence * _N_BINS).astype(int), _N_BINS - 1)


def calibration_error(probabilities: np.ndarray, correct: np.ndarray) -> float:
    """Return the expected calibration error.

    The mean distance, over ten bins of the highest probability, between that and how often it is
    right [1]_.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of the classes.
    correct : ndarray of shape (n_samples,)
        1 where the prediction is right.

    Returns
    -------
    error : float
        In [0, 1].

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks",
       ICML 2017.
    """
    confidence, bins = _bins(probabilities)
    off = np.bincount(bins, confidence - correct, minlength=_N_BINS)
    return float(np.abs(off).sum() / len(correct))


def _worst_and_gap(by_group: np.ndarray, names: Sequence[str], drawn: Drawn) -> None:
    """Add the worst group, known by the samples themselves, and its distance to the best."""
    worst = int(np.nanargmin(by_group[0]))
    drawn["worst_group_score", names[worst], ""] = by_group[:, worst]
    known = np.isfinite(by_group)
    highest = np.where(known, by_group, -np.inf).max(axis=1)
    lowest = np.where(known, by_group, np.inf).min(axis=1)
    drawn["group_gap", "", ""] = highest - lowest


def draw_scores(
    y: np.ndarray,
    readings: Readings,
    groups: Groups,
    resamples: Resamples,
    *,
    classes: np.ndarray | None,
) -> Drawn:
    """Return the scores of an estimator, of all samples and by group, with their resamples.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The target.
    readings : Readings
        What the estimator says.
    groups : Groups
        The groups.
    resamples : Resamples
        Of all samples.
    classes : ndarray or None
        The classes of the target; None for numbers.

    Returns
    -------
    drawn : dict
        From (part, place, how) to the value and those of the resamples.
    """
    names = groups.names
    member = np.eye(len(names))[groups.codes]
    score = sample_scores(y, readings, classifies=classes is not None)
    columns = [score[:, None], np.ones((len(y), 1)), score[:, None] * member, member]
    binary = classes is not None and len(classes) == 2
    if binary:
        assert classes is not None
        chosen = (readings.predictions == classes[1])[:, None].astype(float)
        true = (y == classes[1])[:, None].astype(float)
        columns += [chosen * member, chosen * true * member, true * member]
    ends = np.cumsum([column.shape[1] for column in columns])[:-1]
    sums = np.split(resamples.sums(np.hstack(columns)), ends, axis=1)
    by_group = ratio(sums[2], sums[3])
    drawn: Drawn = {("score", "", ""): ratio(sums[0], sums[1])[:, 0]}
    drawn |= {("score", name, ""): by_group[:, g] for g, name in enumerate(names)}
    _worst_and_gap(by_group, names, drawn)
    if binary:
        selected, hits, positives = sums[4:]
        rates = {
            "selection_rate": ratio(selected, sums[3]),
            "true_positive_rate": ratio(hits, positives),
            "false_positive_rate": ratio(selected - hits, sums[3] - positives),
        }
        _add_rates(rates, names, drawn)
    return drawn


def _range(rates: np.ndarray) -> np.ndarray:
    known = np.isfinite(rates)
    found = np.where(known, rates, -np.inf).max(axis=1) - np.where(known, rates, np.inf).min(axis=1)
    return np.where(known.sum(axis=1) > 1, found, np.nan)


def _add_rates(rates: dict[str, np.ndarray], names: Sequence[str], drawn: Drawn) -> None:
    for part, values in rates.items():
        drawn |= {(part, name, ""): values[:, g] for g, name in enumerate(names)}
    drawn["demographic_parity_difference", "", ""] = _range(rates["selection_rate"])
    drawn["equalized_odds_difference", "", ""] = np.fmax(
        _range(rates["true_positive_rate"]), _range(rates["false_positive_rate"])
    )


def calibrations(
    y: np.ndarray, readings: Readings, groups: Groups, *, classifies: bool
) -> dict[tuple[str, str, str], float]:
    """Return the calibration error of all samples and by group; nothing without probabilities."""
    if not classifies or readings.probabilities is None:
        return {}
    correct = (readings.predictions == y).astype(float)
    found = {("calibration_error", "", ""): calibration_error(readings.probabilities, correct)}
    for g, name in enumerate(groups.names):
        keep = groups.codes == g
        found["calibration_error", name, ""] = calibration_error(
            readings.probabilities[keep], correct[keep]
        )
    return found

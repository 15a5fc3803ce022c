"""Intervals of paired differences over folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

_N_RESAMPLES = 10_000
INTERVALS = ("corrected_t", "bootstrap")


@dataclass(frozen=True)
class PairedInterval:
    """How much better one estimator is than another, on the same folds.

    Attributes
    ----------
    mean : float
        Mean difference over the folds.
    low, high : float
        Ends of the interval; NaN for fewer than two folds.
    wins, losses : int
        Number of folds with a positive and with a negative difference.
    n_folds : int
        Number of folds.
    confidence : float
        Nominal coverage.

    Examples
    --------
    >>> from atl_sklearn.tuning import PairedInterval
    >>> PairedInterval(mean=0.04, low=0.01, high=0.07, wins=5, losses=0, n_folds=5, confidence=0.95)
    +0.040 [+0.010, +0.070], 5 of 5 folds won
    """

    mean: float
    low: float
    high: float
    wins: int
    losses: int
    n_folds: int
    confidence: float

    def __repr__(self) -> str:
        ends = f"[{self.low:+.3f}, {self.high:+.3f}]"
        return f"{self.mean:+.3f} {ends}, {self.wins} of {self.n_folds} folds won"


def paired_interval(
    differences: ArrayLike,
    *,
    method: str = "corrected_t",
    test_ratio: float = 0.25,
    confidence: float = 0.95,
    random_state: int = 0,
) -> PairedInterval:
    """Return the interval of the mean of paired differences over folds.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        Differences of scores, of all folds and repetitions.
    method : {"corrected_t", "bootstrap"}, default="corrected_t"
        ``"corrected_t"`` widens Student's interval for folds whose training sets overlap [1]_;
        ``"bootstrap"`` resamples the folds as if they were independent.
    test_ratio : float, default=0.25
        Number of test samples for each training sample.
    confidence : float, default=0.95
        Coverage.
    random_state : int, default=0
        Seeds the bootstrap.

    Returns
    -------
    interval : PairedInterval
        The interval.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52,
       2003.
    """
    differences = np.asarray(differences, dtype=float)
    mean, n_folds = float(differences.mean()), len(differences)
    low = high = float("nan")
    tails = (1 - confidence) / 2
    if n_folds > 1 and method == "corrected_t":
        error = np.sqrt(differences.var(ddof=1) * (1 / n_folds + test_ratio))
        reach = float(error * stats.t.ppf(1 - tails, n_folds - 1))
        low, high = mean - reach, mean + reach
    elif n_folds > 1:
        rng = np.random.RandomState(random_state)
        means = rng.choice(differences, (_N_RESAMPLES, n_folds)).mean(axis=1)
        low, high = map(float, np.quantile(means, [tails, 1 - tails]))
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    return PairedInterval(mean, low, high, wins, losses, n_folds, confidence)

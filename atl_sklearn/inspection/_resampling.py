"""Intervals by resampling: the same resamples for all that is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np


class Resamples:
    """Bootstrap resamples of samples, or of the clusters that they come in.

    Everything that is computed of one object sees the same resamples, so that differences between
    two networks are paired.

    Parameters
    ----------
    clusters : ndarray of int of shape (n_samples,) or None
        Samples of one cluster are drawn together; None draws single samples.
    n_samples : int
        How many samples there are.
    n_resamples : int
        How often they are drawn.
    seed : int
        Determines the draws.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.inspection._resampling import Resamples
    >>> Resamples(None, 4, 2, seed=0).sums(np.array([[1.0], [0.0], [1.0], [1.0]]))[0]
    array([3.])
    """

    def __init__(
        self, clusters: np.ndarray | None, n_samples: int, n_resamples: int, *, seed: int
    ) -> None:
        self.clusters = np.arange(n_samples) if clusters is None else clusters
        self.n_resamples = n_resamples
        self._n_clusters = int(self.clusters.max()) + 1
        self._seed = seed

    def _draws(self) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(self._seed)
        size = self._n_clusters
        for _ in range(self.n_resamples):
            drawn = rng.integers(size, size=size)
            yield np.bincount(drawn, minlength=size).astype(np.float64)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of columns: first of the samples themselves, then of each resample.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_columns)
            What is summed up.

        Returns
        -------
        sums : ndarray of shape (1 + n_resamples, n_columns)
            The sums.
        """
        by_cluster = np.stack(
            [np.bincount(self.clusters, column, self._n_clusters) for column in values.T], axis=1
        )
        return np.stack([by_cluster.sum(axis=0), *(draw @ by_cluster for draw in self._draws())])

    def statistics(self, statistic: Callable[[np.ndarray], float]) -> np.ndarray:
        """Return a statistic of weights of the samples, for what is no ratio of sums.

        Parameters
        ----------
        statistic : callable
            Takes how often each sample is there, an array of shape (n_samples,).

        Returns
        -------
        values : ndarray of shape (1 + n_resamples,)
            Of the samples themselves, and of each resample.
        """
        found = [statistic(np.ones(len(self.clusters)))]
        found += [statistic(draw[self.clusters]) for draw in self._draws()]
        return np.array(found)


def ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return means of sums; NaN where there is nothing to average."""
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def mean_of_columns(values: np.ndarray) -> np.ndarray:
    """Return the mean of each row over the columns that it has; NaN for none."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0).sum(axis=1), known.sum(axis=1))


def interval_of(values: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Return the value and the ends of its percentile interval.

    Parameters
    ----------
    values : ndarray of shape (1 + n_resamples,)
        The value itself comes first.
    confidence : float
        Coverage that is aimed at.

    Returns
    -------
    value, low, high : float
        The ends are NaN where no resample has a value.
    """
    value, drawn = float(values[0]), values[1:]
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return value, float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return value, float(low), float(high)

"""What a search maximises: the score, that of the worst group, or score against invariance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import _safe_indexing

from atl_sklearn.inspection import probe_score

OBJECTIVES = ("accuracy", "trade_off", "worst_group")
_PROBE_FOLDS = 5


class Measured(TypedDict, total=False):
    """What was measured on a fold, all of it JSON."""

    score: float
    groups: dict[str, tuple[float, int]]  # the score of a group, and its number of samples
    probe: float
    fit_time: float  # seconds
    score_time: float


@dataclass(frozen=True)
class Objective:
    """What is measured on a validation fold, and what comes of all folds.

    Attributes
    ----------
    name : {"accuracy", "worst_group", "trade_off"}
        Which one.
    scorer : callable
        From estimator, X and y to a score.
    labels : ndarray of shape (n_samples,) or None
        The groups, or what is probed for.
    """

    name: str
    scorer: Callable[..., float]
    labels: np.ndarray | None = None

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """How Optuna names what is wished for."""
        return ["maximize", "minimize"] if self.name == "trade_off" else ["maximize"]

    def score(
        self, estimator: BaseEstimator, X: ArrayLike, y: ArrayLike | None, index: np.ndarray
    ) -> Measured:
        """Measure an estimator on the samples of a fold.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X, y : array-like of shape (n_samples, ...)
            The fold's samples.
        index : ndarray of shape (n_samples,)
            Their positions in all data.

        Returns
        -------
        found : dict
            ``score``, for groups ``groups`` (name to score and number of samples), for the
            trade-off ``probe``: what JSON can hold.
        """
        if self.name == "worst_group":
            labels = self._labels(index)
            groups = {}
            for label in np.unique(labels):
                rows = np.flatnonzero(labels == label)
                value = self.scorer(estimator, _safe_indexing(X, rows), _safe_indexing(y, rows))
                groups[str(label)] = float(value), len(rows)
            return {"score": min(score for score, _ in groups.values()), "groups": groups}
        found: Measured = {"score": float(self.scorer(estimator, X, y))}
        if self.name == "trade_off":
            labels = self._labels(index)
            folds = min(_PROBE_FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
            found["probe"] = probe_score(estimator, X, labels, cv=StratifiedKFold(folds))
        return found

    def _labels(self, index: np.ndarray) -> np.ndarray:
        assert self.labels is not None
        return self.labels[index]

    def values(self, folds: list[Measured]) -> list[float]:
        """Return what the study is told of the folds: the score, and for a trade-off the probe.

        The worst group is that of all folds together, each group's score being its mean over
        the folds in which it occurs, weighted by its samples there.
        """
        if self.name == "worst_group":
            totals: dict[str, list[tuple[float, int]]] = {}
            for fold in folds:
                for label, (score, size) in fold["groups"].items():
                    totals.setdefault(label, []).append((score, size))
            return [
                min(
                    float(np.average([s for s, _ in found], weights=[n for _, n in found]))
                    for found in totals.values()
                )
            ]
        values = [float(np.mean([fold["score"] for fold in folds]))]
        if self.name == "trade_off":
            values.append(float(np.mean([fold["probe"] for fold in folds])))
        return values

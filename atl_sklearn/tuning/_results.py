"""What comes of a study: a table of the candidates, the one to refit, the Pareto front."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import rankdata

from atl_sklearn._types import Params
from atl_sklearn.tuning._workers import counts

# `cv_results_`: arrays with a row for each trial, and ``params``, a list.
Table: TypeAlias = dict[str, Any]

RULES = ("best", "one_standard_error")


@dataclass(frozen=True)
class ParetoPoint:
    """A candidate that no other one beats in both score and invariance.

    Attributes
    ----------
    index : int
        Its row in ``cv_results_``.
    params : dict
        Its parameters.
    score : float
        Mean score.
    probe : float
        Mean score of a probe that reads the nuisance from the network.

    Examples
    --------
    >>> from atl_sklearn.tuning import ParetoPoint
    >>> ParetoPoint(index=0, params={"weight": 1.0}, score=0.8, probe=0.4).score
    0.8
    """

    index: int
    params: Params
    score: float
    probe: float


def listed(study: Study) -> list[FrozenTrial]:
    """Return the trials that count and are over, by number."""
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if counts(trial) and trial.state.is_finished()]


def _column(trials: list[FrozenTrial], n_splits: int, key: str) -> np.ndarray:
    """Return one measurement of each trial and fold; NaN where there is none."""
    values = np.full((len(trials), n_splits), np.nan)
    for row, trial in enumerate(trials):
        found = [fold[key] for fold in trial.user_attrs.get("folds", []) if key in fold]
        values[row, : len(found)] = found
    return values


def make_table(
    trials: list[FrozenTrial], names: list[str], n_splits: int, *, probes: bool
) -> Table:
    """Return ``cv_results_`` as scikit-learn's searches have it, a row for each trial.

    The mean is what the study maximised, for the worst group that of all folds; NaN for trials
    that did not end. Further columns are the trial's number and state.
    """
    table: Table = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are NaN
        for key in ("fit_time", "score_time"):
            times = _column(trials, n_splits, key)
            table[f"mean_{key}"], table[f"std_{key}"] = np.nanmean(times, 1), np.nanstd(times, 1)
        for name in names:
            column = np.ma.MaskedArray(np.empty(len(trials), dtype=object), mask=False)
            column[:] = [trial.params.get(name) for trial in trials]
            column.mask = [name not in trial.params for trial in trials]
            table[f"param_{name}"] = column
        table["params"] = [dict(trial.params) for trial in trials]
        ended = np.array([trial.state == TrialState.COMPLETE for trial in trials])
        for position, key in enumerate(("score", "probe") if probes else ("score",)):
            values = _column(trials, n_splits, key)
            for split in range(n_splits):
                table[f"split{split}_test_{key}"] = values[:, split]
            told = [
                t.values[position] if t.state == TrialState.COMPLETE else np.nan for t in trials
            ]
            table[f"mean_test_{key}"] = np.array(told, dtype=float)
            table[f"std_test_{key}"] = np.where(ended, np.std(values, axis=1), np.nan)
    scores = np.where(ended, table["mean_test_score"], -np.inf)
    table["rank_test_score"] = rankdata(-np.nan_to_num(scores, nan=-np.inf), "min").astype(np.int32)
    table["trial"] = np.array([trial.number for trial in trials])
    table["state"] = np.array([trial.state.name.lower() for trial in trials])
    return table


def split_scores(table: Table, index: int, key: str = "score") -> np.ndarray:
    """Return the scores of one candidate on the folds."""
    n_splits = sum(name.startswith("split") and name.endswith(f"_test_{key}") for name in table)
    return np.array([table[f"split{split}_test_{key}"][index] for split in range(n_splits)])


def pareto_front(table: Table) -> tuple[ParetoPoint, ...]:
    """Return the candidates that no other beats, best score first; equal ones once."""
    scores, probes = table["mean_test_score"], table["mean_test_probe"]
    front: list[ParetoPoint] = []
    for index in np.lexsort((probes, -scores)):
        lowest = min((point.probe for point in front), default=np.inf)
        if np.isfinite(scores[index]) and probes[index] < lowest:
            point = ParetoPoint(
                int(index), table["params"][index], float(scores[index]), float(probes[index])
            )
            front.append(point)
    return tuple(front)


def choose(table: Table, rule: str | Callable[[Table], int], weight: str | None) -> int:
    """Return the row of the candidate to refit.

    Parameters
    ----------
    table : dict
        ``cv_results_``.
    rule : {"best", "one_standard_error"} or callable
        ``"best"`` has the highest score, and of several the lowest probe.
        ``"one_standard_error"`` [1]_ takes, of all that are within one standard error of it,
        that which reads least by a probe where that was measured, and otherwise the smallest
        weight. A callable takes the table.
    weight : str or None
        Name of the parameter that is the weight.

    Returns
    -------
    index : int
        A row.

    Raises
    ------
    ValueError
        If a callable returns no row of a candidate that ended.

    References
    ----------
    .. [1] L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and regression trees",
       1984.
    """
    scores = table["mean_test_score"]
    if callable(rule):
        index = rule(table)
        n_rows = len(scores)
        is_index = isinstance(index, int | np.integer) and 0 <= index < n_rows
        if not is_index or not np.isfinite(scores[index]):
            raise ValueError(
                "A callable 'refit' must return the index of a row of cv_results_ whose state is "
                f"'complete', from 0 to {n_rows - 1}. Got {index!r} instead."
            )
        return int(index)
    probes = table.get("mean_test_probe", np.zeros(len(scores)))
    best = int(np.lexsort((probes, -np.nan_to_num(scores, nan=-np.inf)))[0])
    if rule == "best":
        return best
    of_folds = split_scores(table, best)
    error = of_folds.std(ddof=1) / np.sqrt(len(of_folds)) if len(of_folds) > 1 else 0.0
    near = np.flatnonzero(np.nan_to_num(scores, nan=-np.inf) >= scores[best] - error)
    if "mean_test_probe" in table:
        least = table["mean_test_probe"][near]
    elif weight is not None:
        weights = [table[f"param_{weight}"][index] for index in near]
        least = np.array([np.inf if isinstance(w, str) else float(w) for w in weights])
    else:
        return best
    return int(near[np.lexsort((-scores[near], least))[0]])

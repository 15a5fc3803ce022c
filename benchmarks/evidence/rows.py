"""The figures behind tables and drawings: paired differences of the runs that are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import PROTOCOLS
from benchmarks.evidence.runs import SELECTIONS, select

# How the value of a method was found: not at all, or on one of two validation sets.
RULES = ("untuned", *SELECTIONS)
ZERO = "plain"  # chosen by methods whose weight may be 0


@dataclass
class Row:
    """One method on one protocol, by one rule of selection.

    Attributes
    ----------
    protocol, method, rule : str
        What it is.
    n_folds, n_runs : int
        Folds, and runs: folds times seeds.
    accuracy, worst_group, probe : float
        Means over the folds.
    selection_gap, tpr_gap : float or None
        Means over the folds of what runs with a binary target have.
    gain, low, high : float
        Mean difference to the plain network in points, with its 95 % interval: of t, over the
        means of the folds.
    wins, losses : int
        Of the runs against the plain network with the same fold and seed.
    values : dict
        How often each value was chosen, by folds.
    """

    protocol: str
    method: str
    rule: str
    n_folds: int
    n_runs: int
    accuracy: float
    worst_group: float
    probe: float
    gain: float
    low: float
    high: float
    wins: int
    losses: int
    values: dict[str, int]
    selection_gap: float | None = None
    tpr_gap: float | None = None


Runs = dict[tuple[str, int, Any], dict[str, Any]]  # by method, seed and value, of one fold


def _chosen(runs: Runs, name: str, rule: str) -> tuple[str, Any] | None:
    """Return the method and value that a rule chooses on one fold."""
    method = METHODS[name]
    if rule == "untuned":
        return name, method.values[0]
    first = [runs.get((name, 0, value)) for value in method.values]
    if None in first:
        return None
    found: list[Any] = list(first)
    if method.zero:
        zero = runs.get((ZERO, 0, METHODS[ZERO].values[0]))
        if zero is None:
            return None
        found.insert(0, zero)  # of equals the plain network
    best = select(found, rule)
    return best["method"], best["value"]


def summarise(runs: list[dict[str, Any]]) -> list[Row]:
    """Return a row for each protocol, method and rule.

    Parameters
    ----------
    runs : list of dict
        What :func:`read_runs` returned.

    Returns
    -------
    rows : list of Row
        In the order of protocols, methods and rules. A run counts where the plain network has
        one of the same fold and seed; what did not run yet is left out.
    """
    by_fold: dict[tuple[str, int], Runs] = defaultdict(dict)
    for run in runs:
        key = (run["method"], run["seed"], run["value"])
        by_fold[run["protocol"], run["fold"]][key] = run
    seeds = sorted({run["seed"] for run in runs})
    rows = []
    for protocol in PROTOCOLS:
        folds = [found for (name, _), found in sorted(by_fold.items()) if name == protocol]
        for name in METHODS:
            for rule in RULES:
                pairs, values = _pairs(folds, name, rule, seeds)
                if pairs:
                    rows.append(_row(protocol, name, rule, pairs, values))
    return rows


def _pairs(
    folds: list[Runs], name: str, rule: str, seeds: list[int]
) -> tuple[list[list[tuple[dict[str, Any], dict[str, Any]]]], dict[str, int]]:
    """Return for each fold the runs of a method, each with that of the plain network."""
    pairs, values = [], defaultdict(int)
    for runs in folds:
        chosen, plain = (_chosen(runs, method, rule) for method in (name, ZERO))
        if chosen is None or plain is None:
            continue
        ours = [runs.get((chosen[0], seed, chosen[1])) for seed in seeds]
        theirs = [runs.get((plain[0], seed, plain[1])) for seed in seeds]
        paired = [(a, b) for a, b in zip(ours, theirs, strict=True) if a and b]
        if not paired:
            continue
        pairs.append(paired)
        values["0" if chosen[0] != name else str(chosen[1])] += 1
    return pairs, dict(values)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a mean by Student's t; infinite for a single value."""
    if len(values) < 2:
        return float("-inf"), float("inf")
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _row(protocol: str, name: str, rule: str, pairs: Any, values: dict[str, int]) -> Row:
    def mean(measure: str) -> float:
        return float(np.mean([np.mean([a[measure] for a, _ in fold]) for fold in pairs]))

    def mean_if_there(measure: str) -> float | None:
        # Runs of before the gaps were measured lack them.
        there = all(measure in run for fold in pairs for run, _ in fold)
        return mean(measure) if there else None

    gains = [[100 * (a["accuracy"] - b["accuracy"]) for a, b in fold] for fold in pairs]
    of_folds = np.array([np.mean(fold) for fold in gains])
    every = np.concatenate(gains)
    low, high = interval(of_folds)
    return Row(
        protocol,
        name,
        rule,
        len(pairs),
        len(every),
        mean("accuracy"),
        mean("worst_group"),
        mean("probe"),
        float(of_folds.mean()),
        low,
        high,
        int((every > 1e-9).sum()),
        int((every < -1e-9).sum()),
        values,
        mean_if_there("selection_gap"),
        mean_if_there("tpr_gap"),
    )


def complete(rows: list[Row]) -> list[Row]:
    """Return the rows with all folds of the plain network: means of others do not compare."""
    n_folds = {r.protocol: r.n_folds for r in rows if (r.method, r.rule) == (ZERO, "untuned")}
    return [row for row in rows if row.n_folds == n_folds[row.protocol]]


def by_name(rows: Iterable[Row]) -> dict[tuple[str, str, str], Row]:
    """Return the rows by protocol, method and rule."""
    return {(row.protocol, row.method, row.rule): row for row in rows}

"""The report: paired differences, tables and figures of all runs that are there."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import PROTOCOLS, TITLES
from benchmarks.evidence.runs import SELECTIONS, read_runs, select

# How the value of a method was found: not at all, or on one of two validation sets.
RULES = ("untuned", *SELECTIONS)
RULE_TITLES = {
    "untuned": "untuned",
    "valid": "tuned on the training condition",
    "valid_like_test": "tuned on the test's condition",
}
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
    )


def complete(rows: list[Row]) -> list[Row]:
    """Return the rows with all folds of the plain network: means of others do not compare."""
    n_folds = {r.protocol: r.n_folds for r in rows if (r.method, r.rule) == (ZERO, "untuned")}
    return [row for row in rows if row.n_folds == n_folds[row.protocol]]


def _gain(row: Row | None) -> str:
    if row is None:
        return ""
    if not np.isfinite(row.low):
        return f"{row.gain:+.1f}"
    return f"{row.gain:+.1f} [{row.low:+.1f}, {row.high:+.1f}]"


def tables(rows: list[Row]) -> str:
    """Return the tables of all protocols as reStructuredText."""
    found = {(row.protocol, row.method, row.rule): row for row in rows}
    lines = []
    for protocol in PROTOCOLS:
        methods = [name for name in METHODS if (protocol, name, "untuned") in found]
        if not methods:
            continue
        title = TITLES[protocol]
        lines += [title, "~" * len(title), "", ".. list-table::", "   :header-rows: 1", ""]
        header = [
            "method", "labels of the nuisance", "folds, runs", "accuracy", "worst group", "probe",
            "gain, untuned", "won, lost", "gain, tuned on the training condition",
            "gain, tuned on the test's condition",
        ]  # fmt: skip
        cells = [header]
        for name in methods:
            row = found[protocol, name, "untuned"]
            tuned = [found.get((protocol, name, rule)) for rule in SELECTIONS]
            is_plain = name == ZERO
            cells.append(
                [
                    METHODS[name].title,
                    METHODS[name].labels,
                    f"{row.n_folds}, {row.n_runs}",
                    f"{row.accuracy:.3f}",
                    f"{row.worst_group:.3f}",
                    f"{row.probe:.3f}",
                    "" if is_plain else _gain(row),
                    "" if is_plain else f"{row.wins}, {row.losses}",
                    *(
                        "" if is_plain or len(METHODS[name].values) == 1 else _gain(r)
                        for r in tuned
                    ),
                ]
            )
        for entries in cells:
            lines += [
                f"   * - {entries[0]}",
                *(f"     - {entry}".rstrip() for entry in entries[1:]),
            ]
        lines += ["", f".. image:: {protocol}.png", f"   :alt: {title}: gains of the methods", ""]
    return "\n".join(lines)


def figure(protocol: str, rows: list[Row], path: Path) -> None:
    """Draw the gains of the methods with their intervals, and accuracy against the probe."""
    import matplotlib.pyplot as plt

    shown = [r for r in rows if r.protocol == protocol and r.rule == "untuned"][::-1]
    height = 1.2 + 0.26 * len(shown)
    drawing, (left, right) = plt.subplots(
        1, 2, figsize=(11, max(height, 3.2)), layout="constrained", width_ratios=(1, 1)
    )
    for place, row in enumerate(shown):
        labelled = METHODS[row.method].labels != "none"
        color = "tab:orange" if labelled else "tab:blue"
        color = "tab:gray" if row.method in ("plain", "balanced") else color
        if np.isfinite(row.low):
            left.plot([row.low, row.high], [place, place], color=color, linewidth=2, alpha=0.6)
        left.plot(row.gain, place, "o", color=color)
        right.plot(row.probe, row.accuracy, "o", color=color)
        right.annotate(
            row.method, (row.probe, row.accuracy), xytext=(3, 3), textcoords="offset points",
            fontsize=6,
        )  # fmt: skip
    left.axvline(0, color="k", linewidth=0.8)
    left.set_yticks(range(len(shown)), [METHODS[row.method].title for row in shown], fontsize=7)
    left.set(xlabel="gain over the plain network in points, untuned, 95 % interval")
    right.set(xlabel="accuracy of a probe of the nuisance", ylabel="accuracy")
    drawing.suptitle(TITLES[protocol])
    drawing.savefig(path, dpi=110)
    plt.close(drawing)


def write_report(path: Path, folder: Path) -> list[Row]:
    """Write summary, tables and figures of the runs in a file.

    Parameters
    ----------
    path : Path
        The file with the runs.
    folder : Path
        Gets ``summary.json``, ``tables.rst`` and a figure for each protocol.

    Returns
    -------
    rows : list of Row
        What the report says; tables and figures leave out what did not run on all folds.
    """
    rows = summarise(read_runs(path))
    folder.mkdir(parents=True, exist_ok=True)
    summary = [asdict(row) for row in rows]
    text = json.dumps(summary, indent=1).replace("Infinity", "null").replace("-null", "null")
    (folder / "summary.json").write_text(text + "\n")
    shown = complete(rows)
    (folder / "tables.rst").write_text(tables(shown))
    for protocol in dict.fromkeys(row.protocol for row in shown):
        figure(protocol, shown, folder / f"{protocol}.png")
    return rows

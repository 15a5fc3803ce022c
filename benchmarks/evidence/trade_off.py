"""Accuracy against the gaps between two groups: one line a method, over its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from atl_sklearn.inspection import TradeOffDisplay, TradeOffPoint
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import TITLES
from benchmarks.evidence.rows import ZERO

GAPS = {
    "selection_gap": "gap of the selection rates",
    "tpr_gap": "gap of the true positive rates",
}
_STYLES = ("-", "--", ":", "-.")  # the ten colours come back in each

Line = list[dict[str, float]]  # the means of the measures, from the least of a method to the most


def trade_offs(runs: Sequence[dict[str, Any]], protocol: str) -> dict[str, Line]:
    """Return the line of each method on a protocol whose runs have gaps.

    Parameters
    ----------
    runs : sequence of dict
        What :func:`read_runs` returned.
    protocol : str
        Its name.

    Returns
    -------
    lines : dict of str to list
        For each method, from the plain network on where its weight may be 0, the ``value`` and
        the means over the folds of ``accuracy`` and gaps, with the first seed. Methods are left
        out that lack a value on a fold of the plain network.
    """
    found: dict[tuple[str, Any], dict[int, dict[str, Any]]] = {}
    for run in runs:
        if run["protocol"] == protocol and run["seed"] == 0 and GAPS.keys() <= run.keys():
            found.setdefault((run["method"], run["value"]), {})[run["fold"]] = run
    zero = found.get((ZERO, METHODS[ZERO].values[0]), {})
    if not zero:
        return {}

    def mean(value: Any, folds: dict[int, dict[str, Any]]) -> dict[str, float]:
        measures = ("accuracy", *GAPS)
        means = {name: float(np.mean([folds[f][name] for f in zero])) for name in measures}
        return {"value": value, **means}

    lines = {ZERO: [mean(0, zero)]}
    for name, method in METHODS.items():
        of_values = [(value, found.get((name, value), {})) for value in method.values]
        if name != ZERO and all(zero.keys() <= folds.keys() for _, folds in of_values):
            if len(of_values) > 1:
                of_values.sort(key=lambda entry: entry[0], reverse=method.falling)
            lines[name] = [mean(*entry) for entry in of_values]
            if method.zero:
                lines[name].insert(0, lines[ZERO][0])
    return lines


def _draw(ax: Axes, lines: dict[str, Line], gap: str) -> None:
    points = []
    for number, (name, line) in enumerate(lines.items()):
        marker = "D" if name == ZERO else "s" if METHODS[name].reads_nuisance else "o"
        gaps, accuracies = ([point[key] for point in line] for key in (gap, "accuracy"))
        color = "k" if name == ZERO else f"C{number - 1}"
        style = _STYLES[max(number - 1, 0) // 10 % len(_STYLES)]
        ax.plot(gaps, accuracies, style, marker=marker, markersize=5, color=color, linewidth=1.2,
                label=METHODS[name].title, zorder=3 if name == ZERO else 2)  # fmt: skip
        points += [
            TradeOffPoint(f"{name} {point['value']}", point["accuracy"], point[gap])
            for point in line
        ]
    front = set(TradeOffDisplay(points).front)
    best = [point for point in points if point.name in front]
    ax.plot([p.probe for p in best], [p.score for p in best], "o", markersize=11, color="none",
            markeredgecolor="0.5", label="beaten by none in both", zorder=1)  # fmt: skip
    ax.set(xlabel=GAPS[gap], ylabel="accuracy")
    ax.grid(linewidth=0.3)


def draw_trade_off(protocol: str, runs: Sequence[dict[str, Any]], path: Path) -> bool:
    """Draw accuracy against each gap, a line a method from the plain network over its weights.

    Parameters
    ----------
    protocol : str
        Its name.
    runs : sequence of dict
        What :func:`read_runs` returned.
    path : Path
        Of the file.

    Returns
    -------
    drawn : bool
        Whether there were runs with gaps.
    """
    lines = trade_offs(runs, protocol)
    if not lines:
        return False
    drawing, axes = plt.subplots(1, 2, figsize=(12, 5.5), layout="constrained", sharey=True)
    for ax, gap in zip(axes, GAPS, strict=True):
        _draw(ax, lines, gap)
    drawing.suptitle(TITLES[protocol])
    handles, labels = axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    drawing.savefig(path, dpi=110)
    plt.close(drawing)
    return True

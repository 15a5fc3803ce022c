"""The figures of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import PROTOCOLS, TITLES
from benchmarks.evidence.rows import ZERO, Row, by_name
from benchmarks.evidence.tables import OVERVIEW

COLORS = {
    "anti-transfer and other methods without labels": "tab:blue",
    "methods with labels of the nuisance": "tab:orange",
    "plain networks": "tab:gray",
}


def _color(row: Row) -> str:
    frozen, labelled, plain = COLORS.values()
    if row.method in (ZERO, "balanced"):
        return plain
    return labelled if METHODS[row.method].reads_nuisance else frozen


def spread(places: Sequence[float], gap: float) -> np.ndarray:
    """Move places apart to at least `gap`, each as little as its neighbours allow.

    Parameters
    ----------
    places : sequence of float
        In any order.
    gap : float
        The least distance.

    Returns
    -------
    spread : ndarray of shape (len(places),)
        In the order of `places`, and with the same ranks.
    """
    order = np.argsort(places, kind="stable")
    # Without the gaps, the nearest rising sequence: blocks that would cross share their mean.
    blocks: list[list[float]] = []  # each the sum and the number of its places
    for rank, index in enumerate(order):
        blocks.append([places[index] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, number = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += number
    rising = np.concatenate([np.full(int(n), total / n) for total, n in blocks] or [[]])
    found = np.empty(len(order))
    found[order] = rising + gap * np.arange(len(order))
    return found


def _interval(axes: Axes, row: Row, place: float, color: str) -> None:
    if np.isfinite(row.low):
        axes.plot([row.low, row.high], [place, place], color=color, linewidth=2, alpha=0.6)
    axes.plot(row.gain, place, "o", color=color, markersize=5)


def _legend_entry(title: str, color: str) -> Line2D:
    return Line2D([], [], color=color, marker="o", linewidth=2, label=title)


def _label_points(axes: Axes, rows: Sequence[Row]) -> None:
    """Name the points beside the axes, at places that do not overlap."""
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height / axes.figure.dpi * 72  # in points
    accuracies = [row.accuracy for row in rows]
    for row, place in zip(rows, spread(accuracies, (high - low) * 8 / height), strict=True):
        axes.annotate(
            row.method,
            (row.probe, row.accuracy),
            xytext=(1.04, place),
            textcoords=axes.get_yaxis_transform(),
            fontsize=6.5,
            va="center",
            color=_color(row),
            arrowprops={"arrowstyle": "-", "color": "0.8", "linewidth": 0.5, "shrinkB": 3},
        )


def draw_protocol(protocol: str, rows: Sequence[Row], path: Path) -> None:
    """Draw the gains of the methods with their intervals, and accuracy against the probe.

    Parameters
    ----------
    protocol : str
        Its name.
    rows : sequence of Row
        Those to show, of this and other protocols.
    path : Path
        Of the file.
    """
    shown = [r for r in rows if r.protocol == protocol and r.rule == "untuned"][::-1]
    height = max(1.5 + 0.26 * len(shown), 3.2)
    drawing, (left, right) = plt.subplots(
        1, 2, figsize=(12, height), layout="constrained", width_ratios=(1, 1)
    )
    for place, row in enumerate(shown):
        _interval(left, row, place, _color(row))
        right.plot(row.probe, row.accuracy, "o", color=_color(row), markersize=5)
    left.axvline(0, color="k", linewidth=0.8)
    left.set_yticks(range(len(shown)), [METHODS[row.method].title for row in shown], fontsize=7)
    left.set_xlabel("gain in points, untuned, 95 % interval")
    right.set(xlabel="accuracy of a probe of the nuisance", ylabel="accuracy")
    drawing.suptitle(TITLES[protocol])
    handles = [_legend_entry(title, color) for title, color in COLORS.items()]
    drawing.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    drawing.draw_without_rendering()  # the layout gives the axes their height
    _label_points(right, shown)
    drawing.savefig(path, dpi=110)
    plt.close(drawing)


def draw_overview(rows: Sequence[Row], path: Path) -> None:
    """Draw the gains of the most compared methods on all protocols.

    Parameters
    ----------
    rows : sequence of Row
        Those to show.
    path : Path
        Of the file.
    """
    found = by_name(rows)
    protocols = [
        name
        for name in reversed(PROTOCOLS)
        if any((name, *column) in found for column in OVERVIEW.values())
    ]
    drawing, axes = plt.subplots(figsize=(9, 1.6 + 0.45 * len(protocols)), layout="constrained")
    handles = []
    for number, (title, column) in enumerate(OVERVIEW.items()):
        color = f"C{number}"
        for place, protocol in enumerate(protocols):
            if (protocol, *column) in found:
                _interval(axes, found[(protocol, *column)], place + 0.27 - 0.18 * number, color)
        handles.append(_legend_entry(title, color))
    axes.axvline(0, color="k", linewidth=0.8)
    axes.set_yticks(range(len(protocols)), [TITLES[name] for name in protocols], fontsize=8)
    axes.set_xlabel("gain over the plain network in points, untuned, 95 % interval")
    axes.grid(axis="x", linewidth=0.3)
    drawing.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    drawing.savefig(path, dpi=110)
    plt.close(drawing)

"""The four panels of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from atl_sklearn.inspection._displays._probes import ProbeDisplay, draw_by_layer, layers_in_order
from atl_sklearn.inspection._displays._style import (
    fit_labels,
    legend_above,
    legend_label,
    several_axes,
    short,
    style_of,
)
from atl_sklearn.inspection._displays._trade_off import TradeOffDisplay
from atl_sklearn.inspection._report import InvarianceReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _draw_groups(ax: Axes, report: InvarianceReport) -> None:
    """Draw the score of each group, and of all samples, with the estimators side by side."""
    places = ("", *report.groups)
    width = 0.8 / len(report.names)
    for k, name in enumerate(report.names):
        found = {m.place: m for m in report.measures if m.part == "score" and m.estimator == name}
        kept = [found[place] for place in places]
        at = np.arange(len(places)) + (k - (len(report.names) - 1) / 2) * width
        values = np.array([m.value for m in kept])
        reach = np.abs(np.array([[m.low for m in kept], [m.high for m in kept]]) - values)
        style = style_of(k)
        ax.errorbar(
            at, values, yerr=reach, fmt=style["marker"], color=style["color"],
            label=legend_label(name), capsize=2, markersize=5,
        )  # fmt: skip
    ax.axvline(0.5, color="0.5", linewidth=0.8, linestyle=":")
    ax.set_xlim(-0.6, len(places) - 0.4)
    ax.set_ylabel(report.score_name)
    ax.set_xlabel("group")
    legend_above(ax, 3)
    fit_labels(ax.xaxis, ["all", *(short(name, 14) for name in report.groups)])


def _say(ax: Axes, text: str) -> None:
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=ax.transAxes)


def plot_overview(
    report: InvarianceReport, axes: np.ndarray | Sequence[Axes] | None = None
) -> np.ndarray:
    """Draw a report: groups, probes, similarity and the trade-off.

    Parameters
    ----------
    report : InvarianceReport
        What is drawn; a panel for which it has nothing says so.
    axes : array of four matplotlib.axes.Axes or None, default=None
        Where.

    Returns
    -------
    axes : ndarray of Axes
        The panels.
    """
    panels = several_axes("InvarianceReport.plot", axes, (2, 2), (11, 9))
    parts = {m.part for m in report.measures}
    if "score" in parts:
        _draw_groups(panels[0], report)
    else:
        _say(panels[0], "no y: the task was not scored")
    similar = [m for m in report.measures if m.part == "similarity"]
    if similar:
        how = similar[0].how  # of several unrelated networks, the first
        kept = [m for m in similar if m.how == how]
        layers = layers_in_order(kept)
        draw_by_layer(panels[2], kept, list(dict.fromkeys(m.estimator for m in kept)), layers)
        panels[2].set_ylabel(f"similarity, {how.replace('_', ' ')}")
        panels[2].set_xlabel("layer, from the input to the output")
        legend_above(panels[2], 3)
        fit_labels(panels[2].xaxis, [short(layer) for layer in layers])
    else:
        _say(panels[2], "no unrelated network to compare with")
    if "probe" in parts:
        kinds = {m.how for m in report.measures if m.part == "probe"}
        kind = "linear" if "linear" in kinds else kinds.pop()
        ProbeDisplay.from_report(report, probe=kind).plot(ax=panels[1])
    else:
        _say(panels[1], "no network to probe")
    probed = {m.estimator for m in report.measures if m.part == "probe"}
    if "score" in parts and set(report.names) <= probed:
        TradeOffDisplay.from_report(report).plot(ax=panels[3])
    else:
        _say(panels[3], "no score and probe of each estimator")
    return panels

"""Paired differences with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atl_sklearn._validation import refuse_value
from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import COLORS, GREY, fit_labels, one_axes, short
from atl_sklearn.inspection._report import InvarianceReport

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


@dataclass(frozen=True)
class PairedDifference:
    """What one estimator has more than another.

    Attributes
    ----------
    name : str
        Of what.
    mean : float
        The difference.
    low, high : float
        Ends of its interval; NaN for none.
    folds : tuple of float
        The difference on each fold; empty where there are none.

    Examples
    --------
    >>> from atl_sklearn.inspection import PairedDifference
    >>> PairedDifference("anti-transfer", 0.1, 0.02, 0.18).mean
    0.1
    """

    name: str
    mean: float
    low: float = float("nan")
    high: float = float("nan")
    folds: tuple[float, ...] = ()


class ComparisonDisplay:
    """Differences to one estimator, with intervals.

    Parameters
    ----------
    differences : list of PairedDifference
        What is drawn, from above.
    reference : str
        What they are differences to.
    what : str, default="score"
        What of.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The drawing, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure it is in.

    Examples
    --------
    >>> from atl_sklearn.inspection import ComparisonDisplay, PairedDifference
    >>> found = [PairedDifference("weight 1", 0.1, 0.02, 0.18)]
    >>> ComparisonDisplay(found, reference="plain").frame().name.tolist()
    ['weight 1']
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self, differences: Sequence[PairedDifference], *, reference: str, what: str = "score"
    ) -> None:
        self.differences = tuple(differences)
        self.reference = reference
        self.what = what
        if not self.differences:
            way_out = "There is nothing to compare with one estimator alone."
            raise refuse_value("ComparisonDisplay", "differences", "not empty", [], way_out)

    @classmethod
    def from_comparison(cls, comparison: Any) -> ComparisonDisplay:
        """Take what :func:`atl_sklearn.tuning.compare` found.

        Parameters
        ----------
        comparison : Comparison
            Scores on the same folds.

        Returns
        -------
        display : ComparisonDisplay
            Not drawn yet.
        """
        names, scores = comparison.names, comparison.scores
        found = [
            PairedDifference(
                name, d.mean, d.low, d.high, tuple((scores[place] - scores[0]).ravel().tolist())
            )
            for place, name in enumerate(names)
            if (d := comparison.differences.get(name)) is not None
        ]
        return cls(found, reference=names[0])

    @classmethod
    def from_report(cls, report: InvarianceReport, *, part: str = "score") -> ComparisonDisplay:
        """Take the differences of a report.

        Parameters
        ----------
        report : InvarianceReport
            Of at least two estimators.
        part : str, default="score"
            What of: ``"score"`` of all samples and of each group, ``"probe"`` by layer, ...

        Returns
        -------
        display : ComparisonDisplay
            Not drawn yet.

        Raises
        ------
        ValueError
            If the report has no such differences.
        """
        found = [m for m in report.differences if m.part == part]
        if not found:
            known = sorted({m.part for m in report.differences})
            way_out = "" if known else "The report is of one estimator: make it of several."
            must = f"one of {known}, of which the report has differences"
            raise refuse_value("ComparisonDisplay.from_report", "part", must, part, way_out)
        alone = len(report.names) == 2
        rows = [
            PairedDifference(
                ", ".join(
                    filter(None, ["" if alone else m.estimator, m.place or "all", m.how])
                ),
                m.value, m.low, m.high,
            )
            for m in found
        ]  # fmt: skip
        what = report.score_name if part == "score" else part.replace("_", " ")
        if alone:
            what = f"{what} of {report.names[1]}"
        return cls(rows, reference=report.names[0], what=what)

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``name``, ``difference``, ``low`` and ``high``.
        """
        rows = [(d.name, d.mean, d.low, d.high) for d in self.differences]
        columns = ("name", "difference", "low", "high")
        return make_frame(rows, columns, "ComparisonDisplay.frame")

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> ComparisonDisplay:
        """Draw a line for each difference: its interval, and its folds where there are any.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.
        **kwargs : dict
            Passed on to ``Axes.errorbar``.

        Returns
        -------
        display : ComparisonDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.differences)
        ax = one_axes("ComparisonDisplay.plot", ax, (6.4, min(9.0, 1.4 + 0.35 * n)))
        style = {"fmt": "o", "color": COLORS[0], "capsize": 4, **kwargs}
        for place, found in enumerate(self.differences):
            if found.folds:
                ax.plot(found.folds, [place] * len(found.folds), "|", color=GREY, alpha=0.8)
            known = math.isfinite(found.low)
            reach = [[found.mean - found.low], [found.high - found.mean]] if known else None
            ax.errorbar([found.mean], [place], xerr=reach, **style)
        ax.axvline(0, color=GREY, linewidth=1, linestyle=":")
        ax.set_ylim(n - 0.5, -0.5)
        ax.set_xlabel(f"difference of the {self.what} to {self.reference}")
        fit_labels(ax.yaxis, [short(found.name, 32) for found in self.differences])
        self.ax_, self.figure_ = ax, ax.figure
        return self

"""Score against invariance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atl_sklearn._validation import refuse_value
from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import GREY, legend_above, one_axes, short, style_of
from atl_sklearn.inspection._report import InvarianceReport

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.transforms import Bbox

_MOST_NAMED = 12


@dataclass(frozen=True)
class TradeOffPoint:
    """A network in the plane of score and probe.

    Attributes
    ----------
    name : str
        What it is called.
    score : float
        How good it is at its task.
    probe : float
        How well a probe reads the nuisance from it.

    Examples
    --------
    >>> from atl_sklearn.inspection import TradeOffPoint
    >>> TradeOffPoint("weight 1", score=0.8, probe=0.4).name
    'weight 1'
    """

    name: str
    score: float
    probe: float


class TradeOffDisplay:
    """Score of the task against what a probe still reads, with the Pareto front.

    Parameters
    ----------
    points : list of TradeOffPoint
        The networks.
    rivals : list of TradeOffPoint, default=()
        Others to compare with, drawn in another way.
    chance : float or None, default=None
        The score of a probe that reads nothing.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The drawing, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure it is in.

    Examples
    --------
    >>> from atl_sklearn.inspection import TradeOffDisplay, TradeOffPoint
    >>> points = [TradeOffPoint("plain", 0.6, 0.9), TradeOffPoint("weight 1", 0.8, 0.5)]
    >>> TradeOffDisplay(points).front
    ('weight 1',)
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self, points: Iterable[TradeOffPoint], *, rivals: Iterable = (), chance: float | None = None
    ) -> None:
        self.points = tuple(points)
        self.rivals = tuple(rivals)
        self.chance = chance
        for name, value in (("points", self.points), ("rivals", self.rivals)):
            if not all(isinstance(point, TradeOffPoint) for point in value):
                raise refuse_value("TradeOffDisplay", name, "a list of TradeOffPoint", value)
        if not self.points:
            raise refuse_value("TradeOffDisplay", "points", "at least one TradeOffPoint", points)

    @classmethod
    def from_report(
        cls, report: InvarianceReport, *, layer: str | None = None, rivals: Iterable = ()
    ) -> TradeOffDisplay:
        """Take the estimators of a report.

        Parameters
        ----------
        report : InvarianceReport
            Of several estimators, such as one for each weight.
        layer : str or None, default=None
            The layer that is probed; None for the last one but the output, if there are several.
        rivals : list of str or of TradeOffPoint, default=()
            Estimators of the report that are drawn apart, or others.

        Returns
        -------
        display : TradeOffDisplay
            Not drawn yet.
        """
        apart = {rival for rival in rivals if isinstance(rival, str)}
        unknown = apart - set(report.names)
        if unknown:
            must = f"TradeOffPoint or among the report's {list(report.names)}"
            raise refuse_value("TradeOffDisplay.from_report", "rivals", must, sorted(unknown))
        found = {name: point_of(report, name, layer) for name in report.names}
        others = [rival for rival in rivals if not isinstance(rival, str)]
        return cls(
            [point for name, point in found.items() if name not in apart],
            rivals=[found[name] for name in report.names if name in apart] + others,
            chance=report.chance,
        )

    @classmethod
    def from_search(cls, search: object, *, rivals: Iterable = ()) -> TradeOffDisplay:
        """Take the candidates of a search that has probed them.

        Parameters
        ----------
        search : fitted AntiTransferSearchCV
            Of which ``objective`` includes invariance, so that there is a Pareto front.
        rivals : list of TradeOffPoint, default=()
            Others.

        Returns
        -------
        display : TradeOffDisplay
            Not drawn yet: the points of the front, named by what distinguishes them.

        Raises
        ------
        ValueError
            If the search has no front.
        """
        front = getattr(search, "pareto_", None)
        if not front:
            way_out = "Search with an objective that asks for invariance."
            must = "a fitted AntiTransferSearchCV with a Pareto front (pareto_)"
            raise refuse_value("TradeOffDisplay.from_search", "search", must, search, way_out)
        params: list[Mapping[str, object]] = [point.params for point in front]
        varied = [n for n in params[0] if len({repr(p.get(n)) for p in params}) > 1]
        names = [
            ", ".join(f"{n.rpartition('__')[2]} {_brief(p.get(n))}" for n in varied) or "best"
            for p in params
        ]
        points = [
            TradeOffPoint(name, float(point.score), float(point.probe))
            for name, point in zip(names, front, strict=True)
        ]
        return cls(points, rivals=rivals)

    @property
    def front(self) -> tuple[str, ...]:
        """The points that none beats in both, by rising score."""
        return tuple(point.name for point in self._on_front())

    def _on_front(self) -> list[TradeOffPoint]:
        """Return these points, of which several may have one name."""
        ordered = sorted([*self.points, *self.rivals], key=lambda p: (-p.score, p.probe))
        kept: list[TradeOffPoint] = []
        for point in ordered:
            if not kept or point.probe < kept[-1].probe:
                kept.append(point)
        return kept[::-1]

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``name``, ``score``, ``probe``, ``rival`` and ``on_front``.
        """
        front = self._on_front()
        rows = [
            (p.name, p.score, p.probe, p in self.rivals, p in front)
            for p in (*self.points, *self.rivals)
        ]
        columns = ("name", "score", "probe", "rival", "on_front")
        return make_frame(rows, columns, "TradeOffDisplay.frame")

    def plot(self, *, ax: Axes | None = None) -> TradeOffDisplay:
        """Draw the points with their names, and the front.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : TradeOffDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = one_axes("TradeOffDisplay.plot", ax, (6.0, 4.4))
        everyone = [*self.points, *self.rivals]
        front = self._on_front()
        if len(front) > 1:
            ax.plot(
                [p.probe for p in front], [p.score for p in front],
                color=GREY, linestyle="--", linewidth=1, label="front",
            )  # fmt: skip
        for place, (points, label) in enumerate(
            ((self.points, "networks"), (self.rivals, "rivals"))
        ):
            if points:
                style = {k: v for k, v in style_of(place).items() if k != "linestyle"}
                ax.plot(
                    [p.probe for p in points], [p.score for p in points],
                    linestyle="", label=label, **style,
                )  # fmt: skip
        if self.chance is not None:
            ax.axvline(
                self.chance, color=GREY, linestyle=":", linewidth=1, label="chance of the probe"
            )
        ax.margins(0.15)
        ax.set_xlabel("how well a probe reads the nuisance (left is invariant)")
        ax.set_ylabel("score of the task")
        legend_above(ax, 4)
        ax.figure.draw_without_rendering()  # type: ignore[union-attr]
        named = everyone if len(everyone) <= _MOST_NAMED else front
        place_names(ax, [(p.probe, p.score, short(p.name)) for p in named])
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _brief(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)


def point_of(report: InvarianceReport, name: str, layer: str | None) -> TradeOffPoint:
    """Return an estimator of a report in the plane of score and probe."""
    layers = list(
        dict.fromkeys(m.place for m in report.measures if m.part == "probe" and m.estimator == name)
    )
    if layer is None and layers:
        layer = layers[-2] if len(layers) > 1 else layers[-1]
    probe = report.value("probe", estimator=name, place=layer)
    return TradeOffPoint(name, report.value("score", estimator=name), probe)


def place_names(ax: Axes, named: list[tuple[float, float, str]]) -> None:
    """Write names beside points, where they cover neither each other nor a point.

    A name for which there is no room is left out.
    """
    offsets = [(7, 4), (7, -11), (-7, 4), (-7, -11), (0, 9), (0, -16), (14, 12), (-14, 12)]
    taken: list[Bbox] = []
    dots = [ax.transData.transform((x, y)) for x, y, _ in named]
    inside = ax.get_window_extent()
    for (x, y, name), _ in zip(named, dots, strict=True):
        for dx, dy in offsets:
            text = ax.annotate(
                name, (x, y), xytext=(dx, dy), textcoords="offset points", fontsize="small",
                ha="left" if dx > 0 else "right" if dx < 0 else "center",
            )  # fmt: skip
            box = text.get_window_extent()
            free = not any(box.overlaps(other) for other in taken)
            free &= not any(box.x0 <= a <= box.x1 and box.y0 <= b <= box.y1 for a, b in dots)
            within = box.x0 >= inside.x0 and box.x1 <= inside.x1
            within &= box.y0 >= inside.y0 and box.y1 <= inside.y1
            if free and within:
                taken.append(box)
                break
            text.remove()

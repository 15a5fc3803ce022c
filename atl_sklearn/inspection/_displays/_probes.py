"""How well a probe can read the nuisance from each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from atl_sklearn._validation import refuse_value
from atl_sklearn.inspection._displays._style import (
    GREY,
    fit_labels,
    legend_above,
    legend_label,
    one_axes,
    short,
    style_of,
)
from atl_sklearn.inspection._invariance_report import invariance_report
from atl_sklearn.inspection._measure import Measure, as_frame
from atl_sklearn.inspection._report import InvarianceReport

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_UNTRAINED = "untrained network"


def layers_in_order(measures: list[Measure]) -> list[str]:
    """Return the layers that measures are of, each once."""
    return list(dict.fromkeys(measure.place for measure in measures if measure.place))


def draw_by_layer(ax: Axes, measures: list[Measure], names: list[str], layers: list[str]) -> None:
    """Draw a line with intervals for each name, over the layers in order."""
    for place, name in enumerate(names):
        found = {m.place: m for m in measures if m.estimator == name}
        at = [k for k, layer in enumerate(layers) if layer in found]
        kept = [found[layers[k]] for k in at]
        values = np.array([m.value for m in kept])
        style = style_of(place)
        if name == _UNTRAINED:
            style = {**style, "color": GREY}
        ax.plot(at, values, label=legend_label(name), markersize=5, **style)
        low, high = (np.array([getattr(m, end) for m in kept]) for end in ("low", "high"))
        if np.isfinite(low).any():
            ax.fill_between(at, low, high, color=style["color"], alpha=0.15, linewidth=0)
    margin = 0.5 if len(layers) == 1 else 0.03 * len(layers)
    ax.set_xlim(-margin, len(layers) - 1 + margin)


class ProbeDisplay:
    """How well a probe reads the nuisance from each layer, of several networks.

    Parameters
    ----------
    measures : list of Measure
        Scores of probes, of one kind; ``"raw input"`` and ``"untrained network"`` are what
        networks are compared with.
    chance : float
        The score of a probe that reads nothing.
    scoring : str
        What the probes are scored by.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The drawing, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure it is in.

    See Also
    --------
    invariance_report : The same numbers beside others.

    Examples
    --------
    >>> from atl_sklearn.inspection import Measure, ProbeDisplay
    >>> scores = [
    ...     Measure("plain", "probe", layer, "linear", s) for layer, s in zip("ab", (0.9, 0.7))
    ... ]
    >>> ProbeDisplay(scores, chance=0.5, scoring="balanced_accuracy").frame().value.tolist()
    [0.9, 0.7]
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, measures: list[Measure], *, chance: float, scoring: str) -> None:
        self.measures = list(measures)
        self.chance = chance
        self.scoring = scoring

    @classmethod
    def from_report(cls, report: InvarianceReport, *, probe: str = "linear") -> ProbeDisplay:
        """Take the probes of a report.

        Parameters
        ----------
        report : InvarianceReport
            The report.
        probe : {"linear", "nonlinear"}, default="linear"
            Which of them.

        Returns
        -------
        display : ProbeDisplay
            Not drawn yet.

        Raises
        ------
        ValueError
            If the report has none of this kind.
        """
        found = [m for m in report.measures if m.part == "probe"]
        kinds = sorted({m.how for m in found})
        if probe not in kinds:
            way_out = "Make the report with it, of estimators that have a network."
            must = f"one of {kinds}, which the report has"
            raise refuse_value("ProbeDisplay.from_report", "probe", must, probe, way_out)
        kept = [m for m in found if m.how == probe]
        return cls(kept, chance=report.chance, scoring=f"{probe} probe, {report.probe_scoring}")

    @classmethod
    def from_estimator(
        cls,
        estimators: object,
        X: ArrayLike,
        y_unrelated: ArrayLike,
        *,
        probe: str = "linear",
        **kwargs: Any,
    ) -> ProbeDisplay:
        """Probe fitted networks.

        Parameters
        ----------
        estimators : fitted estimator, or dict of str to fitted estimator
            The networks.
        X : array-like of shape (n_samples, ...)
            Data that were not used in fitting.
        y_unrelated : array-like of shape (n_samples,)
            What is read.
        probe : {"linear", "nonlinear"}, default="linear"
            The kind of probe.
        **kwargs : dict
            Other arguments of :func:`invariance_report`, such as `layers` or `cv`.

        Returns
        -------
        display : ProbeDisplay
            Not drawn yet.
        """
        report = invariance_report(estimators, X, None, y_unrelated, probes=[probe], **kwargs)
        return cls.from_report(report, probe=probe)

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``estimator``, ``part``, ``place`` (the layer), ``how``, ``value``,
            ``low`` and ``high``.
        """
        return as_frame(self.measures, "ProbeDisplay.frame")

    def plot(self, *, ax: Axes | None = None) -> ProbeDisplay:
        """Draw a line over the layers for each network, with its intervals.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : ProbeDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = one_axes("ProbeDisplay.plot", ax, (6.4, 4.2))
        layered = [m for m in self.measures if m.place]
        layers = layers_in_order(layered)
        names = sorted({m.estimator for m in layered}, key=lambda name: name == _UNTRAINED)
        ordered = [n for n in dict.fromkeys(m.estimator for m in layered) if n != _UNTRAINED]
        ordered += [_UNTRAINED] if _UNTRAINED in names else []
        draw_by_layer(ax, layered, ordered, layers)
        raw = [m for m in self.measures if not m.place]
        for measure in raw:
            ax.axhline(
                measure.value, color=GREY, linestyle="--", linewidth=1,
                label=legend_label(measure.estimator),
            )  # fmt: skip
        ax.axhline(self.chance, color=GREY, linestyle=":", linewidth=1, label="chance")
        ax.set_ylabel(self.scoring.replace("_", " "))
        ax.set_xlabel("layer, from the input to the output")
        legend_above(ax, 3)
        fit_labels(ax.xaxis, [short(layer) for layer in layers])
        self.ax_, self.figure_ = ax, ax.figure
        return self

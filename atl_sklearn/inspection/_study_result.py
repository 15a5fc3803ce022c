"""What a study of layers and weights found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import (
    GREY,
    fit_labels,
    legend_above,
    several_axes,
    short,
    style_of,
)
from atl_sklearn.inspection._measure import as_html, as_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLUMNS = ("layer", "weight", "score", "standard error", "worst group", "probe")


@dataclass(frozen=True)
class StudyPoint:
    """The networks of one layer and weight.

    Attributes
    ----------
    layer : str, int or None
        The layer; None for the plain network.
    weight : float
        The weight.
    score : float
        Mean score of the task.
    standard_error : float
        Of that mean.
    worst_group_score : float
        Mean score of the worst group.
    probe : float
        Mean balanced accuracy, or R2, with which a linear probe reads the nuisance.

    Examples
    --------
    >>> from atl_sklearn.inspection import StudyPoint
    >>> StudyPoint("last", 1.0, 0.8, 0.01, 0.7, 0.4).score
    0.8
    """

    layer: str | int | None
    weight: float
    score: float
    standard_error: float
    worst_group_score: float
    probe: float


@dataclass(frozen=True)
class LayerStudy:
    """Results for each layer and weight, and what is recommended.

    Attributes
    ----------
    points : tuple of StudyPoint
        The plain network first.
    n_fitted : int
        How many networks this call fitted; the others come from an earlier call.
    on_folds : bool
        Whether it was measured on folds, and not on test samples.

    Examples
    --------
    >>> from atl_sklearn.inspection import LayerStudy, StudyPoint
    >>> plain = StudyPoint(None, 0.0, 0.80, 0.02, 0.7, 0.9)
    >>> study = LayerStudy((plain, StudyPoint("last", 1.0, 0.79, 0.02, 0.7, 0.4)), 2, True)
    >>> study.best_layer, study.best_weight
    ('last', 1.0)
    """

    points: tuple[StudyPoint, ...]
    n_fitted: int
    on_folds: bool

    @property
    def best(self) -> StudyPoint:
        """Of those at most one standard error below the best score, the least read by a probe."""
        highest = max(self.points, key=lambda point: point.score)
        enough = highest.score - highest.standard_error
        near = [point for point in self.points if point.score >= enough]
        return min(near, key=lambda point: (point.probe, -point.score))

    @property
    def best_layer(self) -> str | int | None:
        """The recommended layer; None where the plain network is recommended."""
        return self.best.layer

    @property
    def best_weight(self) -> float:
        """The recommended weight."""
        return self.best.weight

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                "plain" if p.layer is None else str(p.layer), f"{p.weight:g}", f"{p.score:.3f}",
                f"{p.standard_error:.3f}", f"{p.worst_group_score:.3f}", f"{p.probe:.3f}",
            )
            for p in self.points
        ]  # fmt: skip

    def _title(self) -> str:
        found = self.best
        what = (
            "the plain network"
            if found.layer is None
            else f"layer={found.layer!r}, weight={found.weight:g}"
        )
        where = "folds" if self.on_folds else "test samples"
        return (
            f"Recommended: {what}. Of the networks at most one standard error below the best "
            f"score (on {where}), a probe reads the nuisance from it least."
        )

    def __repr__(self) -> str:
        return f"{self._title()}\n{as_text(_COLUMNS, self._rows())}"

    def _repr_html_(self) -> str:
        return f"<p>{self._title()}</p>{as_html(_COLUMNS, self._rows())}"

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each layer and weight.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``layer``, ``weight``, ``score``, ``standard_error``,
            ``worst_group_score``, ``probe`` and ``recommended``.
        """
        rows = [
            (p.layer, p.weight, p.score, p.standard_error, p.worst_group_score, p.probe,
             p == self.best)
            for p in self.points
        ]  # fmt: skip
        columns = (*StudyPoint.__dataclass_fields__, "recommended")
        return make_frame(rows, columns, "LayerStudy.to_frame")

    def plot(self, *, axes: np.ndarray | Sequence[Axes] | None = None) -> np.ndarray:
        """Draw score and probe by layer, a line for each weight, and mark what is recommended.

        Parameters
        ----------
        axes : array of two matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        axes : ndarray of Axes
            Score and probe.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        panels = several_axes("LayerStudy.plot", axes, (1, 2), (10, 4.4))
        plain = self.points[0]
        layers = list(dict.fromkeys(p.layer for p in self.points if p.layer is not None))
        weights = sorted({p.weight for p in self.points if p.layer is not None})
        by_place = {(p.layer, p.weight): p for p in self.points}
        for ax, what in zip(panels, ("score", "probe"), strict=True):
            for place, weight in enumerate(weights):
                found = [by_place[layer, weight] for layer in layers]
                error = [p.standard_error for p in found] if what == "score" else None
                values = [getattr(p, what) for p in found]
                at = np.arange(len(layers)) + (place - (len(weights) - 1) / 2) * 0.06
                ax.errorbar(
                    at, values, yerr=error, label=f"weight {weight:g}", capsize=2, markersize=5,
                    **style_of(place),
                )  # fmt: skip
            ax.axhline(getattr(plain, what), color=GREY, linestyle=":", label="plain")
            best = self.best
            if best.layer is not None:
                k = layers.index(best.layer)
                shift = (weights.index(best.weight) - (len(weights) - 1) / 2) * 0.06
                ax.plot(
                    [k + shift], [getattr(best, what)], "o", markersize=13, markerfacecolor="none",
                    markeredgecolor=GREY, label="recommended",
                )  # fmt: skip
            ax.set_xlim(-0.5, len(layers) - 0.5)
            ax.set_xlabel("layer")
            legend_above(ax, 3)
        panels[0].set_ylabel("score of the task")
        panels[1].set_ylabel("nuisance read by a probe")
        fit_labels([ax.xaxis for ax in panels], [short(str(layer)) for layer in layers])
        return panels

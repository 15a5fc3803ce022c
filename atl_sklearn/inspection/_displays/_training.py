"""What happened while a network was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from skorch.history import History

from atl_sklearn._pipelines import innermost
from atl_sklearn._validation import refuse_value, shown
from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import (
    GREY,
    legend_above,
    legend_label,
    several_axes,
    style_of,
)
from atl_sklearn.inspection._streaming import unwrapped_search

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Panels: title of the vertical axis, and what the names of their columns begin with.
_PANELS = {
    "loss": ("task loss", ("train_loss", "valid_loss")),
    "similarity": ("similarity", ("train_penalty", "valid_penalty")),
    "weight": ("penalty weight", ("penalty_weight",)),
    "rate": ("learning rate", ("lr",)),
}
_STAGES = {"train": "training", "valid": "validation"}
_MOST_IN_LEGEND = 8


def columns_of(history: History | Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """Return the columns of a history that are drawn, by epoch; NaN where there is no entry."""
    rows = list(list.__iter__(history)) if isinstance(history, History) else list(history)
    starts = tuple(start for _, names in _PANELS.values() for start in names)
    names = [n for n in dict.fromkeys(n for row in rows for n in row) if n.startswith(starts)]
    plain = [n for n in names if not n.endswith("_best") and (n == "lr" or not n.startswith("lr"))]
    return {n: np.array([float(row.get(n, np.nan)) for row in rows]) for n in plain}


class TrainingDisplay:
    """Losses, similarities, weight and learning rate by epoch.

    Parameters
    ----------
    histories : dict of str to dict of str to ndarray of shape (n_epochs,)
        For each network, its columns by name.

    Attributes
    ----------
    ax_ : ndarray of matplotlib.axes.Axes
        The panels, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure they are in.

    See Also
    --------
    LiveTraining : The same while the network is trained.

    Examples
    --------
    >>> from atl_sklearn.inspection import TrainingDisplay
    >>> rows = [{"train_loss": 0.7, "lr": 0.01}, {"train_loss": 0.4, "lr": 0.001}]
    >>> display = TrainingDisplay.from_history(rows)
    >>> display.panels
    ('loss', 'rate')
    """

    ax_: np.ndarray
    figure_: Figure | SubFigure

    def __init__(self, histories: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        self.histories = {name: dict(columns) for name, columns in histories.items()}

    @classmethod
    def from_estimator(cls, estimators: object) -> TrainingDisplay:
        """Take the histories of fitted networks.

        Parameters
        ----------
        estimators : fitted estimator, or dict of str to fitted estimator
            Also at the end of pipelines.

        Returns
        -------
        display : TrainingDisplay
            Not drawn yet.

        Raises
        ------
        TypeError
            If there is no history.
        """
        named = estimators if isinstance(estimators, Mapping) else {"": estimators}
        found = {}
        for name, estimator in named.items():
            net = innermost(unwrapped_search(estimator))
            if isinstance(net, type) or not isinstance(getattr(net, "history", None), list):
                raise TypeError(
                    "TrainingDisplay.from_estimator takes fitted networks of this package or of "
                    f"skorch, which have a history. Got {shown(estimator)}."
                )
            found[name] = net.history
        return cls._of(found)

    @classmethod
    def from_history(
        cls,
        history: History
        | Sequence[Mapping[str, float]]
        | Mapping[str, History | Sequence[Mapping[str, float]]],
    ) -> TrainingDisplay:
        """Take a history, or several.

        Parameters
        ----------
        history : skorch.history.History, list of dict, or dict of str to these
            A dict for each epoch.

        Returns
        -------
        display : TrainingDisplay
            Not drawn yet.
        """
        return cls._of(history if isinstance(history, Mapping) else {"": history})

    @classmethod
    def _of(
        cls, histories: Mapping[str, History | Sequence[Mapping[str, float]]]
    ) -> TrainingDisplay:
        columns = {name: columns_of(history) for name, history in histories.items()}
        empty = [name for name, found in columns.items() if not found]
        if empty:
            raise ValueError(
                f"There is nothing to draw of {empty[0]!r}: its history has no epoch with a loss. "
                "Fit it first."
            )
        return cls(columns)

    @property
    def panels(self) -> tuple[str, ...]:
        """The panels there is something for."""
        names = {name for columns in self.histories.values() for name in columns}
        return tuple(
            panel
            for panel, (_, starts) in _PANELS.items()
            if any(name.startswith(starts) for name in names)
        )

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``estimator``, ``epoch``, ``what`` and ``value``.
        """
        rows = [
            (name, epoch, what, float(value))
            for name, columns in self.histories.items()
            for what, values in columns.items()
            for epoch, value in enumerate(values, start=1)
        ]
        return make_frame(rows, ("estimator", "epoch", "what", "value"), "TrainingDisplay.frame")

    def plot(
        self, *, ax: Axes | None = None, panels: Sequence[str] | None = None
    ) -> TrainingDisplay:
        """Draw a panel for each kind of number.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, array of these or None, default=None
            One for each panel; None for a new figure.
        panels : list of {"loss", "similarity", "weight", "rate"} or None, default=None
            What is drawn; None for all there is something for.

        Returns
        -------
        display : TrainingDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is nothing for a panel, or another number of axes.
        """
        chosen = self.panels if panels is None else tuple(panels)
        missing = [panel for panel in chosen if panel not in self.panels]
        if missing or not chosen:
            must = f"None or a list of some of {list(self.panels)}, which were recorded"
            raise refuse_value("TrainingDisplay.plot", "panels", must, panels)
        size = (6.4, 1.2 + 1.7 * len(chosen))
        axes = several_axes("TrainingDisplay.plot", ax, (len(chosen), 1), size, sharex=ax is None)
        for at, panel in zip(axes, chosen, strict=True):
            self._draw(at, panel)
            at.set_ylabel(_PANELS[panel][0])
        axes[-1].set_xlabel("epoch")
        self.ax_, self.figure_ = axes, axes[0].figure
        return self

    def _draw(self, ax: Axes, panel: str) -> None:
        starts = _PANELS[panel][1]
        place = 0
        for name, columns in self.histories.items():
            for what, values in columns.items():
                if not what.startswith(starts):
                    continue
                stage, _, rest = what.partition("_")
                suffix = next(what[len(s) :] for s in starts if what.startswith(s)).lstrip("_")
                texts = [name, suffix, _STAGES.get(stage, "") if rest else ""]
                style = style_of(place)
                epochs = np.arange(1, len(values) + 1)
                every = max(1, len(values) // 10)
                told = legend_label(", ".join(filter(None, texts)))
                label = told if place < _MOST_IN_LEGEND else None
                ax.plot(epochs, values, label=label, markersize=4, markevery=every, **style)
                place += 1
        if panel == "rate":
            ax.set_yscale("log")
            ax.yaxis.set_minor_formatter(lambda *_: "")
        if place > 1:
            legend_above(ax, 3)
        if place > _MOST_IN_LEGEND:
            ax.text(
                0.99, 0.97, f"and {place - _MOST_IN_LEGEND} more", transform=ax.transAxes,
                ha="right", va="top", color=GREY, fontsize="small",
            )  # fmt: skip

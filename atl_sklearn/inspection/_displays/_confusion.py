"""What is mistaken for what, by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _num_samples

from atl_sklearn._validation import refuse_value
from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import HEAT, fit_labels, several_axes, short
from atl_sklearn.inspection._group_scores import confusions
from atl_sklearn.inspection._labels import check_length, make_groups
from atl_sklearn.inspection._report import InvarianceReport
from atl_sklearn.inspection._streaming import read_predictions, unwrapped_search

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage

_MOST_WITH_NUMBERS = 6  # classes
_CELLS, _SMALLEST = 110.0, 5.0  # points: the width of a matrix, and a number that can be read


class GroupConfusionDisplay:
    """Confusion matrices, one for each group.

    Parameters
    ----------
    confusion : ndarray of shape (n_groups, n_classes, n_classes)
        How many samples of a class (rows) were predicted as which (columns).
    groups, classes : sequence of str
        Their names.

    Attributes
    ----------
    ax_ : ndarray of matplotlib.axes.Axes
        A panel for each group, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure they are in.

    Examples
    --------
    >>> from atl_sklearn.inspection import GroupConfusionDisplay
    >>> display = GroupConfusionDisplay.from_predictions(
    ...     ["yes", "no", "yes", "no"], ["yes", "no", "no", "no"], ["a", "a", "b", "b"]
    ... )
    >>> display.confusion[1].tolist()
    [[1, 0], [1, 0]]
    """

    ax_: np.ndarray
    figure_: Figure | SubFigure

    def __init__(
        self, confusion: np.ndarray, *, groups: Sequence[str], classes: Sequence[str]
    ) -> None:
        self.confusion = np.asarray(confusion)
        self.groups = tuple(groups)
        self.classes = tuple(classes)

    @classmethod
    def from_predictions(
        cls, y: ArrayLike, y_pred: ArrayLike, groups: ArrayLike
    ) -> GroupConfusionDisplay:
        """Count predictions.

        Parameters
        ----------
        y, y_pred : array-like of shape (n_samples,)
            Classes, true and predicted.
        groups : array-like of shape (n_samples,)
            The group of each sample.

        Returns
        -------
        display : GroupConfusionDisplay
            Not drawn yet.
        """
        owner = "GroupConfusionDisplay.from_predictions"
        n_samples = _num_samples(y)
        true = check_length(owner, "y", y, n_samples)
        predicted = check_length(owner, "y_pred", y_pred, n_samples)
        found = make_groups(owner, "groups", groups, n_samples)
        classes = np.unique(np.concatenate([true, predicted]))
        table = confusions(true, predicted, classes, found)
        return cls(table, groups=found.names, classes=tuple(map(str, classes.tolist())))

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        y_unrelated: ArrayLike,
        *,
        batch_size: int = 128,
    ) -> GroupConfusionDisplay:
        """Predict, and count.

        Parameters
        ----------
        estimator : fitted classifier
            What predicts.
        X : array-like of shape (n_samples, ...)
            Data that were not used in fitting.
        y : array-like of shape (n_samples,)
            Their classes.
        y_unrelated : array-like of shape (n_samples,)
            Their groups.
        batch_size : int, default=128
            Samples that are predicted at a time.

        Returns
        -------
        display : GroupConfusionDisplay
            Not drawn yet.
        """
        model = unwrapped_search(estimator)
        said = read_predictions(model, X, _num_samples(X), batch_size=batch_size)
        return cls.from_predictions(y, said.predictions, y_unrelated)

    @classmethod
    def from_report(
        cls, report: InvarianceReport, *, estimator: str | None = None
    ) -> GroupConfusionDisplay:
        """Take the confusions of a report.

        Parameters
        ----------
        report : InvarianceReport
            Of classifiers.
        estimator : str or None, default=None
            Which of them; None for the first.

        Returns
        -------
        display : GroupConfusionDisplay
            Not drawn yet.

        Raises
        ------
        ValueError
            If there is no such classifier.
        """
        name = report.names[0] if estimator is None else estimator
        if name not in report.confusion:
            must = f"None or one of the classifiers {list(report.confusion)}"
            raise refuse_value("GroupConfusionDisplay.from_report", "estimator", must, name)
        return cls(report.confusion[name], groups=report.groups, classes=report.classes)

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``group``, ``true``, ``predicted`` and ``n_samples``.
        """
        rows = [
            (group, true, predicted, int(self.confusion[g, t, p]))
            for g, group in enumerate(self.groups)
            for t, true in enumerate(self.classes)
            for p, predicted in enumerate(self.classes)
        ]
        columns = ("group", "true", "predicted", "n_samples")
        return make_frame(rows, columns, "GroupConfusionDisplay.frame")

    def plot(self, *, ax: Axes | None = None) -> GroupConfusionDisplay:
        """Draw a matrix for each group, its rows as shares of the class.

        Parameters
        ----------
        ax : array of matplotlib.axes.Axes or None, default=None
            One for each group; None for a new figure.

        Returns
        -------
        display : GroupConfusionDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.groups)
        n_columns = min(n, 4 if n > 6 else 3)
        n_rows = -(-n // n_columns)
        size = (1.2 + 2.2 * n_columns, 0.8 + 2.4 * n_rows)
        axes = several_axes("GroupConfusionDisplay.plot", ax, (n_rows, n_columns), size, n_panels=n)
        for at, name, table in zip(axes, self.groups, self.confusion, strict=True):
            image = self._draw(at, table)
            accuracy = np.trace(table) / max(table.sum(), 1)
            at.set_title(f"{short(name, 20)}: {accuracy:.2f}", fontsize="medium")
        # Once for all panels, so that the words stand once.
        figure = axes[0].figure
        if ax is None:
            figure.supxlabel("predicted")
            figure.supylabel("true")
        figure.colorbar(image, ax=list(axes), label="share of the class", shrink=0.8)
        self.ax_, self.figure_ = axes, figure
        names = [short(name, 10) for name in self.classes]
        fit_labels([at.xaxis for at in axes], names)
        fit_labels([at.yaxis for at in axes], names)
        return self

    def _draw(self, ax: Axes, table: np.ndarray) -> AxesImage:
        totals = table.sum(axis=1, keepdims=True)
        shares = np.divide(table, totals, out=np.zeros(table.shape), where=totals > 0)
        image = ax.imshow(shares, vmin=0, vmax=1, cmap=HEAT)
        digits = len(str(int(self.confusion.max())))
        points = min(8.0, _CELLS / len(table) / (0.75 * digits))
        if points >= _SMALLEST and len(table) <= _MOST_WITH_NUMBERS:
            for row, column in np.ndindex(*table.shape):
                bright = shares[row, column] > 0.55
                ax.text(
                    column, row, str(table[row, column]), ha="center", va="center",
                    color="black" if bright else "white", fontsize=points, in_layout=False,
                )  # fmt: skip
        return image

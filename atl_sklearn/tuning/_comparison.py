"""What a comparison found, as a table and a drawing."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atl_sklearn.tuning._intervals import PairedInterval

_COLUMNS = ("estimator", "mean", "std", "difference", "interval", "won : lost")


@dataclass(frozen=True)
class Comparison:
    """Scores of several estimators on the same folds.

    Attributes
    ----------
    names : tuple of str
        The estimators; differences are to the first.
    scores : ndarray of shape (n_estimators, n_repeats, n_folds)
        Scores on the test folds.
    differences : dict of str to PairedInterval
        For each estimator but the first, what it gains over that, with its interval.
    interval : {"corrected_t", "bootstrap"}
        How the intervals were made.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from atl_sklearn.tuning import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> estimators = {"dummy": DummyClassifier(), "logistic": LogisticRegression(max_iter=500)}
    >>> found = compare(estimators, X, y, cv=5, n_repeats=2)
    >>> found.scores.shape
    (2, 2, 5)
    >>> found.differences["logistic"].wins
    10
    >>> found  # doctest: +ELLIPSIS
    Comparison on 5 folds in 2 repetitions; differences to dummy with 95 % intervals (corrected_t)
    estimator   mean    std  difference          interval    won : lost
    dummy      0.333  0.000
    logistic   0.9...      +0.6...  [+0...]  10 : 0 of 10
    """

    names: tuple[str, ...]
    scores: np.ndarray
    differences: dict[str, PairedInterval]
    interval: str

    def __repr__(self) -> str:
        rows = [_COLUMNS, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        def line(cells: Sequence[str], tag: str) -> str:
            return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)

        rows = "".join(f"<tr>{line(row, 'td')}</tr>" for row in self._rows())
        head = f"<tr>{line(_COLUMNS, 'th')}</tr>"
        return (
            f"<table><caption>{html.escape(self._title())}</caption>"
            f"<thead>{head}</thead><tbody>{rows}</tbody></table>"
        )

    def _title(self) -> str:
        n_repeats, n_folds = self.scores.shape[1:]
        folds = f"{n_folds} fold{'s' if n_folds > 1 else ''}"
        again = f" in {n_repeats} repetitions" if n_repeats > 1 else ""
        confidence = {found.confidence for found in self.differences.values()}
        of = f"{100 * confidence.pop():g} % " if len(confidence) == 1 else ""
        return (
            f"Comparison on {folds}{again}; differences to {self.names[0]} with {of}"
            f"intervals ({self.interval})"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        """Return what the columns have for each estimator, as text."""
        means, stds = self.scores.mean(axis=(1, 2)), self.scores.std(axis=(1, 2))
        largest = float(np.nanmax(np.abs(self.scores), initial=0.0))
        form = ".3f" if 0.1 <= largest < 1000 or largest == 0 else ".3g"
        rows = []
        for name, mean, std in zip(self.names, means, stds, strict=True):
            row = [str(name), f"{mean:{form}}", f"{std:{form}}"]
            found = self.differences.get(name)
            if found is None:
                row += [""] * 3
            else:
                ends = f"[{found.low:+{form}}, {found.high:+{form}}]"
                row += [f"{found.mean:+{form}}", ends if np.isfinite(found.low) else ""]
                row.append(f"{found.wins} : {found.losses} of {found.n_folds}")
            rows.append(tuple(row))
        return rows

    def to_frame(self) -> Any:
        """Return a row for each estimator.

        Returns
        -------
        frame : pandas.DataFrame
            Mean and standard deviation of the scores over all folds; for all but the first
            ``difference``, ``low``, ``high``, ``wins`` and ``losses``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("Comparison.to_frame needs pandas: pip install pandas") from error
        rows = []
        for name, scores in zip(self.names, self.scores, strict=True):
            row = {"mean": scores.mean(), "std": scores.std()}
            if name in self.differences:
                found = self.differences[name]
                row |= {"difference": found.mean, "low": found.low, "high": found.high}
                row |= {"wins": found.wins, "losses": found.losses, "n_folds": found.n_folds}
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index(self.names, name="estimator"))

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Any:
        """Draw the differences to the first estimator, with their intervals and all folds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.
        **kwargs : dict
            Passed on to ``Axes.errorbar``.

        Returns
        -------
        ax : matplotlib.axes.Axes
            The drawing.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from atl_sklearn.inspection import ComparisonDisplay

        return ComparisonDisplay.from_comparison(self).plot(ax=ax, **kwargs).ax_

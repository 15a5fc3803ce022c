"""What was found of invariance: numbers by group and by layer, and tables of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from atl_sklearn._validation import did_you_mean, refuse_value
from atl_sklearn.inspection._measure import (
    PARTS,
    Measure,
    as_frame,
    as_html,
    as_measure,
    as_plain,
    as_text,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_TITLES = {
    "worst_group_score": "worst group",
    "group_gap": "gap between groups",
    "calibration_error": "calibration error",
    "demographic_parity_difference": "demographic parity difference",
    "equalized_odds_difference": "equalized odds difference",
}
_HELD_AGAINST = ("raw input", "untrained ")


@dataclass(frozen=True)
class InvarianceReport:
    """How good networks are for each group, and what a probe can still read from them.

    :func:`invariance_report` makes it; it prints as a table, in notebooks too.

    Attributes
    ----------
    names : tuple of str
        The estimators; differences are to the first.
    groups : tuple of str
        The values of the nuisance, in order, an empty one as "(empty)"; of numbers that are not all
        whole, their quarters.
    classes : tuple of str
        The classes of the target; empty for a regressor.
    measures : tuple of Measure
        All numbers, with intervals.
    differences : tuple of Measure
        What the other estimators have more than the first, with paired intervals.
    confusion : dict of str to ndarray of shape (n_groups, n_classes, n_classes)
        For each estimator how many samples of a class (rows) were predicted as which (columns),
        by group; empty for a regressor.
    score_name : str
        What the score of the task is: ``"accuracy"`` or ``"r2"``.
    probe_scoring : str
        What probes are scored by.
    chance : float
        The score of a probe that reads nothing.
    n_samples, n_probed : int
        How many samples were predicted, and how many of them the probes saw.
    confidence : float
        Coverage of the intervals.
    left_out : tuple of str
        What could not be measured, and why.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.inspection import invariance_report
    >>> X = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    >>> y, speaker = X[:, 0] > 0, np.arange(120) % 3
    >>> net = AntiTransferClassifier(max_epochs=10, random_state=0).fit(X[:60], y[:60])
    >>> report = invariance_report(net, X[60:], y[60:], speaker[60:], n_resamples=20)
    >>> report.groups
    ('0', '1', '2')
    >>> 0 <= report.value("worst_group_score") <= report.value("score") <= 1
    True
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    measures: tuple[Measure, ...]
    differences: tuple[Measure, ...]
    confusion: dict[str, np.ndarray] = field(repr=False)
    score_name: str
    probe_scoring: str
    chance: float
    n_samples: int
    n_probed: int
    confidence: float
    left_out: tuple[str, ...]

    def value(self, part: str, *, estimator: str | None = None, place: str | None = None) -> float:
        """Return one number.

        Parameters
        ----------
        part : str
            What, such as ``"score"``, ``"group_gap"`` or ``"probe"``.
        estimator : str or None, default=None
            Of which; None for the first.
        place : str or None, default=None
            The group or layer; None for that of all samples, or the last layer that has one.

        Returns
        -------
        value : float
            Of a probe, that of the stronger kind.

        Raises
        ------
        ValueError
            If there is no such number.
        """
        of = self.names[0] if estimator is None else estimator
        found = [m for m in self.measures if m.part == part and m.estimator == of]
        if place is not None:
            found = [m for m in found if m.place == place]
        elif any(m.place == "" for m in found):
            found = [m for m in found if m.place == ""]
        if not found:
            known = sorted({m.part for m in self.measures if m.estimator == of})
            hint = did_you_mean(part, known)
            raise ValueError(
                f"The report has no {part!r} of {of!r}"
                + (f" at {place!r}" if place is not None else "")
                + f". {hint}{' ' if hint else ''}Estimators: {list(self.names)}; of it: {known}."
            )
        last = found[-1].place
        return max(m.value for m in found if m.place == last)

    def to_frame(self, part: str | None = None, *, differences: bool = False) -> pd.DataFrame:
        """Return the numbers as a DataFrame, one in each row.

        Parameters
        ----------
        part : str or None, default=None
            What, such as ``"score"`` or ``"probe"``; None for all.
        differences : bool, default=False
            Whether the differences to the first estimator are returned instead.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``estimator``, ``part``, ``place`` (a group, a layer, or empty),
            ``how`` (the kind of probe, or the metric), ``value``, ``low`` and ``high``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        ValueError
            If there is no such part.
        """
        if part is not None and part not in PARTS:
            way_out = did_you_mean(part, PARTS)
            raise refuse_value(
                "InvarianceReport.to_frame", "part", f"one of {list(PARTS)}", part, way_out
            )
        chosen = self.differences if differences else self.measures
        kept = [m for m in chosen if part is None or m.part == part]
        return as_frame(kept, "InvarianceReport.to_frame")

    def to_json(self) -> str:
        """Return everything as JSON.

        Returns
        -------
        text : str
            What :meth:`from_json` reads; numbers that are not there are null.
        """
        plain: dict[str, Any] = {n: getattr(self, n) for n in self.__dataclass_fields__}
        for name in ("measures", "differences"):
            plain[name] = [as_plain(measure) for measure in plain[name]]
        plain["confusion"] = {n: table.tolist() for n, table in self.confusion.items()}
        return json.dumps(plain, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> InvarianceReport:
        """Return the report that was written as JSON.

        Parameters
        ----------
        text : str
            What :meth:`to_json` returned.

        Returns
        -------
        report : InvarianceReport
            The same.
        """
        plain: Mapping[str, Any] = json.loads(text)
        if not isinstance(plain, dict) or plain.keys() != cls.__dataclass_fields__.keys():
            raise ValueError("This is no JSON that InvarianceReport.to_json has written.")
        made: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in plain.items()}
        for name in ("measures", "differences"):
            made[name] = tuple(map(as_measure, plain[name]))
        made["confusion"] = {n: np.array(table) for n, table in plain["confusion"].items()}
        return cls(**made)

    def plot(self, *, axes: np.ndarray | Sequence[Axes] | None = None) -> np.ndarray:
        """Draw four panels: scores by group, probes and similarity by layer, and the trade-off.

        Parameters
        ----------
        axes : array of four matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        axes : ndarray of Axes
            The panels.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from atl_sklearn.inspection._displays._overview import plot_overview

        drawn: np.ndarray = plot_overview(self, axes)
        return drawn

    def _rows(self) -> list[tuple[str, ...]]:
        """Return the rows of the table: of the groups only the worst, and each layer."""
        shown: dict[tuple[str, str, str], dict[str, Measure]] = {}
        for measure in self.measures:
            by_group = measure.part in ("score", "calibration_error") and measure.place
            if measure.estimator.startswith(_HELD_AGAINST) or by_group:
                continue
            if measure.part.endswith("_rate"):
                continue
            place = "" if measure.part == "worst_group_score" else measure.place
            shown.setdefault((measure.part, place, measure.how), {})[measure.estimator] = measure
        rows = []
        for (part, place, how), found in shown.items():
            title = self.score_name if part == "score" else _TITLES.get(part, part)
            title = " ".join(filter(None, [how if part == "probe" else "", title]))
            title += f" at {place}" if place else ""
            title += f" to the unrelated side ({how})" if part == "similarity" else ""
            cells = [str(found[n]) if n in found else "" for n in self.names]
            if part == "worst_group_score":
                worst = [found[n].place if n in found else "" for n in self.names]
                cells = [f"{c} {w}".rstrip() for c, w in zip(cells, worst, strict=True)]
            rows.append((title, *cells))
        against = [
            (f"{m.how} probe of {m.estimator}" + (f" at {m.place}" if m.place else ""), m)
            for m in self.measures
            if m.part == "probe" and m.estimator.startswith(_HELD_AGAINST)
        ]
        blank = ("",) * (len(self.names) - 1)
        return [*rows, *((title, str(m), *blank) for title, m in against)]

    def _title(self) -> str:
        return (
            f"{self.n_samples} samples in {len(self.groups)} groups; probes ("
            f"{self.probe_scoring}, chance {self.chance:.3f}) of {self.n_probed}; "
            f"{100 * self.confidence:g} % intervals"
        )

    def __repr__(self) -> str:
        table = as_text(("", *self.names), self._rows())
        return "\n".join([self._title(), table, *(f"Left out: {t}." for t in self.left_out)])

    def _repr_html_(self) -> str:
        by_group = [
            (m.estimator, m.place, str(m)) for m in self.measures if m.part == "score" and m.place
        ]
        groups = as_html(("estimator", "group", self.score_name), by_group)
        left_out = "".join(f"<p>{as_html(('left out',), [(t,)])}</p>" for t in self.left_out)
        return (
            f"<p>{self._title()}</p>{as_html(('', *self.names), self._rows())}"
            f"<details><summary>by group</summary>{groups}</details>{left_out}"
        )

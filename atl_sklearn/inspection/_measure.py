"""One number of a report, and tables of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# What columns of a frame may be asked for as `part`.
PARTS = (
    "score",
    "worst_group_score",
    "group_gap",
    "calibration_error",
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "demographic_parity_difference",
    "equalized_odds_difference",
    "probe",
    "similarity",
)


@dataclass(frozen=True)
class Measure:
    """One number that was measured, with its interval.

    Attributes
    ----------
    estimator : str
        Of which estimator; ``"raw input"`` and ``"untrained ..."`` are what probes are
        compared with.
    part : str
        What was measured, such as ``"score"``, ``"group_gap"`` or ``"probe"``.
    place : str
        A group or a layer; empty for all samples.
    how : str
        The kind of probe, or the metric of similarity; otherwise empty.
    value : float
        The number.
    low, high : float
        Ends of its interval; NaN where there is none.

    Examples
    --------
    >>> from atl_sklearn.inspection import Measure
    >>> print(Measure("plain", "score", "theo", "", 0.5, 0.4, 0.6))
    0.500 [0.400, 0.600]
    """

    estimator: str
    part: str
    place: str
    how: str
    value: float
    low: float = float("nan")
    high: float = float("nan")

    def __str__(self) -> str:
        if not math.isfinite(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def row(self) -> tuple[str, str, str]:
        """What it is a number of: the part, the place and how it was measured."""
        return self.part, self.place, self.how


def as_frame(measures: Sequence[Measure], owner: str) -> pd.DataFrame:
    """Return a row for each measure.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{owner} needs pandas: pip install pandas") from error
    columns = list(Measure.__dataclass_fields__)
    return pd.DataFrame([asdict(measure) for measure in measures], columns=columns)


def as_plain(measure: Measure) -> dict[str, str | float | None]:
    """Return a measure as JSON has it, which knows no NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(measure).items()
    }


def as_measure(plain: dict[str, str | float | None]) -> Measure:
    """Return the measure that :func:`as_plain` made plain."""
    return Measure(**{n: float("nan") if v is None else v for n, v in plain.items()})  # type: ignore[arg-type]


def as_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in lines, the first column to the left."""
    table = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def as_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the same as a table of a notebook."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"

"""The report of all runs that are there: a summary, tables and figures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.evidence.coverage import coverage
from benchmarks.evidence.figures import draw_overview, draw_protocol
from benchmarks.evidence.forms import comparisons, forms
from benchmarks.evidence.ranges import ranges
from benchmarks.evidence.rows import Row, complete, summarise
from benchmarks.evidence.runs import read_runs
from benchmarks.evidence.shares import read_shares
from benchmarks.evidence.tables import (
    ACCURACIES,
    OVERVIEW,
    WEIGHTS,
    accuracies,
    by_value,
    choice,
    overview,
    substitutions,
    tables,
)
from benchmarks.evidence.trade_off import draw_trade_off


def write_report(path: Path, folder: Path) -> list[Row]:
    """Write summary, tables and figures of the runs in a file.

    Parameters
    ----------
    path : Path
        The file with the runs.
    folder : Path
        Gets ``summary.json``, the tables ``overview.rst``, ``weights.rst``, ``choice.rst``,
        ``strengths.rst``, ``forms.rst``, ``comparisons.rst``, ``coverage.rst``, ``tables.rst`` and
        those of the default beside its rivals (the keys of ``tables.ACCURACIES``), what the text of
        the page names (``substitutions.rst``, ``ranges.rst``), ``overview.png`` and a figure for
        each protocol, of those with gaps two. What the rule reads is taken from its
        ``shares.json``, if there is one.

    Returns
    -------
    rows : list of Row
        What the report says; tables and figures leave out what did not run on all folds.
    """
    runs = read_runs(path)
    rows = summarise(runs)
    folder.mkdir(parents=True, exist_ok=True)
    summary = [{k: v for k, v in asdict(row).items() if v is not None} for row in rows]
    text = json.dumps(summary, indent=1).replace("Infinity", "null").replace("-null", "null")
    (folder / "summary.json").write_text(text + "\n")
    shown = complete(rows)
    (folder / "overview.rst").write_text(overview(shown, OVERVIEW))
    (folder / "weights.rst").write_text(overview(shown, WEIGHTS))
    (folder / "choice.rst").write_text(choice(shown))
    (folder / "strengths.rst").write_text(by_value(runs, "product-part"))
    for name, columns in ACCURACIES.items():
        (folder / f"{name}.rst").write_text(accuracies(shown, columns))
    (folder / "tables.rst").write_text(tables(shown))
    (folder / "forms.rst").write_text(forms(runs, read_shares(folder / "shares.json")))
    (folder / "comparisons.rst").write_text(comparisons(shown))
    (folder / "coverage.rst").write_text(coverage(rows))
    (folder / "substitutions.rst").write_text(substitutions(rows))
    (folder / "ranges.rst").write_text(ranges(shown))
    draw_overview(shown, folder / "overview.png")
    for protocol in dict.fromkeys(row.protocol for row in shown):
        draw_protocol(protocol, shown, folder / f"{protocol}.png")
        draw_trade_off(protocol, runs, folder / f"{protocol}-trade-off.png")
    return rows

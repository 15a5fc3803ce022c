"""The tables of what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.training.aims import aims
from benchmarks.training.load import remark

TITLES = {
    "steps": "Steps, as multiples of a plain one; peak memory of a step",
    "comparisons": "Metrics and aggregations, at the last layer of the ConvNet, batches of 32",
    "growth": "Value and gradient of a similarity as activations grow: exponents, milliseconds",
    "scaling": "Whole fits as more samples or tasks are compared: exponents, seconds",
    "fits": "Whole fits",
    "uses": "Whole fits of each recommended use",
    "tables": "Tables, beside scikit-learn's MLPClassifier of the same layers",
    "small": "Small sets, beside a loop by hand; what comes before the first step",
    "searches": "A grid of 4 candidates in 5 folds, as multiples of a plain one",
}


def _case(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["network"], row["layer"], row["batch"]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    if isinstance(value, float):
        if abs(value) >= 100:
            return f"{value:.0f}"
        return f"{value:.3g}" if value < 1 else f"{value:.2f}"
    return str(value)


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as a table in reStructuredText.

    Parameters
    ----------
    rows : list of dict
        From column to value; a column that a row lacks stays empty.

    Returns
    -------
    text : str
        A list-table.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [dict(zip(columns, columns, strict=True)), *rows]:
        cells = [_cell(row[column]) if column in row else "" for column in columns]
        lines += [f"   {'*' if not i else ' '} - {cell}".rstrip() for i, cell in enumerate(cells)]
    return "\n".join(lines)


def plain_table(rows: list[dict[str, Any]]) -> str:
    """Return rows as a table for a terminal."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns] + [[_cell(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def write(results: dict[str, Any], machine: dict[str, Any], folder: Path, name: str) -> str:
    """Write results as JSON and as a page of tables; return the tables for a terminal.

    Sections that were not measured anew stay as they are in the files.

    Parameters
    ----------
    results : dict
        Rows of each section.
    machine : dict
        What they were measured on.
    folder : Path
        Where the files are written.
    name : str
        Of the files, without their ends.

    Returns
    -------
    text : str
        All tables.
    """
    file = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    kept = json.loads(file.read_text()) if file.exists() else {}
    machines = {**kept.get("machines", {}), **dict.fromkeys(results, machine)}
    for row in results.get("steps", []):
        row["clock"] = machine.get("clock")
    for rows in results.values():
        for row in rows:
            row.update(remark(machine))
    if "steps" in results:  # case by case
        cases = {_case(row): row for row in [*kept.get("steps", []), *results["steps"]]}
        results = {**results, "steps": list(cases.values())}
    results = {key: results.get(key, kept.get(key)) for key in TITLES}
    results = {key: rows for key, rows in results.items() if rows}
    met = aims(results)
    whole = {"aims": met, "machines": machines, **results}
    file.write_text(json.dumps(whole, indent=1) + "\n")
    sections = [("Aims", met, "")]
    for key, rows in results.items():
        described = ", ".join(f"{what} {value}" for what, value in machines[key].items())
        sections.append((TITLES[key], rows, f"Measured on: {described}."))
    page: list[str] = []
    text: list[str] = []
    for title, rows, described in sections:
        page += [f"{title}\n{'-' * len(title)}", *([described] if described else []), table(rows)]
        text += [title, *([described] if described else []), plain_table(rows)]
    (folder / f"{name}.rst").write_text("\n\n".join(page) + "\n")
    return "\n\n".join(text)

"""The tables, and what was aimed at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TITLES = {
    "steps": "Steps, as multiples of a plain one; peak memory of a step",
    "comparisons": "Metrics and aggregations, at the last layer of the ConvNet, batches of 32",
    "growth": "Value and gradient of a similarity as activations grow: exponents, milliseconds",
    "fits": "Whole fits",
    "searches": "A grid of 4 candidates in 5 folds, as multiples of a plain one",
}


def _case(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["network"], row["layer"], row["batch"]


def _largest(rows: list[dict[str, Any]], column: str) -> float:
    return max(row[column] for row in rows)


def aims(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return for each aim its limit, what was measured, and whether it is met.

    Parameters
    ----------
    results : dict
        Rows of the sections that were run.

    Returns
    -------
    aims : list of dict
        Those that the sections speak of.
    """
    found: list[tuple[str, float, str, float]] = []
    rows = results.get("steps", [])
    for network in dict.fromkeys(row["network"] for row in rows):
        own = [row for row in rows if row["network"] == network]
        deep = [row for row in own if row["layer"] != "first"]
        deep_layers = f"{network}: cached step, middle and last layers"
        found.append((deep_layers, 1.10, "at most", _largest(deep, "cached")))
        if len(deep) < len(own):
            any_layer = f"{network}: cached step, any layer"
            found.append((any_layer, 1.25, "at most", _largest(own, "cached")))
        found.append((f"{network}: live step", 1.40, "at most", _largest(own, "live")))
    for row in rows:
        if row["network"] == "VGG" and row["layer"] == "last" and "published" in row:
            at = f"VGG, last layer, batch {row['batch']}"
            for form in ("live", "cached"):
                faster = row[f"published / {form}"]
                found.append((f"{at}: published / {form} step", 3.0, "at least", faster))
                memory = row[f"{form} MiB"] / row["published MiB"]
                found.append((f"{at}: memory of {form} / published", 0.5, "at most", memory))
    for row in results.get("fits", []):
        if row["network"] == "ConvNet":
            found.append(("ConvNet: fit / loop by hand", 1.10, "at most", row["fit / by hand"]))
        else:
            at = f"MLP, batch {row['batch']}"
            found.append((f"{at}: stock skorch / fit", 2.0, "at least", row["skorch / fit"]))
    for row in results.get("searches", []):
        if row["search"] == "with memory":
            found.append(("Grid with memory / plain", 1.10, "at most", row["/ plain"]))
    return [
        {
            "aim": aim,
            "limit": f"{how} {limit:g}",
            "measured": value,
            "met": value <= limit if how == "at most" else value >= limit,
        }
        for aim, limit, how, value in found
    ]


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

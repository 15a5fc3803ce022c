"""What was measured, as JSON and as a page of tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import remark

RESULTS = Path(__file__).parent / "results"
Rows = list[dict[str, Any]]


class Aim(NamedTuple):
    """What was aimed at, and what was measured.

    Parameters
    ----------
    what : str
        What is measured.
    limit : float
        What is allowed.
    how : {"at most", "at least"}
        Where the limit lies.
    value : float
        What was measured.
    """

    what: str
    limit: float
    how: str
    value: float

    def allows(self, value: float) -> bool:
        """Tell whether a value is one that was aimed at."""
        return value <= self.limit if self.how == "at most" else value >= self.limit

    def shown(self) -> str:
        """Return the value with as many digits as tell on which side of the limit it is."""
        text, digits = _cell(self.value), 0
        while self.allows(float(text)) != self.allows(self.value):
            digits += 1
            text = f"{self.value:.{digits}f}"
        return text


@dataclass(frozen=True)
class Page:
    """A file of results and its page.

    Parameters
    ----------
    name : str
        Of the files, without their ends.
    titles : dict of str to str
        Of the sections, in their order.
    aims : dict of str to callable
        From section to what its rows say of the aims.
    """

    name: str
    titles: Mapping[str, str]
    aims: Mapping[str, Callable[[Rows], Iterable[Aim]]] = field(default_factory=dict)

    def aims_of(self, results: Mapping[str, Rows]) -> list[tuple[Aim, dict[str, str]]]:
        """Return the aims that sections speak of, each with the remark of a busy machine."""
        found = []
        for section, of_section in self.aims.items():
            rows = results.get(section, [])
            busy = [{"busy": row["busy"]} for row in rows if "busy" in row]
            if rows:
                found += [(aim, busy[0] if busy else {}) for aim in of_section(rows)]
        return found


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    if isinstance(value, float):
        if abs(value) >= 100:
            return f"{value:.0f}"
        return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
    return str(value)


def table(rows: Rows) -> str:
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


def plain_table(rows: Rows) -> str:
    """Return rows as a table for a terminal."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns] + [[_cell(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def write(page: Page, results: dict[str, Rows], machine: dict[str, Any], folder: Path) -> str:
    """Write results as JSON and as a page of tables; return the tables for a terminal.

    A section that was measured replaces that in the files, the others stay as they are.

    Parameters
    ----------
    page : Page
        Which files are written, and what they say.
    results : dict
        Rows of each section that was measured.
    machine : dict
        What they were measured on.
    folder : Path
        Where the files are written.

    Returns
    -------
    text : str
        All tables.
    """
    if unknown := set(results) - set(page.titles):
        raise ValueError(f"the page {page.name} has no section {sorted(unknown)}")
    file = folder / f"{page.name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    kept = json.loads(file.read_text()) if file.exists() else {}
    measured = {key: [{**row, **remark(machine)} for row in rows] for key, rows in results.items()}
    results = {key: measured.get(key, kept.get(key)) for key in page.titles}
    results = {key: rows for key, rows in results.items() if rows}
    of_machines = {**kept.get("machines", {}), **dict.fromkeys(measured, machine)}
    machines = {key: of_machines[key] for key in results}
    aims, shown = [], []
    for aim, busy in page.aims_of(results):
        limit, met = f"{aim.how} {aim.limit:g}", aim.allows(aim.value)
        row = {"aim": aim.what, "limit": limit, "measured": aim.value, "met": met, **busy}
        aims.append(row)
        shown.append({**row, "measured": aim.shown()})
    whole = {"aims": aims, "machines": machines, **results}
    # What is no number is no JSON, and rather an error than a file that nobody can read.
    file.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n")
    sections = [("Aims", shown, "")] if shown else []
    for key, rows in results.items():
        described = ", ".join(f"{what} {_cell(value)}" for what, value in machines[key].items())
        sections.append((page.titles[key], rows, f"Measured on: {described}."))
    parts: list[str] = []
    text: list[str] = []
    for title, rows, described in sections:
        said = [described] if described else []
        parts += [f"{title}\n{'~' * len(title)}", *said, table(rows)]
        text += [title, *said, plain_table(rows)]
    (folder / f"{page.name}.rst").write_text("\n\n".join(parts) + "\n")
    return "\n\n".join(text)

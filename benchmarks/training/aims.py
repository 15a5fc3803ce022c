"""What was aimed at, and whether it is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Rows = list[dict[str, Any]]
Aim = tuple[str, float, str, float]  # what, its limit, "at most" or "at least", what was measured

# How many plain fits one may take. Of the MLP, a plain step is little more than its overhead.
_LIMITS_OF_USES = {"MLP": 1.6, "ConvNet": 1.8, "VGG": 1.8}


def _largest(rows: Rows, column: str) -> float:
    return max(row[column] for row in rows)


def _of_steps(rows: Rows) -> Iterator[Aim]:
    for network in dict.fromkeys(row["network"] for row in rows):
        own = [row for row in rows if row["network"] == network]
        deep = [row for row in own if row["layer"] != "first"]
        deep_layers = f"{network}: cached step, middle and last layers"
        yield deep_layers, 1.10, "at most", _largest(deep, "cached")
        if len(deep) < len(own):
            yield f"{network}: cached step, any layer", 1.25, "at most", _largest(own, "cached")
        yield f"{network}: live step", 1.40, "at most", _largest(own, "live")
    for row in rows:
        if row["network"] == "VGG" and row["layer"] == "last" and "published" in row:
            at = f"VGG, last layer, batch {row['batch']}"
            for form in ("live", "cached"):
                faster = row[f"published / {form}"]
                yield f"{at}: published / {form} step", 3.0, "at least", faster
                memory = row[f"{form} MiB"] / row["published MiB"]
                yield f"{at}: memory of {form} / published", 0.5, "at most", memory


def _of_fits(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        if row["network"] == "ConvNet":
            yield "ConvNet: fit / loop by hand", 1.10, "at most", row["fit / by hand"]
        else:
            at = f"MLP, batch {row['batch']}"
            yield f"{at}: stock skorch / fit", 2.0, "at least", row["skorch / fit"]


def _of_uses(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        if "every step" not in row["use"]:
            at = f"{row['network']}, {row['use']}: fit / plain"
            yield at, _LIMITS_OF_USES[row["network"]], "at most", row["/ plain"]


def _of_tables(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        at = f"{row['table']}, batch {row['batch']}: fit / MLPClassifier"
        yield at, 1.3, "at most", row["fit / MLPClassifier"]


def _of_small_sets(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        at = f"Small set, {row['fit']}"
        yield f"{at}: fit - loop by hand, ms", 60, "at most", row["fit - by hand ms"]
        yield f"{at}: set-up, ms", 10, "at most", row["set-up ms"]


def _of_searches(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        if row["search"] == "with memory":
            yield "Grid with memory / plain", 1.10, "at most", row["/ plain"]


_OF_SECTIONS: dict[str, Callable[[Rows], Iterator[Aim]]] = {
    "steps": _of_steps,
    "fits": _of_fits,
    "uses": _of_uses,
    "tables": _of_tables,
    "small": _of_small_sets,
    "searches": _of_searches,
}


def aims(results: dict[str, Any]) -> Rows:
    """Return for each aim its limit, what was measured, and whether it is met.

    Parameters
    ----------
    results : dict
        Rows of the sections that were run.

    Returns
    -------
    aims : list of dict
        Those that the sections speak of; with what a section remarks of a busy machine.
    """
    found = []
    for section, of_section in _OF_SECTIONS.items():
        rows = results.get(section, [])
        remarks = [row["busy"] for row in rows if "busy" in row]
        for aim, limit, how, value in of_section(rows):
            met = value <= limit if how == "at most" else value >= limit
            row = {"aim": aim, "limit": f"{how} {limit:g}", "measured": value, "met": met}
            found.append({**row, "busy": remarks[0]} if remarks else row)
    return found

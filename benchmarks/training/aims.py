"""What was aimed at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.pages import Aim, Rows

# How many plain fits one may take. Of an MLP, a plain step is little more than its overhead.
_LIMITS_OF_USES = {"MLP": 1.6, "coloured digits MLP": 1.6, "ConvNet": 1.8, "VGG": 1.8}
# How many plain steps a cached one may take, and a live one.
_LIMITS_OF_STEPS = {"MLP": (1.6, 1.6), "ConvNet": (1.10, 1.40), "VGG": (1.10, 1.40)}


def _largest(rows: Rows, column: str) -> float:
    return max(row[column] for row in rows)


def _of_steps(rows: Rows) -> Iterator[Aim]:
    for network in dict.fromkeys(row["network"] for row in rows):
        own = [row for row in rows if row["network"] == network]
        deep = [row for row in own if row["layer"] != "first"]
        of_cached, of_live = _LIMITS_OF_STEPS[network]
        if deep:
            deep_layers = f"{network}: cached step, middle and last layers"
            yield Aim(deep_layers, of_cached, "at most", _largest(deep, "cached"))
        if len(deep) < len(own):
            yield Aim(
                f"{network}: cached step, any layer", 1.25, "at most", _largest(own, "cached")
            )
        yield Aim(f"{network}: live step", of_live, "at most", _largest(own, "live"))
    for row in rows:
        if row["network"] == "VGG" and row["layer"] == "last" and "published" in row:
            at = f"VGG, last layer, batch {row['batch']}"
            for form in ("live", "cached"):
                faster = row[f"published / {form}"]
                yield Aim(f"{at}: published / {form} step", 3.0, "at least", faster)
                memory = row[f"{form} MiB"] / row["published MiB"]
                yield Aim(f"{at}: memory of {form} / published", 0.5, "at most", memory)


def _of_fits(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        if row["network"] == "ConvNet":
            yield Aim("ConvNet: fit / loop by hand", 1.10, "at most", row["fit / by hand"])
        else:
            at = f"MLP, batch {row['batch']}"
            yield Aim(f"{at}: stock skorch / fit", 2.0, "at least", row["skorch / fit"])


def _of_uses(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        if "every step" not in row["use"]:
            at = f"{row['network']}, {row['use']}: fit / plain"
            yield Aim(at, _LIMITS_OF_USES[row["network"]], "at most", row["/ plain"])


def _of_tables(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        at = f"{row['table']}, batch {row['batch']}: fit / MLPClassifier"
        yield Aim(at, 1.3, "at most", row["fit / MLPClassifier"])


def _of_small_sets(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        at = f"Small set, {row['fit']}"
        yield Aim(f"{at}: fit - loop by hand, ms", 60, "at most", row["fit - by hand ms"])
        yield Aim(f"{at}: set-up, ms", 10, "at most", row["set-up ms"])


def _of_searches(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        if row["search"] == "with memory":
            yield Aim("Grid with memory / plain", 1.10, "at most", row["/ plain"])


AIMS: dict[str, Callable[[Rows], Iterator[Aim]]] = {
    "steps": _of_steps,
    "fits": _of_fits,
    "uses": _of_uses,
    "tables": _of_tables,
    "small": _of_small_sets,
    "searches": _of_searches,
}

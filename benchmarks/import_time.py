"""Measure how long imports take.

Each runs in an interpreter of its own, all of them in turns, so that a machine that gets busier or
faster meanwhile changes all. Run it as ``python -m benchmarks.import_time``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import Load, machine
from benchmarks.pages import RESULTS, Aim, Page, Rows, write

PACKAGE, BASE = "import atl_sklearn", "import skorch"
CLASSIFIER = "from atl_sklearn import AntiTransferClassifier"
STATEMENTS = (PACKAGE, BASE, CLASSIFIER)

TIMED = """
import json, sys, time
start = time.perf_counter()
{statement}
print(json.dumps([time.perf_counter() - start, "torch" in sys.modules]))
"""


def measure(statement: str) -> tuple[float, bool]:
    """Return the seconds that a statement takes in a new interpreter, and whether torch is there.

    Parameters
    ----------
    statement : str
        An import.
    """
    command = [sys.executable, "-c", TIMED.format(statement=statement)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, has_torch = json.loads(done.stdout)
    return seconds, has_torch


def imports(repetitions: int) -> Rows:
    """Measure each import in turns, after one that fills the disk's cache.

    Parameters
    ----------
    repetitions : int
        How many interpreters are started for each.
    """
    has_torch = {statement: measure(statement)[1] for statement in STATEMENTS}
    seconds: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    for _ in range(repetitions):
        for statement in STATEMENTS:
            seconds[statement].append(measure(statement)[0])
    rows = []
    for statement, values in seconds.items():
        row: dict[str, Any] = {"statement": f"``{statement}``", "s": statistics.median(values)}
        row |= {"from s": min(values), "to s": max(values), "torch is loaded": has_torch[statement]}
        if statement == CLASSIFIER:
            pairs = zip(values, seconds[BASE], strict=True)
            row["beyond skorch s"] = statistics.median(ours - theirs for ours, theirs in pairs)
        rows.append(row)
    return rows


def _aims(rows: Rows) -> Iterator[Aim]:
    package, _, classifier = rows
    yield Aim(f"``{PACKAGE}``, s", 0.3, "at most", package["s"])
    yield Aim(f"``{PACKAGE}``: imports of torch", 0, "at most", float(package["torch is loaded"]))
    yield Aim(f"``{CLASSIFIER}`` beyond skorch, s", 0.3, "at most", classifier["beyond skorch s"])


PAGE = Page(
    "imports", {"imports": "Imports, each in an interpreter of its own"}, {"imports": _aims}
)


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.import_time", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--repetitions", type=int, default=11, help="interpreters for each (11)")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where JSON and tables go")
    options = parser.parse_args()
    with Load() as load:
        rows = imports(options.repetitions)
    on = {"repetitions": options.repetitions, **machine(), **load.found}
    print(write(PAGE, {"imports": rows}, on, options.folder))


if __name__ == "__main__":
    main()

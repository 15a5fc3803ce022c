"""An alarm for continuous integration, which rings when the defaults no longer help.

    python -m benchmarks.evidence.alarm

Trains the plain network and anti-transfer with the package's defaults on unlabeled data, on folds
that had no part in choosing these defaults, and fails if the mean gain of a protocol is under 8
points.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.evidence.runs import read_runs, run_all

LEAST_GAIN = 8.0
FOLDS = (20, 21, 22, 23)
METHODS = {"plain": 1e-4, "cross": 1.0}


def gains(protocol: str) -> np.ndarray:
    """Return the gain of each fold in points."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.jsonl"
        run_all(path, [protocol], list(METHODS), folds=FOLDS, n_seeds=1, tune=False)
        found = {(run["method"], run["fold"]): run["accuracy"] for run in read_runs(path)}
    return np.array([100 * (found["cross", fold] - found["plain", fold]) for fold in FOLDS])


def main() -> int:
    """Print the gains; return 1 if those of a protocol are too small."""
    failed = False
    for protocol in ("fsdd-96", "digits-background"):
        if protocol.startswith("fsdd") and not os.environ.get("ATL_SKLEARN_DATA"):
            print(f"{protocol}: skipped, ATL_SKLEARN_DATA names no folder with fsdd.zip")
            continue
        found = gains(protocol)
        failed |= found.mean() < LEAST_GAIN
        each = ", ".join(f"{gain:+.1f}" for gain in found)
        print(f"{protocol}: mean gain {found.mean():+.1f} points (folds: {each})", flush=True)
    if failed:
        print(f"The defaults gain less than {LEAST_GAIN} points.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

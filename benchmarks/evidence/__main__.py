"""Make the runs, and the report of all that are there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import FULL_SIZE, PROTOCOLS
from benchmarks.evidence.report import write_report
from benchmarks.evidence.runs import FailedRuns, run_all


def main() -> int:
    """Run what the command line asks for; return 1 if a run failed, after the report."""
    folder = Path(__file__).parents[2] / "docs" / "evidence"
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.add_argument(
        "--protocols",
        nargs="+",
        choices=list(PROTOCOLS),
        default=[name for name in PROTOCOLS if name not in FULL_SIZE],
        help="all by default, but for those of full size, which take a GPU",
    )
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--folds", nargs="+", type=int, help="all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--untuned", action="store_true", help="the default values only")
    parser.add_argument("--jobs", type=int, help="processes; all cores by default, one on a GPU")
    parser.add_argument("--runs", type=Path, default=folder / "runs.jsonl")
    parser.add_argument("--report", action="store_true", help="no new runs, the report only")
    options = parser.parse_args()
    failed = None
    if not options.report:
        try:
            run_all(
                options.runs,
                options.protocols,
                options.methods,
                folds=options.folds,
                n_seeds=options.seeds,
                n_jobs=options.jobs,
                tune=not options.untuned,
            )
        except FailedRuns as found:
            failed = found  # said last, where it is seen
    for row in write_report(options.runs, options.runs.parent):
        if row.rule == "untuned":
            print(
                f"{row.protocol:20} {row.method:28} {row.n_folds:2} folds  accuracy "
                f"{row.accuracy:.3f}  gain {row.gain:+5.1f}  probe {row.probe:.3f}"
            )
    if failed is not None:
        print(failed, file=sys.stderr)
    return int(failed is not None)


if __name__ == "__main__":
    sys.exit(main())

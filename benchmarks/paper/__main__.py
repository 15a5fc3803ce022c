"""Make the runs of the paper's set-up, and the table and figure of all that are there."""

from __future__ import annotations

import argparse
import functools
import warnings
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning

from benchmarks.paper.choice import choose
from benchmarks.paper.corpora import PUBLIC
from benchmarks.paper.forms import FORMS
from benchmarks.paper.pairs import PAIRS
from benchmarks.paper.readers import find_sets
from benchmarks.paper.report import write_report
from benchmarks.paper.runs import run_fold
from benchmarks.paper.settings import SETTINGS


def main() -> None:
    """Run what the command line asks for."""
    folder = Path(__file__).parents[2] / "docs" / "evidence" / "paper"
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with the paper's own sets")
    parser.add_argument("--pairs", nargs="+", choices=list(PAIRS), help="all whose sets are there")
    parser.add_argument("--forms", nargs="+", choices=list(FORMS), default=list(FORMS))
    parser.add_argument("--folds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--settings", choices=list(SETTINGS), default="small")
    parser.add_argument(
        "--runs",
        type=Path,
        help="docs/evidence/paper/runs.jsonl; with --data in the current folder",
    )
    parser.add_argument("--report", action="store_true", help="no new runs, the report only")
    options = parser.parse_args()
    found = {}
    if options.data is not None:
        try:
            found = find_sets(options.data)
        except FileNotFoundError as error:
            parser.error(str(error))
        # What a user measures is not this project's evidence.
        folder = Path.cwd() / f"paper_{options.settings}"
    path = options.runs or folder / "runs.jsonl"
    if not options.report:
        # Each is read once, whatever the pairs and folds.
        corpora = {name: functools.cache(read) for name, read in {**PUBLIC, **found}.items()}
        choice = choose(corpora, found, options.pairs)
        lacking = "; ".join(f"{name}: {problem}" for name, problem in choice.skipped.items())
        if options.pairs and lacking:
            parser.error(
                f"--pairs must be pairs whose sets are there. Of these, {lacking}. Take other "
                "pairs, or pass --data, a folder that has the sets."
            )
        if not choice.pairs:
            parser.error(f"there is no pair whose sets are there: {lacking}")
        for name, problem in choice.skipped.items():
            print(f"{name} is skipped: {problem}", flush=True)
        for name, reason in choice.unused.items():
            print(f"{name} was found and is not used: {reason}", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        warnings.simplefilter("ignore", ConvergenceWarning)
        for index in options.folds:
            for pair in choice.pairs:
                settings = SETTINGS[options.settings]
                run_fold(path, pair, index, corpora, settings, options.forms)
    print(write_report(path, path.parent))


if __name__ == "__main__":
    main()

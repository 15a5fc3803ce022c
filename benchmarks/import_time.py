"""Measure how long importing the classifier takes beyond ``import skorch``.

Each import runs in an interpreter of its own, the two in turns, so that a machine that gets
busier or faster meanwhile changes both. Run it as ``python benchmarks/import_time.py``.
"""

import argparse
import statistics
import subprocess
import sys

STATEMENTS = ("import skorch", "from atl_sklearn import AntiTransferClassifier")

TIMED = """
import time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""


def measure(statement):
    """Return the seconds that `statement` takes in a new interpreter."""
    command = [sys.executable, "-c", TIMED.format(statement=statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    """Measure, and print the medians and their difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=11, help="imports of each (default: 11)")
    repeats = parser.parse_args().repeats

    for statement in STATEMENTS:  # fills the disk cache and writes the byte code
        measure(statement)
    seconds = {statement: [] for statement in STATEMENTS}
    for _ in range(repeats):
        for statement in STATEMENTS:
            seconds[statement].append(measure(statement))

    for statement, values in seconds.items():
        print(
            f"{statement:46} median {statistics.median(values):.3f} s, "
            f"from {min(values):.3f} to {max(values):.3f} s, {repeats} times"
        )
    pairs = zip(*(seconds[statement] for statement in STATEMENTS), strict=True)
    differences = [ours - theirs for theirs, ours in pairs]
    print(f"{'difference':46} median {statistics.median(differences):+.3f} s of each pair")


if __name__ == "__main__":
    main()

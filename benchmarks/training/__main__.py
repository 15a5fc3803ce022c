"""Measure what anti-transfer costs, print the tables, and keep them."""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path

import torch
from sklearn.exceptions import ConvergenceWarning

from benchmarks.machine import Load, machine
from benchmarks.pages import RESULTS, write
from benchmarks.training.report import training_page
from benchmarks.training.sections import CASES, SECTIONS, is_small
from benchmarks.training.steps import NETWORKS

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
SECTIONS_HELP = "none: the page is drawn anew of what was measured"
SIZES = [16, 64, 256]
CASES_HELP = "of steps; the section has these alone then"
CLOCKS_HELP = "cpu: of one thread's work, where other jobs share the cores"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument(
        "--sections", nargs="*", choices=list(SECTIONS), default=list(SECTIONS), help=SECTIONS_HELP
    )
    parser.add_argument("--repetitions", type=int, default=7, help="turns of each measurement")
    parser.add_argument("--device", help="cpu or cuda; a GPU by default if there is one")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch on the CPU")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where JSON and tables go")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help=CLOCKS_HELP)
    parser.add_argument(
        "--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS), help=CASES_HELP
    )
    parser.add_argument(
        "--batches", nargs="+", type=int, choices=SIZES, default=SIZES, help=CASES_HELP
    )
    parser.add_argument("--large", action="store_true", help="large batches of the VGG too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", ConvergenceWarning)  # fits are short, and of random data
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    of_run = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "threads": options.threads,
        "clock": options.clock,
        "repetitions": options.repetitions,
    }
    cases = [
        case
        for case in CASES
        if case[0] in options.networks
        and case[2] in options.batches
        and (options.large or is_small(*case))
    ]
    page = training_page(device.type, options.threads)
    text = "" if options.sections else write(page, {}, {}, options.folder)
    for name in options.sections:
        start = time.perf_counter()
        more = {"cases": cases} if name == "steps" else {}
        with Load() as load:
            rows = SECTIONS[name](device, options.repetitions, CLOCKS[options.clock], **more)
        described = ", ".join(f"{when} {value}" for when, value in load.found.items())
        print(f"{name}: {time.perf_counter() - start:.0f} s, {described}", flush=True)
        # After each section, so that one that is interrupted takes no others with it.
        text = write(page, {name: rows}, {**of_run, **machine(), **load.found}, options.folder)
    print(text)


if __name__ == "__main__":
    main()

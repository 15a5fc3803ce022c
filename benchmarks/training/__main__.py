"""Measure what anti-transfer costs, print the tables, and keep them."""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from pathlib import Path

import torch
from sklearn.exceptions import ConvergenceWarning

from benchmarks.training.load import load_per_core
from benchmarks.training.report import write
from benchmarks.training.sections import CASES, SECTIONS, is_small
from benchmarks.training.steps import NETWORKS

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
SIZES = [16, 64, 256]
CLOCKS_HELP = "cpu: of one thread's work, where other jobs share the cores"


def main() -> None:
    """Run what the command line asks for."""
    folder = Path(__file__).parents[1] / "results"
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--repetitions", type=int, default=7, help="turns of each measurement")
    parser.add_argument("--device", help="cpu or cuda; a GPU by default if there is one")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch on the CPU")
    parser.add_argument("--folder", type=Path, default=folder, help="where JSON and tables go")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help=CLOCKS_HELP)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, choices=SIZES, default=SIZES)
    parser.add_argument("--large", action="store_true", help="large batches of the VGG too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", ConvergenceWarning)  # fits are short, and of random data
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    machine = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "threads": options.threads,
        "clock": options.clock,
        "torch": torch.__version__,
        "repetitions": options.repetitions,
    }
    cases = [
        case
        for case in CASES
        if case[0] in options.networks
        and case[2] in options.batches
        and (options.large or is_small(*case))
    ]
    # Of one thread the name is the plain one: most of what fits do is too small for several.
    several = "" if options.threads == 1 else f"-{options.threads}-threads"
    stem = f"training-{device.type}{several if device.type == 'cpu' else ''}"
    for name in options.sections:
        start, before = time.perf_counter(), load_per_core()
        more = {"cases": cases} if name == "steps" else {}
        rows = SECTIONS[name](device, options.repetitions, CLOCKS[options.clock], **more)
        loads = {"load per core before": before, "load per core after": load_per_core()}
        loads = {when: round(load, 1) for when, load in loads.items()}
        described = ", ".join(f"{when} {load}" for when, load in loads.items())
        print(f"{name}: {time.perf_counter() - start:.0f} s, {described}", flush=True)
        # After each section, so that one that is interrupted takes no others with it.
        text = write({name: rows}, machine | loads, options.folder, stem)
    print(text)


if __name__ == "__main__":
    main()

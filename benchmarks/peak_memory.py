"""The memory that a process has had at most, and processes of their own to ask for it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def peak_mb() -> float:
    """Return the most memory that this process has had so far, in MiB."""
    try:
        # Not ru_maxrss alone: on Linux that of a new process begins with its parent's.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def printed_by(module: str, *arguments: str) -> Any:
    """Run a module of the benchmarks in a process of its own, from whatever folder.

    Parameters
    ----------
    module : str
        Its name, as ``python -m`` takes it.
    *arguments : str
        Of its command line.

    Returns
    -------
    value : JSON
        What it prints in its last line.
    """
    command = [sys.executable, "-m", module, *arguments]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)
    return json.loads(done.stdout.splitlines()[-1])

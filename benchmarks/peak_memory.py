"""The memory that a process has had at most."""

import sys
from pathlib import Path


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

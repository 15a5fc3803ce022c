"""How busy a machine is, which says how far times that it measures can be trusted."""

from __future__ import annotations

import math
import os
from typing import Any

BUSY = 1.5  # processes that want a core, for each core there is


def load_per_core() -> float:
    """Return how many processes wanted a core in the last minute, for each core; NaN if unknown."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):  # as on Windows
        return math.nan


def remark(machine: dict[str, Any]) -> dict[str, str]:
    """Return a column that says that a machine was busy; none where it was not.

    Parameters
    ----------
    machine : dict
        May have ``"load per core before"`` and ``"load per core after"``.
    """
    loads = [machine.get(f"load per core {when}") for when in ("before", "after")]
    largest = max((load for load in loads if load is not None), default=0.0)
    return {"busy": f"load {largest:.1f} per core"} if largest > BUSY else {}

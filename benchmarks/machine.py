"""What something was measured on, and how busy that was meanwhile."""

from __future__ import annotations

import os
import platform
import threading
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import atl_sklearn

BUSY = 1.5  # processes that want a core, for each core there is
_SECONDS = 5  # the system counts no more often
_LOADS = [f"load per core {when}" for when in ("before", "at most", "after")]


def load_per_core() -> float | None:
    """Return how many processes wanted a core in the last minute, for each core.

    Returns
    -------
    load : float or None
        None where the system does not say, as on Windows.
    """
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):
        return None


class Load:
    """The load of a machine before, during and after what is measured in its context.

    A thread asks for it meanwhile, because what comes and goes in between is seen neither before
    nor after.

    Examples
    --------
    >>> with Load() as load:
    ...     total = sum(range(10))
    >>> list(load.found)
    ['load per core before', 'load per core at most', 'load per core after']
    """

    def __enter__(self) -> Load:
        self._seen = [load_per_core()]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._end.wait(_SECONDS):
            self._seen.append(load_per_core())

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._thread.join()
        self._seen.append(load_per_core())

    @property
    def found(self) -> dict[str, float | None]:
        """From what is said of a machine to its load, None where that is unknown."""
        largest = max((load for load in self._seen if load is not None), default=None)
        return dict(zip(_LOADS, (self._seen[0], largest, self._seen[-1]), strict=True))


def remark(machine: dict[str, Any]) -> dict[str, str]:
    """Return a column that says that a machine was busy; none where it was not.

    Parameters
    ----------
    machine : dict
        May have what :attr:`Load.found` has.
    """
    loads = [machine.get(when) for when in _LOADS]
    largest = max((load for load in loads if load is not None), default=0.0)
    return {"busy": f"load {largest:.2f} per core"} if largest > BUSY else {}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"


def machine(*packages: str) -> dict[str, Any]:
    """Return what is measured on today.

    Nothing is imported for it, since some of what is measured are imports and the memory they take.

    Parameters
    ----------
    *packages : str
        Whose versions matter, beside those of atl_sklearn, torch and skorch.
    """
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "atl_sklearn": atl_sklearn.__version__,
        **{package: version(package) for package in ("torch", "skorch", *packages)},
    }

"""Times of several things in turns, and the memory that one of them takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch


def synchronize(device: torch.device) -> None:
    """Wait for what was queued on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turns(
    functions: Mapping[str, Callable[[], object]],
    *,
    repetitions: int,
    device: torch.device,
    shortest: float = 0.02,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the times of each function, measured in turns.

    A machine that gets busier or faster meanwhile changes all of them. Who begins a turn goes
    round; what takes less than `shortest` seconds is repeated within a turn.

    Parameters
    ----------
    functions : mapping of str to callable
        What is measured.
    repetitions : int
        Number of turns.
    device : torch.device
        Where they run.
    shortest : float, default=0.02
        Seconds that a measurement takes at least.
    clock : callable, default=time.perf_counter
        Returns seconds.

    Returns
    -------
    times : dict of str to list of float
        Seconds of one call, for each turn.
    """
    counts = {}
    for name, function in functions.items():
        start = clock()
        function()  # warms up
        synchronize(device)
        if clock() - start < 10 * shortest:
            start = clock()
            function()
            synchronize(device)
        counts[name] = max(1, round(shortest / (clock() - start)))
    times: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for turn in range(repetitions):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            for _ in range(counts[name]):
                functions[name]()
            synchronize(device)
            times[name].append((clock() - start) / counts[name])
    return times


def median_ratio(times: list[float], reference: list[float]) -> float:
    """Return the median over the turns of the ratio of two times of the same turn."""
    return statistics.median(a / b for a, b in zip(times, reference, strict=True))


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Return the power of the size that times grow with, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def peak_memory(function: Callable[[], object], device: torch.device) -> int:
    """Return the bytes that a function has allocated at most, beyond those before it.

    Parameters
    ----------
    function : callable
        Has run before.
    device : torch.device
        Whose memory is looked at.

    Returns
    -------
    n_bytes : int
        At the peak.
    """
    if device.type == "cuda":
        synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        function()
    events = profile.profiler.kineto_results.events()  # type: ignore[union-attr]
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    now = peak = 0
    for _, change in changes:
        now += change
        peak = max(peak, now)
    return peak

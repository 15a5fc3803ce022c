"""Memory of freed tensors, which the C library keeps for the next step."""

from __future__ import annotations

import functools
import sys
from contextlib import suppress

import torch

# The largest block from which glibc learns is 32 MiB with its own header; this is a little less.
_BLOCK = 2**25 - 2**16
_N_BLOCKS = 16
_PIN = 2**16
_MOST_PINS = 256


@functools.cache
def keep_freed_memory() -> list[torch.Tensor]:
    """Let the C library keep up to 512 MiB that were freed, instead of giving them back.

    A step frees its activations, and the next one asks for as much. Once glibc has given the
    memory back to the system, the system writes zeros into all of it again: a fifth of the time of
    a fit with large batches. glibc takes the size of the largest block that was ever freed, up
    to 32 MiB, for the size from which on it asks the system, and keeps twice as much at the end of
    its memory [1]_. So one such block is taken and freed. What lies before a block that is in use
    is kept however much it is. So sixteen blocks are taken, a small one behind them, and the
    sixteen are freed. They are never written to, so that all of this costs nothing. Where the
    environment sets these sizes (``MALLOC_TRIM_THRESHOLD_``), it changes nothing.

    Returns
    -------
    pins : list of Tensor
        Small blocks that stay in use as long as the process lives.

    References
    ----------
    .. [1] mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, "dynamic mmap threshold".
    """
    pins: list[torch.Tensor] = []
    if sys.platform != "linux":
        return pins
    with suppress(RuntimeError):  # a limit on the addresses of a process, say
        torch.empty(_BLOCK, dtype=torch.uint8)
        blocks = [torch.empty(_BLOCK, dtype=torch.uint8) for _ in range(_N_BLOCKS)]
        end = max(block.data_ptr() for block in blocks)
        for _ in range(_MOST_PINS):  # the first ones may fill gaps that were there before
            pins.append(torch.empty(_PIN, dtype=torch.uint8))
            if pins[-1].data_ptr() > end:
                break
    return pins[-1:]

"""Memory of freed tensors, which the C library keeps for the next step."""

from __future__ import annotations

import functools
import sys

import torch

# The largest block from which glibc learns is 32 MiB with its own header; this is a little less.
_BLOCK = 2**25 - 2**16


@functools.cache
def keep_freed_memory() -> None:
    """Let the C library keep up to 64 MiB that were freed, instead of giving them back.

    A step frees its activations, and the next one asks for as much. Once glibc has given the
    memory back to the system, the system writes zeros into all of it again: a fifth of the time of
    a fit with large batches. glibc takes the size of the largest block that was ever freed, up
    to 32 MiB, for the size from which on it asks the system, and keeps twice as much [1]_. So one
    such block is taken and freed. It is never written to, so that it costs nothing. Where the
    environment sets these sizes (``MALLOC_TRIM_THRESHOLD_``), it changes nothing.

    References
    ----------
    .. [1] mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, "dynamic mmap threshold".
    """
    if sys.platform == "linux":
        torch.empty(_BLOCK, dtype=torch.uint8)

"""torch's generator, which belongs to the process: one thread at a time draws from its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

# Whoever goes on from another state puts the old one back in the end, and with it would undo
# what another thread has drawn meanwhile.
_LOCK = threading.RLock()


def _unlock_in_child() -> None:
    # Of a process that another thread held the lock in, a child has the lock but not the thread.
    global _LOCK
    _LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_in_child)


@contextmanager
def forked_generator(devices: Sequence[int] = ()) -> Iterator[None]:
    """Let the block draw from torch's generators, which afterwards are as before.

    Other threads wait at the door; a thread inside may come in again.

    Parameters
    ----------
    devices : sequence of int, default=()
        GPUs whose generators the block may change, besides that of the CPU.
    """
    with _LOCK, torch.random.fork_rng(devices=list(devices)):
        yield

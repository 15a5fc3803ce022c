"""Ctrl-C, told from callbacks that end a training."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


class InterruptWatch:
    """Notices SIGINT while a block runs, and hands it on to whoever handled it before.

    skorch's callbacks end a training by raising KeyboardInterrupt, as `EarlyStopping` does. Only
    the signal tells this from a user who wants to end everything.

    Attributes
    ----------
    seen : bool
        Whether the signal came.
    """

    def __init__(self) -> None:
        self.seen = False
        self._previous: Callable[[int, FrameType | None], object] | None = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
        if self._previous is not None:
            self._previous(number, frame)

    def __enter__(self) -> InterruptWatch:
        # Python lets the main thread alone handle signals, and interrupts no other.
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if callable(previous):
                self._previous = previous
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

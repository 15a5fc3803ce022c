"""Which steps of an epoch compute the penalty, where not all do."""

from __future__ import annotations


class InTurn:
    """The first step of each epoch and every k-th after it, which count for the others too.

    Parameters
    ----------
    every : int
        k, at least 1.

    Attributes
    ----------
    now : bool
        Whether the running step is one of them.
    factor : float
        How many steps one of them stands for, so that all steps of an epoch count.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self.begin(None)
        self.now = True

    def begin(self, n_steps: int | None) -> None:
        """Begin an epoch of so many steps; None where nobody knows."""
        self._step = -1
        n_turns = 1 if n_steps is None else -(-n_steps // self._every)
        self.factor = float(self._every) if not n_steps else n_steps / n_turns

    def count(self) -> None:
        """Begin a step."""
        self._step += 1
        self.now = self._step % self._every == 0

"""Which steps compute the penalty, where not all do."""

from __future__ import annotations


class InTurn:
    """The first step of a training and every k-th after it, which count for the others too.

    Epochs do not begin the counting anew: short ones would have more such steps than asked for.
    An epoch of k steps or less has one, its first.

    Parameters
    ----------
    every : int
        k, at least 1.

    Attributes
    ----------
    now : bool
        Whether the running step is one of them.
    factor : float
        How many steps one of them stands for.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self.begin(None)
        self.now = True

    def begin(self, n_steps: int | None, epoch: int = 0) -> None:
        """Begin an epoch, counted from 0, of so many steps; None where nobody knows."""
        self._step = -1
        # From the number of the epoch, so that a training that goes on needs no counter.
        length = n_steps or self._every
        self._first = -(epoch * length) % self._every if length > self._every else 0
        self.factor = float(min(self._every, length))

    def count(self) -> None:
        """Begin a step."""
        self._step += 1
        self.now = self._step % self._every == self._first

"""How the weight of the penalty changes from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from atl_sklearn._validation import is_real, shown
from atl_sklearn.similarity._registry import look_up


def constant(epoch: int, max_epochs: int) -> float:
    """Return 1."""
    return 1.0


def linear_warmup(epoch: int, max_epochs: int) -> float:
    """Rise linearly to 1, which is reached after half of the epochs."""
    return min(1.0, (epoch + 1) / max(1, math.ceil(max_epochs / 2)))


def cosine(epoch: int, max_epochs: int) -> float:
    """Fall from 1 towards 0 along half a cosine, as in cosine annealing."""
    return 0.5 * (1 + math.cos(math.pi * min(epoch, max_epochs) / max_epochs))


def sigmoid_warmup(epoch: int, max_epochs: int) -> float:
    """Rise along half a sigmoid to 1 in the last epoch, as gradient reversal does."""

    def rise(progress: float) -> float:
        return 2 / (1 + math.exp(-10 * progress)) - 1

    return rise(min(1.0, (epoch + 1) / max_epochs)) / rise(1.0)


_SCHEDULES = {
    "constant": constant,
    "cosine": cosine,
    "linear_warmup": linear_warmup,
    "sigmoid_warmup": sigmoid_warmup,
}


def check_factor(factor: object, parameter: str, what: str, value: float) -> float:
    """Return what a user's schedule returned, if it is a factor.

    Parameters
    ----------
    factor : object
        What it returned.
    parameter : str
        Which schedule it is.
    what : str
        What it is called with.
    value : float
        With which of these it was called.

    Returns
    -------
    factor : float
        The same.

    Raises
    ------
    ValueError
        If it is no float in [0, inf).
    """
    if not is_real(factor) or not 0 <= factor < math.inf:
        raise ValueError(
            f"A callable {parameter} must return a float in [0, inf) for each {what}. "
            f"Got {shown(factor)} for {what} {value} instead."
        )
    return float(factor)


@dataclass(frozen=True)
class _OfEpoch:
    """A user's schedule, which knows the epoch only."""

    schedule: Callable[[int], float]

    def __call__(self, epoch: int, max_epochs: int) -> float:
        return check_factor(self.schedule(epoch), "weight_schedule", "epoch", epoch)


def get_weight_schedule_names() -> list[str]:
    """Return the names that `weight_schedule` can have.

    Returns
    -------
    names : list of str
        Sorted.

    Examples
    --------
    >>> from atl_sklearn.similarity import get_weight_schedule_names
    >>> get_weight_schedule_names()
    ['constant', 'cosine', 'linear_warmup', 'sigmoid_warmup']
    """
    return sorted(_SCHEDULES)


def get_weight_schedule(
    weight_schedule: str | Callable[[int], float],
) -> Callable[[int, int], float]:
    """Return the named schedule, or one made of a callable.

    Parameters
    ----------
    weight_schedule : {"constant", "linear_warmup", "sigmoid_warmup", "cosine"} or callable
        ``"constant"`` is 1; ``"linear_warmup"`` rises to 1 over the first half of the epochs;
        ``"sigmoid_warmup"`` rises fast at first, as the reversal of gradients does in [1]_;
        ``"cosine"`` falls from 1 towards 0. A callable takes the epoch, counted from 0.

    Returns
    -------
    schedule : callable
        From epoch, counted from 0, and number of epochs to the factor of the weight.

    Raises
    ------
    ValueError
        If there is no such name, or, when called, if a callable returns no factor in [0, inf).

    References
    ----------
    .. [1] Y. Ganin et al., "Domain-adversarial training of neural networks", JMLR 17, 2016.

    Examples
    --------
    >>> from atl_sklearn.similarity import get_weight_schedule
    >>> [get_weight_schedule("linear_warmup")(epoch, 4) for epoch in range(4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    if callable(weight_schedule):
        return _OfEpoch(weight_schedule)
    return look_up(_SCHEDULES, weight_schedule, "weight_schedule")

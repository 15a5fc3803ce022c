"""How the learning rate changes from step to step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from skorch.callbacks import LRScheduler

from atl_sklearn._validation import shown
from atl_sklearn.estimators._net import Net
from atl_sklearn.similarity import check_factor, look_up

# Of one cycle, as torch.optim.lr_scheduler.OneCycleLR has them by default.
_RISING = 0.3  # share of the steps
_FIRST, _LAST = 25.0, 1e4  # the peak over the first rate; the first over the last
_MOMENTUM = (0.85, 0.95)  # at the peak, and at both ends
_FEWEST = 10  # steps in which a cycle can rise and fall

Schedule = Callable[[float, int, int], float]


def _between(start: float, end: float, share: float) -> float:
    """Go from start to end along half a cosine."""
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _cycle(step: int, n_steps: int, low: float, high: float, end: float) -> float:
    top = _RISING * n_steps - 1
    if step <= top:
        return _between(low, high, step / top)
    return _between(high, end, (step - top) / (n_steps - 1 - top))


def constant(lr: float, step: int, n_steps: int) -> float:
    """Return the rate itself."""
    return lr


def cosine(lr: float, step: int, n_steps: int) -> float:
    """Fall from the rate towards 0 along half a cosine, as CosineAnnealingLR does."""
    return _between(lr, 0.0, step / n_steps)


def one_cycle(lr: float, step: int, n_steps: int) -> float:
    """Rise to the rate and fall towards 0, as OneCycleLR does; in very few steps only fall."""
    if n_steps < _FEWEST:
        return cosine(lr, step, n_steps)
    return _cycle(step, n_steps, lr / _FIRST, lr, lr / _FIRST / _LAST)


_SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "one_cycle": one_cycle,
}


@dataclass(frozen=True)
class _OfProgress:
    """A user's schedule, which knows how much of the training is done."""

    schedule: Callable[[float], object]

    def __call__(self, lr: float, step: int, n_steps: int) -> float:
        progress = step / n_steps
        factor = self.schedule(progress)
        return lr * check_factor(factor, "lr_schedule", "share of the training", progress)


def get_lr_schedule(lr_schedule: object) -> Schedule:
    """Return the named schedule, or one made of a callable.

    Parameters
    ----------
    lr_schedule : {"one_cycle", "cosine", "constant"} or callable
        ``"one_cycle"`` rises from a 25th of the rate to the rate in the first 30 % of the steps
        and falls to almost 0 [1]_; ``"cosine"`` falls from the rate to 0 [2]_; a callable takes
        the share of the training that is done, in [0, 1), and returns the factor of the rate.

    Returns
    -------
    schedule : callable
        From the rate, the step counted from 0, and the number of steps to the rate of the step.

    Raises
    ------
    ValueError
        If there is no such name, or, when called, if a callable returns no factor in [0, inf).

    References
    ----------
    .. [1] L. Smith, N. Topin, "Super-convergence: very fast training of neural networks using
       large learning rates", arXiv:1708.07120.
    .. [2] I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
       ICLR 2017, arXiv:1608.03983.

    Examples
    --------
    >>> from atl_sklearn.estimators._learning_rate import get_lr_schedule
    >>> schedule = get_lr_schedule("one_cycle")
    >>> [round(schedule(1.0, step, 100), 3) for step in (0, 29, 99)]
    [0.04, 1.0, 0.0]
    """
    if callable(lr_schedule):
        return _OfProgress(lr_schedule)
    return look_up(_SCHEDULES, lr_schedule, "lr_schedule")


class LearningRate:
    """The learning rate of one fit, set before each step of its optimizers.

    Parameters
    ----------
    optimizers : list of torch.optim.Optimizer
        Their rates are the peak of the schedule; :meth:`restore` gives them back.
    schedule : callable
        What :func:`get_lr_schedule` returned.
    max_epochs : int
        How many epochs the schedule covers.
    cycles_momentum : bool, default=False
        Whether the first beta of Adam's kin falls while the rate rises, as in [1]_.

    References
    ----------
    .. [1] L. Smith, N. Topin, "Super-convergence: very fast training of neural networks using
       large learning rates", arXiv:1708.07120.
    """

    def __init__(
        self,
        optimizers: list[torch.optim.Optimizer],
        schedule: Schedule,
        max_epochs: int,
        *,
        cycles_momentum: bool = False,
    ) -> None:
        self._optimizers = optimizers
        self._groups = self._live()
        self._given = [(float(group["lr"]), group.get("betas")) for group in self._groups]
        self._known = [given for given, _ in self._given]
        self._schedule = schedule
        self._max_epochs = max_epochs
        self._cycles_momentum = cycles_momentum
        self._epoch = -1
        self._step = -1
        self._n_batches: int | None = None
        # Whether something else has set a rate: a callback, say. It is left alone then.
        self.overruled = False

    def _live(self) -> list[dict[str, Any]]:
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]

    def follow_loaded(self) -> None:
        """Set the rates of groups with which a callback has replaced those of the beginning.

        skorch's ``LoadInitState`` does so, which loads an optimizer's state. The loaded rates are
        those of some step of another schedule; this one starts from its own.
        """
        for position, group in enumerate(self._live()):
            if group is not self._groups[position]:
                self._groups[position] = group
                self._known[position] = float(group["lr"])

    def state(self) -> dict[str, object]:
        """Return what a fit needs to go on after an epoch."""
        return {"epoch": self._epoch, "known": list(self._known), "overruled": self.overruled}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned, with the optimizers as they were then."""
        self._groups = self._live()
        self._epoch, self.overruled = state["epoch"], state["overruled"]
        self._known = list(state["known"])

    def begin_epoch(self, n_batches: int | None) -> None:
        """Begin an epoch.

        Parameters
        ----------
        n_batches : int or None
            How many there will be; None where the iterator does not say, and the rate then
            changes once an epoch.
        """
        self._epoch += 1
        self._n_batches = n_batches
        self._step = -1

    def begin_step(self) -> None:
        """Set the rate of the next step."""
        self._step += 1
        if self._n_batches is None:
            step, n_steps = self._epoch, self._max_epochs
        else:
            # The last epoch may be longer than it said.
            within = min(self._step, self._n_batches - 1)
            step = self._epoch * self._n_batches + within
            n_steps = self._max_epochs * self._n_batches
        self._set(min(step, n_steps - 1), n_steps)

    def _set(self, step: int, n_steps: int) -> None:
        if self.overruled or any(
            float(group["lr"]) != known
            for group, known in zip(self._groups, self._known, strict=True)
        ):
            self.overruled = True
            return
        for position, (group, (lr, betas)) in enumerate(
            zip(self._groups, self._given, strict=True)
        ):
            _assign(group, self._schedule(lr, step, n_steps))
            self._known[position] = float(group["lr"])
            if self._cycles_momentum and betas is not None and n_steps >= _FEWEST:
                peak, ends = _MOMENTUM
                group["betas"] = (_cycle(step, n_steps, ends, peak, ends), *betas[1:])

    def restore(self) -> None:
        """Give the optimizers the rates back that they came with, unless they were overruled."""
        if self.overruled:
            return
        for group, (lr, betas) in zip(self._groups, self._given, strict=True):
            _assign(group, lr)
            if betas is not None:
                group["betas"] = betas


def _assign(group: dict[str, Any], lr: float) -> None:
    """Set the rate of a group; one that is a tensor (as a captured graph needs) in place."""
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(lr)
    else:
        group["lr"] = lr


def learning_rate_of(net: Net, max_epochs: int) -> LearningRate | None:
    """Return what sets the learning rate of each step, or None where something else does.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    max_epochs : int
        How many epochs the fit has.
    """
    schedulers = (c for _, c in net.callbacks_ if isinstance(c, LRScheduler))
    scheduler = next(schedulers, None)
    if scheduler is not None and net.verbose:
        print(
            f"The callback {type(scheduler).__name__} sets the learning rate; "
            f"lr_schedule={shown(net.lr_schedule)} is not used."
        )
    named = isinstance(net.lr_schedule, str)
    if scheduler is not None or (named and net.lr_schedule == "constant"):
        return None
    return LearningRate(
        [getattr(net, f"{name}_") for name in net._optimizers],
        get_lr_schedule(net.lr_schedule),
        max_epochs,
        cycles_momentum=named
        and net.lr_schedule == "one_cycle"
        and "betas" not in net.get_params_for("optimizer"),
    )

"""What exists only while an estimator is being fitted."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch

from atl_sklearn.estimators._interruption import InterruptWatch


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module inside a compiled or a distributed one, or the module itself."""
    while True:
        if isinstance(module, torch.nn.parallel.DistributedDataParallel):
            module = module.module
        elif hasattr(module, "_orig_mod"):
            module = module._orig_mod  # type: ignore[assignment]
        else:
            return module


@dataclass
class FitRun:
    """What exists only while an estimator is being fitted.

    Attributes
    ----------
    task_weight, sample_weight : array of shape (n_samples,) or None
        Weights of the training samples in the task loss, and in the penalty.
    unlabeled : ArrayData, UnlabeledData or None
        Data that only the penalty sees.
    forward_params : dict
        Arguments of fit that the network's ``forward`` takes.
    penalty : PenaltyRun or None
        None for a plain network.
    weights : FiniteWeights or None
        The guard against weights that are not finite.
    scaler : torch.amp.GradScaler or None
        Scales the loss in half precision.
    rate : LearningRate or None
        Sets the learning rate of each step; None where something else does.
    max_grad_norm : float or None
        The largest norm of the gradients; None where they are not clipped.
    rescale : Rescale or None
        The layer that brings outputs to the units of the target.
    begun : int
        How many epochs the history had before this training.
    finished : int
        How many epochs the history has that ended.
    watch : InterruptWatch
        Notices Ctrl-C.
    ended_by_callback : bool
        Whether a callback ended the training before the last epoch.
    dataset : torch.utils.data.Dataset or None
        The training data, without those for validation.
    losses, rates : list of float
        The task loss and the learning rate of every training step.
    progress : TrainingProgress or None
        Shows how far the training is; None where nobody wants to see it.
    exits : contextlib.ExitStack
        What must be ended with the fit, whether it succeeds or not.
    checkpoints : Checkpoints or None
        Where the fit goes on from after a kill; None where it does not.
    side_maker : SideMaker or None
        Makes what is compared of the unrelated tasks.
    unrelated_scores : list of float or None
        How well unrelated estimators that this fit fitted learnt their tasks; None where it goes
        on with those of an earlier one.
    """

    task_weight: Any = None
    sample_weight: Any = None
    unlabeled: Any = None
    forward_params: dict[str, Any] = field(default_factory=dict)
    penalty: Any = None
    weights: Any = None
    scaler: Any = None
    rate: Any = None
    max_grad_norm: float | None = None
    rescale: Any = None
    begun: int = 0
    finished: int = 0
    watch: InterruptWatch = field(default_factory=InterruptWatch)
    ended_by_callback: bool = False
    dataset: Any = None
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    progress: Any = None
    checkpoints: Any = None
    exits: ExitStack = field(default_factory=ExitStack)
    side_maker: Any = None
    unrelated_scores: list[float | None] | None = None

    def count_step(self, loss: float, rate: float) -> None:
        """Note that a training step was made."""
        self.losses.append(loss)
        self.rates.append(rate)
        if self.progress is not None:
            self.progress.count(loss)

"""What exists only while an estimator is being fitted."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from atl_sklearn.estimators._interruption import InterruptWatch

if TYPE_CHECKING:  # they take a run, or make one
    from atl_sklearn.estimators._augmenting import Augmenting
    from atl_sklearn.estimators._checkpoints import Checkpoints
    from atl_sklearn.estimators._data import IndexedData
    from atl_sklearn.estimators._experts import Experts
    from atl_sklearn.estimators._finiteness import FiniteWeights
    from atl_sklearn.estimators._input_checks import TrainingData
    from atl_sklearn.estimators._learning_rate import LearningRate
    from atl_sklearn.estimators._penalty import PenaltyRun
    from atl_sklearn.estimators._placement import Placement
    from atl_sklearn.estimators._steps import Steps
    from atl_sklearn.estimators._training_progress import TrainingProgress
    from atl_sklearn.modules import Rescale
    from atl_sklearn.unrelated import Side


@dataclass
class FitRun:
    """What exists only while an estimator is being fitted.

    Attributes
    ----------
    data : TrainingData
        What is learnt from.
    placement : Placement
        Where the network runs.
    max_epochs : int
        How many epochs are trained.
    sources : list
        The unrelated estimators or modules, fitted once training begins.
    sides : list of Side
        What is compared of each of the sources; empty where all weights are 0.
    unrelated_scores : list of float or None
        How well unrelated estimators that this fit fitted learnt their tasks; None where it goes
        on with those of an earlier one.
    forward_params : dict
        Arguments of fit that the network's ``forward`` takes.
    augmenting : Augmenting or None
        Changes the samples that are trained on, differently in every epoch.
    experts : Experts or None
        What the unrelated tasks explain of the target, added while training.
    penalty : PenaltyRun or None
        None for a plain network.
    steps : Steps
        Makes the steps of training and validation; there once training begins.
    weights : FiniteWeights
        The guard against weights that are not finite; there once training begins.
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
    trains : bool
        Whether everything has been made, and tried; before that, a callback may still ask for
        another network.
    """

    data: TrainingData
    placement: Placement
    max_epochs: int
    sources: list[object]
    unrelated_scores: list[float | None] | None = None
    sides: list[Side] = field(default_factory=list)
    forward_params: dict[str, object] = field(default_factory=dict)
    augmenting: Augmenting | None = None
    experts: Experts | None = None
    penalty: PenaltyRun | None = None
    steps: Steps = field(init=False)
    weights: FiniteWeights = field(init=False)
    scaler: torch.amp.GradScaler | None = None
    rate: LearningRate | None = None
    max_grad_norm: float | None = None
    rescale: Rescale | None = None
    begun: int = 0
    finished: int = 0
    watch: InterruptWatch = field(default_factory=InterruptWatch)
    ended_by_callback: bool = False
    dataset: IndexedData | None = None
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    progress: TrainingProgress | None = None
    checkpoints: Checkpoints | None = None
    trains: bool = False
    exits: ExitStack = field(default_factory=ExitStack)

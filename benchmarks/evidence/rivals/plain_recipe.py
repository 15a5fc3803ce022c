"""The plain network's optimizer and learning rate, for rivals that train by a loop of their own."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import network_of


def batch_size(fold: Fold) -> int:
    """Return the number of samples in a batch of the fold's network."""
    return int(network_of(fold, 0).batch_size)


def optimizer_arguments(fold: Fold) -> dict[str, Any]:
    """Return the arguments of AdamW that the fold's network has."""
    net = network_of(fold, 0)
    return {"lr": net.lr, "weight_decay": net.weight_decay}


def one_cycle(
    optimizer: torch.optim.Optimizer, fold: Fold, n_steps: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    """Return the schedule of the fold's network; its ``step`` follows each step.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Whose rate it sets.
    fold : Fold
        Whose network it is.
    n_steps : int
        Of the whole training.
    """
    lr = network_of(fold, 0).lr
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=n_steps)

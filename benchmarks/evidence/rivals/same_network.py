"""The plain network of a fold, trained by another rule: the same start, steps and schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import network, network_of


class WithIndex(torch.nn.Module):
    """Networks side by side, whose output ends with the positions of the samples.

    Parameters
    ----------
    networks : sequence of Module
        The first is the one that counts.
    """

    def __init__(self, networks: Sequence[torch.nn.Module]) -> None:
        super().__init__()
        self.networks = torch.nn.ModuleList(networks)

    def forward(self, x: torch.Tensor, index: torch.Tensor) -> tuple[Any, ...]:
        """Return what each of the networks returns, and the positions."""
        return (*(net(x) for net in self.networks), index)


def untrained(fold: Fold, seed: int) -> Any:
    """Return the fold's network as training finds it, its scales adapted to the training data.

    Parameters
    ----------
    fold : Fold
        The data.
    seed : int
        Of the weights.
    """
    return network_of(fold, seed).set_params(max_epochs=0).fit(fold.train.X, fold.train.target)


def train_by(
    criterion: torch.nn.Module,
    fold: Fold,
    seed: int,
    *,
    beside: Sequence[torch.nn.Module] = (),
    wrap: type[torch.nn.Module] = WithIndex,
    **params: Any,
) -> Any:
    """Train the fold's network with a loss that knows which samples a batch has.

    Parameters
    ----------
    criterion : Module
        Of the outputs of `wrap`, and the encoded targets.
    fold : Fold
        The data.
    seed : int
        Of weights and batches.
    beside : sequence of Module, default=()
        Further networks that are trained along.
    wrap : type, default=WithIndex
        What the networks are put in.
    **params : dict
        Of the estimator.

    Returns
    -------
    net : AntiTransferClassifier
        Fitted: the network alone.
    """
    alone = untrained(fold, seed)
    whole = wrap([alone.module_, *beside])
    shared = {name: value for name, value in fold.network.items() if "module" not in name}
    params = {**shared, "module": whole, "criterion": criterion, **params}
    net = network(fold.max_epochs, seed, **params)
    net.fit({"x": fold.train.X, "index": np.arange(len(fold.train.X))}, fold.train.target)
    alone.module_.load_state_dict(net.module_.networks[0].state_dict())
    return alone

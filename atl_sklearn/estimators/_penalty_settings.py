"""What a penalty has to know of the estimator, and nothing else of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch
from joblib import Memory

from atl_sklearn._validation import shown
from atl_sklearn.estimators._samples import Samples
from atl_sklearn.similarity import AggregationLike, Metric, Target
from atl_sklearn.unrelated import LayerChoice


@dataclass(frozen=True)
class PenaltySettings:
    """The parameters of an estimator that decide what is compared, and how.

    Attributes
    ----------
    metric, aggregation, layer, weight_schedule : object
        As the estimators take them.
    weights : list of float
        One for each unrelated network, those that are measured included.
    target_similarity : float, list or None
        As the estimators take it.
    unrelated_layers : list
        The choice of layers in each unrelated network.
    of_layer : str
        The parameter that `unrelated_layers` come from, for errors.
    compares_training : bool
        Whether the penalty sees the batches of the task loss.
    batch_size : int
        Of unlabeled data.
    every : int
        In how many steps the penalty is computed once.
    conditional : bool
        Whether only what the target does not explain is compared.
    cache, cache_size, memory : object
        Where frozen activations are kept.
    precision : str
        In which the networks run.
    device : torch.device or None
        Where they run; None where something else places them.
    max_epochs : int
        Length of the training.
    seed : int
        Seeds what the penalty draws at random.
    validates : bool
        Whether there are validation data.
    keeps_in_order : bool
        Whether activations that are kept are computed in the order of the samples, which a fit
        that goes on after a kill repeats: their rounding depends on the batch.
    verbose : bool
        Whether it is said where activations are kept.
    augmented : bool
        Whether the unrelated side is given samples that change in every epoch.
    """

    metric: Metric | list[Metric] | tuple[Metric, ...]
    aggregation: AggregationLike | list[AggregationLike] | tuple[AggregationLike, ...]
    layer: LayerChoice
    weight_schedule: str | Callable[..., float]
    weights: list[float]
    target_similarity: Target | list[Target] | tuple[Target, ...]
    unrelated_layers: list[LayerChoice]
    of_layer: str
    compares_training: bool
    batch_size: int
    every: int
    conditional: bool
    cache: str
    cache_size: int
    memory: str | PathLike[str] | Memory | None
    precision: str
    device: torch.device | None
    max_epochs: int
    seed: int
    validates: bool
    keeps_in_order: bool
    verbose: bool
    augmented: bool


@dataclass(frozen=True)
class NetworkCalls:
    """How the network in training is called.

    Attributes
    ----------
    forward : callable
        Returns what the network makes of a batch.
    try_out : callable
        The same without gradients, in evaluation mode, and without a trace.
    to_device : callable
        Returns a batch as tensors where the network is.
    nonlinearity : callable
        Makes predictions of what the network returns.
    """

    forward: Callable[[Samples], object]
    try_out: Callable[[Samples], object]
    to_device: Callable[[object], Samples]
    nonlinearity: Callable[[torch.Tensor], torch.Tensor]

    def known_of(self, output: Any) -> torch.Tensor:
        """Return what the network knows of the target: probabilities or predictions."""
        return self.nonlinearity(output[0] if isinstance(output, tuple) else output).detach()


def unrelated_choices(
    layer: LayerChoice,
    unrelated_layer: Any,
    n_networks: int,
    *,
    several: bool,
) -> tuple[str, list[LayerChoice]]:
    """Return which parameter chooses layers of the unrelated networks, and a choice for each.

    Parameters
    ----------
    layer, unrelated_layer : object
        The parameters.
    n_networks : int
        Number of unrelated networks.
    several : bool
        Whether they are a list, for which lists of layers have an entry for each network.

    Returns
    -------
    parameter : {"layer", "unrelated_layer"}
        The one that is used.
    choices : list of length n_networks
        The choices.

    Raises
    ------
    ValueError
        If there are more or fewer choices than networks.
    """
    if unrelated_layer is None:
        return "layer", [layer] * n_networks
    if several and isinstance(unrelated_layer, list | tuple):
        if len(unrelated_layer) != n_networks:
            raise ValueError(
                f"The 'unrelated_layer' parameter must have one entry for each of the {n_networks} "
                f"unrelated networks. Got {shown(unrelated_layer)} instead."
            )
        return "unrelated_layer", list(unrelated_layer)
    return "unrelated_layer", [unrelated_layer] * n_networks

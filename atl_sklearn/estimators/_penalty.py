"""The penalty of one fit: the frozen networks beside the one in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch

from atl_sklearn.similarity import (
    AntiTransferLoss,
    AntiTransferPenalty,
    activation_similarity,
    get_weight_schedule,
)
from atl_sklearn.unrelated import FrozenNetwork, get_network
from atl_sklearn.unrelated._layers import Layer, as_choices, choose_layers, trace_layers
from atl_sklearn.unrelated._taps import tap

# Apart from the stream that initialises and shuffles, so that the penalty does not change it.
_PENALTY_STREAM = 0x5EED


def uncompiled(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module inside a compiled one, or the module itself."""
    return getattr(module, "_orig_mod", module)


def weights_of(weight: Any, n_networks: int) -> list[float]:
    """Return one weight for each unrelated network."""
    if isinstance(weight, list | tuple):
        return [float(value) for value in weight]
    return [float(weight)] * n_networks


def _unrelated_choices(net: Any, n_networks: int, parameter: str = "unrelated_layer") -> list[Any]:
    """Return the choice of layers in each unrelated network."""
    if net.unrelated_layer is None:
        return [net.layer] * n_networks
    # A list of unrelated networks has a list with one entry for each; one network has one entry.
    if isinstance(net.unrelated, list | tuple) and isinstance(net.unrelated_layer, list | tuple):
        if len(net.unrelated_layer) != n_networks:
            raise ValueError(
                f"The {parameter!r} parameter must have one entry for each of the {n_networks} "
                f"unrelated networks. Got {net.unrelated_layer!r} instead."
            )
        return list(net.unrelated_layer)
    return [net.unrelated_layer] * n_networks


@dataclass
class Tapped:
    """What a block under :meth:`PenaltyRun.watch` is given; filled when the block ends.

    Attributes
    ----------
    penalty : AntiTransferPenalty
        The unscheduled total, and its parts.
    """

    penalty: AntiTransferPenalty = field(init=False)


class PenaltyRun:
    """The penalty of one fit.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised; its parameters say what is compared.
    sources : list
        The fitted unrelated estimators or modules.
    X : Tensor of shape (n_samples, ...) or mapping of these
        A few samples, with which everything is tried before training starts.
    seed : int
        Seeds what the penalty draws at random.

    Raises
    ------
    ValueError
        If a layer does not exist, an unrelated network cannot take `X`, or activations cannot
        be compared.
    """

    def __init__(self, net: Any, sources: Sequence[Any], X: Any, *, seed: int) -> None:
        self._network = uncompiled(net.module_)
        self._generator = torch.Generator(device="cpu").manual_seed(seed ^ _PENALTY_STREAM)
        self._schedule = get_weight_schedule(net.weight_schedule)
        self._weights = weights_of(net.weight, len(sources))
        self._loss = AntiTransferLoss(
            metric=net.metric, aggregation=net.aggregation, weight=self._weights
        )

        def forward() -> Any:
            return net._run.try_out(net, X)

        layers = choose_layers(net.layer, trace_layers(self._network, forward))
        self._points = [layer.point for layer in layers]
        self._frozen = []
        ours = set(map(id, self._network.parameters()))
        choices = _unrelated_choices(net, len(sources))
        parameter = "layer" if net.unrelated_layer is None else "unrelated_layer"
        for position, (source, choice) in enumerate(zip(sources, choices, strict=True)):
            if len(as_choices(choice, parameter)) != len(layers):
                raise ValueError(
                    f"The 'unrelated_layer' parameter must choose as many layers as 'layer', "
                    f"which chooses {len(layers)}. Got {choice!r} instead."
                )
            label = "The unrelated network" + (f" {position}" if len(sources) > 1 else "")
            network = get_network(source)
            if ours & set(map(id, network.parameters())):
                # The network in training itself: what it is now stays, though it is trained.
                network = deepcopy(network)
            frozen = FrozenNetwork(network, device=net.device, label=label)
            _choose(frozen, choice, X, parameter)
            self._frozen.append(frozen)

        several_networks, several_layers = len(sources) > 1, len(layers) > 1
        suffixes = [f"_{position}" * several_networks for position in range(len(sources))]
        self.names = [
            f"penalty{suffix}" + f"_{layer.name}" * several_layers
            for suffix in suffixes
            for layer in layers
        ]
        self._weight_names = [f"penalty_weight{suffix}" for suffix in suffixes]
        self._try_out(net, X, layers)

    def _try_out(self, net: Any, X: Any, layers: Sequence[Layer]) -> None:
        """Compare a few samples, so that what cannot be compared fails before training."""
        with tap(self._network, self._points) as recorder:
            net._run.try_out(net, X)
        current = recorder.activations()
        generator = torch.Generator(device="cpu").manual_seed(0)
        for position, frozen in enumerate(self._frozen):
            for layer, ours, theirs in zip(layers, current, frozen(X), strict=True):
                try:
                    activation_similarity(
                        ours,
                        theirs,
                        metric=net.metric,
                        aggregation=net.aggregation,
                        generator=generator,
                    )
                except ValueError as error:
                    raise ValueError(
                        f"Layer {layer.name!r} cannot be compared with its counterpart in "
                        f"unrelated network {position}: {error}"
                    ) from error

    def factor(self, net: Any) -> float:
        """Return what the schedule makes of the weight in the running epoch."""
        epoch = max(len(net.history) - 1, 0)
        return self._schedule(epoch, max(net.max_epochs, epoch + 1))

    def epoch_weights(self, net: Any) -> list[tuple[str, float]]:
        """Return names and values of the weights in the running epoch."""
        factor = self.factor(net)
        return [
            (name, factor * weight)
            for name, weight in zip(self._weight_names, self._weights, strict=True)
        ]

    @contextmanager
    def watch(self, X: Any, sample_weight: torch.Tensor | None) -> Iterator[Tapped]:
        """Read the activations that the block's forward pass makes, and compare them.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The batch that the block passes through the network in training.
        sample_weight : Tensor of shape (n_samples,) or None
            Weights of the samples in the penalty.

        Yields
        ------
        tapped : Tapped
            Has the penalty as soon as the block has ended.
        """
        tapped = Tapped()
        with tap(self._network, self._points) as recorder:
            yield tapped
        current = recorder.activations()
        tapped.penalty = self._loss(
            current,
            *(frozen(X) for frozen in self._frozen),
            sample_weight=sample_weight,
            generator=self._generator,
        )


def _choose(frozen: FrozenNetwork, choice: Any, X: Any, parameter: str) -> None:
    """Choose layers of an unrelated network; a missing one may have another name there."""
    try:
        frozen.choose(choice, X, parameter=parameter)
    except ValueError as error:
        if parameter == "layer" and "not found" in str(error):
            raise ValueError(
                f"{error} This is the unrelated network; name its layer by unrelated_layer."
            ) from None
        raise


@dataclass
class FitRun:
    """What exists only while an estimator is being fitted.

    Attributes
    ----------
    task_weight, sample_weight : array of shape (n_samples,) or None
        Weights of the training samples in the task loss, and in the penalty.
    forward_params : dict
        Arguments of fit that the network's ``forward`` takes.
    penalty : PenaltyRun or None
        None for a plain network.
    weights : FiniteWeights or None
        The guard against weights that are not finite.
    """

    task_weight: Any = None
    sample_weight: Any = None
    forward_params: dict[str, Any] = field(default_factory=dict)
    penalty: PenaltyRun | None = None
    weights: Any = None

    def try_out(self, net: Any, X: Any) -> Any:
        """Return what the network makes of a few samples, which leaves no trace in it."""
        net._set_training(False)
        module = net.module_
        # A compiled network would never run hooks that come after its first call.
        net.__dict__["module_"] = uncompiled(module)
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                return net.infer(X, **self.forward_params)
        finally:
            net.__dict__["module_"] = module

"""The penalty of one fit: the frozen networks beside the one in training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from atl_sklearn.estimators._batch import Batch
from atl_sklearn.estimators._data import ArrayData, IndexedData, UnlabeledData
from atl_sklearn.estimators._frozen_side import FrozenSide
from atl_sklearn.estimators._in_turn import InTurn
from atl_sklearn.estimators._penalty_settings import NetworkCalls, PenaltySettings
from atl_sklearn.estimators._samples import Samples
from atl_sklearn.estimators._seeding import own_random_numbers
from atl_sklearn.estimators._unlabeled import UnlabeledBatches
from atl_sklearn.similarity import (
    AntiTransferLoss,
    AntiTransferPenalty,
    get_weight_schedule,
)
from atl_sklearn.unrelated import ActivationHooks, Layer, Side, Trial, choose_layers, is_posterior

_READER_RATE = 3e-3  # learning rate of what adversarial metrics train
_N_TRIED = 8  # unlabeled samples with which everything is tried before training
# Apart from the stream that initialises and shuffles, so that the penalty does not change it.
_PENALTY_STREAM = 0x5EED


def unique(names: list[str]) -> list[str]:
    """Return the names; those that occur again get the number of the occurrence."""
    return [
        name if name not in names[:position] else f"{name}_{names[:position].count(name) + 1}"
        for position, name in enumerate(names)
    ]


def _as_arrays(state: object) -> object:
    """Return a state as arrays, which every format of files holds."""
    if isinstance(state, torch.Tensor):
        return state.detach().cpu().numpy().copy()
    if isinstance(state, dict):
        return {name: _as_arrays(value) for name, value in state.items()}
    return [_as_arrays(value) for value in state] if isinstance(state, list) else state


def _as_tensors(state: object) -> Any:
    """Return what :func:`_as_arrays` made arrays of."""
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, dict):
        return {name: _as_tensors(value) for name, value in state.items()}
    return [_as_tensors(value) for value in state] if isinstance(state, list) else state


def _shapes(state: Mapping[str, torch.Tensor | np.ndarray]) -> dict[str, tuple[int, ...] | None]:
    """Return the shapes that must agree between two losses; the factors of weights check theirs."""
    return {
        name: None if name.endswith("_extra_state") else tuple(value.shape)
        for name, value in state.items()
    }


@contextmanager
def kept_buffers(network: torch.nn.Module) -> Iterator[None]:
    """Let the block change copies of the network's buffers, which are dropped afterwards."""
    kept = [(module, dict(module._buffers)) for module in network.modules() if module._buffers]
    try:
        for module, buffers in kept:
            for name, value in buffers.items():
                module._buffers[name] = None if value is None else value.clone()
        yield
    finally:
        for module, buffers in kept:
            module._buffers.update(buffers)


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

    It keeps apart the data that the task loss sees, the data that the penalty sees, and what the
    frozen side returns for them.

    Parameters
    ----------
    settings : PenaltySettings
        What is compared, and how.
    network : torch.nn.Module
        The network in training, as it is without compilation.
    calls : NetworkCalls
        How it is called.
    sides : list of Side
        One for each unrelated task.
    X : Tensor of shape (n_samples, ...) or mapping of these
        A few samples, with which everything is tried before training starts.
    trial : Trial
        What the network made of them.
    data : torch.utils.data.Dataset
        The training data, of which `X` are the first samples.
    n_steps : int or None
        Number of batches in an epoch; None where an iterator of the user's makes them.
    exits : contextlib.ExitStack
        Told what must end with the fit.
    unlabeled : ArrayData, UnlabeledData or None, default=None
        Unlabeled data.
    augment : callable or None, default=None
        Changes the samples of an unlabeled batch.
    state : dict or None, default=None
        What :meth:`state` returned after an earlier fit that this one continues.

    Raises
    ------
    ValueError
        If a layer does not exist, an unrelated network cannot take `X`, or activations cannot
        be compared.
    """

    def __init__(
        self,
        settings: PenaltySettings,
        network: torch.nn.Module,
        calls: NetworkCalls,
        sides: Sequence[Side],
        X: Samples,
        trial: Trial,
        *,
        data: IndexedData,
        n_steps: int | None,
        exits: ExitStack,
        unlabeled: ArrayData | UnlabeledData | None = None,
        augment: Callable[[Batch], Batch] | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._network = network
        self._calls = calls
        self._generator = torch.Generator(device="cpu").manual_seed(settings.seed ^ _PENALTY_STREAM)
        self._schedule = get_weight_schedule(settings.weight_schedule)
        self._loss = AntiTransferLoss(
            metric=settings.metric,
            aggregation=settings.aggregation,
            weight=settings.weights,
            target_similarity=settings.target_similarity,
        )
        layers = choose_layers(settings.layer, trial.layers)
        self._nonlinearities = [
            calls.nonlinearity if is_posterior(layer) else None for layer in layers
        ]
        # Before the first step, since a compiled network knows no hooks that come later.
        self._hooks = ActivationHooks(network, [layer.point for layer in layers])
        exits.callback(self._hooks.remove)
        comparisons = self._loss.comparisons(len(layers))
        self._frozen = FrozenSide(settings, network, sides, X, comparisons, exits=exits)
        self._frozen.learn_directions(data, calls.to_device)

        several_networks, several_layers = len(sides) > 1, len(layers) > 1
        suffixes = [f"_{position}" * several_networks for position in range(len(sides))]
        names = unique([layer.name for layer in layers])
        self.names = [
            f"penalty{suffix}" + f"_{name}" * several_layers
            for suffix in suffixes
            for name in names
        ]
        self.weight_names = [f"penalty_weight{suffix}" for suffix in suffixes]
        # For each of the names: which unrelated network, and which layer.
        self.places = [(position, name) for position in range(len(sides)) for name in names]
        self._compare(trial.activations(layers) or self._read(X), X, layers, unlabeled=False)
        parameters = list(self._loss.parameters())
        self.readers = torch.optim.AdamW(parameters, lr=_READER_RATE) if parameters else None
        self._is_first = True
        self._in_turn = InTurn(settings.every)
        # Factor of the weights, below 1 where a product of experts shrinks the task's gradient.
        self.scale = 1.0
        self._unlabeled = None
        if unlabeled is not None:
            self._unlabeled = UnlabeledBatches(
                unlabeled, settings.batch_size, self._generator, augment
            )
            few = calls.to_device(self._unlabeled.few(_N_TRIED))
            self._compare(self._read(few), few, layers, unlabeled=True)
        if settings.compares_training or settings.validates:
            self._frozen.keep(
                data, calls.to_device,
                unlabeled=False, n_seen=settings.max_epochs, whole_batches=n_steps is not None,
            )  # fmt: skip
        if self._unlabeled is not None:
            steps = math.inf if n_steps is None else n_steps
            seen = settings.max_epochs * steps * self._unlabeled.size / settings.every
            self._frozen.keep(
                unlabeled, calls.to_device, unlabeled=True, n_seen=seen / len(self._unlabeled)
            )
        if state is not None:
            self._resume(state)

    def _read(self, X: Samples) -> list[torch.Tensor]:
        with self._hooks.read():
            self._calls.try_out(X)
        return self._hooks.activations()

    def _compare(
        self, read: list[torch.Tensor], X: Samples, layers: Sequence[Layer], *, unlabeled: bool
    ) -> None:
        """Compare a few samples, so that what cannot be compared fails before training."""
        current = self._finished(read)
        theirs = self._frozen.tried(X, unlabeled=unlabeled)
        if not self._loss.adversaries:
            with own_random_numbers(self._settings.seed ^ _PENALTY_STREAM, "cpu"):
                self._loss.initialize(current, *theirs)
        generator = torch.Generator(device="cpu").manual_seed(0)
        for position, activations in enumerate(theirs):
            for index, layer in enumerate(layers):
                try:
                    self._loss.similarity(
                        position, index, current, activations, generator=generator
                    )
                except ValueError as error:
                    raise ValueError(
                        f"Layer {layer.name!r} cannot be compared with its counterpart in "
                        f"unrelated network {position}: {error}"
                    ) from error

    def _finished(self, activations: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return what was read of the network in training, its scores made probabilities."""
        return [
            activation if nonlinearity is None else nonlinearity(activation)
            for activation, nonlinearity in zip(activations, self._nonlinearities, strict=True)
        ]

    def state(self) -> dict[str, object]:
        """Return what a later fit needs to go on where this one ended."""
        readers = None if self.readers is None else _as_arrays(self.readers.state_dict())
        return {
            "generator": self._generator.get_state().numpy(),
            "remaining": self._unlabeled.remaining if self._unlabeled is not None else [],
            "n_unlabeled": len(self._unlabeled) if self._unlabeled is not None else 0,
            "loss": _as_arrays(self._loss.state_dict()),
            "readers": readers,
        }

    def _resume(self, state: dict[str, Any]) -> None:
        self._generator.set_state(torch.from_numpy(state["generator"]))
        if self._unlabeled is not None and len(self._unlabeled) == state["n_unlabeled"]:
            self._unlabeled.remaining = state["remaining"]
        if _shapes(self._loss.state_dict()) == _shapes(state["loss"]):
            self._loss.load_state_dict(_as_tensors(state["loss"]))
            if self.readers is not None:
                self.readers.load_state_dict(_as_tensors(state["readers"]))

    def factor(self, epoch: int) -> float:
        """Return the factor of the weights in an epoch, counted from 0, with the scale."""
        epoch = max(epoch, 0)
        return self.scale * self._schedule(epoch, max(self._settings.max_epochs, epoch + 1))

    def epoch_weights(self, epoch: int) -> list[tuple[str, float]]:
        """Return names and values of the weights in an epoch, counted from 0."""
        factor = self.factor(epoch)
        return [
            (name, factor * weight)
            for name, weight in zip(self.weight_names, self.weights, strict=True)
        ]

    def epoch_similarities(self) -> list[tuple[str, float]]:
        """Return names and values of the similarities that targets are compared with."""
        if self._settings.target_similarity is None:
            return []
        values = [value for row in self._loss.left_similarities() for value in row]
        names = [name.replace("penalty", "train_similarity", 1) for name in self.names]
        return [
            (name, value)
            for name, value in zip(names, values or [None] * len(names), strict=True)
            if value is not None
        ]

    def unmet_targets(self) -> list[str]:
        """Return what to warn of where a similarity stayed above its target."""
        return self._loss.unmet_targets()

    @property
    def kept(self) -> dict[str, bool]:
        """Whether frozen activations are kept, of training and of unlabeled data."""
        return self._frozen.kept

    @property
    def weights(self) -> list[float]:
        """The weights, as targets have changed them."""
        return self._loss.used_weights(len(self._settings.weights))

    def check_frozen(self, batch: Batch | Sequence[object]) -> None:
        """Raise the error for a penalty that is not finite, if the frozen side is why.

        Parameters
        ----------
        batch : Batch or (X, y)
            That of the running step.
        """
        parts = [(False, batch)]
        if self._unlabeled is not None and self._unlabeled.batch is not None:
            parts.append((True, self._unlabeled.batch))
        for unlabeled, part in parts:
            index = getattr(part, "positions", None)
            X = self._calls.to_device(part[0])
            self._frozen.activations(X, unlabeled=unlabeled, index=index)

    def begin_epoch(self, n_steps: int | None, epoch: int) -> None:
        """Begin an epoch, counted from 0, of so many steps; None where nobody knows."""
        self._in_turn.begin(n_steps, epoch)

    def begin_step(self) -> None:
        """Draw the unlabeled batch of a training step, if it is one that compares."""
        self._is_first = True
        self._in_turn.count()
        if self._unlabeled is not None and self._in_turn.now:
            self._unlabeled.draw()

    def zero_grad(self) -> None:
        """Forget the gradients of what adversarial metrics train."""
        # What optimizers compute several times in a step must not change in between.
        if self._loss.training != self._is_first:
            self._loss.train(self._is_first)
        self._is_first = False
        if self.readers is not None:
            self.readers.zero_grad()

    @property
    def learning(self) -> torch.optim.Optimizer | None:
        """The optimizer of what adversarial metrics train, in steps in which they learn."""
        return self.readers if self._in_turn.now else None

    def end_step(self) -> None:
        """Let adversarial metrics learn from the step."""
        if self.learning is not None:
            self.learning.step()

    def compares_batch(self, *, training: bool) -> bool:
        """Tell whether the batch of the task loss is compared; in validation it always is."""
        return not training or (self._settings.compares_training and self._in_turn.now)

    def compares_unlabeled(self, *, training: bool) -> bool:
        """Tell whether unlabeled data are compared."""
        return self._unlabeled is not None and training and self._in_turn.now

    def step_factor(self, *, training: bool) -> float:
        """Return how many times the penalty counts in the running step."""
        return self._in_turn.factor if training else 1.0

    @contextmanager
    def watch(
        self,
        X: Samples,
        sample_weight: torch.Tensor | None,
        condition: object = None,
        *,
        index: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
        unlabeled: bool = False,
    ) -> Iterator[Tapped]:
        """Read the activations that the block's forward pass makes, and compare them.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The batch that the block passes through the network in training.
        sample_weight : Tensor of shape (n_samples,) or None
            Weights of the samples in the penalty.
        condition : Tensor of shape (n_samples, ...), callable or None, default=None
            What both networks may know; a callable returns it when the block has ended.
        index : Tensor of shape (n_samples,) or None, default=None
            Positions of the samples in their data set, if they are the same in every epoch.
        positions : Tensor of shape (n_samples,) or None, default=None
            The same where the samples may change.
        unlabeled : bool, default=False
            Whether the data set is that of the unlabeled samples.

        Yields
        ------
        tapped : Tapped
            Has the penalty as soon as the block has ended.
        """
        # First: the block's network may write into what it is given.
        theirs = self._frozen(X, index, unlabeled=unlabeled, positions=positions)
        tapped = Tapped()
        with self._hooks.read():
            yield tapped
        current = self._finished(self._hooks.activations())
        tapped.penalty = self._loss(
            current,
            *theirs,
            sample_weight=sample_weight,
            condition=condition() if callable(condition) else condition,
            generator=self._generator,
        )

    def of_unlabeled(self) -> AntiTransferPenalty:
        """Return the penalty of the step's unlabeled batch.

        The network's buffers (running statistics of BatchNorm, say) stay those of the training
        batches, and dropout does not take random numbers from them.
        """
        assert self._unlabeled is not None and self._unlabeled.batch is not None
        batch = self._unlabeled.batch
        X = self._calls.to_device(batch.X)
        seed = int(torch.randint(2**62, (), generator=self._generator))
        output: list[object] = []
        condition = None
        if self._settings.conditional:
            condition = lambda: self._calls.known_of(output[0])  # noqa: E731
        with (
            own_random_numbers(seed, self._settings.device),
            kept_buffers(self._network),
            self.watch(
                X if batch.clean is None else self._calls.to_device(batch.clean),
                None,
                condition,
                index=batch.index,
                positions=batch.positions,
                unlabeled=True,
            ) as tapped,
        ):
            output.append(self._calls.forward(X))
        return tapped.penalty

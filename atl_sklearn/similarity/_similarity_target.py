"""Weights that follow targets: how much similarity a training may leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch

from atl_sklearn._validation import is_real, shown
from atl_sklearn.similarity._metrics import ADVERSARIAL, Metric
from atl_sklearn.similarity._precomputed import Precomputed

_MEMORY = 500  # samples over which similarities are averaged
_SPEED = 0.7  # by which the logarithm of a factor changes at most while the average is renewed
_LEAST, _MOST = 1e-3, 10.0  # factors of the given weight
_FEW = 4  # samples under which a batch says nothing
# Metrics that are roots: noise adds to their squares.
_ROOTS = ("cross_correlation", "distance_correlation")
_NO_TARGET = {
    "sigmoid_mse": "is negative, minus the sigmoid of a distance that has no upper bound",
    ADVERSARIAL: "is the success of a reader that is still learning",
}

Target: TypeAlias = float | None


def has_target(value: Target | list[Target] | tuple[Target, ...]) -> bool:
    """Tell whether there is a target for any unrelated network."""
    return any(entry is not None for entry in _listed(value))


def can_have_target(metric: Metric) -> bool:
    """Tell whether a metric has a scale on which a target means something."""
    return not (isinstance(metric, str) and metric in _NO_TARGET)


def _listed(value: Target | list[Target] | tuple[Target, ...]) -> Sequence[Target]:
    return value if isinstance(value, list | tuple) else [value]


def check_target(
    value: Target | list[Target] | tuple[Target, ...], metrics: Sequence[Metric], owner: str
) -> None:
    """Refuse what is no target, or none of these metrics.

    Parameters
    ----------
    value : object
        What the user gave.
    metrics : sequence
        Of the layers.
    owner : str
        Name of the class in errors.

    Raises
    ------
    ValueError
        If `value` is neither None nor a number in [0, 1), nor a list of these, or if a metric
        has no scale on which a target would mean something.
    """
    for entry in _listed(value):
        if entry is not None and not (is_real(entry) and 0 <= entry < 1):
            raise ValueError(
                f"The 'target_similarity' parameter of {owner} must be None, a float in [0, 1), "
                "or a list of these, one for each unrelated network. "
                f"Got {shown(value)} instead. None keeps the weight as it is."
            )
        for metric in metrics if entry is not None else ():
            if isinstance(metric, str) and not can_have_target(metric):
                raise ValueError(
                    f"The 'target_similarity' parameter of {owner} must be None with "
                    f"metric={shown(metric)}, which {_NO_TARGET[metric]}. Got {shown(value)} "
                    "instead. Set a weight, or another metric, such as 'cross_correlation'."
                )


def power_of(metric: Metric) -> int:
    """Return the power of a metric to which the similarity by chance is added."""
    return 2 if isinstance(metric, str) and metric in _ROOTS else 1


def permuted(x: torch.Tensor | Precomputed, order: torch.Tensor) -> torch.Tensor | Precomputed:
    """Return the activations of other samples, for those that have been prepared as well."""
    if isinstance(x, Precomputed):
        return Precomputed(x.small[order.to(x.small.device)], x.squares[order.to(x.squares.device)])
    return x[order.to(x.device)]


@dataclass
class _Average:
    """A running average, with its standard error."""

    total: float = 0.0
    squares: float = 0.0
    filled: float = 0.0
    error: float = 0.0

    def add(self, value: float, keep: float) -> None:
        self.total = keep * self.total + (1 - keep) * value
        self.squares = keep * self.squares + (1 - keep) * value**2
        self.filled = keep * self.filled + (1 - keep)
        variance = max(0.0, self.squares / self.filled - self.value**2)
        self.error = math.sqrt(variance * (1 - keep) / (1 + keep))

    @property
    def value(self) -> float:
        return self.total / self.filled if self.filled else 0.0


@dataclass
class WeightControl:
    """The factor of one unrelated network's weight, which follows the similarity that is left.

    It is a Lagrange multiplier, updated by dual ascent on its logarithm: it rises while the
    similarity is above the target, and falls while it is below it.

    Attributes
    ----------
    target : float or None
        The similarity that may be left; None for a factor that stays 1.
    powers : list of int
        For each layer, the power of its metric to which the similarity by chance is added.
    logarithm : float
        Of the factor.
    averages : list
        For each layer, of the similarity without what chance alone would make.
    """

    target: float | None
    powers: list[int]
    logarithm: float = 0.0
    averages: list[_Average] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.averages = [_Average() for _ in self.powers]

    @property
    def factor(self) -> float:
        """The factor of the weight."""
        return math.exp(self.logarithm)

    def left(self) -> list[float | None]:
        """Return the running similarity of each layer, without what chance alone would make."""
        if self.target is None:
            return [None] * len(self.powers)
        values = [average.value for average in self.averages]
        return [
            math.copysign(abs(value) ** (1 / power), value)
            for value, power in zip(values, self.powers, strict=True)
        ]

    @property
    def highest(self) -> float:
        """The highest of these."""
        return max((value for value in self.left() if value is not None), default=0.0)

    @property
    def is_unmet(self) -> bool:
        """Whether the target is not met although the factor cannot rise any further."""
        if self.target is None or self.logarithm < math.log(_MOST) - 1e-9:
            return False
        return any(
            average.value > self.target**power + 2 * average.error
            for average, power in zip(self.averages, self.powers, strict=True)
        )

    def update(self, found: Sequence[float], by_chance: Sequence[float], n_samples: int) -> None:
        """Learn from a batch.

        Parameters
        ----------
        found : sequence of float
            For each layer, the similarity of the batch.
        by_chance : sequence of float
            The same where the unrelated activations belong to other samples.
        n_samples : int
            Size of the batch.
        """
        if self.target is None or n_samples < _FEW:
            return
        keep = math.exp(-n_samples / _MEMORY)
        errors = []
        columns = zip(found, by_chance, self.powers, self.averages, strict=True)
        for similarity, floor, power, average in columns:
            value, chance = abs(similarity) ** power, abs(floor) ** power
            if power == 1:
                value, chance = similarity, floor
            average.add((value - chance) / max(1 - chance, 1e-6), keep)
            aim = self.target**power
            # The smaller the target beside the noise of the average, the slower the change.
            scale = max(aim + 2 * average.error, 1e-9)
            errors.append(max(-1.0, min(1.0, (average.value - aim) / scale)))
        self.logarithm += _SPEED * (1 - keep) * max(errors)
        self.logarithm = max(math.log(_LEAST), min(math.log(_MOST), self.logarithm))

    def state(self) -> list[float]:
        """Return the state as numbers."""
        return [
            self.logarithm,
            *(x for a in self.averages for x in (a.total, a.squares, a.filled, a.error)),
        ]

    def resume(self, state: Sequence[float]) -> None:
        """Go on from what :meth:`state` returned."""
        self.logarithm, *rest = map(float, state)
        self.averages = [_Average(*rest[at : at + 4]) for at in range(0, len(rest), 4)]


class WeightControls(torch.nn.Module):
    """The factors of all unrelated networks' weights.

    A module for the sake of its state, which belongs to that of the loss.
    """

    def __init__(self) -> None:
        super().__init__()
        self.controls: list[WeightControl] = []
        self._state: list[list[float]] = []

    def prepare(self, targets: Sequence[float | None], powers: Sequence[int]) -> None:
        """Make the factors as soon as the numbers of networks and layers are known.

        Parameters
        ----------
        targets : sequence of float or None
            One for each unrelated network.
        powers : sequence of int
            One for each layer; see :class:`WeightControl`.
        """
        if not self.controls:
            self.controls = [WeightControl(target, list(powers)) for target in targets]
            self._resume()

    @torch.no_grad()
    def follow(
        self,
        parts: torch.Tensor,
        similarity: Callable[..., torch.Tensor],
        networks: Sequence[Sequence[torch.Tensor | Precomputed]],
        n_samples: int,
        generator: torch.Generator | None,
    ) -> None:
        """Learn from a batch; the factors hold from the next one on.

        Parameters
        ----------
        parts : Tensor of shape (n_networks, n_layers)
            The similarities of the batch.
        similarity : callable
            Computes one of them from the positions of network and layer and the activations of
            the network's layers.
        networks : sequence of list
            Activations of the unrelated networks' layers.
        n_samples : int
            Size of the batch.
        generator : torch.Generator or None
            Draws the other samples.
        """
        device = "cpu" if generator is None else generator.device
        order = torch.randperm(n_samples, generator=generator, device=device)
        followed = [at for at, control in enumerate(self.controls) if control.target is not None]
        by_chance = [
            similarity(position, layer, [permuted(x, order) for x in networks[position]])
            for position in followed
            for layer in range(parts.shape[1])
        ]
        found = parts.detach()[followed]
        rows = torch.stack([found, torch.stack(by_chance).reshape(found.shape)]).tolist()
        for position, ours, chance in zip(followed, *rows, strict=True):
            if all(map(math.isfinite, (*ours, *chance))):
                self.controls[position].update(ours, chance, n_samples)

    def get_extra_state(self) -> torch.Tensor:
        """Return the state of the factors, for the state dict."""
        rows = [control.state() for control in self.controls] or self._state
        return torch.tensor(rows, dtype=torch.float64)

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Go on from what :meth:`get_extra_state` returned."""
        self._state = state.tolist()
        self._resume()

    def _resume(self) -> None:
        # A state of other networks or layers is not used, nor is any before these are known.
        if [len(row) for row in self._state] == [len(one.state()) for one in self.controls]:
            for control, row in zip(self.controls, self._state, strict=True):
                control.resume(row)

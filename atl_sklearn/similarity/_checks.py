"""Checks of activations and weights."""

from __future__ import annotations

from collections.abc import Collection

import torch
from numpy.typing import ArrayLike

from atl_sklearn.similarity._metrics import BATCH_METRICS


def check_activations(current: object, unrelated: object) -> None:
    for name, x in (("current", current), ("unrelated", unrelated)):
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"{name} must be a torch.Tensor. Got {type(x).__name__} instead.")
        if not x.is_floating_point():
            raise TypeError(f"{name} must have a floating type. Got {x.dtype} instead.")
        if x.ndim < 2 or x.numel() == 0:
            raise ValueError(
                f"{name} must have shape (n_samples, n_channels, ...), none of them 0. "
                f"Got {tuple(x.shape)} instead."
            )
    assert isinstance(current, torch.Tensor) and isinstance(unrelated, torch.Tensor)
    if len(current) != len(unrelated):
        raise ValueError(
            "Both activations must come from the same samples, the first axis. "
            f"Got shapes {tuple(current.shape)} and {tuple(unrelated.shape)}."
        )


def check_shapes(
    current: torch.Tensor, unrelated: torch.Tensor, name: str, match: Collection[str]
) -> None:
    shared = {"channels": slice(1, 2), "positions": slice(2, None)}
    differ = [
        what
        for what in sorted(match)
        if current.shape[shared[what]] != unrelated.shape[shared[what]]
    ]
    if differ:
        raise ValueError(
            f"Activations of shapes {tuple(current.shape)} and {tuple(unrelated.shape)} cannot "
            f"be compared row by row under aggregation {name!r}: they must have the same "
            f"{' and '.join(differ)}. The metrics {sorted(BATCH_METRICS)} compare activations "
            "of different shapes."
        )


def check_weight(
    sample_weight: ArrayLike | torch.Tensor | None, current: torch.Tensor
) -> torch.Tensor | None:
    if sample_weight is None:
        return None
    weight = torch.as_tensor(sample_weight, device=current.device)
    if weight.shape != current.shape[:1]:
        raise ValueError(
            f"sample_weight must have shape ({len(current)},), one for each sample. "
            f"Got {tuple(weight.shape)} instead."
        )
    if bool((weight < 0).any()):
        raise ValueError(f"sample_weight must not be negative. Got {weight.min().item()}.")
    return weight.detach()


def check_condition(
    condition: ArrayLike | torch.Tensor | None, current: torch.Tensor
) -> torch.Tensor | None:
    """Return what is partialled out as columns of numbers; integers are classes."""
    if condition is None:
        return None
    given = torch.as_tensor(condition, device=current.device).detach()
    if given.ndim not in (1, 2) or len(given) != len(current):
        raise ValueError(
            f"condition must have shape ({len(current)},) or ({len(current)}, n_variables). "
            f"Got {tuple(given.shape)} instead."
        )
    if given.is_floating_point():
        return given.reshape(len(given), -1)
    if given.ndim == 2:
        raise ValueError("condition must have one axis if it has classes, or be numbers.")
    return torch.nn.functional.one_hot(torch.unique(given, return_inverse=True)[1])

"""What one fold of a protocol consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np


@dataclass
class Clips:
    """Samples with the label of the target and that of the nuisance."""

    X: np.ndarray
    target: np.ndarray
    nuisance: np.ndarray
    weight: np.ndarray | None = None
    paths: np.ndarray | None = None  # of the recordings, for networks with another input

    def take(self, keep: np.ndarray) -> Clips:
        """Return some of the samples."""
        weight = None if self.weight is None else self.weight[keep]
        paths = None if self.paths is None else self.paths[keep]
        return Clips(self.X[keep], self.target[keep], self.nuisance[keep], weight, paths)


@dataclass
class Fold:
    """All data of a fold.

    Attributes
    ----------
    train : Clips
        What every method trains on.
    unrelated : Clips
        What the unrelated network trains on, with the label of the nuisance.
    unlabeled : Clips
        What the penalty may see; only rivals that say so read its labels.
    valid, valid_like_test : Clips
        For the selection: in the condition of the training data, and in that of the test.
    test : Clips
        What is reported.
    probe : Clips
        On which the nuisance is probed.
    balanced : Clips or None
        As many samples as `train`, in which the nuisance does not give the target away.
    unlabeled_wide : Clips or None
        Unlabeled data that include the conditions of the test.
    second : Clips or None
        The samples of `unrelated` with the label of a second nuisance.
    max_epochs, unrelated_epochs : int
        Passes over `train` and `unrelated`.
    network : dict
        What a published protocol sets of the networks; nothing otherwise.
    image_shape : tuple of int or None
        That of images which the protocol flattens.
    nuisance : str or None
        What the nuisance is, where methods ask for it.
    """

    train: Clips
    unrelated: Clips
    unlabeled: Clips
    valid: Clips
    valid_like_test: Clips
    test: Clips
    probe: Clips
    balanced: Clips | None = None
    unlabeled_wide: Clips | None = None
    second: Clips | None = None
    max_epochs: int = 30
    unrelated_epochs: int = 20
    network: dict[str, Any] = field(default_factory=dict)
    image_shape: tuple[int, ...] | None = None
    nuisance: str | None = None

    @cached_property  # each method asks, and the data may be large
    def reads_training_nuisance(self) -> bool:
        """Whether the unrelated network is fitted on the training samples themselves."""
        return np.array_equal(self.unrelated.X, self.train.X)


SPEAKER = "speaker"  # a nuisance by name

PARTS = (
    "train",
    "unrelated",
    "unlabeled",
    "valid",
    "valid_like_test",
    "test",
    "probe",
    "balanced",
    "unlabeled_wide",
    "second",
)


def standardised(fold: Fold) -> Fold:
    """Standardise every band (or feature) on the training samples."""
    X = fold.train.X
    axes = (0, *range(2, X.ndim)) if X.ndim == 3 else (0,)
    if X.ndim == 4:
        axes = (0, 1, 2, 3)
    mean, spread = X.mean(axes, keepdims=True), X.std(axes, keepdims=True)
    spread[spread == 0] = 1
    for name in PARTS:
        part = getattr(fold, name)
        if part is not None:
            part.X = ((part.X - mean) / spread).astype(np.float32)
    return fold

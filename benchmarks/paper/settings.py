"""Sizes: the paper's own, and one for a processor core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Settings:
    """What networks see and how they are trained.

    Attributes
    ----------
    features : dict
        Parameters of ``LibrosaFeatures``, without the duration.
    network : dict
        Parameters of the estimator.
    max_epochs, unrelated_epochs : int
        Passes over the data.
    n_train, n_unrelated, n_test : int or None
        Clips at most; None for all.
    """

    features: dict[str, Any]
    network: dict[str, Any] = field(default_factory=dict)
    max_epochs: int = 15
    unrelated_epochs: int = 40
    n_train: int | None = None
    n_unrelated: int | None = None
    n_test: int | None = None


# Windows as long as the paper's, 64 ms every 32 ms. Without batch normalisation a network this
# narrow hardly begins to learn in as few steps.
SMALL = Settings(
    features={
        "feature": "log_mel", "sr": 8000, "n_fft": 512, "hop_length": 256, "n_mels": 32,
        "trim_silence": 30.0,
    },
    network={
        "module": "vgg", "module__width": 1 / 8, "module__batch_norm": True, "batch_size": 30,
        "lr": 0.002,
    },
    n_train=200,
    n_unrelated=480,
    n_test=300,
)  # fmt: skip

# From the authors' configuration: magnitudes of 1,024 samples every 512 at 16 kHz, Adam with
# a learning rate of 0.00005, batches of 30, the network with the lowest loss on two of the nine
# parts that are not for the test, until it has not fallen for five epochs.
PUBLISHED = Settings(
    features={"feature": "stft", "sr": 16_000, "n_fft": 1024, "hop_length": 512},
    network={
        "module": "vgg", "module__width": 1.0, "batch_size": 30, "lr": 5e-5, "optimizer": "Adam",
        "lr_schedule": "constant", "weight_decay": 0.0, "train_split": 2 / 9, "patience": 5,
    },
    max_epochs=100,
    unrelated_epochs=100,
)  # fmt: skip
SETTINGS = {"small": SMALL, "published": PUBLISHED}

"""What each recommended use costs: whole fits, beside a plain one."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.modules import VGG
from benchmarks.training.measuring import exponent, in_turns, median_ratio

Rows = list[dict[str, Any]]
Clock = Callable[[], float]

N_TASKS = 3  # where there are several
N_EMBEDDED = 64  # features of embeddings
_EVERY_STEP = {"penalty_every": 1}


@dataclass(frozen=True)
class Data:
    """Samples with a task, unrelated tasks and embeddings, and more samples without the task."""

    X: np.ndarray
    y: np.ndarray
    tasks: np.ndarray
    embeddings: np.ndarray
    unlabeled: np.ndarray
    unlabeled_embeddings: np.ndarray

    @classmethod
    def make(
        cls, shape: tuple[int, ...], n_samples: int, n_unlabeled: int, n_tasks: int = N_TASKS
    ) -> Data:
        """Draw samples whose first feature says the class, and the next ones the tasks."""
        rng = np.random.default_rng(0)
        X, unlabeled = (
            rng.standard_normal((size, *shape)).astype(np.float32)
            for size in (n_samples, n_unlabeled)
        )
        weights = rng.standard_normal((int(np.prod(shape)), N_EMBEDDED)).astype(np.float32)
        embeddings, others = (x.reshape(len(x), -1) @ weights for x in (X, unlabeled))
        classes = (X.reshape(n_samples, -1)[:, : 1 + n_tasks] > 0).astype(np.int64)
        return cls(X, classes[:, 0], classes[:, 1:], embeddings, unlabeled, others)


def fits_of(data: Data, settings: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """Return a plain fit, and one for each recommended use.

    Parameters
    ----------
    data : Data
        What is trained on.
    settings : dict
        Parameters of all estimators.
    """
    X, y, unlabeled = data.X, data.y, {"X_unlabeled": data.unlabeled}
    networks = [AntiTransferClassifier(**settings).fit(X, labels) for labels in data.tasks.T]
    network = networks[0]

    def fit(params: dict[str, Any], **arguments: Any) -> Callable[[], object]:
        return lambda: AntiTransferClassifier(**settings, **params).fit(X, y, **arguments)

    compared = {"unrelated": network, "weight": 1.0}
    precomputed = {"unrelated": "precomputed", "weight": 1.0}
    explaining = {"unrelated": "labels", "weight": 0.0, "product_of_experts": 1.0}
    return {
        "plain": fit({}),
        "training batches": fit(compared),
        "training batches, every step": fit({**compared, **_EVERY_STEP}),
        "unlabeled data": fit(compared, **unlabeled),
        "unlabeled data, every step": fit({**compared, **_EVERY_STEP}, **unlabeled),
        "embeddings": fit(precomputed, Z_unrelated=data.embeddings),
        "embeddings, unlabeled data": fit(
            precomputed,
            Z_unrelated=data.embeddings,
            Z_unlabeled=data.unlabeled_embeddings,
            **unlabeled,
        ),
        "explaining away": fit(explaining, y_unrelated=data.tasks[:, 0]),
        "several unrelated tasks": fit({**compared, "unrelated": networks}, **unlabeled),
    }


USES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "MLP",
        {"shape": (50,), "n_samples": 8000, "n_unlabeled": 4000},
        {"batch_size": 128, "max_epochs": 3},
    ),
    (
        "ConvNet",
        {"shape": (40, 48), "n_samples": 250, "n_unlabeled": 1000},
        {"batch_size": 32, "max_epochs": 12},
    ),
    (
        "VGG",
        {"shape": (64, 64), "n_samples": 250, "n_unlabeled": 500},
        {
            "module": VGG,
            "module__width": 0.25,
            "module__hidden_units": 256,
            "module__grid_size": 2,
            "batch_size": 32,
            "max_epochs": 3,
        },
    ),
]


def uses(
    device: torch.device,
    repetitions: int,
    clock: Clock,
    cases: list[tuple[str, dict[str, Any], dict[str, Any]]] = USES,
) -> Rows:
    """Measure whole fits of each recommended use."""
    rows = []
    for network, sizes, params in cases:
        settings = {**params, "random_state": 0, "device": str(device)}
        functions = fits_of(Data.make(**sizes), settings)
        times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
        plain = times.pop("plain")
        rows += [
            {
                "network": network,
                "use": name,
                "plain s": statistics.median(plain),
                "fit s": statistics.median(values),
                "/ plain": median_ratio(values, plain),
            }
            for name, values in times.items()
        ]
    return rows


GROWING: dict[str, list[int]] = {
    "unlabeled samples": [500, 1000, 2000, 4000],
    "unrelated tasks": [1, 2, 4, 8],
}


def scaling(
    device: torch.device,
    repetitions: int,
    clock: Clock,
    growing: dict[str, list[int]] = GROWING,
    *,
    shape: tuple[int, ...] = (24, 24),
    n_samples: int = 250,
) -> Rows:
    """Measure whole fits as there are more unlabeled samples, and more unrelated tasks."""
    settings = {"batch_size": 32, "max_epochs": 3, "random_state": 0, "device": str(device)}
    unlabeled, tasks = growing["unlabeled samples"], growing["unrelated tasks"]
    data = Data.make(shape, n_samples, max(unlabeled), max(tasks))
    networks = [AntiTransferClassifier(**settings).fit(data.X, labels) for labels in data.tasks.T]

    def fit(n_unlabeled: int, n_tasks: int) -> None:
        net = AntiTransferClassifier(unrelated=networks[:n_tasks], weight=1.0, **settings)
        net.fit(data.X, data.y, X_unlabeled=data.unlabeled[:n_unlabeled])

    cases = {
        "unlabeled samples": [(count, 1) for count in unlabeled],
        "unrelated tasks": [(unlabeled[0], count) for count in tasks],
    }
    rows = []
    for what, sizes in cases.items():
        functions = {str(size): partial(fit, *size) for size in sizes}
        times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
        seconds = [statistics.median(values) for values in times.values()]
        counts = growing[what]
        rows.append({"more": what, "^": exponent(counts, seconds), "are": counts, "fit s": seconds})
    return rows

"""What each recommended use costs: whole fits, beside a plain one."""

from __future__ import annotations

import math
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
    """Samples with a task, unrelated tasks and embeddings, and more samples without the task.

    Of the confounded labels, half are those of the first unrelated task and the others those of the
    task itself.
    """

    X: np.ndarray
    y: np.ndarray
    confounded: np.ndarray
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
        y, tasks = classes[:, 0], classes[:, 1:]
        confounded = np.where(rng.random(n_samples) < 0.5, tasks[:, 0], y)
        return cls(X, y, confounded, tasks, embeddings, unlabeled, others)


def fits_of(data: Data, settings: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """Return a plain fit, and one for each recommended use.

    Where nothing but `unrelated` is given, the labels are confounded: what the default chooses is
    nothing at all where there is nothing to avoid.

    Parameters
    ----------
    data : Data
        What is trained on.
    settings : dict
        Parameters of all estimators.
    """
    X, unlabeled = data.X, {"X_unlabeled": data.unlabeled}
    networks = [AntiTransferClassifier(**settings).fit(X, labels) for labels in data.tasks.T]
    network = networks[0]

    def fit(
        params: dict[str, Any], y: np.ndarray = data.y, **arguments: Any
    ) -> Callable[[], object]:
        return lambda: AntiTransferClassifier(**settings, **params).fit(X, y, **arguments)

    default = {"unrelated": network}
    compared = {"unrelated": network, "weight": 1.0}
    precomputed = {"unrelated": "precomputed", "weight": 1.0}
    explaining = {"unrelated": "labels", "weight": 0.0, "product_of_experts": 1.0}
    return {
        "plain": fit({}),
        "default, unlabeled data": fit(default, data.confounded, **unlabeled),
        "default, training data alone": fit(default, data.confounded),
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
        {"batch_size": 128, "max_epochs": 10},
    ),
    (
        "coloured digits MLP",
        {"shape": (3 * 28 * 28,), "n_samples": 10_000, "n_unlabeled": 5000},
        {"module__hidden_layer_sizes": (100, 100, 100), "batch_size": 256, "max_epochs": 10},
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
    """Measure whole fits as there are more unlabeled samples, and more unrelated tasks.

    For more unlabeled samples, each step has a penalty, whose batches are as large as it takes to
    see the largest set once. There are as many steps whatever the set: what grows with it is what
    the unrelated network makes of each sample.
    """
    batch_size, max_epochs = 32, 3
    settings = {"batch_size": batch_size, "max_epochs": max_epochs, "random_state": 0}
    settings["device"] = str(device)
    unlabeled, tasks = growing["unlabeled samples"], growing["unrelated tasks"]
    n_steps = max_epochs * math.ceil(n_samples / batch_size)
    seen = {"penalty_every": 1, "penalty_batch_size": math.ceil(max(unlabeled) / n_steps)}
    data = Data.make(shape, n_samples, max(unlabeled), max(tasks))
    networks = [AntiTransferClassifier(**settings).fit(data.X, labels) for labels in data.tasks.T]

    def fit(n_unlabeled: int, n_tasks: int, params: dict[str, int]) -> None:
        net = AntiTransferClassifier(unrelated=networks[:n_tasks], weight=1.0, **params, **settings)
        net.fit(data.X, data.y, X_unlabeled=data.unlabeled[:n_unlabeled])

    cases = {
        "unlabeled samples": [(count, 1, seen) for count in unlabeled],
        "unrelated tasks": [(unlabeled[0], count, {}) for count in tasks],
    }
    rows = []
    for what, sizes in cases.items():
        functions = {str(size[:2]): partial(fit, *size) for size in sizes}
        times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
        seconds = [statistics.median(values) for values in times.values()]
        counts = growing[what]
        rows.append({"more": what, "^": exponent(counts, seconds), "are": counts, "fit s": seconds})
    return rows

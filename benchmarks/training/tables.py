"""Fits on tables: a large one beside scikit-learn's network, a small one beside a loop by hand."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.modules import MLP
from benchmarks.defaults import load_adult
from benchmarks.training.by_hand import train_by_hand
from benchmarks.training.measuring import in_turns, median_ratio

Rows = list[dict[str, Any]]
Clock = Callable[[], float]

HIDDEN = (100, 50)  # the layers of the MLP, which scikit-learn's network is given too
_EPOCHS = 2  # of a large table
_ROWS = 26_000  # of Adult: four fifths, as a fold has them


def beside_sklearn(
    X: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    *,
    device: torch.device,
    repetitions: int,
    clock: Clock,
) -> dict[str, Any]:
    """Measure fits on a table, beside scikit-learn's network of the same layers.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32
        The table, one-hot.
    y : array of shape (n_samples,), int64
        Classes.
    batch_size : int
        Samples in a batch.
    device, repetitions, clock : object
        As :func:`in_turns` takes them. scikit-learn runs on the CPU.
    """
    settings = {"batch_size": batch_size, "random_state": 0}
    n_classes = int(y.max()) + 1

    functions: dict[str, Callable[[], object]] = {
        "fit": lambda: AntiTransferClassifier(
            max_epochs=_EPOCHS, device=str(device), **settings
        ).fit(X, y),
        "MLPClassifier": lambda: MLPClassifier(HIDDEN, max_iter=_EPOCHS, **settings).fit(X, y),
        "by hand": lambda: train_by_hand(
            lambda: MLP(X.shape[1], n_classes, hidden_layer_sizes=HIDDEN), X, y,
            batch_size=batch_size, n_epochs=_EPOCHS, device=device,
        ),
    }  # fmt: skip
    times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
    return {
        "rows": len(X),
        "columns": X.shape[1],
        "batch": batch_size,
        "fit s / epoch": statistics.median(times["fit"]) / _EPOCHS,
        "fit / MLPClassifier": median_ratio(times["fit"], times["MLPClassifier"]),
        "by hand / MLPClassifier": median_ratio(times["by hand"], times["MLPClassifier"]),
        "fit / by hand": median_ratio(times["fit"], times["by hand"]),
    }


def tables(device: torch.device, repetitions: int, clock: Clock) -> Rows:
    """Measure fits on Adult, which is downloaded if missing, all columns one-hot."""
    X, y = load_adult()
    X, y = StandardScaler().fit_transform(X[:_ROWS]), y[:_ROWS]
    how = {"device": device, "repetitions": repetitions, "clock": clock}
    return [{"table": "Adult", **beside_sklearn(X, y, size, **how)} for size in (32, 200, 1000)]


class _FirstBatch(Callback):
    """Notes when the first training batch of a fit begins."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.began: float | None = None

    def on_batch_begin(self, net: object, *, training: bool = False, **kwargs: object) -> None:
        """Note the time of the first one."""
        if training and self.began is None:
            self.began = self._clock()


def setup_seconds(fit: Callable[[Callback], object], clock: Clock, repetitions: int) -> float:
    """Return the median of the seconds from the call of `fit` to its first batch.

    Parameters
    ----------
    fit : callable
        Fits an estimator with a callback.
    clock : callable
        Returns seconds.
    repetitions : int
        How many fits are measured, after one that warms up.
    """
    found = []
    for _ in range(1 + repetitions):
        first, start = _FirstBatch(clock), clock()
        fit(first)
        assert first.began is not None
        found.append(first.began - start)
    return statistics.median(found[1:])


def small_sets(
    device: torch.device, repetitions: int, clock: Clock, *, max_epochs: int | None = None
) -> Rows:
    """Measure fits on the 150 rows of iris: what they take longer than a loop by hand.

    Those with memory find the activations in a folder, where a first one has left them.

    Parameters
    ----------
    device, repetitions, clock : object
        As :func:`in_turns` takes them.
    max_epochs : int or None, default=None
        Of all fits; None for the default.
    """
    X, y = load_iris(return_X_y=True)
    X, y = X.astype(np.float32), y.astype(np.int64)
    wide = (X[:, 1] > X[:, 1].mean()).astype(np.int64)
    settings = {"random_state": 0, "device": str(device)}
    if max_epochs is not None:
        settings["max_epochs"] = max_epochs
    given = AntiTransferClassifier(**settings)
    network = AntiTransferClassifier(**settings).fit(X, wide)
    penalty = {"unrelated": network, "weight": 1.0}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            "plain": {},
            "penalty": penalty,
            "penalty, with memory": {**penalty, "memory": folder},
        }
        for name, params in cases.items():

            def fit(*callbacks: Callback, params: dict[str, Any] = params, **more: Any) -> None:
                AntiTransferClassifier(
                    **{**settings, **more}, **params, callbacks=list(callbacks)
                ).fit(X, y)

            functions = {
                "fit": fit,
                "by hand": lambda: train_by_hand(
                    lambda: MLP(X.shape[1], 3, hidden_layer_sizes=HIDDEN), X, y,
                    batch_size=given.batch_size, n_epochs=given.max_epochs, device=device,
                ),
            }  # fmt: skip
            times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
            more = [a - b for a, b in zip(times["fit"], times["by hand"], strict=True)]
            setup = setup_seconds(
                lambda first, fit=fit: fit(first, max_epochs=1), clock, repetitions
            )
            rows.append(
                {
                    "fit": name,
                    "rows": len(X),
                    "epochs": given.max_epochs,
                    "fit ms": 1e3 * statistics.median(times["fit"]),
                    "by hand ms": 1e3 * statistics.median(times["by hand"]),
                    "fit - by hand ms": 1e3 * statistics.median(more),
                    "set-up ms": 1e3 * setup,
                }
            )
    return rows

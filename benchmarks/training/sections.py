"""The sections of the benchmark; each returns rows of a table."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from torch import nn

from atl_sklearn import AntiTransferClassifier, activation_similarity
from atl_sklearn.modules import MLP, ConvNet
from atl_sklearn.similarity import get_aggregation_names, get_metric_names
from benchmarks.training.by_hand import train_by_hand
from benchmarks.training.measuring import exponent, in_turns, median_ratio, peak_memory
from benchmarks.training.steps import FORMS, NETWORKS, Steps, published_similarity
from benchmarks.training.tables import small_sets, tables
from benchmarks.training.uses import scaling, uses

Rows = list[dict[str, Any]]
Clock = Callable[[], float]

CASES = [
    (name, layer, size)
    for size in (16, 64, 256)
    for name, network in NETWORKS.items()
    for layer in network.layers
]


def is_small(name: str, layer: str, size: int) -> bool:
    """Tell whether a case takes no minutes: of the VGG, large batches do."""
    return name != "VGG" or size == 16 or (size == 64 and layer == "last")


def steps(
    device: torch.device, repetitions: int, clock: Clock, *, cases: list[tuple[str, str, int]]
) -> Rows:
    """Measure steps of each network, layer and size of batch in each form."""
    rows = []
    for name, layer, size in cases:
        start = time.perf_counter()
        network = NETWORKS[name]
        one = Steps(network, network.layers[layer], size, device=device)
        forms = [form for form in FORMS if form != "published" or one.builds_published()]
        functions = {form: getattr(one, form) for form in forms}
        times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
        row: dict[str, Any] = {"network": name, "layer": layer, "batch": size, "at": one.name}
        row["plain ms"] = 1e3 * statistics.median(times["plain"])
        for form in forms[1:]:
            row[form] = median_ratio(times[form], times["plain"])
        if "published" in forms:
            row["published / live"] = median_ratio(times["published"], times["live"])
            row["published / cached"] = median_ratio(times["published"], times["cached"])
        for form in forms:
            row[f"{form} MiB"] = peak_memory(functions[form], device) / 2**20
        rows.append(row)
        print(f"  {name}, {layer}, batch {size}: {time.perf_counter() - start:.0f} s", flush=True)
    return rows


def comparisons(device: torch.device, repetitions: int, clock: Clock) -> Rows:
    """Measure each metric, and each aggregation, at the last layer of the ConvNet."""
    network = NETWORKS["ConvNet"]
    pairs = [(metric, "spatial_mean") for metric in get_metric_names() if metric != "adversarial"]
    for aggregation in get_aggregation_names():
        pairs += [("squared_cosine", aggregation), ("cka", aggregation)]
    rows = []
    for metric, aggregation in dict.fromkeys(pairs):
        one = Steps(
            network,
            network.layers["last"],
            32,
            device=device,
            metric=metric,
            aggregation=aggregation,
        )
        functions = {form: getattr(one, form) for form in ("plain", "cached", "live")}
        times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
        row: dict[str, Any] = {"metric": metric, "aggregation": aggregation}
        for form in ("cached", "live"):
            row[form] = median_ratio(times[form], times["plain"])
        for form in ("plain", "cached"):
            row[f"{form} MiB"] = peak_memory(functions[form], device) / 2**20
        rows.append(row)
    return rows


GROWTH = {
    "channels": [(16, channels, 64) for channels in (32, 64, 128, 256)],
    "positions": [(16, 64, positions) for positions in (64, 256, 1024, 4096)],
    "samples": [(samples, 128, 64) for samples in (4, 8, 16, 32)],
}
GROWING = {
    "published": published_similarity,
    "squared_cosine of batch_gram": ("squared_cosine", "batch_gram"),
    "squared_cosine of gram": ("squared_cosine", "gram"),
    "squared_cosine of pairwise": ("squared_cosine", "pairwise"),
    "cka of none": ("cka", "none"),
    "cross_correlation of spatial_mean": ("cross_correlation", "spatial_mean"),
}


def growth(device: torch.device, repetitions: int, clock: Clock) -> Rows:
    """Measure value and gradient of similarities as activations grow; fit exponents."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in GROWING}
    for axis, shapes in GROWTH.items():
        for shape in shapes:
            generator = torch.Generator().manual_seed(0)
            a, b = (torch.randn(shape, generator=generator).to(device) for _ in range(2))
            a.requires_grad_()

            def step(what: Any, a: torch.Tensor = a, b: torch.Tensor = b) -> None:
                if callable(what):
                    value = what(a, b)
                else:
                    value = activation_similarity(a, b, metric=what[0], aggregation=what[1])
                value.backward()
                a.grad = None

            functions = {
                name: (lambda what=what, step=step: step(what)) for name, what in GROWING.items()
            }
            times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
            for name, values in times.items():
                found[name].setdefault(axis, []).append(1e3 * statistics.median(values))
    rows = []
    for name, by_axis in found.items():
        row: dict[str, Any] = {"similarity": name}
        for axis, shapes in GROWTH.items():
            place = {"samples": 0, "channels": 1, "positions": 2}[axis]
            sizes = [shape[place] for shape in shapes]
            row[f"{axis} ^"] = exponent(sizes, by_axis[axis])
            row[f"{axis} ms"] = by_axis[axis]
        rows.append(row)
    return rows


_EPOCHS = 2  # of whole fits
# As much of the penalty as there can be: in every step.
_PENALTY = {"weight": 1.0, "penalty_every": 1}


def fits(device: torch.device, repetitions: int, clock: Clock) -> Rows:
    """Measure whole fits against a loop by hand and against stock skorch."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((20_000, 50)).astype(np.float32)
    clips = rng.standard_normal((320, 40, 48)).astype(np.float32)
    cases = [
        ("MLP", table, lambda: MLP(50, 2), 32),
        ("MLP", table, lambda: MLP(50, 2), 128),
        ("ConvNet", clips, lambda: ConvNet((40, 48), 2), 32),
    ]
    rows = []
    for name, X, make, size in cases:
        y = (X.reshape(len(X), -1)[:, 0] > 0).astype(np.int64)
        nuisance = (X.reshape(len(X), -1)[:, -1] > 0).astype(np.int64)
        settings = {"batch_size": size, "random_state": 0, "device": str(device)}
        unrelated = AntiTransferClassifier(max_epochs=1, **settings).fit(X, nuisance)

        def ours(X=X, y=y, settings=settings, **params: Any) -> None:
            AntiTransferClassifier(max_epochs=_EPOCHS, **settings, **params).fit(X, y)

        def stock(X=X, y=y, make=make, size=size) -> None:
            NeuralNetClassifier(
                make(),
                criterion=nn.CrossEntropyLoss,
                optimizer=torch.optim.AdamW,
                lr=3e-3,
                max_epochs=_EPOCHS,
                batch_size=size,
                iterator_train__shuffle=True,
                train_split=None,
                verbose=0,
                device=device,
            ).fit(X, y)

        functions = {
            "fit": ours,
            "by hand": lambda X=X, y=y, make=make, size=size: train_by_hand(
                make, X, y, batch_size=size, n_epochs=_EPOCHS, device=device
            ),
            "skorch": stock,
            "cached": lambda ours=ours, unrelated=unrelated: ours(unrelated=unrelated, **_PENALTY),
        }
        times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
        rows.append(
            {
                "network": name,
                "batch": size,
                "epochs": _EPOCHS,
                "fit s": statistics.median(times["fit"]),
                "fit / by hand": median_ratio(times["fit"], times["by hand"]),
                "skorch / fit": median_ratio(times["skorch"], times["fit"]),
                "cached / fit": median_ratio(times["cached"], times["fit"]),
            }
        )
    return rows


def searches(device: torch.device, repetitions: int, clock: Clock) -> Rows:
    """Measure a grid of 4 candidates in 5 folds, plain and with anti-transfer."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 24, 24)).astype(np.float32)
    y, nuisance = (rng.integers(2, size=len(X)) for _ in range(2))
    settings = {"max_epochs": 4, "random_state": 0, "device": str(device)}
    unrelated = AntiTransferClassifier(**settings).fit(X, nuisance)

    def search(**params: Any) -> None:
        net = AntiTransferClassifier(**settings, **params)
        grid = {"lr": [1e-3, 2e-3, 3e-3, 4e-3]}
        GridSearchCV(net, grid, cv=5, refit=False, error_score="raise").fit(X, y)

    def with_memory(**params: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            search(unrelated=unrelated, weight=1.0, memory=folder, **params)

    functions = {
        "plain": search,
        "with memory": with_memory,
        "with memory, every step": lambda: with_memory(penalty_every=1),
        "without memory": lambda: search(unrelated=unrelated, weight=1.0),
    }
    times = in_turns(functions, repetitions=repetitions, device=device, clock=clock)
    plain = times.pop("plain")
    seconds = statistics.median(plain) / 20
    return [
        {"search": name, "plain s / fit": seconds, "/ plain": median_ratio(values, plain)}
        for name, values in times.items()
    ]


SECTIONS = {
    "steps": steps,
    "comparisons": comparisons,
    "growth": growth,
    "scaling": scaling,
    "fits": fits,
    "uses": uses,
    "tables": tables,
    "small": small_sets,
    "searches": searches,
}

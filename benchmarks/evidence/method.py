"""What a method is: it makes a fitted model of a fold, a seed and one tuned value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import extract_activations
from benchmarks.evidence import encoder
from benchmarks.evidence.folds import Clips, Fold

# What is tuned of most methods, the untuned value first: weights, and the decay of the network.
WEIGHTS = (1.0, 0.3, 3.0)
DECAYS = (1e-4, 1e-2, 1e-1)


def network(epochs: int, seed: int, **params: Any) -> Any:
    """Return the estimator that all methods share: what its constructor makes of two numbers.

    Anti-transfer that does not choose its weight by itself computes the penalty in every step,
    so that what is compared is the penalty alone.
    """
    if "unrelated" in params and params.get("weight") != "auto":
        params.setdefault("penalty_every", 1)
    return AntiTransferClassifier(max_epochs=epochs, random_state=seed, **params)


def network_of(fold: Fold, seed: int, **params: Any) -> Any:
    """Return the estimator for the target of a fold, with what its protocol sets."""
    return network(fold.max_epochs, seed, **fold.network, **params)


def fit_unrelated(fold: Fold, index: int, part: Clips | None = None) -> Any:
    """Fit the unrelated network of a fold, on `part` or on what the fold has for it."""
    part = fold.unrelated if part is None else part
    net = network(fold.unrelated_epochs, 900 + index, **fold.network)
    return net.fit(part.X, part.nuisance)


@dataclass
class Fitted:
    """A model with the two things that are measured of it."""

    predict: Callable[[np.ndarray], np.ndarray]
    features: Callable[[np.ndarray], np.ndarray]
    extra: dict[str, Any] = field(default_factory=dict)


def of_net(net: Any) -> Fitted:
    """Return a fitted network as the measurement takes it."""
    return Fitted(
        net.predict,
        lambda X: extract_activations(net, X, layer="last"),
        {"weight": getattr(net, "weight_", None)},
    )


@dataclass
class Method:
    """One method.

    Attributes
    ----------
    title : str
        For tables.
    values : tuple
        What is tuned, the untuned value first.
    build : callable
        From (fold, unrelated network, seed, value) to a fitted model.
    zero : bool
        Whether the tuning may also choose the plain network.
    labels : str
        Which labels of the nuisance it needs, besides those of the unrelated network.
    parts : tuple of str
        Data that the fold must have.
    images : bool
        Whether it needs the layers of a ConvNet.
    encoder : bool
        Whether it needs recordings, and the pretrained speaker encoder.
    """

    title: str
    values: tuple[Any, ...]
    build: Callable[..., Fitted]
    zero: bool = False
    labels: str = "none"
    parts: tuple[str, ...] = ()
    images: bool = False
    encoder: bool = False

    def applies_to(self, fold: Fold) -> bool:
        """Tell whether the fold has the data and the layers that the method needs."""
        there = all(getattr(fold, part) is not None for part in self.parts)
        heard = encoder.is_there() and fold.train.paths is not None
        return there and (fold.train.X.ndim > 2 or not self.images) and (heard or not self.encoder)


def last_layer(fold: Fold) -> str:
    """Return the name of the layer before the output."""
    if fold.train.X.ndim > 2:
        return "blocks.4.activation"
    sizes = fold.network.get("module__hidden_layer_sizes", (100, 50))
    return f"hidden.{len(sizes) - 1}.activation"

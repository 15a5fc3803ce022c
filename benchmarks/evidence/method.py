"""What a method is: it makes a fitted model of a fold, a seed and one tuned value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import extract_activations
from benchmarks.evidence import encoder
from benchmarks.evidence.folds import SPEAKER, Clips, Fold

# What is tuned of most methods, the untuned value first: weights, and the decay of the network.
WEIGHTS = (1.0, 0.3, 3.0)
DECAYS = (1e-4, 1e-2, 1e-1)
_N_BLOCKS = 5  # of a ConvNet

# What methods need: words of the tables.
NOTHING = "nothing"
UNRELATED = "unrelated network"
PRETRAINED = "pretrained speaker encoder"
TRAINING_LABELS = "nuisance of the training data"
VALIDATION_LABELS = "validation data like the test's, to tune"
FURTHER_LABELS = "further data with the nuisance"
FURTHER_BOTH = "further data with nuisance and target"
UNLABELED = "unlabeled data"
BALANCED = "balanced data"
BIASED_ARCHITECTURE = "an architecture that is biased alike"
_LABELLED = (TRAINING_LABELS, FURTHER_LABELS, FURTHER_BOTH)


def network(epochs: int, seed: int, **params: Any) -> Any:
    """Return the estimator that all methods share: what its constructor makes of two numbers.

    Anti-transfer of a weight that is given computes the penalty in every step, so that what is
    compared is the penalty alone. Without one it is what the constructor makes of it.
    """
    if params.get("unrelated") is not None and params.get("weight", "auto") != "auto":
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
        {
            "weight": getattr(net, "weight_", None),
            "product_of_experts": getattr(net, "product_of_experts_", None),
        },
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
    needs : str
        What it must be given besides the training data and their target.
    parts : tuple of str
        Data that the fold must have.
    images : bool
        Whether it needs the layers of a ConvNet, as many as it has by default.
    flat_images : bool
        Whether it needs images, which may be flattened.
    package : str or None
        What must be installed.
    binary : bool
        Whether it needs a table with two classes, and two values of the nuisance.
    apart : bool
        Whether it needs an unrelated network that is fitted on other samples than the training's:
        where it is not, the method is another one.
    falling : bool
        Whether less of its value is more of the method.
    encoder : bool
        Whether it needs recordings whose speaker is the nuisance, and the pretrained speaker
        encoder.
    """

    title: str
    values: tuple[Any, ...]
    build: Callable[..., Fitted]
    zero: bool = False
    needs: str = NOTHING
    parts: tuple[str, ...] = ()
    images: bool = False
    flat_images: bool = False
    package: str | None = None
    binary: bool = False
    apart: bool = False
    falling: bool = False
    encoder: bool = False

    @property
    def reads_nuisance(self) -> bool:
        """Whether it is fitted with labels of the nuisance, but for the unrelated network's."""
        return any(needed in _LABELLED for needed in self.needs.split(", "))

    def applies_to(self, fold: Fold) -> bool:
        """Tell whether the fold has the data and the layers that the method needs."""
        there = all(getattr(fold, part) is not None for part in self.parts)
        heard = fold.nuisance == SPEAKER and fold.train.paths is not None and encoder.is_there()
        is_image = fold.train.X.ndim > 2
        layers = is_image and n_blocks(fold) == _N_BLOCKS
        seen = is_image or fold.image_shape is not None
        labels = (fold.train.target, fold.train.nuisance)
        halves = not is_image and all(len(np.unique(label)) == 2 for label in labels)
        conditions = [
            (self.images, layers),
            (self.flat_images, seen),
            (self.binary, halves),
            (self.apart, not fold.reads_training_nuisance),
            (self.encoder, heard),
        ]
        return there and all(met for needed, met in conditions if needed)

    def missing_package(self) -> str | None:
        """Return what must be installed for it, and is not; None for nothing."""
        known = self.package is None or find_spec(self.package) is not None
        return None if known else self.package


def n_blocks(fold: Fold) -> int:
    """Return how many blocks the ConvNet of a fold has."""
    return len(fold.network.get("module__channels", range(_N_BLOCKS)))


def last_layer(fold: Fold) -> str:
    """Return the name of the layer before the output."""
    if fold.train.X.ndim > 2:
        return f"blocks.{n_blocks(fold) - 1}.activation"
    sizes = fold.network.get("module__hidden_layer_sizes", (100, 50))
    return f"hidden.{len(sizes) - 1}.activation"

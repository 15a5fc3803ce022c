"""What is compared: two penalties at each convolution, this package's default, and controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.base import clone
from skorch.callbacks import EarlyStopping
from skorch.utils import noop

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.modules import VGG
from benchmarks.evidence.folds import Fold

# Places of the convolutions of VGG-16 among its modules, which is what the paper calls layers.
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_EACH, _LAST, _NONE = tuple(range(len(CONVOLUTIONS))), (len(CONVOLUTIONS) - 1,), (None,)
# The paper's weight, in every step; no product of experts goes with a weight that is given.
_WEIGHT_1 = {"weight": 1.0, "penalty_every": 1}
_PUBLISHED = {**_WEIGHT_1, "metric": "squared_cosine", "aggregation": "batch_gram"}


@dataclass(frozen=True)
class Form:
    """One way to train.

    Attributes
    ----------
    title : str
        For tables.
    params : dict or None
        Of the penalty, what is not left at its default; None for no penalty.
    places : tuple of int or None
        The convolutions that are compared in turn, counted from 0; None leaves the layer at its
        default.
    source : str
        What it is kept from: ``"unrelated"``, or ``"random"``, the same network with weights
        that were not trained.
    initialised : bool
        Whether it begins with the unrelated network's convolutions.
    unlabeled : bool
        Whether the penalty sees further recordings.
    seeds : int
        How many are run.
    """

    title: str
    params: dict[str, Any] | None
    places: tuple[int | None, ...] = _LAST
    source: str = "unrelated"
    initialised: bool = False
    unlabeled: bool = False
    seeds: int = 1


FORMS = {
    "plain": Form("plain network", None, _NONE, seeds=5),
    "initialised": Form(
        "begun with the unrelated network's convolutions", None, _NONE, initialised=True
    ),
    "published": Form("published: squared cosine of Gram matrices", _PUBLISHED, _EACH),
    "cross-correlation": Form("cross-correlation, weight 1, training batches", _WEIGHT_1, _EACH),
    "cross-correlation-unlabeled": Form(
        "cross-correlation, weight 1, unlabeled recordings", _WEIGHT_1, unlabeled=True
    ),
    "default": Form("this package's default: the unrelated network, and no more", {}, _NONE),
    "published-random": Form(
        "published, from a network that was not trained", _PUBLISHED, source="random"
    ),
    **{
        f"published-{name}": Form(
            f"published: squared cosine, aggregation {name}", {**_PUBLISHED, "aggregation": name}
        )
        for name in ("none", "mean", "max", "product", "pairwise")
    },
    "published-sigmoid": Form(
        "published: sigmoid of the squared error of Gram matrices",
        {**_PUBLISHED, "metric": "sigmoid_mse"},
    ),
}


def runs_of(names: list[str]) -> Iterator[tuple[str, int | None, int]]:
    """Yield form, convolution and seed of all runs of a fold."""
    for name in names:
        form = FORMS[name]
        for place in form.places:
            for seed in range(form.seeds):
                yield name, place, seed


def network_for(fold: Fold, epochs: int, seed: int, **params: Any) -> AntiTransferClassifier:
    """Return the estimator of a fold; with `patience` it keeps the best epoch's weights."""
    settings = {"max_epochs": epochs, "random_state": seed, **fold.network, **params}
    patience = settings.pop("patience", None)
    if patience is not None:
        stop = EarlyStopping(patience=patience, load_best=True, sink=noop)
        settings["callbacks"] = [("stop", stop)]
    return AntiTransferClassifier(**settings)


def fit_unrelated(fold: Fold, index: int) -> AntiTransferClassifier:
    """Fit the unrelated network of a fold."""
    net = network_for(fold, fold.unrelated_epochs, 900 + index)
    return net.fit(fold.unrelated.X, fold.unrelated.nuisance)


def _begun(fold: Fold, unrelated: AntiTransferClassifier, seed: int) -> torch.nn.Module:
    """Return a network for the target with the unrelated one's convolutions."""
    params = {
        name.removeprefix("module__"): value
        for name, value in fold.network.items()
        if name.startswith("module__")
    }
    n_outputs = len(set(fold.train.target.tolist()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = VGG(fold.train.X.shape[1:], n_outputs, standardize=True, **params)
    module.features.load_state_dict(unrelated.module_.features.state_dict())
    return module


def train(
    fold: Fold, unrelated: AntiTransferClassifier, name: str, place: int | None, seed: int
) -> AntiTransferClassifier:
    """Train one network.

    Parameters
    ----------
    fold : Fold
        Its data.
    unrelated : AntiTransferClassifier
        Fitted on the unrelated task.
    name : str
        Of the form.
    place : int or None
        Which convolution is compared, counted from 0; None for none, or for the default.
    seed : int
        Of the weights and the batches.
    """
    form = FORMS[name]
    params: dict[str, Any] = {}
    if form.params is not None:
        source = unrelated
        if form.source == "random":
            untrained = {"max_epochs": 0, "random_state": 7000 + seed, "callbacks": None}
            source = clone(unrelated).set_params(**untrained)
            source.fit(fold.unrelated.X, fold.unrelated.nuisance)
        params = {"unrelated": source, **form.params}
        if place is not None:
            params["layer"] = place
    if form.initialised:
        kept = {n: v for n, v in fold.network.items() if not n.startswith("module__")}
        params["module"] = _begun(fold, unrelated, seed)
        fold = Fold(**{**vars(fold), "network": kept})
    net = network_for(fold, fold.max_epochs, seed, **params)
    further = {"X_unlabeled": fold.unlabeled.X} if form.unlabeled else {}
    return net.fit(fold.train.X, fold.train.target, **further)

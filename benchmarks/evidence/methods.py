"""The methods: each makes a fitted model of a fold, a seed and one tuned value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import extract_activations
from atl_sklearn.modules import get_module
from benchmarks.evidence import encoder
from benchmarks.evidence.comparators import ErasedFeatures, GradientReversal, initialised_from
from benchmarks.evidence.folds import Clips, Fold


def network(epochs: int, seed: int, **params: Any) -> Any:
    """Return the estimator that all methods share: what its constructor makes of two numbers."""
    return AntiTransferClassifier(max_epochs=epochs, random_state=seed, **params)


def network_of(fold: Fold, seed: int, **params: Any) -> Any:
    """Return the estimator with what the fold's protocol sets."""
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


def _of_net(net: Any) -> Fitted:
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


def _plain(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    net = network_of(fold, seed, weight_decay=value)
    return _of_net(net.fit(fold.train.X, fold.train.target))


def _balanced(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    part = fold.balanced
    net = network_of(fold, seed, weight_decay=value)
    return _of_net(net.fit(part.X, part.target))


def _from_unrelated(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    shape = fold.train.X.shape[1:]
    n_outputs = len(np.unique(fold.train.target))
    of_module = {
        name.removeprefix("module__"): value
        for name, value in fold.network.items()
        if name.startswith("module__")
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        make = get_module("auto", shape)
        module = make(input_shape=shape, n_outputs=n_outputs, standardize=True, **of_module)
    net = network(
        fold.max_epochs,
        seed,
        **{name: value for name, value in fold.network.items() if "__" not in name},
        module=initialised_from(unrelated, module),
        weight_decay=value,
    )
    return _of_net(net.fit(fold.train.X, fold.train.target))


def _last_layer(fold: Fold) -> str:
    if fold.train.X.ndim > 2:
        return "blocks.4.activation"
    return f"hidden.{len(fold.network.get('module__hidden_layer_sizes', (100, 50))) - 1}.activation"


def _reversal(part: str) -> Callable[..., Fitted]:
    def build(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
        clips: Clips = getattr(fold, part)
        reversal = GradientReversal(clips.X, clips.nuisance, _last_layer(fold), value, seed=seed)
        net = network_of(
            fold,
            seed,
            callbacks=[("reversal", reversal)],
        )
        return _of_net(net.fit(fold.train.X, fold.train.target))

    return build


def _erased(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    net = network_of(fold, seed)
    net.fit(fold.train.X, fold.train.target)
    erased = ErasedFeatures(net, _last_layer(fold), value).fit(fold)
    return Fitted(erased.predict, erased.features)


def _anti(
    data: str | None = None, *, random: bool = False, auto: bool = False, **params: Any
) -> Callable[..., Fitted]:
    """Anti-transfer; `data` names the unlabeled part, None for the training batches."""

    def build(fold: Fold, unrelated: Any, seed: int, value: Any) -> Fitted:
        source = unrelated
        if random:
            source = clone(unrelated).set_params(random_state=7000 + seed)
            source.set_params(max_epochs=0)
            source.fit(fold.unrelated.X, fold.unrelated.nuisance)
        options = {"weight": "auto" if auto else value, **params}
        net = network_of(fold, seed, unrelated=source, **options)
        unlabeled = None if data is None else getattr(fold, data).X
        return _of_net(net.fit(fold.train.X, fold.train.target, X_unlabeled=unlabeled))

    return build


def _speaker_groups(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Anti-transfer from a pretrained speaker encoder, which is given an input of its own."""
    net = network_of(
        fold,
        seed,
        unrelated=encoder.grouped_encoder(fold.unlabeled),
        unrelated_layer="output",
        weight=value,
    )
    net.fit(
        fold.train.X,
        fold.train.target,
        X_unlabeled=fold.unlabeled.X,
        X_unrelated=encoder.encoder_input(fold.train),
        X_unrelated_unlabeled=encoder.encoder_input(fold.unlabeled),
    )
    return _of_net(net)


def _product(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train the network on what the unrelated one leaves unexplained; no further data."""
    net = network_of(fold, seed, unrelated=unrelated, weight=0, product_of_experts=value)
    return _of_net(net.fit(fold.train.X, fold.train.target))


def _several(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Anti-transfer from two unrelated networks, each with the weight."""
    both = [unrelated, fit_unrelated(fold, seed, fold.second)]
    options = {"unrelated": both, "weight": [value, value]}
    net = network_of(fold, seed, **options)
    return _of_net(net.fit(fold.train.X, fold.train.target, X_unlabeled=fold.unlabeled.X))


def _augmented(X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return clips shifted in time by up to a tenth, with a band and a stretch of them masked."""
    X = X.copy()
    for clip in X:
        n_bands, n_frames = clip.shape[-2:]
        clip[:] = np.roll(clip, rng.randint(-n_frames // 10, n_frames // 10 + 1), axis=-1)
        band, frame = rng.randint(n_bands - 5), rng.randint(n_frames - 6)
        clip[..., band : band + rng.randint(6), :] = 0  # the mean, after standardising
        clip[..., frame : frame + rng.randint(7)] = 0
    return X


def _augmentation(*, anti: bool) -> Callable[..., Fitted]:
    """Train on varied copies for which the unrelated network's answer stays the same."""
    n_copies = 3

    def copies(X: np.ndarray, unrelated: Any, rng: np.random.RandomState) -> Any:
        answer = unrelated.predict(X)
        found, kept = [X], [np.arange(len(X))]
        for _ in range(n_copies):
            varied = _augmented(X, rng)
            same = unrelated.predict(varied) == answer
            found.append(varied[same])
            kept.append(np.flatnonzero(same))
        return np.concatenate(found), np.concatenate(kept)

    def build(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
        rng = np.random.RandomState(8000 + seed)
        X, index = copies(fold.train.X, unrelated, rng)
        # As many steps as without the copies.
        epochs = max(1, round(fold.max_epochs * len(fold.train.X) / len(X)))
        options = {"unrelated": unrelated, "weight": value} if anti else {}
        if not anti:
            options["weight_decay"] = value
        net = network(epochs, seed, **fold.network, **options)
        unlabeled = copies(fold.unlabeled.X, unrelated, rng)[0] if anti else None
        net.fit(X, fold.train.target[index], X_unlabeled=unlabeled)
        return _of_net(net)

    return build


_WEIGHTS = (1.0, 0.3, 3.0)
_DECAYS = (1e-4, 1e-2, 1e-1)


def _published(aggregation: str, layer: Any = "last") -> Method:
    place = {"last": "last", 0: "first", 2: "middle"}[layer]
    return Method(
        f"published: squared cosine, {aggregation}, {place} layer",
        _WEIGHTS,
        _anti(metric="squared_cosine", aggregation=aggregation, layer=layer),
        zero=True,
    )


def _ours(
    title: str,
    *,
    data: str | None = "unlabeled",
    scale: float = 1.0,
    images: bool = False,
    **params: Any,
) -> Method:
    return Method(
        title,
        tuple(scale * weight for weight in _WEIGHTS),
        _anti(data, **params),
        zero=True,
        parts=() if data is None else (data,),
        images=images,
    )


_POSTERIOR = {"unrelated_layer": "posterior"}
_COMBINED = {
    "layer": ["last", "last"],
    "unrelated_layer": ["last", "posterior"],
    "metric": ["adversarial", "ridge_r2"],
}

METHODS: dict[str, Method] = {
    "plain": Method("plain network", _DECAYS, _plain),
    "balanced": Method(
        "plain network, balanced data (ceiling)", _DECAYS, _balanced, parts=("balanced",)
    ),
    "from-unrelated": Method("weights from the unrelated network", _DECAYS, _from_unrelated),
    "reversal-train": Method(
        "gradient reversal, labels of the training data",
        _WEIGHTS,
        _reversal("train"),
        zero=True,
        labels="training data",
    ),
    "reversal-labels": Method(
        "gradient reversal, labels of the further data",
        _WEIGHTS,
        _reversal("unlabeled"),
        zero=True,
        labels="further data",
    ),
    "erasure": Method(
        "linear concept erasure (LEACE) of the plain network",
        (1.0, 0.01, 0.1),
        _erased,
        zero=True,
        labels="further data",
    ),
    "published-batch-gram": _published("batch_gram"),
    "published-batch-gram-first": _published("batch_gram", 0),
    "published-batch-gram-middle": _published("batch_gram", 2),
    "published-gram": _published("gram"),
    "published-max": _published("max"),
    "published-pairwise": _published("pairwise"),
    "random": _ours("random frozen network (control), cross-correlation, unlabeled", random=True),
    "cka-train": _ours("CKA, training batches", data=None, metric="cka"),
    "cka-posterior-train": _ours(
        "CKA to the posterior, training batches", data=None, metric="cka", **_POSTERIOR
    ),
    "cross-train": _ours("cross-correlation, training batches", data=None),
    "cka": _ours("CKA, unlabeled", metric="cka"),
    "cka-posterior": _ours("CKA to the posterior, unlabeled", metric="cka", **_POSTERIOR),
    "cka-debiased": _ours("debiased CKA, unlabeled", metric="debiased_cka"),
    "cross-conditional": _ours("cross-correlation within classes, unlabeled", conditional=True),
    "cross": _ours("cross-correlation, unlabeled (default)"),
    "ridge": _ours("ridge R2 of the features, unlabeled", metric="ridge_r2"),
    "ridge-posterior": _ours(
        "ridge R2 of the posterior, unlabeled", metric="ridge_r2", **_POSTERIOR
    ),
    "adversarial": _ours("adversarial on the features, unlabeled", metric="adversarial"),
    "adversarial-ridge": _ours("adversarial and ridge R2, unlabeled", **_COMBINED),
    "cross-layers": _ours(
        "cross-correlation at the last three blocks, unlabeled", layer=[2, 3, 4], images=True
    ),
    "cross-first": _ours("cross-correlation at the first block, unlabeled", layer=0, images=True),
    "cross-warmup": _ours(
        "cross-correlation, weight rising, unlabeled", weight_schedule="sigmoid_warmup"
    ),
    "cross-decay": _ours("cross-correlation, weight falling, unlabeled", weight_schedule="cosine"),
    "cross-several": Method(
        "cross-correlation to two unrelated networks, unlabeled",
        _WEIGHTS,
        _several,
        zero=True,
        parts=("unlabeled", "second"),
    ),
    "cross-wide": _ours(
        "cross-correlation, unlabeled with the test's conditions", data="unlabeled_wide"
    ),
    "cross-both": _ours("cross-correlation, training batches and unlabeled", penalty_data="both"),
    "cross-all": _ours("cross-correlation, unlabeled, batches of 240", penalty_batch_size=240),
    "augmented": Method(
        "plain network, copies that keep the unrelated network's answer",
        _DECAYS,
        _augmentation(anti=False),
        images=True,
    ),
    "cross-augmented": Method(
        "cross-correlation, unlabeled, copies that keep the unrelated network's answer",
        _WEIGHTS,
        _augmentation(anti=True),
        zero=True,
        parts=("unlabeled",),
        images=True,
    ),
    "product": Method("product of experts, training data", (1.0, 0.5, 2.0), _product, zero=True),
    "speaker-groups": Method(
        "groups of a pretrained speaker encoder, cross-correlation, unlabeled",
        _WEIGHTS,
        _speaker_groups,
        zero=True,
        parts=("unlabeled",),
        encoder=True,
    ),
    "auto": Method(
        "automatic weight: the package's defaults, unlabeled",
        ("auto",),
        _anti("unlabeled", auto=True),
        parts=("unlabeled",),
    ),
    "auto-train": Method(
        "automatic weight: the package's defaults, training batches", ("auto",), _anti(auto=True)
    ),
}

"""Anti-transfer: the package's own methods, and those of its paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone

from atl_sklearn.audio import RandomShift, TimeFrequencyMask
from benchmarks.evidence import encoder
from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import (
    DECAYS,
    PRETRAINED,
    TRAINING_LABELS,
    UNLABELED,
    UNRELATED,
    WEIGHTS,
    Fitted,
    Method,
    fit_unrelated,
    network,
    network_of,
    of_net,
)


def _anti(
    data: str | None = None, *, random: bool = False, value_of: str = "weight", **params: Any
) -> Callable[..., Fitted]:
    """Anti-transfer; `data` names the unlabeled part, None for the training batches.

    Of the value "auto" no weight is set: it is what the constructor makes of it.
    """

    def build(fold: Fold, unrelated: Any, seed: int, value: Any) -> Fitted:
        source = unrelated
        if random:
            source = clone(unrelated).set_params(random_state=7000 + seed)
            source.set_params(max_epochs=0)
            source.fit(fold.unrelated.X, fold.unrelated.nuisance)
        options = params if value == "auto" else {value_of: value, **params}
        net = network_of(fold, seed, unrelated=source, **options)
        unlabeled = None if data is None else getattr(fold, data).X
        return of_net(net.fit(fold.train.X, fold.train.target, X_unlabeled=unlabeled))

    return build


def _labels(fold: Fold, unrelated: Any, seed: int, value: str) -> Fitted:
    """Anti-transfer from the nuisance's labels themselves, without an unrelated network."""
    net = network_of(fold, seed, unrelated="labels")
    return of_net(net.fit(fold.train.X, fold.train.target, y_unrelated=fold.train.nuisance))


def _fitted_along(data: str | None = None) -> Callable[..., Fitted]:
    """Anti-transfer whose unrelated network `fit` fits first, on the training samples."""

    def build(fold: Fold, unrelated: Any, seed: int, value: str) -> Fitted:
        source = network(fold.unrelated_epochs, 900 + seed, **fold.network)
        net = network_of(fold, seed, unrelated=source)
        unlabeled = None if data is None else getattr(fold, data).X
        net.fit(
            fold.train.X,
            fold.train.target,
            y_unrelated=fold.train.nuisance,
            X_unlabeled=unlabeled,
        )
        return of_net(net)

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
    return of_net(net)


def _product(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train the network on what the unrelated one leaves unexplained; no further data."""
    net = network_of(fold, seed, unrelated=unrelated, weight=0, product_of_experts=value)
    return of_net(net.fit(fold.train.X, fold.train.target))


def _part_of_product(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Add a part of what the unrelated network explains, beside the default's penalty."""
    net = network_of(fold, seed, unrelated=unrelated, product_of_experts=value)
    return of_net(net.fit(fold.train.X, fold.train.target, X_unlabeled=fold.unlabeled.X))


def _several(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Anti-transfer from two unrelated networks, each with the weight."""
    both = [unrelated, fit_unrelated(fold, seed, fold.second)]
    options = {"unrelated": both, "weight": [value, value]}
    net = network_of(fold, seed, **options)
    return of_net(net.fit(fold.train.X, fold.train.target, X_unlabeled=fold.unlabeled.X))


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
        return of_net(net)

    return build


def _every_epoch(*, anti: bool, **params: Any) -> Callable[..., Fitted]:
    """Train on clips that are varied as above, in every epoch in another way."""

    def build(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
        share = 0.13  # 5 of 40 bands, 6 of 48 frames
        masks = TimeFrequencyMask(max_bands=share, max_frames=share, fill=0.0)
        options = {"weight": value} if anti else {"weight": 0, "weight_decay": value}
        options |= {"augment": [RandomShift(0.1, fill="wrap"), masks], **params}
        net = network_of(fold, seed, unrelated=unrelated, **options)
        unlabeled = fold.unlabeled.X if anti else None
        net.fit(fold.train.X, fold.train.target, X_unlabeled=unlabeled)
        found = of_net(net)
        found.extra["augment_kept"] = net.history[-1].get("augment_kept")
        return found

    return build


_WITH_UNLABELED = f"{UNRELATED}, {UNLABELED}"


def _published(aggregation: str, layer: Any = "last") -> Method:
    place = {"last": "last", 0: "first", 2: "middle"}[layer]
    return Method(
        f"published: squared cosine, {aggregation}, {place} layer",
        WEIGHTS,
        _anti(metric="squared_cosine", aggregation=aggregation, layer=layer),
        zero=True,
        needs=UNRELATED,
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
        tuple(scale * weight for weight in WEIGHTS),
        _anti(data, **params),
        zero=True,
        needs=UNRELATED if data is None else _WITH_UNLABELED,
        parts=() if data is None else (data,),
        images=images,
    )


_POSTERIOR = {"unrelated_layer": "posterior"}
_DECISION = {"layer": "posterior", **_POSTERIOR}
_TARGETS = (0.2, 0.3, 0.1)  # of the similarity of decisions; the guide on fairness names them
_COMBINED = {
    "layer": ["last", "last"],
    "unrelated_layer": ["last", "posterior"],
    "metric": ["adversarial", "ridge_r2"],
}

# What is done with clips that are varied: nothing else, or what the estimator's parameters say.
_VARIED: dict[str, tuple[str, dict[str, Any]]] = {
    "": ("", {}),
    "-same": (", same answer", {"augment_keep": "same_answer"}),
    "-clean": (", frozen side of the clips as they were", {"augment_unrelated": False}),
}

OURS: dict[str, Method] = {
    "default": Method(
        "AntiTransferClassifier(unrelated=...), unlabeled",
        ("auto",),
        _anti("unlabeled"),
        needs=_WITH_UNLABELED,
        parts=("unlabeled",),
    ),
    "default-train": Method(
        "AntiTransferClassifier(unrelated=...), training data alone",
        ("auto",),
        _anti(),
        needs=UNRELATED,
    ),
    "labels": Method(
        "AntiTransferClassifier(unrelated='labels'), training data alone",
        ("auto",),
        _labels,
        needs=TRAINING_LABELS,
    ),
    "fitted-along": Method(
        "AntiTransferClassifier(unrelated=...), fitted on the training data too, unlabeled",
        ("auto",),
        _fitted_along("unlabeled"),
        needs=f"{TRAINING_LABELS}, {UNLABELED}",
        parts=("unlabeled",),
        apart=True,
    ),
    "fitted-along-train": Method(
        "AntiTransferClassifier(unrelated=...), fitted on the training data too, these alone",
        ("auto",),
        _fitted_along(),
        needs=TRAINING_LABELS,
        apart=True,
    ),
    "decision": Method(
        "similarity of decisions held at a target, unlabeled",
        _TARGETS,
        _anti("unlabeled", value_of="target_similarity", **_DECISION),
        zero=True,
        needs=_WITH_UNLABELED,
        parts=("unlabeled",),
        binary=True,
        falling=True,
    ),
    "decision-train": Method(
        "similarity of decisions held at a target, training data alone",
        _TARGETS,
        _anti(value_of="target_similarity", **_DECISION),
        zero=True,
        needs=UNRELATED,
        binary=True,
        falling=True,
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
    "cross": _ours("cross-correlation, unlabeled"),
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
        WEIGHTS,
        _several,
        zero=True,
        needs=_WITH_UNLABELED,
        parts=("unlabeled", "second"),
    ),
    "cross-wide": _ours(
        "cross-correlation, unlabeled with the test's conditions", data="unlabeled_wide"
    ),
    "cross-both": _ours("cross-correlation, training batches and unlabeled", penalty_data="both"),
    "cross-all": _ours("cross-correlation, unlabeled, batches of 240", penalty_batch_size=240),
    "augmented": Method(
        "plain network, copies that keep the unrelated network's answer",
        DECAYS,
        _augmentation(anti=False),
        needs=UNRELATED,
        images=True,
    ),
    "cross-augmented": Method(
        "cross-correlation, unlabeled, copies that keep the unrelated network's answer",
        WEIGHTS,
        _augmentation(anti=True),
        zero=True,
        needs=_WITH_UNLABELED,
        parts=("unlabeled",),
        images=True,
    ),
    **{
        f"cross-every-epoch{name}": Method(
            f"cross-correlation, unlabeled, varied in every epoch{title}",
            WEIGHTS,
            _every_epoch(anti=True, **params),
            zero=True,
            needs=_WITH_UNLABELED,
            parts=("unlabeled",),
            images=True,
        )
        for name, (title, params) in _VARIED.items()
    },
    **{
        f"every-epoch{name}": Method(
            f"plain network, varied in every epoch{title}",
            DECAYS,
            _every_epoch(anti=False, **params),
            needs=UNRELATED,
            images=True,
        )
        for name, (title, params) in _VARIED.items()
        if name != "-clean"
    },
    "cross-fourth": _ours("cross-correlation, unlabeled, every fourth step", penalty_every=4),
    "cross-posterior-fourth": _ours(
        "cross-correlation to the posterior, unlabeled, every fourth step",
        scale=3.0,
        penalty_every=4,
        **_POSTERIOR,
    ),
    "cross-twice-fourth": _ours(
        "cross-correlation to features and posterior, unlabeled, every fourth step",
        penalty_every=4,
        layer=["last", "last"],
        unrelated_layer=["last", "posterior"],
    ),
    "product-cross": _ours(
        "product of experts and cross-correlation, unlabeled, every fourth step",
        penalty_every=4,
        product_of_experts=1.0,
    ),
    "product-part": Method(
        "a part of the product of experts and the default's penalty, unlabeled",
        (0.5, 0.0, 0.25, 0.75, 1.0),
        _part_of_product,
        needs=_WITH_UNLABELED,
        parts=("unlabeled",),
    ),
    "product-cross-train": _ours(
        "product of experts and cross-correlation, training batches",
        data=None,
        product_of_experts=1.0,
    ),
    "product": Method(
        "product of experts, training data", (1.0, 0.5, 2.0), _product, zero=True, needs=UNRELATED
    ),
    "speaker-groups": Method(
        "groups of a pretrained speaker encoder, cross-correlation, unlabeled",
        WEIGHTS,
        _speaker_groups,
        zero=True,
        needs=f"{PRETRAINED}, {UNLABELED}",
        parts=("unlabeled",),
        encoder=True,
    ),
}

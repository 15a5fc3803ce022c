"""What anti-transfer is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from atl_sklearn.modules import get_module
from benchmarks.evidence.folds import Clips, Fold
from benchmarks.evidence.method import (
    BALANCED,
    BIASED_ARCHITECTURE,
    DECAYS,
    FURTHER_BOTH,
    FURTHER_LABELS,
    TRAINING_LABELS,
    UNLABELED,
    UNRELATED,
    VALIDATION_LABELS,
    WEIGHTS,
    Fitted,
    Method,
    last_layer,
    network,
    network_of,
    of_net,
)
from benchmarks.evidence.rivals.deep_coral import deep_coral
from benchmarks.evidence.rivals.erased_features import ErasedFeatures
from benchmarks.evidence.rivals.fairness import adversarial_fairness, exponentiated_gradient
from benchmarks.evidence.rivals.gradient_reversal import GradientReversal
from benchmarks.evidence.rivals.group_dro import group_dro
from benchmarks.evidence.rivals.groups import group_weighted
from benchmarks.evidence.rivals.initialised_from import initialised_from
from benchmarks.evidence.rivals.just_train_twice import PUBLISHED, just_train_twice
from benchmarks.evidence.rivals.last_layer_refit import last_layer_refitted
from benchmarks.evidence.rivals.learning_from_failure import learning_from_failure
from benchmarks.evidence.rivals.rebias import rebias, rebias_frozen


def _plain(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    net = network_of(fold, seed, weight_decay=value)
    return of_net(net.fit(fold.train.X, fold.train.target))


def _balanced(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    part = fold.balanced
    net = network_of(fold, seed, weight_decay=value)
    return of_net(net.fit(part.X, part.target))


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
    return of_net(net.fit(fold.train.X, fold.train.target))


def _reversal(part: str) -> Callable[..., Fitted]:
    def build(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
        clips: Clips = getattr(fold, part)
        reversal = GradientReversal(clips.X, clips.nuisance, last_layer(fold), value, seed=seed)
        net = network_of(
            fold,
            seed,
            callbacks=[("reversal", reversal)],
        )
        return of_net(net.fit(fold.train.X, fold.train.target))

    return build


def _erased(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    net = network_of(fold, seed)
    net.fit(fold.train.X, fold.train.target)
    erased = ErasedFeatures(net, last_layer(fold), value).fit(fold)
    return Fitted(erased.predict, erased.features)


RIVALS: dict[str, Method] = {
    "plain": Method("plain network", DECAYS, _plain),
    "balanced": Method(
        "plain network, balanced data (ceiling)",
        DECAYS,
        _balanced,
        needs=BALANCED,
        parts=("balanced",),
    ),
    "from-unrelated": Method(
        "weights from the unrelated network", DECAYS, _from_unrelated, needs=UNRELATED
    ),
    "learning-from-failure": Method(
        "learning from failure", (0.7, 0.5, 0.9), learning_from_failure
    ),
    "rebias": Method(
        "ReBias, beside a network of small receptive field",
        (1.0, 10.0, 100.0),
        rebias,
        needs=BIASED_ARCHITECTURE,
        flat_images=True,
    ),
    "rebias-frozen": Method(
        "ReBias, beside the unrelated network", (1.0, 10.0, 100.0), rebias_frozen, needs=UNRELATED
    ),
    "just-train-twice": Method(
        "just train twice (JTT)", tuple(PUBLISHED), just_train_twice, needs=VALIDATION_LABELS
    ),
    "group-weights": Method(
        "weights inverse to the size of the group",
        DECAYS,
        group_weighted,
        needs=TRAINING_LABELS,
    ),
    "group-dro": Method(
        "group distributionally robust optimisation (GroupDRO)",
        DECAYS,
        group_dro,
        needs=TRAINING_LABELS,
    ),
    "reversal-train": Method(
        "gradient reversal, labels of the training data",
        WEIGHTS,
        _reversal("train"),
        zero=True,
        needs=TRAINING_LABELS,
    ),
    "reversal-labels": Method(
        "gradient reversal, labels of the further data",
        WEIGHTS,
        _reversal("unlabeled"),
        zero=True,
        needs=FURTHER_LABELS,
    ),
    "erasure": Method(
        "linear concept erasure (LEACE) of the plain network",
        (1.0, 0.01, 0.1),
        _erased,
        zero=True,
        needs=FURTHER_LABELS,
    ),
    "last-layer-refit": Method(
        "last layer refitted on balanced groups (DFR)",
        (1.0, 10.0, 100.0),
        last_layer_refitted,
        needs=FURTHER_BOTH,
    ),
    "deep-coral": Method(
        "deep CORAL towards the unlabeled data",
        (1.0, 0.1, 10.0),
        deep_coral,
        needs=UNLABELED,
        parts=("unlabeled",),
        package="skada",
    ),
    "adversarial-fairness": Method(
        "adversarial fairness",
        WEIGHTS,
        adversarial_fairness,
        needs=TRAINING_LABELS,
        binary=True,
        package="fairlearn",
    ),
    "exponentiated-gradient": Method(
        "exponentiated gradient, equal selection rates",
        (0.01, 0.05, 0.1),
        exponentiated_gradient,
        needs=TRAINING_LABELS,
        binary=True,
        falling=True,
        package="fairlearn",
    ),
}

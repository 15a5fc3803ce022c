"""What anti-transfer is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from atl_sklearn.modules import get_module
from benchmarks.evidence.folds import Clips, Fold
from benchmarks.evidence.method import (
    DECAYS,
    WEIGHTS,
    Fitted,
    Method,
    last_layer,
    network,
    network_of,
    of_net,
)
from benchmarks.evidence.rivals import ErasedFeatures, GradientReversal, initialised_from


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
        "plain network, balanced data (ceiling)", DECAYS, _balanced, parts=("balanced",)
    ),
    "from-unrelated": Method("weights from the unrelated network", DECAYS, _from_unrelated),
    "reversal-train": Method(
        "gradient reversal, labels of the training data",
        WEIGHTS,
        _reversal("train"),
        zero=True,
        labels="training data",
    ),
    "reversal-labels": Method(
        "gradient reversal, labels of the further data",
        WEIGHTS,
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
}

"""Deep CORAL of skada: features of training and unlabeled data have the same covariance."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from skorch.callbacks import GradientNormClipping, LRScheduler

from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import Fitted, last_layer, of_net
from benchmarks.evidence.rivals.plain_recipe import batch_size, optimizer_arguments
from benchmarks.evidence.rivals.same_network import untrained

_SOURCE, _TARGET, _NO_LABEL = 1, -2, -1  # of skada


def deep_coral(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train with the unlabeled data as the target domain; the value is the weight.

    A batch has as many unlabeled samples as it has training samples.

    References
    ----------
    .. [1] B. Sun and K. Saenko, "Deep CORAL: correlation alignment for deep domain adaptation",
       ECCV workshops, 2016.
    """
    from skada.deep import DeepCoral

    alone = untrained(fold, seed)
    train, further = fold.train, fold.unlabeled
    size = min(batch_size(fold), len(further.X))
    per_epoch = len(train.X) // size
    plain_steps = fold.max_epochs * -(-len(train.X) // batch_size(fold))
    epochs = max(1, round(plain_steps / per_epoch))
    recipe = optimizer_arguments(fold)
    rate = LRScheduler(
        torch.optim.lr_scheduler.OneCycleLR,
        max_lr=recipe["lr"],
        total_steps=epochs * per_epoch,
        step_every="batch",
    )
    net = DeepCoral(
        deepcopy(alone.module_),
        layer_name="average" if train.X.ndim > 2 else last_layer(fold),
        reg=value,
        optimizer=torch.optim.AdamW,
        **{f"optimizer__{name}": given for name, given in recipe.items()},
        max_epochs=epochs,
        batch_size=size,
        iterator_train__max_samples="source",
        train_split=None,
        device=str(next(alone.module_.parameters()).device),
        callbacks=[rate, GradientNormClipping(5.0)],
        verbose=0,
    )
    target = np.unique(train.target, return_inverse=True)[1]
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of skada's use of numpy and torch
        torch.manual_seed(seed)
        net.fit(
            np.concatenate([train.X, further.X]).astype(np.float32),
            np.concatenate([target, np.full(len(further.X), _NO_LABEL)]),
            sample_domain=np.repeat([_SOURCE, _TARGET], [len(train.X), len(further.X)]),
        )
    alone.module_.load_state_dict(net.module_.base_module_.state_dict())
    return of_net(alone)

"""What a fit has used is free once nobody has it any more, without waiting for Python to look."""

import weakref

import numpy as np
import pytest
from skorch.callbacks import EarlyStopping
from skorch.dataset import ValidSplit

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, NonFiniteLossError

FAST = {"max_epochs": 2, "random_state": 0}
FITS = {
    "plain": {},
    "penalty": {"weight": 1.0},
    "auto": {"more": True},
    "validation": {"train_split": ValidSplit(3), "callbacks": [EarlyStopping()]},
    "live": {"weight": 1.0, "cache": "live"},
    "adversarial": {"weight": 1.0, "metric": "adversarial"},
    "augmented": {"weight": 1.0, "augment": abs},
    "checkpoints": {"weight": 1.0, "checkpoint_dir": "checkpoints", "memory": "memory"},
    "regression": {"weight": 1.0, "estimator": AntiTransferRegressor},
    "not finite": {"lr": 1e30, "max_grad_norm": None},
}


@pytest.mark.parametrize("name", FITS)
def test_data_and_network_are_free_at_once(
    name, tabular, unrelated, no_collector, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    params = {**FAST, **FITS[name]}
    estimator, more = params.pop("estimator", AntiTransferClassifier), params.pop("more", False)

    def fit():
        X, y = tabular[0][:60].copy(), tabular[1][:60].astype(np.float32)
        unlabeled = {"X_unlabeled": tabular[0][60:]} if more else {}
        net = estimator(unrelated=None if name == "plain" else unrelated, **params)
        if name == "not finite":
            with pytest.raises(NonFiniteLossError):
                net.fit(X, y)
        else:
            net.fit(X, y, **unlabeled)
        return net, weakref.ref(X)

    net, data = fit()
    assert data() is None
    net = weakref.ref(net)
    assert net() is None

"""An unrelated network whose activations are not finite is named before training starts."""

import copy

import numpy as np
import pytest
import torch

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.estimators import _frozen_side

FAST = {"max_epochs": 2, "random_state": 0}


class Bad(torch.nn.Module):
    """Has activations that are not finite where the first feature is above a limit."""

    def __init__(self, n_features, limit):
        super().__init__()
        self.linear = torch.nn.Linear(n_features, 4)
        self.limit = limit

    def forward(self, x):
        found = self.linear(x)
        return torch.where(x[:, :1] > self.limit, torch.inf, found)


def broken(unrelated):
    unrelated = copy.deepcopy(unrelated)
    with torch.no_grad():
        unrelated.module_.hidden[0].linear.weight[0, 0] = torch.nan
    return unrelated


def no_training(monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("the network was trained")

    monkeypatch.setattr(AntiTransferClassifier, "train_step", fail)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"weight": "auto"},
        {"metric": "squared_cosine"},
        {"cache": "live"},
        {"cache_size": 0},
        {"unrelated_layer": "posterior"},
        {"layer": ["last", 0]},
    ],
)
def test_a_weight_that_is_not_finite(params, tabular, unrelated, monkeypatch):
    X, y, _ = tabular
    no_training(monkeypatch)
    net = AntiTransferClassifier(unrelated=broken(unrelated), **{"weight": 1.0, **params}, **FAST)
    posterior = params.get("unrelated_layer") == "posterior" or params.get("weight") == "auto"
    layer = "posterior" if posterior else "hidden"
    match = rf"unrelated network has NaN .* in layer '{layer}.*'hidden.0.linear.weight' is not fin"
    with pytest.raises(ValueError, match=match):
        net.fit(X, y)


def test_of_several_networks_it_is_the_right_one(tabular, unrelated):
    X, y, _ = tabular
    for weight in ([1.0, 1.0], "auto"):
        both = [unrelated, broken(unrelated)]
        net = AntiTransferClassifier(unrelated=both, weight=weight, **FAST)
        with pytest.raises(ValueError, match="The unrelated network 1 has NaN"):
            net.fit(X, y)


def test_a_half_precision_that_the_data_leave(tabular, unrelated, monkeypatch):
    X, y, _ = tabular
    no_training(monkeypatch)
    net = AntiTransferClassifier(unrelated=unrelated, precision="float16", **FAST)
    with pytest.raises(ValueError, match=r"unrelated network has NaN .*precision='bfloat16'"):
        net.fit(3e4 * X, y)


@pytest.mark.parametrize("metric", ["cross_correlation", "squared_cosine"])
@pytest.mark.parametrize("which", ["X", "X_unlabeled"])
def test_samples_are_named_by_their_positions(which, metric, tabular, tmp_path, monkeypatch):
    X, y, _ = tabular
    X = X.copy()
    limit = np.sort(X[20:, 0])[-3]
    X[:20, 0] = np.minimum(X[:20, 0], limit)  # the first samples show nothing
    places = np.flatnonzero(np.float32(X[:, 0]) > np.float32(limit))
    network = Bad(X.shape[1], np.float32(limit).item())
    named = rf"for 2 of .* samples of {which}, at positions {places[0]}, {places[1]}\. Its weights"
    trained = X[:40] if which == "X_unlabeled" else X
    data = {"X_unlabeled": X} if which == "X_unlabeled" else {}
    if which == "X_unlabeled":
        trained = np.minimum(trained, limit)
    target = y[: len(trained)]
    params = {"unrelated": network, "weight": 1.0, "layer": 0, "metric": metric, **FAST}
    if metric == "squared_cosine":
        params["module__hidden_layer_sizes"] = (4,)
        params["layer"], params["unrelated_layer"] = "last", "output"
    else:
        params["unrelated_layer"] = "output"
    with monkeypatch.context() as patched:
        no_training(patched)
        kept = AntiTransferClassifier(memory=tmp_path, **params)
        with pytest.raises(ValueError, match=named):  # all are computed before training
            kept.fit(trained, target, **data)
    assert not list((tmp_path / "joblib" / "atl_sklearn" / "activations").iterdir())
    for cache in ("auto", "live"):  # computed when their turn comes
        net = AntiTransferClassifier(cache=cache, batch_size=-1, penalty_batch_size=100, **params)
        with pytest.raises(ValueError, match=rf"samples of {which}, at positions"):
            net.fit(trained, target, **data)


def test_samples_are_named_by_their_positions_where_answers_are_asked_for(tabular, monkeypatch):
    X, y, _ = tabular
    no_training(monkeypatch)
    many, target = np.tile(X, (7, 1)), np.tile(y, 7)  # more than are asked about at once
    limit = np.float32(X[:, 0]).max()
    many[[300, 555], 0] = limit + 1
    net = AntiTransferClassifier(unrelated=Bad(X.shape[1], limit.item()), **FAST)
    with pytest.raises(ValueError, match=r"for 1 of 256 samples of X, at positions 300\. Its wei"):
        net.fit(many, target)


def test_a_penalty_that_is_not_finite_is_traced_to_the_frozen_side(tabular, monkeypatch):
    """Where every check would have to wait for a GPU, they are made when something is wrong."""
    X, y, _ = tabular
    X = X.copy()
    X[:10, 0] = 0
    network = Bad(X.shape[1], 1.0)
    net = AntiTransferRegressor(
        unrelated=network, weight=1.0, layer=0, unrelated_layer="output", cache="live", **FAST
    )
    whole = _frozen_side.FrozenSide.__call__

    def on_a_gpu(self, *args, **kwargs):
        self._on_cpu = False
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(_frozen_side.FrozenSide, "__call__", on_a_gpu)
    with pytest.raises(ValueError, match="unrelated network has NaN or infinite activations"):
        net.fit(X, y)

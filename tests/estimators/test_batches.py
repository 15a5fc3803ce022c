"""Batches and steps: what is made faster must not change what is computed."""

import copy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch import nn
from torch.utils.data import WeightedRandomSampler, default_collate

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.estimators import _samples, _scales
from atl_sklearn.estimators._data import ArrayData
from atl_sklearn.estimators._finiteness import FiniteWeights
from atl_sklearn.estimators._loading import batch_loader
from atl_sklearn.modules import MLP, Standardize

FAST = {"max_epochs": 2, "random_state": 0}


def state_of(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


def test_arrays_of_any_layout_make_the_same_batches():
    X = np.arange(12.0).reshape(6, 2)
    read_only = X.copy()
    read_only.flags.writeable = False
    backwards = X[::-1].copy()[::-1]
    foreign = X.astype(X.dtype.newbyteorder())
    for data in (X, read_only, backwards, torch.as_tensor(X)):
        batch = ArrayData(data, np.arange(6)).__getitems__([4, 1])
        assert torch.equal(batch.X, torch.as_tensor(X[[4, 1]]))
        assert batch.y.tolist() == batch.index.tolist() == [4, 1]
    with pytest.raises(ValueError, match="byte order"):
        ArrayData(foreign, None).__getitems__([0])


@pytest.mark.parametrize("limit", [2**30, 0])
def test_a_table_of_columns_is_laid_in_rows_once(limit, monkeypatch):
    monkeypatch.setattr(_samples, "_ROWS_COPIED", limit)
    rows = np.arange(12.0).reshape(6, 2)
    columns, part = np.asfortranarray(rows), np.hstack([rows, rows])[:, :2]
    for given, copied in ((columns, limit > 0), (rows, False), (part, False), (rows[::2], False)):
        for X in (given, torch.from_numpy(given)):
            data = ArrayData({"a": X}, np.arange(len(X)))
            data.lay_in_rows()
            kept = data._columns[0]["a"]
            assert (kept.data_ptr() != torch.as_tensor(X).data_ptr()) == copied
            assert torch.equal(data.__getitems__([2, 1]).X["a"], torch.as_tensor(given[[2, 1]]))
            assert data.X["a"] is X


def test_tables_of_columns_train_as_those_of_rows(tabular):
    X, y, nuisance = tabular
    unrelated = AntiTransferClassifier(**FAST).fit(X, nuisance)
    columns = np.asfortranarray(X)
    networks = [
        AntiTransferClassifier(unrelated=unrelated, weight=1.0, penalty_every=1, **FAST).fit(
            given[:60], y[:60], X_unlabeled=given[60:]
        )
        for given in (X, columns)
    ]
    assert torch.equal(*map(state_of, networks))
    assert columns.flags.f_contiguous and np.array_equal(columns, X)


def test_batches_come_in_the_same_order_with_and_without_workers():
    orders = []
    for n_workers in (0, 1):
        torch.manual_seed(3)
        data = ArrayData(np.arange(20.0)[:, None], np.arange(20))
        loader = batch_loader(
            data, batch_size=6, shuffle=True, training=True, num_workers=n_workers
        )
        orders.append([batch.index.tolist() for _ in range(2) for batch in loader])
    assert orders[0] == orders[1]
    assert sorted(np.concatenate(orders[0][:4])) == list(range(20))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n_samples", [18, 19, 20])
def test_batches_are_those_of_the_sampler(n_samples, drop_last):
    data = ArrayData(np.arange(float(n_samples))[:, None], np.arange(n_samples))
    loader = batch_loader(data, batch_size=6, shuffle=False, training=True, drop_last=drop_last)
    found = [batch.index.tolist() for batch in loader]
    assert found == list(loader.batch_sampler)
    assert len(found) == len(loader)


def test_scales_do_not_depend_on_how_many_rows_are_taken_at_once(monkeypatch):
    X = np.random.default_rng(0).normal(5, 3, size=(150, 4)).astype(np.float32)
    layers = []
    for piece in (1, 200, 2**21):
        monkeypatch.setattr(_scales, "_PIECE", piece)
        layers.append(Standardize(4))
        _scales.adapt_layers(layers[-1], ArrayData(X, np.zeros(150)))
    for layer in layers[1:]:
        assert torch.equal(layer.mean, layers[0].mean)
        assert torch.equal(layer.scale, layers[0].scale)
    assert layers[0].mean.min() > 4


@pytest.mark.parametrize("value", [3e38, np.nan, np.inf, -np.inf])
def test_large_weights_are_finite_although_their_sum_is_not(value):
    network = nn.Linear(2, 2)
    with torch.no_grad():
        network.weight.fill_(value)
    assert FiniteWeights(network).keep() == np.isfinite(value)


def test_a_network_may_keep_a_part_out_of_the_training_mode(tabular):
    X, y, _ = tabular
    modes = []

    class KeepsDropoutOff(MLP):
        def train(self, mode=True):
            super().train(mode)
            self.off.eval()
            return self

        def __init__(self):
            super().__init__(X.shape[1], 2)
            self.off = nn.Dropout()

        def forward(self, x):
            modes.append((self.training, self.off.training))
            return super().forward(x)

    AntiTransferClassifier(KeepsDropoutOff, **FAST).fit(X[:40], y[:40])
    assert set(modes) == {(True, False), (False, False)}
    assert modes.count((True, False)) >= 4


def test_callbacks_hear_what_they_ask_for(tabular):
    X, y, _ = tabular
    heard = []

    class OfClass(Callback):
        def on_grad_computed(self, net, named_parameters=None, **kwargs):
            heard.append(("gradients", len(list(named_parameters))))

        def on_batch_end(self, net, **kwargs):
            heard.append(("batch", kwargs["training"]))

    of_instance = Callback()
    of_instance.on_batch_begin = lambda net, **kwargs: heard.append(("instance", None))
    AntiTransferClassifier(callbacks=[OfClass(), of_instance], **{**FAST, "max_epochs": 1}).fit(
        X[:40], y[:40]
    )
    assert heard == [("instance", None), ("gradients", 6), ("batch", True)] * 2


def test_a_callback_that_evaluates_does_not_end_the_training_mode(tabular):
    X, y, _ = tabular

    class Evaluates(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if self.how == "predict":
                net.predict(X[:2])
            else:
                net.module_.eval()

    params = {**FAST, "module__dropout": 0.5}
    plain = AntiTransferClassifier(**params).fit(X, y)
    for how in ("predict", "eval"):
        callback = Evaluates()
        callback.how = how
        net = AntiTransferClassifier(callbacks=[callback], **params).fit(X, y)
        assert torch.equal(state_of(net), state_of(plain))


@pytest.mark.parametrize("form", [{"foreach": True}, {"fused": False}, {"capturable": False}])
def test_forms_of_the_optimizer_that_are_asked_for(form, tabular):
    X, y, _ = tabular
    named = {f"optimizer__{name}": value for name, value in form.items()}
    net = AntiTransferClassifier(**FAST, **named).fit(X, y)
    assert not net.optimizer_.defaults["fused"]
    assert AntiTransferClassifier(**FAST).fit(X, y).optimizer_.defaults["fused"]
    lbfgs = AntiTransferClassifier(optimizer=torch.optim.LBFGS, batch_size=-1, **FAST)
    assert "fused" not in lbfgs.fit(X, y).optimizer_.defaults


def test_hooks_leave_with_the_fit(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, warm_start=True, **FAST).fit(X, y)

    def n_hooks():
        return sum(len(module._forward_hooks) for module in net.module_.modules())

    assert n_hooks() == 0
    with pytest.raises(ValueError, match="nope"):
        net.set_params(unrelated_layer="nope").fit(X, y)
    assert n_hooks() == 0


def test_copies_of_a_network_in_training_carry_no_hooks_that_work(tabular, unrelated):
    X, y, _ = tabular
    copies = []

    class Copies(Callback):
        def on_batch_end(self, net, **kwargs):
            copies.append(copy.deepcopy(net.module_))

    AntiTransferClassifier(unrelated=unrelated, callbacks=[Copies()], **FAST).fit(X, y)
    assert copies[0](torch.zeros(2, X.shape[1])).shape == (2, 2)


def test_the_mode_of_frozen_parts_is_their_own(tabular):
    X, y, _ = tabular

    class KeepsEvaluating(MLP):
        def train(self, mode=True):
            super().train(mode)
            self.hidden.eval()
            return self

    params = {"module__dropout": 0.5, **FAST}
    frozen = AntiTransferClassifier(KeepsEvaluating, **params).fit(X, y)
    without = AntiTransferClassifier(MLP, **FAST).fit(X, y)
    assert torch.equal(state_of(frozen), state_of(without))
    assert isinstance(frozen.module_.hidden, nn.Module) and not frozen.module_.hidden.training


@pytest.mark.parametrize("train_split", [None, ValidSplit(2)])
def test_iterators_of_ones_own(tabular, train_split):
    X, y, _ = tabular
    for params in (
        {"iterator_train__sampler": WeightedRandomSampler([1.0] * (len(y) // 2), 20)},
        {"iterator_train__collate_fn": default_collate},
    ):
        net = AntiTransferClassifier(train_split=train_split, **params, **FAST).fit(X, y)
        assert np.isfinite(net.history[-1, "train_loss"])


def test_arrays_move_to_a_device_at_once_if_they_fit():
    X, y = np.zeros((5, 3), dtype=np.float32), np.zeros(5, dtype=np.int64)
    size = 4 * 15 + 8 * 5 + 4 * 5
    for limit, device in ((size, "meta"), (size - 1, "cpu")):
        data = ArrayData({"a": X}, y, np.ones(5, dtype=np.float32))
        data.place(torch.device("meta"), limit)
        batch = data.__getitems__([2, 1])
        assert batch.X["a"].shape == (2, 3)
        assert {batch.X["a"].device.type, batch.y.device.type} == {device}
        assert batch.task_weight.device.type == device
        assert batch.index.tolist() == [2, 1]
    strings = ArrayData({"a": np.array(["x"] * 5)}, y)
    strings.place(torch.device("meta"), 1e9)
    assert strings._columns[1].device.type == "cpu"

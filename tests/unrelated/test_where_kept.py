"""Where frozen activations are kept, what is said of it, and what other fits find."""

import os
import re
import shutil
import tempfile
import threading
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from torch.utils.data import TensorDataset, default_collate

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.estimators._data import ArrayData
from atl_sklearn.unrelated._activation_cache import ActivationCache

TRIED = 8 + 4  # the first samples, and the half of them alone
FAST = {
    "max_epochs": 4, "random_state": 0, "module__channels": (4, 6), "module__pool_after": (0,),
    "weight": 1.0, "penalty_every": 1,
}  # fmt: skip
RNG = np.random.RandomState(0)
X = RNG.normal(size=(64, 6, 8)).astype(np.float32)
Y = RNG.randint(2, size=64)
X_UNLABELED = RNG.normal(size=(50, 6, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def unrelated():
    return AntiTransferClassifier(**FAST).fit(X, 1 - Y)


def fit(unrelated, *, data=None, **params):
    net = AntiTransferClassifier(unrelated=unrelated, **{**FAST, **params})
    return net.fit(X, Y, X_unlabeled=data)


class TestWhere:
    def get_twice(self, store):
        values, calls = torch.arange(30.0).reshape(10, 3), []

        def compute():
            calls.append(1)
            return [values[[4, 2]].clone()]

        for _ in range(2):
            found = store.get([4, 2], compute)
            assert torch.equal(found[0], values[[4, 2]])
        return len(calls)

    @pytest.mark.parametrize(
        ("params", "where", "report"),
        [
            ({"limit": 120}, "memory", r"kept in memory \(120 B for 10 samples"),
            ({"limit": 119}, "mapped", "memory-mapped files .* more than cache_size"),
            ({"limit": 0}, "live", "computed in every step .as asked for"),
            ({"limit": 0, "cache": "mapped"}, "mapped", "as asked for"),
            ({"limit": 0, "cache": "memory"}, "memory", "as asked for"),
            ({"limit": 999, "cache": "live"}, "live", "as asked for"),
            ({"limit": 999, "live_because": "they change"}, "live", "step .they change."),
        ],
    )
    def test_it_is_chosen_and_said(self, params, where, report):
        said = []
        store = ActivationCache(10, report=said.append, **params)
        assert self.get_twice(store) == (2 if where == "live" else 1)
        assert store.where == where
        assert len(said) == 1
        assert re.search(report, said[0])
        store.close()

    def test_a_full_disk(self, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=200))
        said = []
        store = ActivationCache(10, 1, report=said.append)
        assert self.get_twice(store) == 2
        assert "half of what is free" in said[0]

    def test_files_go_with_the_store(self, monkeypatch, tmp_path):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        store = ActivationCache(10, 1)
        self.get_twice(store)
        assert store.where == "mapped"
        if os.name == "posix":  # they have no name any more
            assert list(tmp_path.iterdir()) == []
        store.close()
        assert list(tmp_path.iterdir()) == []

    def test_a_fit_that_fails_leaves_no_files(self, unrelated, monkeypatch, tmp_path):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

        class Fails(Callback):
            def on_epoch_end(self, net, **kwargs):
                raise RuntimeError("midway")

        with pytest.raises(RuntimeError, match="midway"):
            fit(unrelated, cache_size=1, callbacks=[Fails()])
        assert list(tmp_path.iterdir()) == []

    def test_an_unknown_cache(self, unrelated):
        with pytest.raises(ValueError, match=r"'cache' parameter .* one of \['auto', 'live'"):
            fit(unrelated, cache="disk")


class Doubling(Dataset):
    def transform(self, X, y):
        return super().transform(2 * X, y)


class TestReasons:
    """Where activations may change they are computed anew, and it is said why."""

    def said(self, capsys, *args, **params):
        fit(*args, verbose=1, **params)
        lines = capsys.readouterr().out.splitlines()
        return "".join(line for line in lines if line.startswith("Unrelated activations"))

    def test_datasets(self, unrelated, capsys, counted):
        data = TensorDataset(torch.tensor(X_UNLABELED))
        params = {"data": data, "penalty_batch_size": 25}
        assert "a torch Dataset may change" in self.said(capsys, unrelated, **params)
        live = sum(counted)
        counted.clear()
        assert "kept in memory" in self.said(capsys, unrelated, cache="memory", **params)
        assert sum(counted) == live - 3 * 50 + 4

    def test_iterators(self, unrelated, capsys):
        said = self.said(capsys, unrelated, iterator_train__collate_fn=default_collate)
        assert "'iterator_train' makes the batches" in said

    def test_datasets_of_ones_own(self, unrelated, capsys):
        said = self.said(capsys, unrelated, dataset=Doubling)
        assert "'dataset' makes the samples" in said

    def test_single_epochs(self, unrelated, capsys):
        assert "seen once" in self.said(capsys, unrelated, max_epochs=1)

    def test_networks_that_are_random(self, unrelated, capsys):
        class Noisy(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.net = unrelated.module_

            def forward(self, x):
                return self.net(x + torch.randn_like(x))

        params = {"unrelated_layer": "net.head", "max_epochs": 2}
        assert "they are random" in self.said(capsys, Noisy(), **params)

    def test_batch_norm_without_running_statistics(self, capsys):
        network = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.BatchNorm1d(48, track_running_stats=False)
        )
        said = self.said(capsys, network, unrelated_layer="1", max_epochs=2)
        assert "depend on the other samples" in said


def n_entries(folder):
    return len(list(folder.glob("joblib/atl_sklearn/activations/*/0.npy")))


class TestMemory:
    def test_another_fit_computes_nothing_but_the_first_samples(
        self, unrelated, counted, tmp_path, capsys
    ):
        first = fit(unrelated, memory=tmp_path)
        assert sum(counted) == TRIED + 64
        counted.clear()
        second = fit(unrelated, memory=tmp_path, weight=0.5, verbose=1)
        assert sum(counted) == TRIED
        assert "found in" in capsys.readouterr().out
        again = fit(unrelated, memory=str(tmp_path))
        live = fit(unrelated, cache="live")
        mapped = fit(unrelated, memory=joblib.Memory(tmp_path, verbose=0), cache="mapped")
        for net in (again, mapped):
            assert net.history[:, "train_penalty"] == first.history[:, "train_penalty"]
        np.testing.assert_allclose(
            first.history[:, "train_penalty"], live.history[:, "train_penalty"], rtol=1e-3
        )
        assert second.history[-1, "train_penalty"] != first.history[-1, "train_penalty"]
        assert n_entries(tmp_path) == 1

    def test_what_differs_is_kept_apart(self, unrelated, tmp_path):
        fit(unrelated, memory=tmp_path)
        for expected, params in enumerate(
            [
                {"unrelated_layer": 0},
                {"aggregation": "gram"},
                {"aggregation": "gram", "metric": "cosine"},
                {"unrelated_layer": "posterior"},
                {"precision": "float64"},
            ],
            start=2,
        ):
            fit(unrelated, memory=tmp_path, **params)
            assert n_entries(tmp_path) == expected
        fit(AntiTransferClassifier(**FAST).fit(X, Y), memory=tmp_path)
        net = AntiTransferClassifier(unrelated=unrelated, memory=tmp_path, **FAST)
        net.fit(X[:40], Y[:40])
        assert n_entries(tmp_path) == expected + 2

    def test_the_unlabeled_data(self, unrelated, counted, tmp_path):
        fit(unrelated, memory=tmp_path, data=X_UNLABELED)
        counted.clear()
        fit(unrelated, memory=tmp_path, data=X_UNLABELED)
        assert sum(counted) == TRIED + 8
        assert n_entries(tmp_path) == 1

    def test_networks_that_differ_by_something_that_is_no_weight(self, unrelated, tmp_path):
        class Scaled(torch.nn.Module):
            def __init__(self, scale):
                super().__init__()
                self.net, self.scale = unrelated.module_, scale

            def forward(self, x):
                return self.net(self.scale * x)

        params = {"unrelated_layer": "net.blocks.1.activation"}
        for scale in (1.0, 2.0, -1.0):
            kept = fit(Scaled(scale), memory=tmp_path, **params)
            live = fit(Scaled(scale), cache="live", **params)
            np.testing.assert_allclose(
                kept.history[:, "train_penalty"], live.history[:, "train_penalty"], rtol=1e-3
            )
        assert n_entries(tmp_path) == 3

    def test_functions_of_the_same_name(self, unrelated, tmp_path):
        def power(exponent):
            return lambda x: x.abs() ** exponent

        for count, exponent in enumerate((1, 2, 2, 3)):
            kept = fit(unrelated, memory=tmp_path, aggregation=power(exponent))
            live = fit(unrelated, cache="live", aggregation=power(exponent))
            np.testing.assert_allclose(
                kept.history[:, "train_penalty"], live.history[:, "train_penalty"], rtol=1e-3
            )
            assert n_entries(tmp_path) == min(count, 1) + 1 + (count == 3)

    def test_what_cannot_be_told_from_others_is_not_kept(self, unrelated, tmp_path, capsys):
        network = torch.nn.Sequential(unrelated.module_)
        lock = threading.Lock()
        network.held = lambda: lock
        fit(network, memory=tmp_path, unrelated_layer="0.blocks.1.activation", verbose=1)
        said = capsys.readouterr().out
        assert "not kept in 'memory' (attributes > held > closure > lock: an object of " in said
        assert n_entries(tmp_path) == 0

    def test_damaged_files_are_replaced(self, unrelated, counted, tmp_path):
        fit(unrelated, memory=tmp_path)
        file = next(tmp_path.glob("joblib/atl_sklearn/activations/*/0.npy"))
        file.write_bytes(file.read_bytes()[:100])
        counted.clear()
        with pytest.warns(UserWarning, match="are damaged"):
            fit(unrelated, memory=tmp_path)
        assert sum(counted) == TRIED + 64

    def test_an_interrupted_computation_leaves_nothing(self, unrelated, tmp_path, monkeypatch):
        original, interrupted = ArrayData.__getitems__, []

        def interrupt(self, index):
            if len(index) == 64:
                interrupted.append(True)
                raise KeyboardInterrupt
            return original(self, index)

        monkeypatch.setattr(ArrayData, "__getitems__", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(unrelated, memory=tmp_path)
        assert interrupted
        assert list(tmp_path.glob("joblib/atl_sklearn/activations/*")) == []

    @pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
    def test_a_search(self, unrelated, tmp_path, n_jobs):
        net = AntiTransferClassifier(unrelated=unrelated, memory=tmp_path, **FAST)
        GridSearchCV(net, {"weight": [0.5, 1.0]}, cv=2, n_jobs=n_jobs).fit(X, Y)
        assert n_entries(tmp_path) == 3  # two folds and the whole

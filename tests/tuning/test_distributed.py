"""Dask: folds, candidates and trials in a cluster of two processes, and what travels to them."""

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from atl_sklearn import AntiTransferClassifier, load, save
from atl_sklearn.tuning import AntiTransferSearchCV, share_network
from atl_sklearn.tuning import _sharing as sharing

FAST = {"max_epochs": 2, "random_state": 0, "weight": 1.0}


@pytest.fixture(scope="module")
def client():
    """Return a client of a cluster of two processes on this machine."""
    distributed = pytest.importorskip(
        "distributed", reason="distributed, of the extra 'distributed', is not installed"
    )
    import dask

    settings = {
        "distributed.admin.large-graph-warning-threshold": "1GB",
        "distributed.worker.daemon": True,
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def wide():
    """Return a network of half a megabyte that knows the nuisance, and data."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 6)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    net = AntiTransferClassifier(module__hidden_layer_sizes=(350, 350), **FAST)
    return net.fit(X, X[:, 1] > 0), X, y


def loaded():
    return len(sharing._HERE)


# ---- sharing ------------------------------------------------------------------------------


def test_a_shared_network_is_the_same_network(wide, tmp_path):
    network, X, y = wide
    shared = share_network(network, tmp_path)
    for source in (shared, pickle.loads(pickle.dumps(shared)), clone(shared)):
        assert isinstance(source, FrozenEstimator)
        net = AntiTransferClassifier(unrelated=source, **FAST).fit(X, y)
        expected = AntiTransferClassifier(unrelated=network, **FAST).fit(X, y)
        np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))
    assert pickle.loads(pickle.dumps(shared)) is shared
    assert share_network(network, tmp_path) is shared
    assert len(list(tmp_path.iterdir())) == 1
    elsewhere = share_network(network, tmp_path / "elsewhere")
    assert str(tmp_path / "elsewhere") in elsewhere.path


def test_it_travels_as_a_name(wide, tmp_path):
    network, _, _ = wide
    alone = len(pickle.dumps(AntiTransferClassifier(**FAST)))
    whole = len(pickle.dumps(AntiTransferClassifier(unrelated=network, **FAST)))
    shared = share_network(network, tmp_path)
    light = len(pickle.dumps(AntiTransferClassifier(unrelated=shared, **FAST)))
    assert whole - alone > 500_000
    assert light - alone < 500


@pytest.mark.slow
def test_another_process_loads_it_from_the_folder(wide, tmp_path):
    network, X, _ = wide
    shared = share_network(network, tmp_path / "networks")
    (tmp_path / "task").write_bytes(pickle.dumps([shared, shared, X]))
    code = (
        "import pickle, sys\n"
        "one, other, X = pickle.load(open(sys.argv[1], 'rb'))\n"
        "assert one is other\n"
        "print(one.estimator.predict(X[:5]).tolist())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "task")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == str(network.predict(X[:5]).tolist()), done.stderr


def test_what_cannot_be_shared_is_told(wide, tmp_path, monkeypatch):
    network, _, _ = wide
    with pytest.raises(TypeError, match="'unrelated' parameter must be"):
        share_network(3, tmp_path)
    with pytest.raises(ValueError, match="takes a fitted network"):
        share_network(AntiTransferClassifier(), tmp_path)
    with pytest.raises(TypeError, match="'where' argument must be a folder or"):
        share_network(network, 3)
    monkeypatch.setattr(sharing, "_HERE", {})
    task = pickle.dumps(share_network(network, tmp_path))
    monkeypatch.setattr(sharing, "_HERE", {})
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match="folder that all machines see"):
        pickle.loads(task)
    with pytest.raises(RuntimeError, match="was not sent to this process"):
        sharing._find("unknown", None)


class Runs:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path(self.path).touch, ()


def elsewhere(monkeypatch):
    """Forget what was shared, as another process that was never told."""
    monkeypatch.setattr(sharing, "_HERE", {})


def test_files_in_the_folder_are_taken_only_if_they_are_what_was_shared(
    wide, tmp_path, monkeypatch
):
    network, X, y = wide
    shared = share_network(network, tmp_path)
    task, path = pickle.dumps(shared), Path(shared.path)
    good = path.read_bytes()
    other = AntiTransferClassifier(**FAST).fit(X, y)
    damaged = bytearray(good)
    damaged[-7] ^= 1
    save(other, tmp_path / "other")
    for content, says in (
        (good[:200], "cut off"),
        (bytes(damaged), "digest"),
        (pickle.dumps(Runs(tmp_path / "ran")), "not a file that"),
        ((tmp_path / "other").read_bytes(), "another file"),
        (Path(share_network(other, tmp_path).path).read_bytes(), "another file"),
    ):
        path.write_bytes(content)
        elsewhere(monkeypatch)
        with pytest.raises(ValueError, match=rf"of a shared network cannot be used: .*{says}"):
            pickle.loads(task)
    assert not (tmp_path / "ran").exists()
    share_network(network, tmp_path)
    elsewhere(monkeypatch)
    found = pickle.loads(task)
    np.testing.assert_array_equal(found.predict(X), network.predict(X))


def test_networks_of_ones_own_classes_are_shared(wide, tmp_path, monkeypatch):
    _, X, y = wide
    network = AntiTransferClassifier(Scaled, module__scale=2.0, **FAST).fit(X[:, :6], y)
    task = pickle.dumps(share_network(network, tmp_path))
    elsewhere(monkeypatch)
    found = pickle.loads(task)
    np.testing.assert_array_equal(found.predict(X[:, :6]), network.predict(X[:, :6]))
    network.set_params(weight_schedule=lambda epoch: 1.0)
    with pytest.raises(TypeError, match=r"'weight_schedule' .* lambda.*sent with every task"):
        share_network(network, tmp_path)


def test_saved_estimators_hold_the_network_and_not_its_place(wide, tmp_path):
    network, X, y = wide
    shared = share_network(network, tmp_path / "folder")
    net = AntiTransferClassifier(unrelated=shared, **FAST).fit(X, y)
    save(net, tmp_path / "model", include_unrelated=True)
    loaded = load(tmp_path / "model")
    assert type(loaded.unrelated) is FrozenEstimator
    assert loaded.unrelated is loaded.unrelated_
    np.testing.assert_array_equal(loaded.unrelated.predict(X), network.predict(X))


class Scaled(torch.nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.layer = torch.nn.Linear(6, 2)
        torch.nn.init.constant_(self.layer.weight, 0.5)
        torch.nn.init.constant_(self.layer.bias, 0.5)

    def forward(self, x):
        return self.layer(self.scale * x)


def test_networks_of_the_same_weights_are_told_apart(wide, tmp_path):
    network, X, _ = wide
    one, other = (share_network(Scaled(scale), tmp_path) for scale in (1.0, 2.0))
    assert (one.estimator.scale, other.estimator.scale) == (1.0, 2.0)
    pipes = [
        share_network(Pipeline([("scale", StandardScaler().fit(data)), ("net", network)]), tmp_path)
        for data in (X, 2 * X)
    ]
    for shared in (one, other, *pipes):
        assert pickle.loads(pickle.dumps(shared)) is shared
    assert len({shared.path for shared in (one, other, *pipes)}) == 4
    assert not np.array_equal(pipes[0].estimator.predict(X), pipes[1].estimator.predict(X))


def test_a_network_that_changes_does_not_travel_under_its_old_name(tmp_path):
    network = Scaled(1.0)
    shared = share_network(network, tmp_path)
    network.scale = 3.0
    with pytest.raises(RuntimeError, match="changed since share_network was called"):
        pickle.dumps(shared)


def test_a_network_without_an_identity_is_not_shared(tmp_path):
    network = Scaled(1.0)
    network.lock = threading.Lock()
    with pytest.raises(TypeError, match=r"this Scaled .* attributes > lock: .*_thread.lock"):
        share_network(network, tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- Dask ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_folds_and_candidates_run_on_workers(client, wide):
    network, X, y = wide
    net = AntiTransferClassifier(unrelated=share_network(network, client), **FAST)
    grid = {"weight": [0, 1.0]}
    alone = GridSearchCV(net, grid, cv=2, error_score="raise").fit(X, y)
    with joblib.parallel_config("dask"):
        search = GridSearchCV(net, grid, cv=2, error_score="raise").fit(X, y)
        scores = cross_validate(net, X, y, cv=2, error_score="raise", return_estimator=True)
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], alone.cv_results_[name])
    # What comes back names the network that is here.
    assert all(fitted.unrelated is net.unrelated for fitted in scores["estimator"])
    assert set(client.run(loaded).values()) == {1}


@pytest.mark.slow
def test_trials_run_on_workers(client, wide, tmp_path):
    network, X, y = wide
    net = AntiTransferClassifier(unrelated=share_network(network, client), **FAST)
    search = AntiTransferSearchCV(net, n_trials=6, cv=2, n_jobs=2, storage=str(tmp_path))
    with joblib.parallel_config("dask"):
        search.fit(X, y)
    workers = set(client.run(os.getpid).values())
    ran_on = {int(t.user_attrs["worker"].split(":")[1]) for t in search.study_.get_trials()}
    assert ran_on <= workers
    assert len(search.cv_results_["params"]) == 6

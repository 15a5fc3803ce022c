"""Callbacks with something open in a search, as the example has them."""

import importlib.util
import pickle
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from skorch.callbacks import Callback

PATH = Path(__file__).parents[2] / "examples" / "tracking.py"


@pytest.fixture
def example(monkeypatch):
    spec = importlib.util.spec_from_file_location("tracking", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "tracking", module)  # for pickles
    return module


class Open(Callback):
    """Holds what can neither be cloned nor pickled, like the writers of the tools."""

    epochs: dict = {}  # noqa: RUF012 - shared by all, as a server's runs are

    def __init__(self, net):
        self.lock = threading.Lock()
        self.weight = net.weight

    def on_epoch_end(self, net, **kwargs):
        Open.epochs[self.weight] = Open.epochs.get(self.weight, 0) + 1


def test_a_callback_with_something_open_follows_a_search(example):
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(Open(type("Net", (), {"weight": 0})))
    Open.epochs.clear()
    found = example.search(Open)
    # Two folds of each weight, and the refit.
    expected = {0: 6, 1: 6}
    expected[found.best_params_["weight"]] += 3
    assert Open.epochs == expected
    pickle.dumps(example.Fresh(Open))


def test_tensorboard_writes_a_run_for_each_fit(example, tmp_path):
    pytest.importorskip("tensorboard")

    example.search(partial(example.tensorboard, folder=str(tmp_path)))
    runs = ["_".join(path.name.split("_")[:2]) for path in tmp_path.iterdir()]
    assert len(runs) == 5 and {"weight_0", "weight_1"} == set(runs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*noload:DeprecationWarning")  # of SQLAlchemy, in MLflow
def test_mlflow_has_a_run_for_each_fit(example, tmp_path, monkeypatch):
    tracking = pytest.importorskip("mlflow.tracking")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)  # for its artifacts
    found = example.search(partial(example.mlflow, experiment="anti-transfer"))
    client = tracking.MlflowClient(uri)
    number = client.get_experiment_by_name("anti-transfer").experiment_id
    runs = client.search_runs([number])
    assert {run.info.status for run in runs} == {"FINISHED"}
    weights = sorted(run.data.tags["weight"] for run in runs)
    assert weights == sorted(["0", "0", "1", "1", str(found.best_params_["weight"])])
    for run in runs:
        assert run.data.metrics["train_loss"] > 0
        assert ("train_penalty" in run.data.metrics) == (run.data.tags["weight"] == "1")


@pytest.mark.slow
def test_wandb_has_a_run_for_each_fit(example, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name, value in (("MODE", "offline"), ("SILENT", "true"), ("DIR", str(tmp_path))):
        monkeypatch.setenv(f"WANDB_{name}", value)
    example.search(partial(example.wandb, project="anti-transfer"))
    assert wandb.run is None  # the last one is finished too
    runs = list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert len(runs) == 5
    assert all(run.stat().st_size > 0 for run in runs)

"""Fits that go on after a kill: to the same network, from what is whole, and never another's."""

import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from safetensors.torch import load_file
from sklearn.model_selection import GridSearchCV, cross_val_predict
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LRScheduler,
    ProgressBar,
    TensorBoard,
)
from skorch.dataset import Dataset as SkorchDataset
from skorch.helper import predefined_split
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset, TensorDataset

from atl_sklearn import AntiTransferClassifier, NonFiniteLossError
from atl_sklearn._fingerprint import fingerprint
from atl_sklearn._partial_files import partial_path
from atl_sklearn.estimators import _checkpoint_files, _checkpoints
from atl_sklearn.tuning import AntiTransferSearchCV, TrialPruning
from atl_sklearn.unrelated._activation_cache import ActivationCache
from tests.estimators import resuming
from tests.slow import all_but_slow

HERE = Path(__file__).parent
# Warned of by scenarios whose networks are small, and their epochs few.
pytestmark = pytest.mark.filterwarnings("ignore:The 'unrelated' estimator did not learn")


class Crash(Exception):
    """Ends a fit in the middle."""


def crash():
    raise Crash


def make(folder, **params):
    params = {"max_epochs": 4, "batch_size": 32, "random_state": 0, **params}
    params = {"checkpoint_dir": folder, "module__hidden_layer_sizes": (4,), **params}
    return AntiTransferClassifier(**params)


def interrupted(net, *data, at=6, **kwargs):
    """Fit, and be interrupted in the event of a number: the writing of files has several."""
    with pytest.raises(Crash), resuming.interruptible(crash, at):
        net.fit(*data, **kwargs)


def weights(net):
    return {name: x.clone() for name, x in net.module_.state_dict().items()}


def assert_same(net, other):
    theirs = weights(other)
    assert all(torch.equal(x, theirs[name]) for name, x in weights(net).items())


def files(folder):
    return sorted(path for path in Path(folder).glob("*/epoch-*"))


# ---- the same network --------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", all_but_slow(resuming.SCENARIOS, "defaults", "target"))
def test_interrupted_fits_end_as_whole_ones_do(scenario, tmp_path):
    with resuming.interruptible(None) as count:
        whole = resuming.outcome(resuming.fit(scenario, tmp_path / "whole"))
    rng = np.random.RandomState(1)
    # Late in the fit, then anywhere in what is left.
    for at in (int(rng.randint(count[0] // 2, count[0])), int(rng.randint(1, count[0] // 3))):
        with pytest.raises(Crash), resuming.interruptible(crash, at):
            resuming.fit(scenario, tmp_path / "b")
    found = resuming.outcome(resuming.fit(scenario, tmp_path / "b"))
    assert [name for name in whole if whole[name] != found[name]] == []


def run_script(*args, **env):
    """Run fits in a process of their own, which may be killed."""
    return subprocess.run(
        [sys.executable, HERE / "resuming.py", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env},
    )


def kill(scenario, folder, n_kills, seed):
    """Run fits in processes that are killed, and return what was reported of them."""
    ran = run_script(scenario, folder, n_kills, seed)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def check_kills(report, n_kills):
    assert len(report["killed"]) == n_kills
    assert {signal for _, signal in report["killed"]} == {9}
    assert report["ended"]
    assert all(found == report["whole"] for found in report["ended"])


def test_two_kills(tmp_path):
    check_kills(kill("adversarial", tmp_path, 2, seed=3), 2)


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "seed"), [("adversarial", 0), ("target", 1)])
def test_twenty_kills(scenario, seed, tmp_path):
    check_kills(kill(scenario, tmp_path, 20, seed), 20)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["adversarial", "defaults"])
def test_another_python_goes_on(scenario, tmp_path):
    """With other hashes, other addresses and an import of its own."""
    whole, n_events, n_all = json.loads(run_script(scenario, tmp_path / "a", 0).stdout)
    killed = run_script(scenario, tmp_path / "b", n_events - 3, PYTHONHASHSEED="1")
    assert killed.returncode == -9, killed.stderr
    found, _, n_steps = json.loads(
        run_script(scenario, tmp_path / "b", 0, PYTHONHASHSEED="2").stdout
    )
    assert found == whole
    assert n_steps < n_all


def convnet(folder, **params):
    """Return a network of images."""
    return AntiTransferClassifier(
        "convnet", module__channels=(4, 6), module__pool_after=(1,), max_epochs=2, random_state=0,
        batch_size=16, checkpoint_dir=folder, **params,
    )  # fmt: skip


def test_images_and_their_optimizer_keep_their_order_in_memory(images, unrelated_images, tmp_path):
    X, y, _ = images
    params = {"unrelated": unrelated_images, "weight": 1.0}
    whole = convnet(tmp_path / "a", **params).fit(X, y)
    interrupted(convnet(tmp_path / "b", **params), X, y, at=9)
    again = convnet(tmp_path / "b", **params).fit(X, y)
    assert_same(whole, again)
    averages = [
        [state["exp_avg"].stride() for state in net.optimizer_.state.values()]
        for net in (whole, again)
    ]
    assert averages[0] == averages[1]
    assert any(torch.empty(x.shape).stride() != x.stride() for x in weights(whole).values())


class Counting(Callback):
    """Changes the learning rate by what it has counted, in a container of its own."""

    def __init__(self):
        self.seen = {"batches": []}

    def on_batch_end(self, net, training, **kwargs):
        self.seen["batches"].append(len(self.seen["batches"]))
        for group in net.optimizer_.param_groups:
            group["lr"] = 0.01 / (1 + len(self.seen["batches"]))


class Scaled(AntiTransferClassifier):
    """Scales the loss by a number that it changes itself."""

    def get_loss(self, *args, **kwargs):
        self.scale_ = 1.01 * vars(self).get("scale_", 1.0)
        self._hidden = vars(self).get("_hidden", 0) + 1
        return self.scale_ * super().get_loss(*args, **kwargs) / self._hidden


class SlowSGD(torch.optim.SGD):
    """Has a state that its state dict does not have."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_steps = 0

    def step(self, closure=None):
        self.n_steps += 1
        for group in self.param_groups:
            group["lr"] = 0.1 / self.n_steps
        return super().step(closure)


CALLBACKS = {
    "of the user's": lambda: [Counting()],
    "freezer": lambda: [Freezer("sequential.0.*"), Freezer("*bias", at=2)],
    "steps": lambda: [LRScheduler(torch.optim.lr_scheduler.MultiStepLR, milestones=[3, 8],
                                  step_every="batch")],
    "cyclic": lambda: [LRScheduler(torch.optim.lr_scheduler.CyclicLR, base_lr=0.001, max_lr=0.1,
                                   step_size_up=3, step_every="batch", cycle_momentum=False)],
    "lambda": lambda: [LRScheduler(torch.optim.lr_scheduler.LambdaLR,
                                   lr_lambda=lambda epoch: 0.5**epoch)],
    "best": lambda: [EarlyStopping("train_loss", patience=2, load_best=True, threshold=0.2)],
    "scores": lambda: [EpochScoring("f1", on_train=True, lower_is_better=False),
                       BatchScoring("accuracy", on_train=True, name="of_batches")],
}  # fmt: skip


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_go_on(name, tabular, tmp_path):
    X, y, _ = tabular
    whole = make(tmp_path / "a", callbacks=CALLBACKS[name]()).fit(X, y)
    interrupted(make(tmp_path / "b", callbacks=CALLBACKS[name]()), X, y, at=16)
    assert len(files(tmp_path / "b")) == 2
    again = make(tmp_path / "b", callbacks=CALLBACKS[name]()).fit(X, y)
    assert_same(whole, again)
    columns = [[{**row, "dur": 0} for row in list.__iter__(net.history)] for net in (whole, again)]
    assert columns[0] == columns[1]
    for ours, theirs in zip(whole.module_.parameters(), again.module_.parameters(), strict=True):
        assert ours.requires_grad == theirs.requires_grad


class Louder(torch.nn.CrossEntropyLoss):
    """Counts its calls, and weighs the loss by that."""

    n_calls = 0

    def forward(self, scores, target):
        if torch.is_grad_enabled():
            self.n_calls += 1
        return super().forward(scores, target) * (1 + 0.1 * self.n_calls)


class Board:
    """A writer of which nobody knows what it has seen."""

    def __init__(self):
        self.file = (row for row in ())

    def add_scalar(self, *args, **kwargs):
        pass

    def close(self):
        pass


def generator():
    return torch.Generator().manual_seed(3)


PARTS = {
    "sampler": lambda X, y: {
        "iterator_train__sampler": RandomSampler(range(len(y)), generator=generator())
    },
    "generator": lambda X, y: {"iterator_train__generator": generator()},
    "criterion": lambda X, y: {"criterion": Louder},
    "valid": lambda X, y: {"train_split": predefined_split(SkorchDataset(X[:20], y[:20]))},
    "logger": lambda X, y: {"callbacks": [TensorBoard(Board()), ProgressBar()]},
    "disabled": lambda X, y: {"callbacks": "disable"},
    "mapped": lambda X, y: {"cache": "mapped", "weight": "auto"},
    "balanced": lambda X, y: {"class_weight": "balanced", "precision": "bfloat16"},
    "one batch": lambda X, y: {"batch_size": -1, "max_epochs": 8, "optimizer": "rprop"},
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_go_on(name, tabular, unrelated, tmp_path):
    X, y, _ = tabular
    X = X.astype(np.float32)
    whole, cut, again = (
        make(tmp_path / folder, unrelated=unrelated, **PARTS[name](X, y)) for folder in "abb"
    )
    whole.fit(X, y)
    interrupted(cut, X, y, at=16)
    with resuming.interruptible(None) as count:
        again.fit(X, y)
    assert count[1] < 12
    assert_same(whole, again)


def test_checkpoints_of_skorch_load_their_best(tabular, tmp_path):
    X, y, _ = tabular

    def net(name):
        best = Checkpoint("train_loss_best", dirname=str(tmp_path / "best"), load_best=True)
        return make(tmp_path / name, callbacks=[best], lr=0.3, lr_schedule="constant")

    whole = net("a").fit(X, y)
    interrupted(net("b"), X, y, at=16)
    assert_same(whole, net("b").fit(X, y))


def test_attributes_of_subclasses_and_of_optimizers_go_on(tabular, tmp_path):
    X, y, _ = tabular
    nets = [
        Scaled(optimizer=SlowSGD, max_epochs=4, batch_size=32, random_state=0, max_grad_norm=None,
               checkpoint_dir=tmp_path / name)
        for name in "abb"
    ]  # fmt: skip
    nets[0].fit(X, y)
    interrupted(nets[1], X, y, at=16)
    nets[2].fit(X, y)
    assert_same(nets[0], nets[2])
    assert nets[2].scale_ == nets[0].scale_
    assert nets[2].optimizer_.n_steps == nets[0].optimizer_.n_steps


DATA = {
    "arrays": lambda X, y: (X, y),
    "TensorDataset": lambda X, y: (
        Subset(TensorDataset(torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)),
               list(range(len(y)))),
    ),
    "mapping": lambda X, y: ({"X": X}, y),
}  # fmt: skip


class OfMapping(torch.nn.Linear):
    def forward(self, X):
        return super().forward(X)


@pytest.mark.parametrize("kind", DATA)
def test_kinds_of_data(kind, tabular, tmp_path):
    X, y, _ = tabular
    given = DATA[kind](X.astype(np.float32), y)
    params = {"module": torch.nn.Linear, "module__in_features": 6, "module__out_features": 2}
    if kind == "mapping":
        params["module"] = OfMapping
    nets = [
        AntiTransferClassifier(random_state=0, max_epochs=4, checkpoint_dir=tmp_path / name,
                               train_split=0.25, **params)
        for name in "abb"
    ]  # fmt: skip
    nets[0].fit(*given)
    interrupted(nets[1], *given, at=8)
    assert_same(nets[0], nets[2].fit(*given))


def test_without_a_seed_the_first_one_holds(tabular, tmp_path):
    X, y, _ = tabular
    net = make(tmp_path, random_state=None, train_split=0.2)
    interrupted(net, X, y, at=10)
    kept = _checkpoint_files.unpack_state(files(tmp_path)[-1].read_bytes())
    again = make(tmp_path, random_state=None, train_split=0.2)
    with resuming.interruptible(None) as count:
        again.fit(X, y)
    assert again._random_stream.seed == kept["seed"]
    assert count[1] == 6  # of 8 steps
    losses = [row["train_loss"] for row in kept["history"]]
    assert again.history[: len(losses), "train_loss"] == losses


def test_splits_that_are_drawn_are_kept(tabular, tmp_path):
    X, y, _ = tabular
    drawn = []

    def split(dataset, y=None):
        drawn.append(random.sample(range(len(dataset)), len(dataset)))
        return Subset(dataset, drawn[-1][20:]), Subset(dataset, drawn[-1][:20])

    net = make(tmp_path, train_split=split, callbacks=[Held()])
    interrupted(net, X, y, at=16)
    drawn.clear()
    again = make(tmp_path, train_split=split, callbacks=[Held()]).fit(X, y)
    kept = dict(again.callbacks_)["Held"].indices_
    assert len({tuple(indices) for indices in kept}) == 1
    assert kept[0] != drawn[0][:20]


class Held(Callback):
    """Keeps which samples were held out in each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.indices_ = []

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        self.indices_.append(list(dataset_valid.indices))


def test_the_last_checkpoint_has_the_whole_fit(tabular, tmp_path):
    X, y, _ = tabular
    whole = make(None).fit(X, y)
    with resuming.interruptible(None) as count:
        make(tmp_path / "a").fit(X, y)
    interrupted(make(tmp_path / "b"), X, y, at=count[0] - 1)  # before the files are removed
    with resuming.interruptible(None) as count:
        again = make(tmp_path / "b").fit(X, y)
    assert count[1] == 0
    assert_same(whole, again)
    assert len(again.history) == 4


def test_a_weight_that_follows_a_target_is_known_without_another_epoch(tmp_path):
    resuming.SCENARIOS["target"]()  # fits what is unrelated, whose steps are not counted
    with resuming.interruptible(None) as count:
        whole = resuming.fit("target", tmp_path / "a")
    with pytest.raises(Crash), resuming.interruptible(crash, count[0] - 1):
        resuming.fit("target", tmp_path / "b")
    again = resuming.fit("target", tmp_path / "b")
    assert again.weight_ == whole.weight_ != 1
    assert again.summary_ == whole.summary_


def test_a_finished_fit_leaves_nothing_and_the_next_one_begins_anew(tabular, tmp_path):
    X, y, _ = tabular
    with resuming.interruptible(None) as count:
        first = make(tmp_path).fit(X, y)
        n_steps = count[1]
        assert list(tmp_path.iterdir()) == []
        assert_same(first, make(tmp_path).fit(X, y))
        assert count[1] == 2 * n_steps


def test_ctrl_c_is_an_interruption_too(tabular, tmp_path):
    X, y, _ = tabular
    net = make(tmp_path)
    ctrl_c = resuming.interruptible(lambda: os.kill(os.getpid(), 2), 12)
    with pytest.raises(KeyboardInterrupt), ctrl_c:
        net.fit(X, y)
    assert files(tmp_path)
    assert_same(make(None).fit(X, y), net.fit(X, y))


def test_a_folder_of_the_home_is_there_and_not_here(tabular, home):
    X, y, _ = tabular
    net = make("~/kept")
    ctrl_c = resuming.interruptible(lambda: os.kill(os.getpid(), 2), 12)
    with pytest.raises(KeyboardInterrupt), ctrl_c:
        net.fit(X, y)
    assert files(home / "kept")
    (home / "file").touch()
    with pytest.raises(ValueError, match=r"'checkpoint_dir' parameter .*file is a file"):
        make("~/file").fit(X, y)


def test_the_folder_makes_no_other_estimator(tmp_path):
    assert fingerprint(make(tmp_path)) == fingerprint(make(None)) != fingerprint(make(None, lr=1))


def test_activations_that_are_kept_are_computed_in_order(tabular, unrelated, monkeypatch, tmp_path):
    X, y, _ = tabular
    asked = []
    get = ActivationCache.get

    def noting(self, index, compute):
        return get(
            self, index, lambda: (asked.append(torch.as_tensor(index).tolist()), compute())[1]
        )

    monkeypatch.setattr(ActivationCache, "get", noting)
    make(tmp_path, unrelated=unrelated).fit(X, y)
    # The batches of the first epoch, which a fit that goes on does not have, round otherwise.
    assert asked == [list(range(80))]


# ---- files -------------------------------------------------------------------------------------


def test_files_are_safetensors_and_json(tabular, tmp_path):
    X, y, _ = tabular
    interrupted(make(tmp_path), X, y, at=20)
    names = {path.suffix for path in tmp_path.glob("*/*")}
    assert names == {"", ".json", ".safetensors"}
    identity = json.loads(next(tmp_path.glob("*/identity.json")).read_text())
    assert {"X", "y", "lr", "module__hidden_layer_sizes", "version of torch"} <= identity.keys()
    assert len(files(tmp_path)) == 2
    assert all(load_file(path) for path in files(tmp_path))


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == "torn":
        del data[len(data) // 2 :]
    elif how == "flipped":
        data[len(data) // 2] ^= 1
    else:
        data.clear()
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["torn", "flipped", "empty"])
@pytest.mark.parametrize("n_damaged", [1, 2])
def test_damaged_checkpoints_are_not_taken(how, n_damaged, tabular, tmp_path):
    X, y, _ = tabular
    whole = make(None).fit(X, y)
    interrupted(make(tmp_path), X, y, at=16)
    assert len(files(tmp_path)) == 2
    for path in files(tmp_path)[-n_damaged:]:
        damage(path, how)
    with warnings.catch_warnings(record=True) as caught, resuming.interruptible(None) as count:
        warnings.simplefilter("always")
        again = make(tmp_path).fit(X, y)
    assert sum("is damaged" in str(warning.message) for warning in caught) == n_damaged
    assert count[1] == (9 if n_damaged == 1 else 12)
    assert_same(whole, again)


OTHERS = {
    "lr": ({"lr": 0.01}, {}, "lr differ"),
    "X": ({}, {"X": 1e-6}, "X differ"),
    "y": ({}, {"y": 1}, "y differ"),
    "weights": ({}, {"sample_weight": np.arange(80.0)}, "sample_weight differ"),
    "callback": ({"callbacks": [GradientNormClipping(1.0)]}, {}, "callbacks differ"),
    "several": ({"lr": 0.01, "max_epochs": 3}, {}, "lr, max_epochs differ"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_checkpoint_of_another_fit_is_left_alone(name, tabular, tmp_path):
    X, y, _ = tabular
    params, changes, differ = OTHERS[name]
    interrupted(make(tmp_path), X, y, at=16)
    before = files(tmp_path)
    X, y = X + changes.pop("X", 0), (y + changes.pop("y", 0)) % 2
    with pytest.warns(UserWarning, match=f"of another fit, .* {differ}.* begins anew"):
        other = make(tmp_path, **params).fit(X, y, **changes)
    assert_same(make(None, **params).fit(X, y, **changes), other)
    assert files(tmp_path) == before
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "of another fit")  # said once
        make(tmp_path, **params).fit(X, y, **changes)


def test_another_version_is_another_fit(tabular, tmp_path, monkeypatch):
    X, y, _ = tabular
    interrupted(make(tmp_path), X, y, at=16)
    monkeypatch.setattr(torch, "__version__", "1.0")
    with pytest.warns(UserWarning, match="version of torch differ"):
        make(tmp_path).fit(X, y)


def test_folds_and_candidates_have_their_own(tabular, tmp_path, monkeypatch):
    X, y, _ = tabular
    opened = []
    init = _checkpoint_files.CheckpointFiles.__init__

    def noting(self, *args):
        init(self, *args)
        opened.append(self.folder)

    monkeypatch.setattr(_checkpoint_files.CheckpointFiles, "__init__", noting)
    search = GridSearchCV(make(tmp_path, max_epochs=2), {"lr": [0.01, 0.1]}, cv=2, refit=False)
    search.fit(X, y)
    assert len(set(opened)) == len(opened) == 4
    assert list(tmp_path.iterdir()) == []
    predicted = cross_val_predict(make(tmp_path), X, y, cv=2)
    np.testing.assert_array_equal(predicted, cross_val_predict(make(None), X, y, cv=2))


class Pruned:
    """A trial that is pruned in its third step."""

    def report(self, value, step):
        self.step = step

    def should_prune(self):
        return self.step == 2


def test_trials_that_are_pruned_leave_nothing(tabular, tmp_path):
    X, y, _ = tabular
    net = make(tmp_path, callbacks=[TrialPruning(Pruned(), "train_loss")])
    with pytest.raises(optuna.TrialPruned), resuming.interruptible(None):
        net.fit(X, y)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.* has a checkpoint of another fit")
def test_trials_go_on(tabular, unrelated, tmp_path):
    """In another trial, as a search has it that repeats what was killed."""
    X, y, _ = tabular
    space = {"weight": optuna.distributions.FloatDistribution(0, 1)}

    def search(**params):
        net = make(tmp_path, unrelated=unrelated, **params)
        return AntiTransferSearchCV(net, space, n_trials=2, cv=2, random_state=0)

    with pytest.raises(Crash), resuming.interruptible(crash, 62):
        search().fit(X, y)
    assert files(tmp_path)
    with resuming.interruptible(None) as count:
        again = search().fit(X, y)
    assert list(tmp_path.iterdir()) == []
    with resuming.interruptible(None) as whole:
        expected = search(checkpoint_dir=None).fit(X, y)
    assert count[1] < whole[1]
    assert again.best_params_ == expected.best_params_
    assert_same(expected.best_estimator_, again.best_estimator_)


def test_errors_that_would_come_again_leave_nothing(tabular, tmp_path):
    X, y, _ = tabular
    with pytest.raises(NonFiniteLossError), resuming.interruptible(None):
        make(tmp_path, lr=1e30, max_grad_norm=None, optimizer="sgd").fit(X * 1e3, y)
    assert list(tmp_path.iterdir()) == []


def test_two_at_the_same_fit(tabular, tmp_path, monkeypatch):
    X, y, _ = tabular
    files_of = _checkpoint_files.CheckpointFiles(tmp_path, {"a": "1"})
    assert files_of.open()
    with pytest.warns(UserWarning, match="Another fit with the same parameters"):
        assert not _checkpoint_files.CheckpointFiles(tmp_path, {"a": "1"}).open()
    files_of.close(finished=True)
    assert files_of.open()
    files_of.close(finished=False)
    # The second trains, without checkpoints.
    monkeypatch.setattr(_checkpoints, "identify_fit", lambda net, data: {"a": "1"})
    assert files_of.open()
    with pytest.warns(UserWarning, match="Another fit with the same parameters"):
        net = make(tmp_path).fit(X, y)
    assert_same(make(None).fit(X, y), net)
    assert files(tmp_path) == []


@pytest.mark.parametrize("broken", ["mkdir", "write", "full"])
def test_what_cannot_be_written_is_told_once(broken, tabular, tmp_path, monkeypatch):
    X, y, _ = tabular

    def fails(*args, **kwargs):
        raise OSError(28, "No space left on device")

    if broken == "mkdir":
        monkeypatch.setattr(Path, "mkdir", fails)
    elif broken == "write":
        monkeypatch.setattr(_checkpoint_files, "open", fails, raising=False)
    else:  # after a while
        monkeypatch.setattr(os, "fsync", fails)
        (tmp_path / "x").mkdir()
    with pytest.warns(UserWarning, match="No space left on device") as caught:
        net = make(tmp_path / "x").fit(X, y)
    assert ["goes on without it" in str(warning.message) for warning in caught].count(True) == 1
    assert not files(tmp_path / "x")
    assert_same(make(None).fit(X, y), net)


def test_left_overs_of_a_kill_are_removed(tabular, tmp_path, monkeypatch):
    X, y, _ = tabular
    interrupted(make(tmp_path), X, y, at=9)
    folder = next(tmp_path.iterdir())
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process.pid)
        partial_path(folder / "epoch-1.safetensors").write_bytes(b"half")
    interrupted(make(tmp_path), X, y, at=3)
    assert not list(folder.glob(".*"))


def test_short_epochs_are_not_all_kept(tabular, tmp_path, monkeypatch):
    X, y, _ = tabular
    clock = iter(range(10_000))
    monkeypatch.setattr(_checkpoints.time, "monotonic", lambda: next(clock))
    saved = []
    monkeypatch.setattr(
        _checkpoint_files.CheckpointFiles, "save", lambda self, data, epoch: saved.append(epoch)
    )
    # By this clock each look at it takes a second, and so does a checkpoint.
    make(tmp_path, max_epochs=30).fit(X, y)
    assert saved == [1, 11, 21]


def test_it_is_said_where_a_fit_goes_on(tabular, tmp_path, capsys):
    X, y, _ = tabular
    interrupted(make(tmp_path), X, y, at=16)
    make(tmp_path, verbose=1).fit(X, y)
    said = capsys.readouterr()
    assert "Going on after epoch 2 of 4" in said.out
    assert "6/12 steps" in said.err


# ---- what cannot be continued ------------------------------------------------------------------


class Loader(DataLoader):
    pass


class Random(Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, index):
        return np.float32([random.random()]), index % 2


class WithHandle(Callback):
    def initialize(self):
        self.file = open(os.devnull)  # noqa: SIM115
        return self


class Opens(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            self.generator_ = (number for number in range(3))


REFUSED = {
    "iterator": ({"iterator_train": Loader}, "'iterator_train' makes the batches"),
    "iterator_valid": ({"iterator_valid": Loader}, "'iterator_valid' makes the batches"),
    "collate": ({"iterator_train__collate_fn": list}, "iterator_train__collate_fn may have"),
    "dataset": ({"dataset": TensorDataset}, "'dataset' makes the samples"),
    "callback": ({"callbacks": [WithHandle()]}, "WithHandle.file is of type _io.TextIOWrapper"),
    "parameter": (
        {"callbacks": [EarlyStopping("train_loss", sink=(n for n in ()).send)]},
        "callbacks",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_continued_is_refused_before_training(name, tabular, tmp_path):
    X, y, _ = tabular
    params, why = REFUSED[name]
    net = make(tmp_path, **params)
    with pytest.raises(ValueError, match=f"checkpoint_dir.*{why}"):
        net.fit(X, y)
    assert not hasattr(net, "module_")


def test_several_processes_are_refused(tabular, tmp_path):
    X, y, _ = tabular
    net = make(tmp_path)
    net.accelerator = None
    with pytest.raises(ValueError, match="Several processes of accelerate train one network"):
        net.fit(X, y)


def test_datasets_of_random_samples_are_refused(tmp_path):
    with pytest.raises(ValueError, match="X is a Random, which may make other samples"):
        make(tmp_path).fit(Random(), [0, 1] * 10)
    with pytest.raises(ValueError, match="X_unlabeled is a Random, which may make"):
        make(tmp_path).fit(np.ones((8, 1)), [0, 1] * 4, X_unlabeled=Random())
    # Their owner may say that they are the same in every epoch, which is looked at.
    with pytest.raises(ValueError, match="X makes other samples each time, whatever 'cache' says"):
        make(tmp_path, cache="memory").fit(Random(), [0, 1] * 10)


class Files(Dataset):
    """Reads its samples from a file."""

    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return np.load(self.path)[index], index % 2


def test_datasets_are_told_by_what_they_read(tmp_path):
    X = np.random.RandomState(0).normal(size=(20, 3)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    params = {"cache": "memory", "batch_size": 8, "checkpoint_dir": tmp_path / "kept"}
    interrupted(make(None, **params), Files(tmp_path / "X.npy"), at=16)
    with resuming.interruptible(None) as count:
        again = make(None, **params).fit(Files(tmp_path / "X.npy"))
    assert count[1] < 12
    assert_same(
        make(None, **{**params, "checkpoint_dir": None}).fit(Files(tmp_path / "X.npy")), again
    )
    interrupted(make(None, **params), Files(tmp_path / "X.npy"), at=16)
    np.save(tmp_path / "X.npy", X + 1)
    with pytest.warns(UserWarning, match="X differ"):
        make(None, **params).fit(Files(tmp_path / "X.npy"))


def test_a_state_that_comes_up_in_training_ends_the_checkpoints(tabular, tmp_path):
    X, y, _ = tabular
    told = pytest.warns(UserWarning, match="No more checkpoints are kept: .*generator_ is of type")
    with told, resuming.interruptible(None):
        net = make(tmp_path, callbacks=[Opens()]).fit(X, y)
    assert len(net.history) == 4


def test_partial_fit_and_warm_start_say_that_they_keep_none(tabular, tmp_path):
    X, y, _ = tabular
    with pytest.warns(UserWarning, match="checkpoint_dir is not used by partial_fit"):
        make(tmp_path).partial_fit(X, y)
    net = make(tmp_path, warm_start=True).fit(X, y)
    with pytest.warns(UserWarning, match="checkpoint_dir is not used by a fit that goes on"):
        net.fit(X, y)


def test_activations_are_kept_if_they_were(tabular, unrelated, tmp_path, monkeypatch):
    X, y, _ = tabular
    interrupted(make(tmp_path, unrelated=unrelated), X, y, at=16)
    monkeypatch.setattr(ActivationCache, "_decide", lambda self, *args: self._settle("live", ""))
    with pytest.raises(RuntimeError, match="kept activations would not be what it was"):
        make(tmp_path, unrelated=unrelated).fit(X, y)


def test_what_does_not_come_back_as_it_was_is_no_way_to_go_on(tabular, tmp_path, monkeypatch):
    X, y, _ = tabular
    interrupted(make(tmp_path), X, y, at=16)

    def forgets(self, state):
        state["state"] = {}

    monkeypatch.setattr(torch.optim.AdamW, "load_state_dict", forgets)
    with pytest.raises(
        RuntimeError, match=r"cannot be continued as it was .* optimizers would not be"
    ):
        make(tmp_path).fit(X, y)

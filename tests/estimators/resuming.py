"""Fits that are interrupted, and what they end in; also run as a script, which is really killed."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import EarlyStopping, EpochScoring, LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.audio import AddNoise
from atl_sklearn.estimators import _checkpoint_files, _checkpoints
from atl_sklearn.estimators._estimator import AntiTransferEstimator
from atl_sklearn.persistence import pack_state

_SMALL = {"module__hidden_layer_sizes": (8, 6)}


class Noisy(torch.nn.Module):
    """Has dropout, running statistics, a buffer that no state dict has, and a count."""

    def __init__(self, n_features_in, n_outputs):
        super().__init__()
        self.hidden = torch.nn.Linear(n_features_in, 8)
        self.norm = torch.nn.BatchNorm1d(8)
        self.drop = torch.nn.Dropout(0.3)
        self.head = torch.nn.Linear(8, n_outputs)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.n_calls = 0

    def forward(self, X):
        if self.training and torch.is_grad_enabled():
            self.n_calls += 1
            self.seen.add_(len(X))
        hidden = self.drop(torch.relu(self.norm(self.hidden(X))))
        return self.head(hidden) * (1 + 0.01 * self.n_calls) + 1e-4 * self.seen


def half_way(progress):
    """Return a factor of the learning rate."""
    return 1 - progress / 2


def jitter(x):
    """Add noise."""
    return x + 0.1 * torch.randn_like(x)


def _plain(*, weight=1.0, **params):
    given = {"max_epochs": 5, "batch_size": 16, "random_state": 0, **params}
    return AntiTransferClassifier(weight=weight, **given)


def _nuisance():
    return AntiTransferClassifier(max_epochs=2, lr=0.03, **_SMALL)


@functools.cache
def _known():
    X, _, nuisance, _ = data()
    net = AntiTransferClassifier(max_epochs=2, lr=0.03, random_state=0, **_SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return net.fit(X, nuisance)


# The estimators, by what is particular to them; whether they have unlabeled data.
SCENARIOS = {
    "defaults": lambda: (_plain(unrelated=_nuisance(), weight="auto", **_SMALL), False),
    "adversarial": lambda: (
        _plain(unrelated=_nuisance(), metric="adversarial", module=Noisy, layer="hidden",
               unrelated_layer="last", train_split=0.2, penalty_data="both",
               callbacks=[EarlyStopping(patience=3, load_best=True, sink=print)]),
        True,
    ),
    "target": lambda: (
        _plain(unrelated=_known(), target_similarity=0.1, lr_schedule="cosine",
               optimizer="sgd", optimizer__momentum=0.9, **_SMALL),
        True,
    ),
    "scheduler": lambda: (
        _plain(module=Noisy, weight_decay=0.01, train_split=0.25,
               callbacks=[LRScheduler(ReduceLROnPlateau, patience=0, monitor="train_loss"),
                          EpochScoring("accuracy", on_train=True, lower_is_better=False)]),
        False,
    ),
    "callable": lambda: (
        _plain(unrelated=_known(), lr_schedule=half_way, optimizer="lbfgs",
               optimizer__max_iter=3, aggregation="stochastic_pairwise", metric="cosine",
               **_SMALL),
        False,
    ),
    "half": lambda: (
        _plain(precision="float16", cache="live", unrelated=_known(), lr_schedule="constant",
               optimizer="adam", **_SMALL),
        False,
    ),
    "augmented": lambda: (
        _plain(unrelated=_known(), augment=[AddNoise(10.0), jitter], augment_unrelated=False,
               augment_keep="same_answer", train_split=0.2, penalty_data="both", **_SMALL),
        True,
    ),
    "regressor": lambda: (
        AntiTransferRegressor(max_epochs=5, batch_size=16, random_state=3,
                              unrelated=_known(), train_split=0.2, penalty_every=3,
                              **_SMALL),
        True,
    ),
}  # fmt: skip


def data():
    """Return X, a target, a nuisance and unlabeled samples."""
    rng = np.random.RandomState(0)
    y, nuisance = rng.randint(2, size=60), rng.randint(2, size=60)
    X = rng.normal(size=(60, 6)).astype(np.float32)
    X[:, 0] += y
    X[:, 1] += 2 * nuisance
    return X, y, nuisance, rng.normal(size=(40, 6)).astype(np.float32)


def fit(scenario, folder):
    """Fit a new estimator, as a new process has it."""
    net, has_unlabeled = SCENARIOS[scenario]()
    X, y, nuisance, unlabeled = data()
    fitted = net.unrelated is None or hasattr(net.unrelated, "module_")
    # That the target goes along with, so that there is something to choose.
    more = {} if fitted else {"y_unrelated": np.where(np.arange(len(y)) % 8, y, nuisance)}
    if has_unlabeled:
        more["X_unlabeled"] = unlabeled
    y = y + X[:, 2] if isinstance(net, AntiTransferRegressor) else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return net.set_params(checkpoint_dir=folder).fit(X, y, **more)


def outcome(net):
    """Return what a fit ended in, each part as a digest."""
    rows = [
        {name: value for name, value in row.items() if name != "dur"}
        for row in list.__iter__(net.history)
    ]
    parts = {
        "weights": net.module_.state_dict(),
        "network": [getattr(net.module_, "n_calls", 0), dict(net.module_.named_buffers())],
        "optimizer": net.optimizer_.state_dict(),
        "history": rows,
        "random": net._random_stream._states,
        "penalty": net.__dict__.get("_penalty_state"),
        "weight": net.weight_,
        "product of experts": net.product_of_experts_,
        "unrelated": None if net.unrelated_ is None else net.unrelated_.module_.state_dict(),
        "unrelated score": getattr(net, "unrelated_score_", None),
        "summary": net.summary_.lines(),
    }
    return {name: hashlib.sha256(pack_state(part)).hexdigest() for name, part in parts.items()}


@contextlib.contextmanager
def interruptible(act, at=None):
    """Let `act` happen in the event of a number: steps of training and of writing are events.

    Yields a list that holds how many there were, and how many of them were steps.
    """
    count = [0, 0]

    def event():
        count[0] += 1
        if count[0] == at:
            act()

    class HalfWritten:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.file.close()

        def write(self, text):
            self.file.write(text[: len(text) // 2])
            self.file.flush()
            event()
            self.file.write(text[len(text) // 2 :])

    step, write, close = (
        AntiTransferEstimator.train_step,
        _checkpoint_files.CheckpointFiles._write,
        _checkpoint_files.CheckpointFiles.close,
    )

    def stepping(self, *args, **kwargs):
        count[1] += 1
        event()
        return step(self, *args, **kwargs)

    def writing(self, *args, **kwargs):
        event()
        write(self, *args, **kwargs)
        event()

    def closing(self, **kwargs):
        event()
        close(self, **kwargs)

    share = _checkpoints._SHARE
    try:
        _checkpoints._SHARE = np.inf
        AntiTransferEstimator.train_step = stepping
        _checkpoint_files.CheckpointFiles._write = writing
        _checkpoint_files.CheckpointFiles.close = closing
        _checkpoint_files.open = lambda *args: HalfWritten(open(*args))  # noqa: SIM115
        yield count
    finally:
        _checkpoints._SHARE = share
        AntiTransferEstimator.train_step = step
        _checkpoint_files.CheckpointFiles._write = write
        _checkpoint_files.CheckpointFiles.close = close
        del _checkpoint_files.open


def once(scenario, folder, at):
    """Fit in this process, which is killed in the event of a number, if it gets there."""
    torch.set_num_threads(1)
    with interruptible(lambda: os.kill(os.getpid(), signal.SIGKILL), at) as count:
        print(json.dumps([outcome(fit(scenario, folder)), *count]))


def main(scenario, folder, n_kills, seed):
    """Kill a fit again and again, and report what it ends in without and with that.

    The processes that are killed are copies of this one, which has imported everything.
    """
    torch.set_num_threads(1)
    with interruptible(None) as count:
        whole = outcome(fit(scenario, os.path.join(folder, "whole")))
    rng = np.random.RandomState(seed)
    done, killed = 0, []
    while True:
        at = int(rng.randint(1, count[0])) if len(killed) < n_kills else None
        child = os.fork()
        if child == 0:
            with interruptible(lambda: os.kill(os.getpid(), signal.SIGKILL), at):
                found = outcome(fit(scenario, os.path.join(folder, "killed")))
            Path(folder, f"{done}.json").write_text(json.dumps(found))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed.append((at, os.WTERMSIG(status)))
            continue
        assert status == 0, status
        done += 1
        if len(killed) >= n_kills:
            break
        shutil.rmtree(os.path.join(folder, "killed"), ignore_errors=True)
    ended = [json.loads(Path(folder, f"{at}.json").read_text()) for at in range(done)]
    print(json.dumps({"whole": whole, "ended": ended, "killed": killed, "events": count[0]}))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        once(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

"""What several processes search in the tests of shared studies; imported by the same name in all.

With ``BLOCK_AT_EPOCH=k`` in its environment a process prints a line at the end of its k-th epoch
and goes on when it is sent one, if it still lives then.
"""

import os
import sys
import threading

import numpy as np
import torch
from optuna.distributions import CategoricalDistribution
from skorch.callbacks import Callback

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.tuning import AntiTransferSearchCV

EPOCHS, FOLDS = 2, 2
SPACE = {
    "weight": CategoricalDistribution((0.0, 0.3, 1.0, 3.0)),
    "lr": CategoricalDistribution((0.001, 0.003, 0.01, 0.03)),
}


EPOCHS_DONE = [0]


class Blocking(Callback):
    """Stops where a test wants to kill or to let others catch up."""

    def on_epoch_end(self, net, **kwargs):
        # Not found as a global name, which would make it part of what the search is.
        done = vars(sys.modules[__name__])["EPOCHS_DONE"]
        done[0] += 1
        if done[0] == int(os.environ.get("BLOCK_AT_EPOCH", 0)):
            print("blocked", flush=True)
            sys.stdin.readline()


class Interrupting(Callback):
    """Interrupts the training of networks of a weight, as long as there is a file."""

    def __init__(self, path, weight=1.0):
        self.path = path
        self.weight = weight

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        if net.weight == self.weight and os.path.exists(self.path):
            raise KeyboardInterrupt


class Hanging(Callback):
    """Says so in a named pipe and goes on no more, unless the network is the plain one."""

    def __init__(self, pipe):
        self.pipe = pipe

    def on_epoch_end(self, net, **kwargs):
        if net.weight != 0:
            with open(self.pipe, "w") as pipe:
                pipe.write("x")
            threading.Event().wait(300)  # to be killed long before


def data():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(40, 4)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


def search(storage, n_trials, **parameters):
    torch.manual_seed(0)
    unrelated = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    net = AntiTransferClassifier(
        unrelated=unrelated, unrelated_layer="0", max_epochs=EPOCHS, random_state=0,
        module__hidden_layer_sizes=(6, 4), callbacks=[("blocking", Blocking())],
    )  # fmt: skip
    return AntiTransferSearchCV(
        net, SPACE, storage=storage, n_trials=n_trials, cv=FOLDS, pruner=None, random_state=0,
        **{"refit": False, **parameters},
    )  # fmt: skip


def interrupted(storage, pipe):
    found = search(storage, 6, n_jobs=2)
    found.set_params(estimator__callbacks=[("hanging", Hanging(pipe))]).fit(*data())


def main():
    torch.set_num_threads(1)
    search(sys.argv[1], int(sys.argv[2])).fit(*data())
    print("done", flush=True)

"""Threads and processes that want torch's generator at the same time."""

import os
import signal
import threading
import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from atl_sklearn import AntiTransferClassifier, list_layers
from atl_sklearn._generator import forked_generator
from atl_sklearn.tuning import _combinations

# How long a thread is given to do what the lock keeps it from.
_PATIENCE = 0.2


class Signals(torch.nn.Module):
    """Tells that it runs, and goes on when it is told."""

    # Of the class, since the network is copied before it runs.
    runs, goes_on = threading.Event(), threading.Event()

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(6, 2)

    def forward(self, x):
        self.runs.set()
        assert self.goes_on.wait(60)
        return self.linear(x)


class Meanwhile(Callback):
    """Starts something in another thread after the first epoch, to end after the second."""

    def __init__(self, work, begun, may_end):
        self.thread = threading.Thread(target=work)
        self.begun, self.may_end = begun, may_end

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 1:
            self.thread.start()
            self.begun.wait(_PATIENCE)
        elif len(net.history) == 2:
            self.may_end.set()
            self.thread.join(_PATIENCE)


def weights(net):
    return torch.cat([value.flatten() for value in net.module_.state_dict().values()])


def test_layers_listed_in_another_thread_do_not_change_a_fit(tabular):
    X, y, _ = tabular
    params = {"max_epochs": 4, "module__dropout": 0.5, "random_state": 0}
    alone = AntiTransferClassifier(**params).fit(X, y)
    network, listed = Signals(), []

    def work():
        listed.append(list_layers(network, torch.zeros(2, 6)))

    meanwhile = Meanwhile(work, network.runs, network.goes_on)
    net = AntiTransferClassifier(callbacks=[("meanwhile", meanwhile)], **params).fit(X, y)
    meanwhile.thread.join()
    assert listed[0][0].name == "linear"
    torch.testing.assert_close(weights(net), weights(alone), rtol=0, atol=0)


def test_the_penalty_in_another_thread_does_not_change_a_fit(tabular, unrelated):
    """Initialised networks, readers of adversarial metrics and unlabeled batches wait."""
    X, y, nuisance = tabular
    params = {"max_epochs": 4, "module__dropout": 0.5, "random_state": 0}
    alone = AntiTransferClassifier(**params).fit(X, y)

    def work():
        other = AntiTransferClassifier(unrelated=unrelated, metric="adversarial", **params)
        other.fit(X, nuisance, X_unlabeled=X[:50])

    ready = threading.Event()
    meanwhile = Meanwhile(work, ready, ready)
    net = AntiTransferClassifier(callbacks=[("meanwhile", meanwhile)], **params).fit(X, y)
    meanwhile.thread.join()
    torch.testing.assert_close(weights(net), weights(alone), rtol=0, atol=0)


def test_a_tried_comparison_draws_nothing_from_the_global_generator():
    _combinations._comparable.cache_clear()
    before = torch.get_rng_state()
    assert _combinations._comparable("cka", "spatial_mean", (4,), (5,))
    torch.testing.assert_close(torch.get_rng_state(), before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")
def test_a_process_forked_while_another_thread_draws_does_not_wait_for_it():
    inside, leave = threading.Event(), threading.Event()

    def work():
        with forked_generator():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert inside.wait(60)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            pid = os.fork()
        if pid == 0:  # the child: nothing of pytest's may run in it
            signal.alarm(20)  # ends it if it waits for ever
            with forked_generator():
                os._exit(0)
        _, status = os.waitpid(pid, 0)
    finally:
        leave.set()
        thread.join()
    assert status == 0


def test_a_thread_inside_may_come_in_again():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with forked_generator():
        torch.rand(5)
        with forked_generator():
            torch.rand(5)
    np.testing.assert_array_equal(torch.rand(3), expected)

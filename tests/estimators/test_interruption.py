"""Ctrl-C in a fit: it is raised, and what was learnt up to then stays usable."""

import os
import pickle
import signal
import threading

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping

from atl_sklearn import AntiTransferClassifier
from tests.estimators.test_training import same_state, state_of

PARAMS = {"max_epochs": 6, "random_state": 0, "lr_schedule": "constant"}


class CtrlC(Callback):
    """Sends the signal that Ctrl-C sends, in one batch of one epoch."""

    def __init__(self, epoch, batch=1, event="on_batch_end"):
        self.epoch = epoch
        self.batch = batch
        self.event = event

    def _count(self, net):
        self.n_ = getattr(self, "n_", 0) + 1
        if len(net.history) == self.epoch and len(net.history[-1]["batches"]) > self.batch:
            os.kill(os.getpid(), signal.SIGINT)

    def on_batch_end(self, net, training=False, **kwargs):
        if training and self.event == "on_batch_end":
            self._count(net)

    def on_epoch_end(self, net, **kwargs):
        if self.event == "on_epoch_end":
            self._count(net)


def test_it_is_raised_and_the_last_finished_epoch_stays(tabular, unrelated):
    X, y, _ = tabular
    params = {**PARAMS, "unrelated": unrelated}
    net = AntiTransferClassifier(callbacks=[CtrlC(epoch=4)], **params)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y)
    whole = AntiTransferClassifier(**{**params, "max_epochs": 3}).fit(X, y)
    assert same_state(state_of(net), state_of(whole))
    assert net.history[:, "train_loss"] == whole.history[:, "train_loss"]
    np.testing.assert_array_equal(net.predict(X), whole.predict(X))
    assert net.unrelated_ is unrelated
    assert net.summary_.ended_by == "interruption"
    assert (net.summary_.n_epochs, net.summary_.converged) == (3, None)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict(X), whole.predict(X))
    net.set_params(callbacks=None).partial_fit(X, y)
    assert len(net.history) == 9


def test_in_a_callback_that_runs_at_the_end_of_an_epoch(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(callbacks=[CtrlC(epoch=2, event="on_epoch_end")], **PARAMS)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y)
    assert len(net.history) == 2
    whole = AntiTransferClassifier(**{**PARAMS, "max_epochs": 2}).fit(X, y)
    assert same_state(state_of(net), state_of(whole))


def test_before_the_first_epoch_ended_nothing_has_changed(tabular):
    X, y, _ = tabular
    fresh = AntiTransferClassifier(callbacks=[CtrlC(epoch=1)], **PARAMS)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X, y)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    fitted = AntiTransferClassifier(**PARAMS).fit(X, y)
    before, proba = state_of(fitted), fitted.predict_proba(X)
    fitted.set_params(callbacks=[CtrlC(epoch=7)])
    fitted.initialize_callbacks()
    with pytest.raises(KeyboardInterrupt):
        fitted.partial_fit(X, y)
    assert same_state(state_of(fitted), before)
    np.testing.assert_array_equal(fitted.predict_proba(X), proba)
    assert len(fitted.history) == 6


class Interrupting(torch.nn.Linear):
    """A network that is interrupted without a signal, as tools do that raise by themselves."""

    n_calls = 0

    def forward(self, x):
        Interrupting.n_calls += self.training
        if Interrupting.n_calls > 8:
            raise KeyboardInterrupt
        return super().forward(x)


def test_without_a_signal_from_outside_of_callbacks(tabular):
    X, y, _ = tabular
    Interrupting.n_calls = 0
    net = AntiTransferClassifier(Interrupting(6, 2), **PARAMS)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y)
    assert len(net.history) == 2


def test_callbacks_end_a_training_as_in_skorch(tabular):
    X, y, _ = tabular
    stop = EarlyStopping("train_loss", patience=2, threshold=10.0)
    net = AntiTransferClassifier(callbacks=[stop], **PARAMS).fit(X, y)
    assert 0 < len(net.history) < 6
    assert net.summary_.ended_by == "callback"


def test_a_search_ends(tabular):
    X, y, _ = tabular
    search = GridSearchCV(
        AntiTransferClassifier(callbacks=[CtrlC(epoch=2)], **PARAMS), {"lr": [0.1, 0.01]}, cv=2
    )
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)


def test_an_interrupted_unrelated_network_is_not_kept(tabular, tmp_path):
    X, y, nuisance = tabular
    Interrupting.n_calls = 0

    def make(module):
        unrelated = AntiTransferClassifier(module, **PARAMS)
        return AntiTransferClassifier(
            unrelated=unrelated, unrelated_layer="output", memory=tmp_path, **PARAMS
        )

    torch.manual_seed(3)
    with pytest.raises(KeyboardInterrupt):
        make(Interrupting(6, 2)).fit(X, y, y_unrelated=nuisance)
    Interrupting.n_calls = -1000
    torch.manual_seed(3)
    net = make(Interrupting(6, 2)).fit(X, y, y_unrelated=nuisance)
    assert len(net.unrelated_.history) == 6


def test_the_handler_of_the_signal_is_given_back(tabular):
    X, y, _ = tabular
    before = signal.getsignal(signal.SIGINT)
    AntiTransferClassifier(**PARAMS).fit(X, y)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_needs_no_signals(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**PARAMS)
    thread = threading.Thread(target=net.fit, args=(X, y))
    thread.start()
    thread.join()
    assert len(net.history) == 6

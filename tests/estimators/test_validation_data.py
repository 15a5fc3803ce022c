"""`train_split`, and callbacks that need what it splits off."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from skorch.callbacks import Checkpoint, EarlyStopping, EpochScoring, LRScheduler
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.tuning import TrialPruning

FAST = {"max_epochs": 2, "random_state": 0, "batch_size": 100}


def sizes_of(net):
    rows = net.history[-1, "batches"]
    return [row.get("train_batch_size") or row["valid_batch_size"] for row in rows]


def test_a_share_is_held_out(tabular):
    X, y, _ = tabular
    assert sizes_of(AntiTransferClassifier(train_split=0.25, **FAST).fit(X, y)) == [60, 20]
    share = np.float32(0.125)
    assert sizes_of(AntiTransferRegressor(train_split=share, **FAST).fit(X, X[:, 0])) == [70, 10]


class Watched(AntiTransferClassifier):
    def validation_step(self, batch, **fit_params):
        self.__dict__.setdefault("seen_", []).append(batch)
        return super().validation_step(batch, **fit_params)


def test_it_is_stratified_and_drawn_by_the_seed(tabular):
    X, _, _ = tabular
    rare = (np.arange(80) < 8).astype(int)
    net = Watched(train_split=0.25, **FAST).fit(X, rare)
    assert [int(batch.y.sum()) for batch in net.seen_] == [2, 2]
    held_out = [batch.index.tolist() for batch in net.seen_]
    assert held_out[0] == held_out[1]
    # going on, training never sees them; another fit with the same seed holds out the same
    assert net.partial_fit(X, rare).seen_[-1].index.tolist() == held_out[0]
    assert clone(net).fit(X, rare).seen_[0].index.tolist() == held_out[0]
    other = clone(net).set_params(random_state=1).fit(X, rare)
    assert other.seen_[0].index.tolist() != held_out[0]


def test_what_is_drawn_for_it_changes_no_other_number(tabular):
    X, y, _ = tabular
    net = Watched(train_split=0.25, **FAST).fit(X, y)
    held_out = net.seen_[0].index.tolist()
    kept = np.setdiff1d(np.arange(80), held_out)
    # batches of all samples are not shuffled
    expected = AntiTransferClassifier(**FAST).fit(X[kept], y[kept])
    np.testing.assert_allclose(net.predict_proba(X), expected.predict_proba(X), rtol=1e-4)


def test_false_is_none(tabular, unrelated):
    X, y, _ = tabular
    none, false = (
        AntiTransferClassifier(unrelated=unrelated, train_split=split, **FAST).fit(X, y)
        for split in (None, False)
    )
    np.testing.assert_array_equal(none.predict_proba(X), false.predict_proba(X))
    assert sizes_of(false) == [80]


@pytest.mark.parametrize("share", [0.001, 0.99])
def test_a_share_that_leaves_nothing_is_refused(share, tabular):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(), train_split=share)
    before = dict(vars(net))
    with pytest.raises(ValueError, match=r"'train_split' parameter of .* share that leaves"):
        net.fit(X, y, y_unrelated=nuisance)
    assert vars(net) == before


@pytest.mark.parametrize("split", [1, 0, 1.0, 5, True, "all", np.nan, int, ValidSplit, [0.1]])
def test_other_values_are_refused(split, tabular):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"'train_split' .* a float in \(0, 1\) or a callable"):
        AntiTransferClassifier(train_split=split).fit(X, y)


# ---- callbacks ----------------------------------------------------------------------------

AUC = EpochScoring("roc_auc", name="auc", lower_is_better=False)
NEEDING = {
    "EarlyStopping": [EarlyStopping()],
    "its class": [EarlyStopping],
    "named": [("stop", EarlyStopping())],
    "Checkpoint": [Checkpoint(f_params=None, f_optimizer=None, f_history=None)],
    "valid_acc": [EarlyStopping(monitor="valid_acc", lower_is_better=False)],
    "its own score": [AUC, EarlyStopping(monitor="auc", lower_is_better=False)],
    "best of it": [AUC, Checkpoint(monitor="auc_best", f_params=None, f_optimizer=None)],
    "LRScheduler": [LRScheduler("ReduceLROnPlateau", monitor="valid_loss")],
    "TrialPruning": [TrialPruning(SimpleNamespace(report=None, should_prune=None))],
}


@pytest.mark.parametrize("name", NEEDING)
def test_callbacks_that_need_validation_data_say_so(name, tabular, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y, nuisance = tabular
    net = AntiTransferClassifier(
        unrelated=AntiTransferClassifier(), callbacks=NEEDING[name], random_state=0
    )
    with pytest.raises(ValueError, match=r"needs validation data.* train_split=ValidSplit\(5\)"):
        net.fit(X, y, y_unrelated=nuisance)
    assert not hasattr(net, "module_")


@pytest.mark.parametrize("split", [0.2, ValidSplit(4), "predefined"])
def test_and_work_with_them(split, tabular):
    X, y, _ = tabular
    if split == "predefined":
        split = predefined_split(Dataset(X.astype(np.float32), y))
    stop = EarlyStopping(patience=1, threshold=1e9, sink=lambda *args, **kwargs: None)
    net = AntiTransferClassifier(callbacks=[stop], train_split=split, max_epochs=9, random_state=0)
    assert len(net.fit(X, y).history) == 2


@pytest.mark.parametrize(
    "callbacks",
    [
        [EarlyStopping(monitor="train_loss")],
        [EpochScoring("accuracy", name="a", on_train=True), EarlyStopping(monitor="a")],
        [LRScheduler("StepLR", monitor="valid_loss", step_size=1)],  # reads no monitor
        [EpochScoring("accuracy")],  # records nothing
    ],
    ids=lambda callbacks: type(callbacks[-1]).__name__,
)
def test_what_watches_training_needs_none(callbacks, tabular):
    X, y, _ = tabular
    assert len(AntiTransferClassifier(callbacks=callbacks, **FAST).fit(X, y).history) == 2


def test_a_callback_is_asked_for_what_was_set(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(callbacks=[("stop", EarlyStopping(monitor="train_loss"))], **FAST)
    net.fit(X, y)
    with pytest.raises(ValueError, match="EarlyStopping watches 'valid_loss'"):
        net.set_params(callbacks__stop__monitor="valid_loss").fit(X, y)

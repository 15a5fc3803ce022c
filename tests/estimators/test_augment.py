"""Augmentation: others in every epoch, the same whatever makes the batches, and off elsewhere."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch.utils.data import TensorDataset

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.audio import AddNoise, RandomGain, RandomShift
from atl_sklearn.estimators._augmenting import Augmenting
from atl_sklearn.estimators._fit_identity import identify_fit
from atl_sklearn.estimators._penalty import PenaltyRun
from atl_sklearn.unrelated._sides import Side
from tests.slow import all_but_slow

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"module__hidden_layer_sizes": (8, 6), "random_state": 0, "max_epochs": 2}


def jitter(x):
    """Add noise of torch's own generator."""
    return x + 0.5 * torch.randn_like(x)


def jitter_together(X, rngs):
    """Add noise of the generators that are given."""
    noise = np.stack([rng.normal(size=X.shape[1:]) for rng in rngs])
    return X + 0.5 * torch.as_tensor(noise).to(X)


def numpy_jitter(X):
    return X + np.random.normal(size=X.shape)  # noqa: NPY002 - as libraries do


def changed(x):
    return x + 100


class Drawn(BaseEstimator):
    """Draws from a random state of its own, as foreign transformers do."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit_transform(self, X):
        return X + np.random.RandomState(self.random_state).normal(size=X.shape)


class Jitter(torch.nn.Module):
    """A module with a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor(0.5))

    def forward(self, x):
        return x + self.scale * torch.randn_like(x)


KINDS = {
    "audio": AddNoise(5.0),
    "pipeline": make_pipeline(AddNoise(5.0), RandomGain()),
    "foreign": Drawn(random_state=3),
    "global": FunctionTransformer(numpy_jitter),
    "callable": jitter,
    "together": jitter_together,
    "module": Jitter(),
    "list": [AddNoise(5.0), RandomShift(0.5), jitter, Jitter()],
}


def recorded(monkeypatch):
    """Return a list that will hold what each epoch trained on, by positions, and its index."""
    seen = []
    begin, finished = Augmenting.begin_epoch, Augmenting.finished

    def beginning(self, epoch):
        seen.append({})
        begin(self, epoch)

    def finishing(self, batch, *, unlabeled=False):
        found = finished(self, batch, unlabeled=unlabeled)
        if seen:  # not the trial
            for place, x in zip(batch.positions.tolist(), found.X, strict=True):
                seen[-1][unlabeled, place] = x.numpy().copy()
        return found

    monkeypatch.setattr(Augmenting, "begin_epoch", beginning)
    monkeypatch.setattr(Augmenting, "finished", finishing)
    return seen


def same(a, b):
    assert [epoch.keys() for epoch in a] == [epoch.keys() for epoch in b]
    for one, other in zip(a, b, strict=True):
        for key, x in one.items():
            np.testing.assert_array_equal(x, other[key])


@pytest.mark.parametrize("kind", all_but_slow(KINDS, "foreign", "list", "together"))
def test_streams_depend_on_seed_epoch_and_position_alone(kind, tabular, monkeypatch):
    X, y, _ = tabular
    seen = recorded(monkeypatch)
    net = AntiTransferClassifier(augment=KINDS[kind], **SMALL)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    weights = [p.detach().clone() for p in net.fit(X, y).module_.parameters()]
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    first, seen[:] = list(seen), []
    assert len(first) == 2
    assert len(first[0]) == len(X)
    for place, x in enumerate(X.astype(np.float32)):
        assert not np.array_equal(first[0][False, place], x)
        assert not np.array_equal(first[0][False, place], first[1][False, place])
    assert not np.allclose(first[0][False, 0] - X[0], first[0][False, 1] - X[1])
    for params in ({"batch_size": 7}, {"iterator_train__shuffle": False}):
        clone(net).set_params(**params).fit(X, y)
        same(first, seen)
        seen[:] = []
    again = clone(net).fit(X, y)
    for a, b in zip(weights, again.module_.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    seen[:] = []
    clone(net).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(first[0][False, 0], seen[0][False, 0])


@pytest.mark.parametrize("persistent", all_but_slow([False, True], True))
def test_workers_change_nothing(persistent, tabular, monkeypatch):
    X, y, _ = tabular
    seen = recorded(monkeypatch)
    net = AntiTransferClassifier(augment=[AddNoise(5.0), jitter], **SMALL)
    net.set_params(iterator_train__shuffle=False).fit(X, y)
    first, seen[:] = list(seen), []
    with_workers = clone(net).set_params(
        iterator_train__num_workers=2, iterator_train__persistent_workers=persistent
    )
    with_workers.fit(X, y)
    same(first, seen)
    np.testing.assert_array_equal(net.predict_proba(X), with_workers.predict_proba(X))


def test_a_subset_knows_its_positions(tabular, monkeypatch):
    X, y, _ = tabular
    seen = recorded(monkeypatch)
    AntiTransferClassifier(augment=jitter, **SMALL).fit(X, y)
    whole, seen[:] = list(seen), []
    AntiTransferClassifier(augment=jitter, train_split=0.25, **SMALL).fit(X, y)
    assert len(seen[0]) == 60
    for key, x in seen[0].items():
        np.testing.assert_array_equal(x, whole[0][key])
    seen[:] = []
    data = TensorDataset(torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y))
    AntiTransferClassifier(augment=jitter, **SMALL).fit(data)
    same(whole, seen)


def test_off_in_validation_and_prediction(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(augment=changed, train_split=0.25, **SMALL).fit(X, y)
    plain = clone(net).set_params(augment=None).initialize()
    plain.fit(X, y)
    plain.module_.load_state_dict(net.module_.state_dict())
    np.testing.assert_array_equal(net.predict_proba(X), plain.predict_proba(X))
    assert net.score(X, y) == plain.score(X, y)
    # The training loss is of samples that are far away, the loss of validation is not.
    zero = clone(net).set_params(lr=0.0).fit(X, y)
    not_moved = clone(plain).set_params(lr=0.0).fit(X, y)
    assert zero.history[:, "valid_loss"] == not_moved.history[:, "valid_loss"]
    assert zero.history[:, "train_loss"] != not_moved.history[:, "train_loss"]


def test_partial_fit_goes_on_counting_epochs(tabular, monkeypatch):
    X, y, _ = tabular
    seen = recorded(monkeypatch)
    net = AntiTransferClassifier(augment=jitter, **SMALL)
    net.partial_fit(X, y, epochs=1).partial_fit(X, y, epochs=1)
    two, seen[:] = list(seen), []
    net.fit(X, y)
    same(two, seen)


def test_unlabeled_samples_have_streams_of_their_own(tabular, unrelated, monkeypatch):
    X, y, _ = tabular
    seen = recorded(monkeypatch)
    params = {"augment": [AddNoise(5.0), jitter], "unrelated": unrelated, **SMALL}
    params |= {"weight": 1.0, "penalty_every": 1}
    net = AntiTransferClassifier(penalty_batch_size=16, **params)
    net.fit(X, y, X_unlabeled=X[:32])
    assert {unlabeled for unlabeled, _ in seen[0]} == {False, True}
    for place in range(32):
        assert not np.array_equal(seen[0][True, place], seen[0][False, place])
        assert not np.array_equal(seen[0][True, place], X[place].astype(np.float32))
    first, seen[:] = list(seen), []
    clone(net).set_params(penalty_batch_size=32).fit(X, y, X_unlabeled=X[:32])
    for key, x in seen[1].items():
        np.testing.assert_array_equal(x, first[1][key])


def given_to_frozen_side(monkeypatch, net, *data, **more):
    """Return whether batches of a fit had indices, and what was passed for each position."""
    given = []
    watch = PenaltyRun.watch

    def watching(self, X, *args, index=None, positions=None, **kwargs):
        given.append((index is not None, dict(zip(positions.tolist(), X.numpy(), strict=True))))
        return watch(self, X, *args, index=index, positions=positions, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(PenaltyRun, "watch", watching)
        net.fit(*data, **more)
    return given


@pytest.mark.parametrize("unlabeled", [False, True])
def test_the_unrelated_side_sees_copies_or_what_they_were(
    unlabeled, tabular, unrelated, monkeypatch, capsys
):
    X, y, _ = tabular
    single = X.astype(np.float32)
    more = {"X_unlabeled": X[:32]} if unlabeled else {}
    net = AntiTransferClassifier(
        unrelated=unrelated, weight=1.0, penalty_every=1, augment=changed, verbose=1, **SMALL
    )
    given = given_to_frozen_side(monkeypatch, net, X, y, **more)
    assert "computed in every step ('augment' makes other samples" in capsys.readouterr().out
    for has_index, batch in given:
        assert not has_index
        for place, x in batch.items():
            np.testing.assert_array_equal(x, single[place] + 100)
    net = clone(net).set_params(augment_unrelated=False)
    calls = []
    monkeypatch.setattr(
        Side,
        "__call__",
        lambda *args, _call=Side.__call__, **kw: calls.append(1) or _call(*args, **kw),
    )
    given = given_to_frozen_side(monkeypatch, net, X, y, **more)
    assert "kept in memory" in capsys.readouterr().out
    for has_index, batch in given:
        assert has_index
        for place, x in batch.items():
            np.testing.assert_array_equal(x, single[place])
    n_calls = len(calls)
    calls.clear()
    clone(net).set_params(max_epochs=8).fit(X, y, **more)
    assert len(calls) <= n_calls + 6  # batches with samples of which some were not seen yet
    calls.clear()
    clone(net).set_params(max_epochs=8, augment_unrelated=True).fit(X, y, **more)
    assert len(calls) >= 8 * 3


def test_inputs_of_its_own_are_kept_though_samples_change(tabular, unrelated, capsys):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, augment=changed, verbose=1, **SMALL)
    net.fit(X, y, X_unrelated=X)
    assert "training data: kept in memory" in capsys.readouterr().out
    asked = clone(net).set_params(cache="live").fit(X, y, X_unrelated=X)
    np.testing.assert_array_equal(net.predict_proba(X), asked.predict_proba(X))


def test_an_estimator_is_asked_about_the_copies(tabular):
    X, y, nuisance = tabular
    known = LogisticRegression().fit(X, nuisance)
    asked = []
    known.predict_proba = lambda X: asked.append(X) or LogisticRegression.predict_proba(known, X)
    params = {"unrelated": known, "unrelated_layer": "posterior", **SMALL}
    params |= {"weight": 1.0, "penalty_every": 1}
    AntiTransferClassifier(augment=changed, **params).fit(X, y)
    assert min(x.mean() for x in asked[-4:]) > 90
    asked.clear()
    AntiTransferClassifier(augment=changed, augment_unrelated=False, **params).fit(X, y)
    assert max(x.mean() for x in asked) < 10


def test_labels_of_copies_are_those_of_the_originals(tabular):
    X, y, nuisance = tabular
    params = {"unrelated": "labels", "product_of_experts": 1.0, **SMALL}
    net = AntiTransferClassifier(augment=changed, **params)
    assert np.isfinite(net.fit(X, y, y_unrelated=nuisance).history[-1, "train_penalty"])
    own = AntiTransferClassifier(unrelated=Ridge().fit(X[:, :2], nuisance), **SMALL)
    own.set_params(augment=changed, unrelated_layer="output").fit(X, y, X_unrelated=X[:, :2])


# ---- copies that keep the answer --------------------------------------------------------------


class FlipsSome(Drawn):
    """Changes the unrelated feature of every other sample, by the sign of another feature."""

    def fit_transform(self, X):
        X = X.copy()
        X[:, 1] = np.where(X[:, 2] > 0, -X[:, 1] - 100, X[:, 1])
        X[:, 5] += 7
        return X


@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("live", [False, True])
def test_copies_with_another_answer_are_not_used(weight, live, tabular, monkeypatch):
    X, y, nuisance = tabular
    known = LogisticRegression().fit(X, nuisance)
    copies = FlipsSome().fit_transform(X.astype(np.float32)).astype(np.float32)
    keeps = known.predict(copies) == known.predict(X)
    assert 10 < keeps.sum() < 70
    seen = recorded(monkeypatch)
    net = AntiTransferClassifier(
        unrelated=known, weight=weight, augment=FlipsSome(), augment_keep="same_answer",
        augment_unrelated=live, unrelated_layer="output", **SMALL,
    )  # fmt: skip
    net.fit(X, y)
    for epoch in seen:
        for place, x in enumerate(X.astype(np.float32)):
            np.testing.assert_array_equal(epoch[False, place], copies[place] if keeps[place] else x)
    assert net.history[:, "augment_kept"] == [keeps.mean()] * 2


def test_a_network_keeps_its_answer(tabular, unrelated, monkeypatch):
    X, y, _ = tabular
    seen = recorded(monkeypatch)
    net = AntiTransferClassifier(
        unrelated=[unrelated, "labels"], augment=Drawn(), augment_keep="same_answer", **SMALL
    )
    net.fit(X, y, y_unrelated=y, X_unlabeled=None)
    used = np.stack([seen[1][False, place] for place in range(len(X))])
    np.testing.assert_array_equal(unrelated.predict(used), unrelated.predict(X))
    moved = (used != X.astype(np.float32)).any(axis=1)
    assert moved.mean() == net.history[-1, "augment_kept"]
    assert 0.2 < moved.mean() < 1


def test_who_cannot_be_asked_is_named(tabular, unrelated):
    X, y, nuisance = tabular
    params = {"augment": jitter, "augment_keep": "same_answer", **SMALL}
    for source, more, why in (
        ("labels", {"y_unrelated": nuisance}, "known by the positions of samples"),
        (Ridge().fit(X, nuisance), {}, "a regressor's number"),
        (unrelated, {"X_unrelated": X}, "known by the positions of samples"),
    ):
        net = AntiTransferClassifier(unrelated=source, **params)
        if why.startswith("a reg"):
            net.set_params(unrelated_layer="output")
        with pytest.raises(ValueError, match=f"'augment_keep' parameter .*{why}"):
            net.fit(X, y, **more)
    with pytest.raises(ValueError, match="There is no 'unrelated' that could answer"):
        AntiTransferClassifier(**params).fit(X, y)


# ---- as any other parameter -------------------------------------------------------------------


def test_clones_searches_and_pickles(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(augment=AddNoise(5.0), **SMALL)
    assert net.get_params()["augment__snr"] == 5.0
    assert clone(net).augment is not net.augment
    search = GridSearchCV(net, {"augment__snr": [5.0, -20.0]}, cv=2, error_score="raise")
    search.fit(X, y)
    alone = clone(net).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.predict_proba(X), alone.predict_proba(X))
    for wrong in (None, jitter, [AddNoise()]):
        with pytest.raises(ValueError, match=r"'augment__snr' cannot be set: .* one transformer"):
            clone(net).set_params(augment=wrong).set_params(augment__snr=3.0)
    search = GridSearchCV(net, {"augment": [None, jitter]}, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["augment"] in (None, jitter)
    again = pickle.loads(pickle.dumps(alone))
    np.testing.assert_array_equal(again.predict_proba(X), alone.predict_proba(X))
    np.testing.assert_array_equal(clone(again).fit(X, y).predict_proba(X), again.predict_proba(X))


def test_it_is_among_what_tells_a_fit_from_others():
    def identity(augment):
        return identify_fit(AntiTransferClassifier(augment=augment), {})["augment"]

    assert identity([AddNoise(5.0), jitter]) == identity([AddNoise(5.0), jitter])
    assert len({identity(a) for a in (AddNoise(5.0), AddNoise(6.0), jitter, changed, None)}) == 5


def test_none_is_what_it_was(tabular):
    X, y, _ = tabular
    plain = AntiTransferClassifier(**SMALL).fit(X, y)
    same = AntiTransferClassifier(augment=[], augment_unrelated=False, **SMALL).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), same.predict_proba(X))


def test_a_regressor(tabular):
    X, _, _ = tabular
    net = AntiTransferRegressor(augment=jitter, **SMALL).fit(X, X[:, 0])
    assert net.predict(X).shape == (80,)


def test_what_it_cannot_be_applied_to_is_refused(tabular):
    X, y, _ = tabular

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(6, 2)

        def forward(self, a):
            return self.layer(a)

    net = AntiTransferClassifier(Two, augment=jitter, max_epochs=1)
    with pytest.raises(ValueError, match=r"'augment' parameter .* None where X is a mapping"):
        net.fit({"a": X.astype(np.float32)}, y)
    sampler = torch.utils.data.SequentialSampler(range(80))
    net = AntiTransferClassifier(augment=jitter, iterator_train__sampler=sampler)
    with pytest.raises(ValueError, match=r"'augment' .* batches do not say which samples"):
        net.fit(X, y)
    for wrong, why in (
        (lambda x: x[:, :2], r"shape and kind that it is given, \(1, 6\) .* returned \(1, 2\)"),
        (lambda x: x.long(), "returned .* of torch.int64"),
        (lambda x: None, "It returned None"),
        (lambda x: x / 0, "NaN or infinite"),
        (lambda X, rngs: X[:1], r"returned \(1, 6\)"),
        (FunctionTransformer(lambda x: x[:, :2]), r"It returned \(2,\)"),
        (FunctionTransformer(lambda x: x * np.nan), "infinity|NaN"),
        (AddNoise(snr="loud"), "'snr' parameter"),
    ):
        with pytest.raises(ValueError, match=f"(?s)'augment' parameter, .*first samples.*{why}"):
            AntiTransferClassifier(augment=wrong, **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="the transformers come before the callables"):
        AntiTransferClassifier(augment=[jitter, AddNoise()]).fit(X, y)
    with pytest.raises(ValueError, match="AddNoise is a class: pass an instance"):
        AntiTransferClassifier(augment=AddNoise).fit(X, y)


def test_sparse_rows_are_dense_when_they_are_changed(tabular):
    from scipy.sparse import csr_matrix

    X, y, _ = tabular
    X = np.where(X > 0, X, 0).astype(np.float32)
    net = AntiTransferClassifier(augment=[Drawn(), jitter], **SMALL)
    dense = clone(net).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(net).fit(csr_matrix(X), y).predict_proba(X), dense)

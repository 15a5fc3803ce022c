"""Weights of estimators that follow a target of similarity."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.dataset import ValidSplit

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.modules import MLP

FAST = {"max_epochs": 4, "random_state": 0}
PROBABILITIES = {"layer": "posterior", "unrelated_layer": "posterior"}


def same(one, other):
    states = one.module_.state_dict(), other.module_.state_dict()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.fixture(scope="module")
def confounded():
    """Return X of shape (600, 6), a target, and a nuisance that agrees with it in 4 of 5."""
    rng = np.random.RandomState(0)
    target = rng.randint(2, size=600)
    nuisance = np.where(rng.rand(600) < 0.8, target, 1 - target)
    X = rng.normal(size=(600, 6)).astype(np.float32)
    X[:, 0] += target
    X[:, 1] += 3 * nuisance
    return X, target, nuisance


@pytest.fixture(scope="module")
def knows(confounded):
    X, _, nuisance = confounded
    return AntiTransferClassifier(max_epochs=10, random_state=0).fit(X, nuisance)


@pytest.mark.parametrize("estimator", [AntiTransferClassifier, AntiTransferRegressor])
def test_none_trains_as_without_it(tabular, unrelated, estimator):
    X, y, _ = tabular
    y = y.astype(float) if estimator is AntiTransferRegressor else y
    given = {"unrelated": [unrelated], "target_similarity": [None]}
    net = estimator(weight=1.0, **given, **FAST).fit(X, y)
    assert same(net, estimator(unrelated=unrelated, weight=1.0, **FAST).fit(X, y))
    assert not [name for name in net.history[-1] if "similarity" in name]


def test_a_weight_of_zero_is_the_plain_network(tabular, unrelated):
    X, y, _ = tabular
    zero = AntiTransferClassifier(
        unrelated=unrelated, weight=0.0, target_similarity=0.1, **FAST
    ).fit(X, y)
    assert same(zero, AntiTransferClassifier(**FAST).fit(X, y))
    assert zero.weight_ == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("data", ["train", "unlabeled", "both"])
def test_a_lower_target_leaves_less(confounded, knows, data):
    X, y, nuisance = confounded
    left = []
    for target in (0.6, 0.0):
        net = AntiTransferClassifier(
            unrelated=knows, target_similarity=target, max_epochs=12, random_state=0,
            penalty_data=data, **PROBABILITIES,
        )  # fmt: skip
        net.fit(X, y, X_unlabeled=X[:501] if data != "train" else None)
        left.append(abs(np.corrcoef(net.predict_proba(X)[:, 1], nuisance)[0, 1]))
    assert left[0] > left[1] + 0.3
    assert left[1] < 0.15


def test_the_history_has_the_weight_and_what_is_left(confounded, knows):
    X, y, _ = confounded
    net = AntiTransferClassifier(
        unrelated=knows, weight=2.0, target_similarity=0.05, **FAST, **PROBABILITIES
    ).fit(X, y)
    weights = net.history[:, "penalty_weight"]
    assert len(set(weights)) == 4
    assert all(2e-3 <= weight <= 20.001 for weight in weights)
    assert net.weight_ == weights[-1] != 2.0
    assert -1 < net.history[-1, "train_similarity"] < 1


def test_several_networks_and_layers(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=[unrelated, unrelated], weight=[1.0, 3.0], target_similarity=[0.0, None],
        layer=["last", "posterior"], **FAST,
    ).fit(X, y)  # fmt: skip
    assert net.weight_[0] != 1.0
    assert net.weight_[1] == 3.0
    assert net.history[-1, "penalty_weight_1"] == 3.0
    assert [name for name in net.history[-1] if "train_similarity" in name] == [
        "train_similarity_0_hidden.1.activation",
        "train_similarity_0_posterior",
    ]


def test_training_in_parts_is_training_at_once(tabular, unrelated):
    X, y, _ = tabular
    params = {
        "unrelated": unrelated,
        "target_similarity": 0.1,
        "random_state": 0,
        "lr_schedule": "constant",
    }
    whole = AntiTransferClassifier(max_epochs=4, **params).fit(X, y)
    parts = AntiTransferClassifier(max_epochs=2, **params).fit(X, y).partial_fit(X, y)
    warm = AntiTransferClassifier(max_epochs=2, warm_start=True, **params).fit(X, y)
    warm = pickle.loads(pickle.dumps(warm)).fit(X, y)
    for net in (parts, warm):
        assert same(net, whole)
        assert net.history[:, "penalty_weight"] == whole.history[:, "penalty_weight"]
    assert whole.fit(X, y).history[0, "penalty_weight"] == whole.history[:, "penalty_weight"][0]
    assert same(clone(whole).set_params(max_epochs=2).fit(X, y).partial_fit(X, y), whole)


def test_validation_does_not_change_the_weight(tabular, unrelated):
    X, y, _ = tabular
    params = {"unrelated": unrelated, "target_similarity": 0.1, **FAST}
    n_batches = []

    class Counting(AntiTransferClassifier):
        def validation_step(self, batch, **fit_params):
            before = self._run.penalty.weights
            step = super().validation_step(batch, **fit_params)
            n_batches.append(self._run.penalty.weights == before)
            return step

    Counting(train_split=ValidSplit(4), **params).fit(X, y)
    assert n_batches and all(n_batches)


def test_what_an_optimizer_computes_again_does_not_change_the_weight(tabular, unrelated):
    X, y, _ = tabular
    weights = []

    class Watched(AntiTransferClassifier):
        def train_step_single(self, batch, **fit_params):
            step = super().train_step_single(batch, **fit_params)
            weights[-1].append(self._run.penalty.weights[0])
            return step

        def train_step(self, batch, **fit_params):
            weights.append([])
            return super().train_step(batch, **fit_params)

    Watched(
        unrelated=unrelated, weight=1.0, penalty_every=1, target_similarity=0.1,
        optimizer=torch.optim.LBFGS, lr=0.1,
        batch_size=40, max_epochs=2, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert max(map(len, weights)) > 2
    assert all(len(set(step)) == 1 for step in weights)
    assert len({step[0] for step in weights}) == len(weights)


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float64"])
def test_other_precisions(tabular, unrelated, precision):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=unrelated, target_similarity=0.1, precision=precision, **FAST, **PROBABILITIES
    ).fit(X, y)
    assert net.weight_ != 1.0


def test_a_module_that_returns_one_score(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferRegressor(
        MLP, unrelated=unrelated, layer="output", unrelated_layer="posterior",
        target_similarity=0.1, **FAST,
    ).fit(X, y.astype(float))  # fmt: skip
    assert net.weight_ != 1.0


def test_an_unmet_target_warns(confounded, knows):
    X, y, _ = confounded
    net = AntiTransferClassifier(
        unrelated=knows, weight=1e-3, target_similarity=0.05, max_epochs=16, random_state=0,
        **PROBABILITIES,
    )  # fmt: skip
    with pytest.warns(
        ConvergenceWarning, match=r"above target_similarity=0\.05, although"
    ) as found:
        net.fit(X, y)
    assert found[0].filename == __file__


@pytest.mark.parametrize("target", [-0.1, 1, "auto", True, [0.1, 0.2]])
def test_bad_targets_are_refused(tabular, unrelated, target):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, target_similarity=target, **FAST)
    must = r"The 'target_similarity' parameter of AntiTransferClassifier must be None, a float"
    with pytest.raises(ValueError, match=must):
        net.fit(X, y)
    assert not hasattr(net, "module_")


@pytest.mark.parametrize("metric", ["sigmoid_mse", "adversarial"])
def test_metrics_without_a_scale_are_refused(tabular, unrelated, metric):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, target_similarity=0.1, metric=metric)
    with pytest.raises(ValueError, match=f"must be None with metric='{metric}', which"):
        net.fit(X, y)

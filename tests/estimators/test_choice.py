"""The choice by itself: how much of which form of anti-transfer is found from the data."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from torch.utils.data import DataLoader, SequentialSampler, default_collate

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.estimators._confounding import confounding
from tests.estimators.test_product_of_experts import same

# What a network learns of a few samples differs between processors.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The 'unrelated' estimator did not learn:UserWarning"),
]
SMALL = {"module__hidden_layer_sizes": (6,), "max_epochs": 2, "random_state": 0}
N = 80
RNG = np.random.RandomState(0)
X = RNG.normal(size=(N, 5)).astype(np.float32)
Y = np.arange(N) % 2
X_UNLABELED = RNG.normal(size=(30, 5)).astype(np.float32)


def answers(share, y=Y):
    """Return answers that explain just this share of the target's variance."""
    known = np.eye(y.max() + 1)[y] if y.dtype == int else (y - y.mean())[:, None] / y.std()
    noise = np.random.RandomState(1).normal(size=known.shape)

    def of(amount):
        return amount * known + noise

    return of(brentq(lambda amount: confounding(of(amount), y) - share, 0.2, 20))


def fitted(share, *, unlabeled=None, y=Y, kind=AntiTransferClassifier, X=X, **params):
    """Fit beside answers that explain a share of the target."""
    net, Z = kind(unrelated="precomputed", **{**SMALL, **params}), answers(share, y)
    further = {} if unlabeled is None else {"Z_unlabeled": np.zeros((len(unlabeled), Z.shape[1]))}
    return net.fit(X, y, X_unlabeled=unlabeled, Z_unrelated=Z, **further)


# ---- the weight ---------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.09, 0.11])
@pytest.mark.parametrize(
    ("params", "unlabeled", "weights"),
    [
        ({}, None, (0.0, 0.3)),
        ({}, X_UNLABELED, (0.3, 1.0)),
        ({"penalty_data": "both"}, X_UNLABELED, (0.3, 1.0)),
        ({"penalty_data": "train"}, X_UNLABELED, (0.0, 0.3)),
    ],
)
def test_a_tenth_of_the_target_and_what_is_compared_decide(share, params, unlabeled, weights):
    net = fitted(share, unlabeled=unlabeled, **params)
    assert net.weight_ == weights[share > 0.1]
    assert ("train_penalty" in net.history[-1]) == (net.weight_ > 0)


@pytest.mark.parametrize("share", [0.09, 0.11])
def test_of_numbers_too(share):
    y = np.random.RandomState(2).normal(size=N)
    assert fitted(share, kind=AntiTransferRegressor, y=y).weight_ == (0.3 if share > 0.1 else 0.0)


def test_each_task_has_its_own():
    Z = [answers(0.2), answers(0.05), answers(0.2)]
    net = AntiTransferClassifier(unrelated=["precomputed"] * 3, weight=["auto", "auto", 2], **SMALL)
    assert net.fit(X, Y, Z_unrelated=Z).weight_ == [0.3, 0.0, 2.0]
    assert net.product_of_experts_ == 1.0


def test_the_answers_of_a_network_are_its_probabilities(tabular, unrelated):
    X, y, _ = tabular
    share = confounding(unrelated.predict_proba(X), y)
    assert 0.1 < share < 0.5  # three of four samples agree
    net = AntiTransferClassifier(unrelated=unrelated, **SMALL)
    assert net.fit(X, y).weight_ == 0.3
    assert net.fit(X, y, X_unlabeled=X[:30]).weight_ == 1.0
    other = np.random.RandomState(3).randint(2, size=len(y))
    assert confounding(unrelated.predict_proba(X), other) < 0.1
    assert net.fit(X, other).weight_ == 0.0
    assert net.fit(X, other, X_unlabeled=X[:30]).weight_ == 0.3


def test_the_answers_of_a_module_are_what_it_returns():
    """Of an embedding a softmax would leave the largest column alone."""
    module = torch.nn.Linear(5, 2)
    with torch.no_grad():
        module.weight.copy_(100.0 * torch.eye(2, 5))
        module.bias.copy_(torch.tensor([1e4, 0.0]))
    y = (X[:, 1] > 0).astype(int)
    net = AntiTransferClassifier(unrelated=module, unrelated_layer="output", **SMALL)
    assert confounding(module(torch.from_numpy(X)).softmax(1).detach().numpy(), y) < 0.1
    assert net.fit(X, y).weight_ == 0.3


def test_samples_of_no_weight_do_not_count():
    agrees = np.where(np.arange(N) < 40, Y, 1 - Y)
    Z = np.eye(2)[agrees]
    net = AntiTransferClassifier(unrelated="precomputed", **SMALL)
    assert net.fit(X, Y, Z_unrelated=Z).weight_ == 0.0
    half = (np.arange(N) < 40).astype(float)
    assert net.fit(X, Y, Z_unrelated=Z, sample_weight=half).weight_ == 0.3


# ---- the product of experts ---------------------------------------------------------------


@pytest.mark.parametrize("share", [0.02, 0.9])
def test_without_unlabeled_data_what_is_explained_is_added(share):
    net = fitted(share)
    assert net.product_of_experts_ == 1.0
    assert same(net, fitted(share, weight=net.weight_, product_of_experts=1.0))
    assert not same(net, fitted(share, product_of_experts=0))


@pytest.mark.parametrize(
    ("kind", "y", "limit"),
    [
        (AntiTransferClassifier, Y, 0.5),
        (AntiTransferClassifier, np.arange(120) % 3, 0.5),
        (AntiTransferClassifier, np.arange(120) % 2, 2 / 3),
        # of numbers, quarters count
        (AntiTransferRegressor, np.random.RandomState(2).normal(size=160), 0.5),
    ],
)
def test_beside_unlabeled_data_it_takes_20_samples_of_a_class(kind, y, limit):
    X = np.random.RandomState(4).normal(size=(len(y), 5)).astype(np.float32)
    for share, strength in ((limit - 0.02, 1.0), (limit + 0.02, 0.0)):
        net = fitted(share, kind=kind, y=y, X=X, unlabeled=X_UNLABELED)
        assert net.product_of_experts_ == strength
        assert net.weight_ == 1.0
        assert same(
            net,
            fitted(
                share, kind=kind, y=y, X=X, unlabeled=X_UNLABELED, weight=1.0,
                product_of_experts=strength,
            ),
        )  # fmt: skip


def test_what_all_tasks_together_leave_counts():
    X = np.random.RandomState(4).normal(size=(2 * N, 5)).astype(np.float32)
    one, other = np.arange(2 * N) % 2, np.arange(2 * N) // 2 % 2
    y = 2 * one + other  # 40 samples of each class; each of two tasks knows a half of it
    Z, Z_unlabeled = [np.eye(2)[one], np.eye(2)[other]], [np.zeros((30, 2))] * 2
    shares = [confounding(part, y) for part in Z]
    assert max(shares) < 0.5 < confounding(np.hstack(Z), y)
    for sources, strength in (([0], 1.0), ([0, 1], 0.0)):
        net = AntiTransferClassifier(unrelated=["precomputed"] * len(sources), **SMALL)
        net.fit(
            X, y, X_unlabeled=X_UNLABELED,
            Z_unrelated=[Z[at] for at in sources], Z_unlabeled=[Z_unlabeled[at] for at in sources],
        )  # fmt: skip
        assert net.product_of_experts_ == strength


def test_samples_of_no_weight_are_none_to_learn_from():
    weight = (np.arange(N) < 60).astype(float)
    Z, given = answers(0.45), {"X_unlabeled": X_UNLABELED, "Z_unlabeled": np.zeros((30, 2))}
    assert confounding(Z, Y, weight) < 0.5
    net = AntiTransferClassifier(unrelated="precomputed", **SMALL)
    assert net.fit(X, Y, Z_unrelated=Z, **given).product_of_experts_ == 1.0
    net.fit(X, Y, Z_unrelated=Z, **given, sample_weight=weight)
    assert net.product_of_experts_ == 0.0
    left_out = net.fit(X[:60], Y[:60], Z_unrelated=Z[:60], **given)
    assert left_out.product_of_experts_ == 0.0


@pytest.mark.parametrize("weight", [0, 0.3, [0.5]])
def test_a_weight_that_is_given_adds_nothing(weight):
    given = {"weight": weight, "unrelated": ["precomputed"]}
    net = AntiTransferClassifier(**given, **SMALL).fit(X, Y, Z_unrelated=answers(0.5))
    assert net.product_of_experts_ == 0.0
    assert net.weight_ == (weight if isinstance(weight, list) else [weight])
    without = clone(net).set_params(product_of_experts=0).fit(X, Y, Z_unrelated=answers(0.5))
    assert same(net, without)


@pytest.mark.parametrize("strength", [0, 0.5])
def test_a_strength_that_is_given_stays(strength):
    net = fitted(0.4, product_of_experts=strength)
    assert (net.weight_, net.product_of_experts_) == (0.3, strength)
    assert same(net, fitted(0.4, weight=0.3, product_of_experts=strength))


def test_with_a_target_for_the_similarity_the_weight_begins_at_1():
    for share in (0.05, 0.5):
        net = fitted(share, target_similarity=0.1)
        assert net.product_of_experts_ == 0.0
        given = fitted(share, target_similarity=0.1, weight=1.0)
        assert same(net, given)
        assert net.history[0, "penalty_weight"] == given.history[0, "penalty_weight"]


def test_without_an_unrelated_task_there_is_nothing_to_choose():
    net = AntiTransferClassifier(**SMALL).fit(X, Y)
    assert (net.weight_, net.product_of_experts_) == (0.0, 0.0)


def test_nothing_to_avoid_and_nothing_added_is_the_plain_network():
    net = fitted(0.05, product_of_experts=0)
    assert net.weight_ == 0.0
    assert same(net, AntiTransferClassifier(**SMALL).fit(X, Y))


# ---- where nothing can be added -----------------------------------------------------------


class OwnLoader(DataLoader):
    """The user's own way to make batches."""


class OwnLoss(torch.nn.Module):
    """Nobody knows whether it takes sums of scores."""

    def forward(self, input, target):
        return torch.nn.functional.cross_entropy(input, target)


@pytest.mark.parametrize(
    ("params", "strength"),
    [
        ({}, 1.0),
        ({"iterator_valid": OwnLoader}, 1.0),
        ({"criterion": torch.nn.CrossEntropyLoss}, 1.0),
        ({"train_split": 0.25}, 1.0),
        ({"iterator_train": OwnLoader}, 0.0),
        ({"iterator_train__collate_fn": default_collate}, 0.0),
        ({"iterator_train__sampler": SequentialSampler(range(N))}, 0.0),
        ({"criterion": OwnLoss}, 0.0),
    ],
)
def test_batches_and_losses_of_ones_own(params, strength):
    nuisance = np.where(np.arange(N) % 5 == 0, 1 - Y, Y)
    seen = X.copy()
    seen[:, 0] += 3 * nuisance
    source = LogisticRegression().fit(seen, nuisance)
    net = AntiTransferClassifier(unrelated=source, **SMALL, **params).fit(seen, Y)
    assert (net.weight_, net.product_of_experts_) == (0.3, strength)


@pytest.mark.parametrize("criterion", ["l1", torch.nn.PoissonNLLLoss])
def test_losses_of_numbers(criterion):
    criterion = torch.nn.L1Loss if criterion == "l1" else criterion
    y = np.random.RandomState(2).poisson(2.0, size=N).astype(float)
    net = fitted(0.4, kind=AntiTransferRegressor, y=y, criterion=criterion)
    assert (net.weight_, net.product_of_experts_) == (0.3, criterion is torch.nn.L1Loss)


def test_parts_of_a_training_say_too_little_of_the_whole(unrelated, tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, **SMALL).partial_fit(X, y)
    assert (net.weight_, net.product_of_experts_) == (0.3, 0.0)
    assert same(
        net,
        AntiTransferClassifier(
            unrelated=unrelated, weight=0.3, **SMALL
        ).partial_fit(X, y),
    )  # fmt: skip
    other = np.arange(len(y)) % 2
    assert confounding(unrelated.predict_proba(X), other) < 0.1
    assert net.partial_fit(X, other).weight_ == 0.0
    assert net.fit(X, y).product_of_experts_ == 1.0


# ---- where the targets are ----------------------------------------------------------------


class Elsewhere(torch.Tensor):
    """A tensor on another device, which counts how often it is fetched."""

    asked = 0

    def __array__(self, *args, **kwargs):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")

    def numpy(self, *args, **kwargs):
        self.__array__()

    def cpu(self):
        Elsewhere.asked += len(self)
        return self.as_subclass(torch.Tensor)


def test_targets_may_lie_on_a_gpu(tabular, unrelated, monkeypatch):
    X, y, _ = tabular
    monkeypatch.setattr(Elsewhere, "asked", 0)

    class OnGPU(AntiTransferClassifier):
        def get_iterator(self, dataset, training=False):
            made = super().get_iterator(dataset, training=training)
            moved = ((X, y.as_subclass(Elsewhere)) for X, y in made)
            return made if training or self._run is None else moved

    net = OnGPU(unrelated=unrelated, iterator_train=OwnLoader, **SMALL).fit(X, y)
    assert Elsewhere.asked == 80
    assert net.weight_ == 0.3


# ---- what is refused, and what is kept ----------------------------------------------------


@pytest.mark.parametrize("weight", ["automatic", ["auto", "x"], -1, float("nan"), None])
def test_weights_that_are_none(tabular, unrelated, weight):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"'weight' parameter .* 'auto'"):
        AntiTransferClassifier(unrelated=unrelated, weight=weight).fit(X, y)


@pytest.mark.parametrize("strength", ["automatic", -1, float("inf"), None, ["auto"]])
def test_strengths_that_are_none(tabular, unrelated, strength):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"'product_of_experts' parameter .* or 'auto'"):
        AntiTransferClassifier(unrelated=unrelated, product_of_experts=strength).fit(X, y)

"""The choice by itself: how much of which form of anti-transfer is found from the data."""

from functools import cache

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from skorch.dataset import Dataset
from torch.utils.data import DataLoader, SequentialSampler, TensorDataset, default_collate

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.estimators._rule import (
    Explained,
    automatic_strength,
    automatic_weight,
    explain,
)
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


def known_of(Z, y):
    return explain(Z, y, n_classes=y.max() + 1 if y.dtype == int else None)


@cache
def around_a_tenth(target):
    """Return answers that explain a little less than a tenth of the target, and a little more."""
    y = np.array(target)
    right = np.eye(y.max() + 1)[y] if y.dtype == int else (y - y.mean())[:, None] / y.std()
    noise = np.random.RandomState(1).normal(size=right.shape)
    less, share = None, 0.0
    for amount in np.linspace(0, 2, 80):
        more = amount * right + noise
        before, share = share, known_of(more, y).share
        if share >= 0.1:
            break
        less = more
    assert 0.07 < before < 0.1 <= share < 0.13
    return less, more


def answers(y, *, above):
    """Return answers that explain a little more than a tenth of the target, or a little less."""
    return around_a_tenth(tuple(y.tolist()))[above]


def strength_of(Z, y):
    """Return how strongly what answers explain is added: all from 0.6 of the target on."""
    return pytest.approx(min(1.0, known_of(Z, y).share / 0.6))


def part_of(Z, y):
    """Return how strongly it is added beside unlabeled data that few contradict: from 0.75 on."""
    return pytest.approx(max(0.0, 2 * known_of(Z, y).share - 1.5))


def labels(y, n_contradicting):
    """Return one-hot labels that are those of the target but for so many samples of each class."""
    label = y.copy()
    for group in np.unique(y):
        label[np.flatnonzero(y == group)[:n_contradicting]] += 1
    return np.eye(y.max() + 1)[label % (y.max() + 1)]


def fitted(Z, *, unlabeled=None, y=Y, kind=AntiTransferClassifier, X=X, **params):
    """Fit beside answers that are given."""
    net = kind(unrelated="precomputed", **{**SMALL, **params})
    further = {} if unlabeled is None else {"Z_unlabeled": np.zeros((len(unlabeled), Z.shape[1]))}
    return net.fit(X, y, X_unlabeled=unlabeled, Z_unrelated=Z, **further)


# ---- the rule -----------------------------------------------------------------------------


def test_the_thresholds():
    nothing = np.zeros(0)
    for share, on_unlabeled, on_training in ((0.0999, 0.3, 0.0), (0.1, 1.0, 0.3), (1.0, 1.0, 0.3)):
        found = Explained(nothing, share, 0.0)
        assert automatic_weight(found, on_unlabeled=True) == on_unlabeled
        assert automatic_weight(found, on_unlabeled=False) == on_training
    for count, is_few in ((0.0, True), (19.9, True), (20.0, False)):
        for share, all_of_it, part_of_it in (
            (0.0, 0.0, 0.0), (0.3, 0.5, 0.0), (0.6, 1.0, 0.0), (0.75, 1.0, 0.0),
            (0.875, 1.0, 0.25), (1.0, 1.0, 0.5),
        ):  # fmt: skip
            found = Explained(nothing, share, count)
            beside = part_of_it if is_few else all_of_it
            assert automatic_strength(found, on_unlabeled=True) == beside
            assert automatic_strength(found, on_unlabeled=False) == all_of_it


@pytest.mark.parametrize("weight", [None, np.linspace(0.5, 2, 120)])
def test_the_share_is_that_of_the_information(weight):
    y = np.arange(120) % 3
    Z = 0.7 * np.eye(3)[y] + np.random.RandomState(0).normal(size=(120, 3))
    found = explain(Z, y, n_classes=3, sample_weight=weight)
    share = np.bincount(y, weights=weight) / (120 if weight is None else weight.sum())
    posterior = softmax(np.log(share) + found.scores, axis=1)
    after = log_loss(y, posterior, sample_weight=weight)
    before = log_loss(y, np.tile(share, (120, 1)), sample_weight=weight)
    assert found.share == pytest.approx(1 - after / before)
    assert 0.05 < found.share < 0.9


def test_of_numbers_the_share_is_that_of_the_variance():
    rng = np.random.RandomState(0)
    Z, y = rng.normal(size=(90, 2)), rng.normal(size=(90, 2))
    y[:, 0] += Z[:, 0]
    found = explain(Z, y, n_classes=None)
    rest = y - y.mean(axis=0) - found.scores
    assert found.share == pytest.approx(1 - (rest**2).sum() / ((y - y.mean(axis=0)) ** 2).sum())
    assert 0.1 < found.share < 0.9


def test_contradicting_samples_are_those_of_a_class_that_the_answers_make_rarer():
    for y, n_classes in ((np.arange(300) % 3, 3), (np.arange(300) % 2, 2), (Y, 4)):
        found = explain(labels(y, 7), y, n_classes=n_classes)
        assert found.n_contradicting == 7
        weight = np.ones(len(y))
        weight[:6] = 0  # some of them do not count
        found = explain(labels(y, 7), y, n_classes=n_classes, sample_weight=weight)
        assert found.n_contradicting == pytest.approx(7 - 6 / len(np.unique(y)))


def test_of_numbers_those_count_whose_deviation_the_answers_have_turned_around():
    side = np.arange(120) % 2
    found = explain(labels(side, 7), side - 0.5, n_classes=None)
    assert found.n_contradicting == 14 / 4  # a quarter counts as a class


def test_of_one_sample_nothing_is_known():
    for y, n_classes in ((np.array([1]), 3), (np.array([0.5]), None)):
        found = explain(np.ones((1, 2)), y, n_classes=n_classes)
        assert (found.share, found.n_contradicting) == (0.0, 0.0)
        assert not found.scores.any()


# ---- the weight ---------------------------------------------------------------------------


@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize(
    ("params", "unlabeled", "weights"),
    [
        ({}, None, (0.0, 0.3)),
        ({}, X_UNLABELED, (0.3, 1.0)),
        ({"penalty_data": "both"}, X_UNLABELED, (0.3, 1.0)),
        ({"penalty_data": "train"}, X_UNLABELED, (0.0, 0.3)),
    ],
)
def test_a_tenth_of_the_target_and_what_is_compared_decide(above, params, unlabeled, weights):
    net = fitted(answers(Y, above=above), unlabeled=unlabeled, **params)
    assert net.weight_ == weights[above]
    assert ("train_penalty" in net.history[-1]) == (net.weight_ > 0)


@pytest.mark.parametrize("above", [False, True])
def test_of_numbers_too(above):
    y = np.random.RandomState(2).normal(size=N)
    net = fitted(answers(y, above=above), kind=AntiTransferRegressor, y=y)
    assert net.weight_ == (0.3 if above else 0.0)


def test_each_task_has_its_own():
    Z = [answers(Y, above=above) for above in (True, False, True)]
    net = AntiTransferClassifier(unrelated=["precomputed"] * 3, weight=["auto", "auto", 2], **SMALL)
    assert net.fit(X, Y, Z_unrelated=Z).weight_ == [0.3, 0.0, 2.0]
    assert net.product_of_experts_ == strength_of(np.hstack(Z), Y)


def test_the_answers_of_a_network_are_its_probabilities(tabular, unrelated):
    X, y, _ = tabular
    Z = unrelated.predict_proba(X)
    other = np.arange(len(y)) % 2
    assert known_of(Z, other).share < 0.1 <= known_of(Z, y).share
    net = AntiTransferClassifier(unrelated=unrelated, **SMALL)
    for target, weights in ((y, (0.3, 1.0)), (other, (0.0, 0.3))):
        assert net.fit(X, target).weight_ == weights[0]
        assert net.fit(X, target, X_unlabeled=X[:30]).weight_ == weights[1]


def test_the_answers_of_a_module_are_what_it_returns():
    """Of an embedding a softmax would leave the largest column alone."""
    module = torch.nn.Linear(5, 2)
    with torch.no_grad():
        module.weight.copy_(100.0 * torch.eye(2, 5))
        module.bias.copy_(torch.tensor([1e4, 0.0]))
    y = (X[:, 1] > 0).astype(int)
    net = AntiTransferClassifier(unrelated=module, unrelated_layer="output", **SMALL)
    assert known_of(module(torch.from_numpy(X)).softmax(1).detach().numpy(), y).share < 0.1
    assert net.fit(X, y).weight_ == 0.3


def test_samples_of_no_weight_do_not_count():
    agrees = np.where(np.arange(N) < 40, Y, 1 - Y)
    Z = np.eye(2)[agrees]
    net = AntiTransferClassifier(unrelated="precomputed", **SMALL)
    assert net.fit(X, Y, Z_unrelated=Z).weight_ == 0.0
    half = (np.arange(N) < 40).astype(float)
    assert net.fit(X, Y, Z_unrelated=Z, sample_weight=half).weight_ == 0.3


# ---- the product of experts ---------------------------------------------------------------


@pytest.mark.parametrize("n_contradicting", [1, 20])
def test_without_unlabeled_data_what_is_explained_is_added(n_contradicting):
    Z = labels(Y, n_contradicting)
    net = fitted(Z)
    assert net.product_of_experts_ == strength_of(Z, Y)
    strength = net.product_of_experts_
    assert same(net, fitted(Z, weight=net.weight_, product_of_experts=strength))
    # A half of the samples contradicts: nothing is explained.
    assert same(net, fitted(Z, product_of_experts=0)) == (n_contradicting == 20)


@pytest.mark.parametrize("n_classes", [2, 3, None])
def test_beside_unlabeled_data_it_takes_20_contradicting_samples_of_a_class(n_classes):
    y = np.arange(240) % (n_classes or 2)
    kind, target, groups = AntiTransferClassifier, y, 1
    if n_classes is None:  # of numbers, quarters count, here of two groups
        kind, target, groups = AntiTransferRegressor, y - 0.5, 2
    X = np.random.RandomState(4).normal(size=(240, 5)).astype(np.float32)
    given = {"kind": kind, "y": target, "X": X, "unlabeled": X_UNLABELED}
    for n_contradicting, is_added in ((20 * groups, True), (20 * groups - 1, False)):
        Z = labels(y, n_contradicting)
        net = fitted(Z, **given)
        strength = net.product_of_experts_
        assert net.weight_ == 1.0
        assert strength == (strength_of(Z, target) if is_added else 0.0)
        assert same(net, fitted(Z, **given, weight=1.0, product_of_experts=strength))
        assert not same(net, fitted(Z, **given, weight=1.0, product_of_experts=1 - strength))


@pytest.mark.parametrize(("n_contradicting", "is_added"), [(0, True), (2, True), (8, False)])
def test_of_fewer_a_part_is_added_where_nearly_all_is_explained(n_contradicting, is_added):
    y = np.arange(240) % 2
    X = np.random.RandomState(4).normal(size=(240, 5)).astype(np.float32)
    Z = labels(y, n_contradicting)
    net = fitted(Z, y=y, X=X, unlabeled=X_UNLABELED)
    assert net.weight_ == 1.0
    assert net.product_of_experts_ == part_of(Z, y)
    assert 0 <= net.product_of_experts_ < 0.5
    assert (net.product_of_experts_ > 0) == is_added
    same_strength = {"weight": 1.0, "product_of_experts": net.product_of_experts_}
    assert same(net, fitted(Z, y=y, X=X, unlabeled=X_UNLABELED, **same_strength))


def test_what_contradicts_all_tasks_together_counts():
    y = np.arange(240) % 2
    X = np.random.RandomState(4).normal(size=(240, 5)).astype(np.float32)
    Z = [labels(y, 25), labels(y, 2)]
    for sources, strength in (([0], strength_of(Z[0], y)), ([0, 1], part_of(np.hstack(Z), y))):
        net = AntiTransferClassifier(unrelated=["precomputed"] * len(sources), **SMALL)
        net.fit(
            X, y, X_unlabeled=X_UNLABELED, Z_unrelated=[Z[at] for at in sources],
            Z_unlabeled=[np.zeros((30, 2)) for _ in sources],
        )  # fmt: skip
        assert net.product_of_experts_ == strength


def test_samples_of_no_weight_do_not_contradict():
    y = np.arange(240) % 2
    X = np.random.RandomState(4).normal(size=(240, 5)).astype(np.float32)
    Z, weight = labels(y, 25), np.ones(240)
    given = {"X_unlabeled": X_UNLABELED, "Z_unlabeled": np.zeros((30, 2))}
    net = AntiTransferClassifier(unrelated="precomputed", **SMALL)
    assert net.fit(X, y, Z_unrelated=Z, sample_weight=weight, **given).product_of_experts_ > 0.4
    weight[:12] = 0
    assert net.fit(X, y, Z_unrelated=Z, sample_weight=weight, **given).product_of_experts_ == 0.0


@pytest.mark.parametrize("weight", [0, 0.3, [0.5]])
def test_a_weight_that_is_given_adds_nothing(weight):
    given = {"weight": weight, "unrelated": ["precomputed"]}
    net = AntiTransferClassifier(**given, **SMALL).fit(X, Y, Z_unrelated=labels(Y, 8))
    assert net.product_of_experts_ == 0.0
    assert net.weight_ == (weight if isinstance(weight, list) else [weight])
    without = clone(net).set_params(product_of_experts=0).fit(X, Y, Z_unrelated=labels(Y, 8))
    assert same(net, without)


@pytest.mark.parametrize("strength", [0, 0.5])
def test_a_strength_that_is_given_stays(strength):
    Z = labels(Y, 8)
    net = fitted(Z, product_of_experts=strength)
    assert (net.weight_, net.product_of_experts_) == (0.3, strength)
    assert same(net, fitted(Z, weight=0.3, product_of_experts=strength))


@pytest.mark.parametrize("n_contradicting", [2, 20])
def test_with_a_target_for_the_similarity_the_weight_begins_at_1(n_contradicting):
    Z = labels(Y, n_contradicting)
    net = fitted(Z, target_similarity=0.1)
    assert net.product_of_experts_ == 0.0
    given = fitted(Z, target_similarity=0.1, weight=1.0)
    assert same(net, given)
    assert net.history[:, "penalty_weight"] == given.history[:, "penalty_weight"]


def test_a_target_is_for_its_own_task():
    Z = labels(Y, 8)
    alone = fitted(Z, target_similarity=[None])
    assert (alone.weight_, alone.product_of_experts_) == (0.3, strength_of(Z, Y))
    net = AntiTransferClassifier(unrelated=["precomputed"] * 2, **SMALL)
    net.set_params(target_similarity=[None, 0.1]).fit(X, Y, Z_unrelated=[Z, Z])
    assert net.product_of_experts_ == 0.0
    given = clone(net).set_params(weight=[0.3, 1.0]).fit(X, Y, Z_unrelated=[Z, Z])
    assert net.weight_ == given.weight_
    assert same(net, given)


def test_without_an_unrelated_task_there_is_nothing_to_choose():
    net = AntiTransferClassifier(**SMALL).fit(X, Y)
    assert (net.weight_, net.product_of_experts_) == (0.0, 0.0)


def test_nothing_to_avoid_and_nothing_added_is_the_plain_network():
    net = fitted(answers(Y, above=False), product_of_experts=0)
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
    ("params", "is_added"),
    [
        ({}, True),
        ({"iterator_valid": OwnLoader}, True),
        ({"criterion": torch.nn.CrossEntropyLoss}, True),
        ({"train_split": 0.25}, True),
        ({"iterator_train": OwnLoader}, False),
        ({"iterator_train__collate_fn": default_collate}, False),
        ({"iterator_train__sampler": SequentialSampler(range(N))}, False),
        ({"criterion": OwnLoss}, False),
    ],
)
def test_batches_and_losses_of_ones_own(params, is_added):
    seen, nuisance = confounded()
    source = LogisticRegression().fit(seen, nuisance)
    net = AntiTransferClassifier(unrelated=source, **SMALL, **params).fit(seen, Y)
    assert net.weight_ == 0.3
    assert (net.product_of_experts_ > 0.1) == is_added
    assert is_added or net.product_of_experts_ == 0.0


@pytest.mark.parametrize(
    "criterion", [torch.nn.L1Loss, torch.nn.PoissonNLLLoss, torch.nn.BCEWithLogitsLoss]
)
def test_losses_of_numbers(criterion):
    y = np.random.RandomState(2).poisson(2.0, size=N).astype(float)
    if criterion is torch.nn.BCEWithLogitsLoss:
        y = np.minimum(y, 1)
    Z = answers(y, above=True)
    net = fitted(Z, kind=AntiTransferRegressor, y=y, criterion=criterion)
    assert net.weight_ == 0.3
    is_added = criterion is torch.nn.L1Loss
    assert net.product_of_experts_ == (strength_of(Z, y) if is_added else 0.0)


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
    assert net.partial_fit(X, np.arange(len(y)) % 2).weight_ == 0.0
    assert net.fit(X, y).product_of_experts_ > 0.3


# ---- the data, and what says something of them --------------------------------------------


def confounded():
    """Return X that shows the nuisance, and the nuisance, which contradicts one sample in five."""
    nuisance = np.where(np.arange(N) % 5 == 0, 1 - Y, Y)
    seen = X.copy()
    seen[:, 0] += 3 * nuisance
    return seen, nuisance


def test_a_torch_dataset_is_as_good_as_arrays():
    seen, nuisance = confounded()
    net = AntiTransferClassifier(unrelated=LogisticRegression().fit(seen, nuisance), **SMALL)
    expected = clone(net).fit(seen, Y)
    assert expected.weight_ == 0.3
    assert expected.product_of_experts_ > 0.1
    data = TensorDataset(torch.as_tensor(seen), torch.as_tensor(Y))
    for given in ((data,), (data, Y)):
        found = clone(net).fit(*given)
        assert found.product_of_experts_ == expected.product_of_experts_
        assert same(found, expected)


class OwnDataset(Dataset):
    """The user's own way to make samples."""


@pytest.mark.parametrize("own", [{"dataset": OwnDataset}, {"iterator_train": OwnLoader}])
def test_what_is_known_by_position_with_samples_of_ones_own(own):
    seen, nuisance = confounded()
    more = {"y_unrelated": nuisance, "X_unlabeled": X_UNLABELED, "Z_unlabeled": nuisance[:30]}
    net = AntiTransferClassifier(unrelated="labels", **SMALL, **own)
    net.fit(seen, Y, **more)
    assert (net.weight_, net.product_of_experts_) == (1.0, 0.0)
    independent = np.arange(N) // 2 % 2
    assert net.fit(seen, Y, **{**more, "y_unrelated": independent}).weight_ == 0.3


class Returns(torch.nn.Module):
    """A layer, and something else that is returned."""

    def __init__(self, returned):
        super().__init__()
        self.layer = torch.nn.Linear(5, 2)
        self.returned = returned
        with torch.no_grad():
            self.layer.weight.copy_(torch.eye(2, 5))

    def forward(self, x):
        return self.returned(self.layer(x))


@pytest.mark.parametrize(
    "returned",
    [
        lambda x: x.argmax(dim=1),
        lambda x: (x, None),
        lambda x: {"scores": x},
        lambda x: x.bfloat16(),
        lambda x: x[:, :, None, None].double(),
    ],
)
def test_modules_may_return_what_they_like(returned):
    y = (X[:, 0] > X[:, 1]).astype(int)
    net = AntiTransferClassifier(unrelated=Returns(returned), unrelated_layer="layer", **SMALL)
    assert net.fit(X, y).weight_ == 0.3


@pytest.mark.parametrize("named", [{"unrelated_layer": "layer"}, {"layer": -1}])
@pytest.mark.parametrize("returned", [torch.Tensor.mean, lambda x: {"a": x, "b": x}])
def test_features_take_the_place_of_answers_that_a_module_does_not_give(returned, named):
    y = (X[:, 0] > X[:, 1]).astype(int)
    module = Returns(returned)
    net = AntiTransferClassifier(unrelated=module, **named, **SMALL)
    assert net.fit(X, y).weight_ == 0.3
    features = module.layer(torch.from_numpy(X)).detach().numpy()
    assert net.product_of_experts_ == strength_of(features, y)
    both = clone(net).set_params(unrelated=[Returns(lambda x: x), module])
    assert both.fit(X, y).weight_ == [0.3, 0.3]


@pytest.mark.parametrize("kind", [torch.nn.Conv1d, torch.nn.GRU])
def test_of_maps_the_mean_over_positions_is_asked(kind):
    maps = np.random.RandomState(3).normal(size=(N, 3, 9)).astype(np.float32)
    maps[:, 0] += Y[:, np.newaxis]
    module = kind(3, 2, 1) if kind is torch.nn.Conv1d else kind(9, 2, batch_first=True)
    whole = torch.nn.Sequential(module)
    net = AntiTransferClassifier(unrelated=whole, max_epochs=1, random_state=0).fit(maps, Y)
    found = module(torch.from_numpy(maps))
    found = found.mean(dim=2) if kind is torch.nn.Conv1d else found[0].mean(dim=1)
    assert net.product_of_experts_ == strength_of(found.detach().numpy(), Y)


def test_modules_that_return_nothing_need_a_weight():
    module = Returns(lambda x: x.mean())
    net = AntiTransferClassifier(unrelated=module, layer="hidden.0", **SMALL)
    message = r"the unrelated network{} does not give: .*Name a layer .*or set weight to a number"
    with pytest.raises(ValueError, match=message.format("")):
        net.fit(X, Y)
    with pytest.raises(ValueError, match=message.format(" 1")):
        clone(net).set_params(unrelated=[torch.nn.Linear(5, 2), module]).fit(X, Y)
    with pytest.raises(ValueError, match=r"Layer 'lay' \(parameter 'unrelated_layer'\) not found"):
        clone(net).set_params(unrelated_layer="lay").fit(X, Y)
    net.set_params(weight=1.0, unrelated_layer="layer")
    assert net.fit(X, Y).history[-1, "train_penalty"] > 0


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

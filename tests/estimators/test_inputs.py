"""X, y and weights of every kind."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import SliceDataset, predefined_split
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor

FAST = {"max_epochs": 2, "random_state": 0}
EXACT = {"precision": "float64", "batch_size": -1, "max_epochs": 20, "random_state": 0}


# ---- labels -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        np.array([1, 2]),
        np.array([-5, 7]),
        np.array([False, True]),
        np.array([0.0, 1.0]),
    ],
)
def test_labels_come_back_as_they_were(labels, tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(max_epochs=20, random_state=0).fit(X, labels[y])
    np.testing.assert_array_equal(net.classes_, labels)
    predicted = net.predict(X)
    assert predicted.dtype == labels.dtype
    assert net.score(X, labels[y]) > 0.6
    as_codes = AntiTransferClassifier(max_epochs=20, random_state=0).fit(X, y).predict(X)
    np.testing.assert_array_equal(predicted, labels[as_codes])


def test_the_classes_parameter_orders_the_outputs(tabular):
    X, y, _ = tabular
    names = np.array(["b", "a"])[y]
    net = AntiTransferClassifier(classes=["b", "c", "a"], **FAST).fit(X, names)
    assert net.classes_.tolist() == ["b", "c", "a"]
    assert net.predict_proba(X).shape == (80, 3)
    assert set(net.predict(X)) <= {"a", "b", "c"}
    with pytest.raises(ValueError, match=r"not among the classes \['b'\]: \['a'\]"):
        AntiTransferClassifier(classes=["b"]).fit(X, names)


def test_epoch_scores_see_consistent_labels(tabular):
    """skorch scores validation accuracy during training, whatever the labels are."""
    X, y, _ = tabular
    split = ValidSplit(4, stratified=True)
    names = AntiTransferClassifier(train_split=split, **FAST).fit(X, np.array(["x", "a"])[y])
    codes = AntiTransferClassifier(train_split=split, **FAST).fit(X, 1 - y)
    assert names.history[:, "valid_acc"] == codes.history[:, "valid_acc"]
    assert names.history[-1, "valid_acc"] > 0.5


def test_a_validation_set_of_ones_own_has_the_users_labels(tabular):
    X, y, _ = tabular
    X = X.astype(np.float32)
    labels = np.array(["x", "a"])[y]
    split = predefined_split(Dataset(X[:40], labels[:40]))
    net = AntiTransferClassifier(train_split=split, max_epochs=20, random_state=0)
    net.fit(X[40:], labels[40:])
    expected = np.mean(net.predict(X[:40]) == labels[:40])
    assert net.history[-1, "valid_acc"] == pytest.approx(expected)


def test_partial_fit_names_all_classes_in_the_first_call(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).partial_fit(X, y, classes=[0, 1, 2])
    net.partial_fit(X, y + 1)
    assert net.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"not among the classes \[0, 1, 2\]: \[3\]"):
        net.partial_fit(X, y + 2)
    assert net.fit(X, y).classes_.tolist() == [0, 1]


# ---- shapes and containers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "kind"), [((6,), "MLP"), ((9, 7), "ConvNet"), ((2, 9, 7), "ConvNet")]
)
def test_x_has_two_to_four_axes(shape, kind):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(20, *shape)), np.arange(20) % 2
    net = AntiTransferClassifier(unrelated=None, **FAST).fit(X, y)
    assert type(net.module_).__name__ == kind
    assert net.input_shape_ == shape
    assert net.n_features_in_ == shape[0]
    assert net.predict(X).shape == (20,)
    wrong = X[..., :-1]
    with pytest.raises(ValueError, match=r"features|X must have shape \(n_samples, "):
        net.predict(wrong)
    with pytest.raises(ValueError, match=r"features|X must have shape \(n_samples, "):
        net.partial_fit(wrong, y)


def test_data_frames_keep_their_names(tabular):
    X, y, _ = tabular
    frame = pd.DataFrame(X, columns=list("abcdef"))
    net = AntiTransferClassifier(**FAST).fit(frame, pd.Series(y))
    assert net.feature_names_in_.tolist() == list("abcdef")
    np.testing.assert_array_equal(
        net.predict_proba(frame), AntiTransferClassifier(**FAST).fit(X, y).predict_proba(X)
    )
    with pytest.raises(ValueError, match="feature names"):
        net.predict(frame[list("fedcba")])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64])
def test_any_numeric_type_is_cast(dtype, tabular):
    X, y, _ = tabular
    X = np.round(X).astype(dtype)
    expected = AntiTransferClassifier(**FAST).fit(X.astype(np.float32), y)
    net = AntiTransferClassifier(**FAST).fit(X, y.astype(np.int32))
    np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))
    assert net.predict_proba(X).dtype == np.float32


def test_tensors_are_arrays(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(torch.tensor(X), torch.tensor(y))
    expected = AntiTransferClassifier(**FAST).fit(X, y)
    np.testing.assert_array_equal(net.predict_proba(torch.tensor(X)), expected.predict_proba(X))


def test_torch_datasets_train_the_same_network(tabular, unrelated):
    X, y, nuisance = tabular
    X = X.astype(np.float32)
    expected = AntiTransferClassifier(unrelated=unrelated, **FAST).fit(X, y)
    tensors = TensorDataset(torch.tensor(X), torch.tensor(y))
    labels = np.array(["x", "y"])[y]
    for dataset, given in [(tensors, None), (tensors, labels), (Dataset(X, labels), None)]:
        net = AntiTransferClassifier(unrelated=unrelated, **FAST).fit(dataset, given)
        np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))
        np.testing.assert_array_equal(net.predict_proba(dataset), expected.predict_proba(X))
    unfitted = AntiTransferClassifier(unrelated=clone(unrelated), **FAST)
    unfitted.fit(tensors, y_unrelated=nuisance)
    np.testing.assert_allclose(unfitted.predict_proba(X), expected.predict_proba(X), atol=1e-6)


def test_slices_of_a_dataset_are_searched(tabular, unrelated):
    X, y, _ = tabular
    dataset = Dataset(X.astype(np.float32), y)
    net = AntiTransferClassifier(unrelated=unrelated, **FAST)
    scores = [
        cross_val_score(net, data, labels, cv=2, error_score="raise")
        for data, labels in [(SliceDataset(dataset), SliceDataset(dataset, idx=1)), (X, y)]
    ]
    np.testing.assert_array_equal(*scores)


def test_weights_of_a_torch_dataset(tabular):
    X, y, _ = tabular
    X = X.astype(np.float32)
    weight = np.random.RandomState(0).rand(80)
    tensors = TensorDataset(torch.tensor(X), torch.tensor(y))
    net = AntiTransferClassifier(**FAST).fit(tensors, sample_weight=weight)
    expected = AntiTransferClassifier(**FAST).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))


def test_datasets_without_a_length_or_samples_are_refused():
    class Endless(IterableDataset):
        def __iter__(self):
            yield from ()

    with pytest.raises(TypeError, match="Endless, which is iterable only"):
        AntiTransferClassifier().fit(Endless(), None)
    with pytest.raises(ValueError, match="0 samples"):
        AntiTransferClassifier().fit(TensorDataset(torch.zeros(0, 2), torch.zeros(0)), None)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, left, right):
        return self.linear(left + right)


def test_mappings_are_passed_by_name(tabular):
    X, y, _ = tabular
    named = {"left": X[:, :3], "right": X[:, 3:]}
    net = AntiTransferClassifier(TwoInputs, unrelated=TwoInputs(), layer=0, **FAST)
    net.fit(named, y)
    assert net.predict(named).shape == (80,)
    with pytest.raises(ValueError, match="requires y to be passed"):
        net.fit(named)


@pytest.mark.parametrize(
    ("X", "y", "match"),
    [
        (np.full((4, 2), np.nan), [0, 1, 0, 1], "NaN"),
        (np.zeros((4, 2)), [0, 1, 0], "inconsistent"),
        (np.zeros(4), [0, 1, 0, 1], "Reshape your data"),
        (np.zeros((0, 2)), [], "0 sample"),
        (np.zeros((4, 2)), None, "requires y to be passed"),
        (np.zeros((4, 2)), [0.5, 1.5, 2.5, 0.1], "Unknown label type"),
        (np.array([["a", "b"]] * 4), [0, 1, 0, 1], "could not convert"),
    ],
)
def test_bad_data_are_refused(X, y, match):
    net = AntiTransferClassifier()
    with pytest.raises(ValueError, match=match):
        net.fit(X, y)
    assert not hasattr(net, "module_")


# ---- weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [AntiTransferClassifier, AntiTransferRegressor])
@pytest.mark.parametrize("anti_transfer", [False, True])
def test_weights_are_repetitions(estimator, anti_transfer, tabular, unrelated):
    X, y, _ = tabular
    counts = np.random.RandomState(0).randint(3, size=80)
    # The product of experts asks of each sample others than itself, which repetitions are not.
    parameters = {**EXACT, "unrelated": unrelated if anti_transfer else None, "weight": 1.0}
    weighted = estimator(**parameters).fit(X, y, sample_weight=counts)
    repeated = estimator(**parameters).fit(X.repeat(counts, axis=0), y.repeat(counts))
    np.testing.assert_allclose(weighted.forward(X), repeated.forward(X), rtol=1e-6, atol=1e-9)


def test_balanced_classes_are_weights(tabular):
    X, y, _ = tabular
    X, y = X[10:], y[10:]
    keep = np.flatnonzero((y == 0) | (np.arange(70) < 20))
    X, y = X[keep], y[keep]
    assert np.bincount(y)[0] > 2 * np.bincount(y)[1]
    weight = len(y) / (2 * np.bincount(y))
    balanced = AntiTransferClassifier(class_weight="balanced", **EXACT).fit(X, y)
    by_dict = AntiTransferClassifier(class_weight=dict(enumerate(weight)), **EXACT).fit(X, y)
    by_hand = AntiTransferClassifier(**EXACT).fit(X, y, sample_weight=weight[y])
    plain = AntiTransferClassifier(**EXACT).fit(X, y)
    np.testing.assert_allclose(balanced.forward(X), by_hand.forward(X), rtol=1e-9)
    np.testing.assert_allclose(by_dict.forward(X), by_hand.forward(X), rtol=1e-9)
    assert (plain.predict(X) == 1).sum() < (balanced.predict(X) == 1).sum()


@pytest.mark.parametrize("metric", ["cka", "cosine"])
def test_a_batch_may_be_without_weight(metric, tabular, unrelated):
    X, y, _ = tabular
    weight = np.repeat([0.0, 1.0], 40)
    net = AntiTransferClassifier(
        unrelated=unrelated,
        metric=metric,
        layer=0,
        batch_size=20,
        iterator_train__shuffle=False,
        **FAST,
    ).fit(X, y, sample_weight=weight)
    assert np.isfinite(net.history[:, "train_objective"]).all()


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (np.ones(79), "inconsistent|shape"),
        (-np.ones(80), "Negative values"),
        (np.full(80, np.nan), "NaN"),
        (np.zeros(80), "at least one non-zero"),
    ],
)
def test_bad_weights_are_refused(weight, match, tabular):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=match):
        AntiTransferClassifier().fit(X, y, sample_weight=weight)


class NoReduction(nn.Module):
    def forward(self, y_pred, y_true):
        return nn.functional.cross_entropy(y_pred, y_true)


def test_weights_need_pieces_that_take_them(tabular):
    X, y, _ = tabular
    weight = np.ones(80)
    with pytest.raises(ValueError, match="NoReduction has none"):
        AntiTransferClassifier(criterion=NoReduction).fit(X, y, sample_weight=weight)
    sampler = torch.utils.data.SequentialSampler(range(80))
    net = AntiTransferClassifier(iterator_train__sampler=sampler)
    with pytest.raises(ValueError, match="'iterator_train'"):
        net.fit(X, y, sample_weight=weight)

    class Custom(Dataset):
        pass

    with pytest.raises(ValueError, match="'dataset' parameter"):
        AntiTransferClassifier(dataset=Custom).fit(X, y, sample_weight=weight)
    AntiTransferClassifier(dataset=Custom, **FAST).fit(X, y)


# ---- batches ------------------------------------------------------------------------------


def test_a_single_sample_left_over_joins_the_batch_before_it(images):
    X, y, _ = images
    for n_samples, expected in [(33, [16, 17]), (32, [16, 16]), (34, [16, 16, 2]), (16, [16])]:
        net = AntiTransferClassifier(batch_size=16, max_epochs=1, random_state=0)
        net.fit(X[:n_samples], y[:n_samples])
        assert net.history[-1, "batches", :, "train_batch_size"] == expected


def test_training_data_are_shuffled_and_predictions_are_not(tabular):
    X, y, _ = tabular
    seen = []

    class Watching(AntiTransferClassifier):
        def train_step_single(self, batch, **fit_params):
            seen.append(batch.X[:, 0].tolist())
            return super().train_step_single(batch, **fit_params)

    Watching(batch_size=16, **FAST).fit(X, y)
    first, second = (list(chain(*seen[i : i + 5])) for i in (0, 5))
    assert sorted(first) == sorted(second) == sorted(X[:, 0].astype(np.float32).tolist())
    assert first != second
    seen.clear()
    Watching(batch_size=16, iterator_train__shuffle=False, **FAST).fit(X, y)
    assert list(chain(*seen[:5])) == X[:, 0].astype(np.float32).tolist()
    seen.clear()
    Watching(batch_size=16, iterator_train__drop_last=True, **FAST).fit(X[:70], y[:70])
    assert [len(batch) for batch in seen] == [16] * 8


@pytest.mark.slow
def test_loader_workers_give_the_same_network(tabular, unrelated):
    X, y, _ = tabular
    weight = np.random.RandomState(0).rand(80)
    nets = [
        AntiTransferClassifier(unrelated=unrelated, iterator_train__num_workers=n, **FAST).fit(
            X, y, sample_weight=weight
        )
        for n in (0, 1)
    ]
    np.testing.assert_array_equal(*(net.predict_proba(X) for net in nets))


# ---- regression ---------------------------------------------------------------------------


def test_regression_of_one_and_several_targets(tabular):
    X, _, _ = tabular
    targets = X[:, :2]
    one = AntiTransferRegressor(max_epochs=60, random_state=0).fit(X, targets[:, 0])
    assert one.predict(X).shape == (80,)
    assert one.predict(X).dtype == np.float64
    assert one.score(X, targets[:, 0]) > 0.9
    two = AntiTransferRegressor(max_epochs=60, random_state=0).fit(X, targets)
    assert two.predict(X).shape == (80, 2)
    assert two.score(X, targets) > 0.9
    column = AntiTransferRegressor(**FAST).fit(X, targets[:, :1].astype(np.float32))
    assert column.predict(X).shape == (80, 1)
    assert column.predict(X).dtype == np.float32
    with pytest.raises(ValueError, match="y must have 2 targets"):
        two.partial_fit(X, X[:, :3])


def test_a_regressor_has_no_probabilities(tabular):
    X, y, _ = tabular
    net = AntiTransferRegressor(**FAST).fit(X, y)
    assert not hasattr(net, "predict_proba")
    assert not hasattr(net, "classes_")


# ---- predictions --------------------------------------------------------------------------


def test_decision_function_orders_as_probabilities_do(tabular, images):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y)
    scores = net.decision_function(X)
    assert scores.shape == (80,)
    np.testing.assert_array_equal(scores > 0, net.predict(X) == 1)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), net.predict_proba(X)[:, 1], rtol=1e-5)
    X, y, _ = images
    scores = AntiTransferClassifier(**FAST).fit(X, y).decision_function(X)
    assert scores.shape == (48, 3)
    assert cross_val_score(AntiTransferClassifier(**FAST), X, y, cv=2, scoring="roc_auc_ovr").all()


def test_negative_log_likelihood_takes_probabilities_as_in_skorch(tabular):
    X, y, _ = tabular
    module = nn.Sequential(nn.Linear(6, 2), nn.Softmax(dim=-1))
    net = AntiTransferClassifier(module, criterion=nn.NLLLoss, **FAST).fit(X, y)
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(net.decision_function(X) > 0, net.predict(X) == 1)

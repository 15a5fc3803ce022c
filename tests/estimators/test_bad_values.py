"""Bad values of every parameter: an error that names it, before anything is trained or changed."""

import inspect
import os

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNet
from skorch.dataset import Dataset
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor

HUGE = 10**400
NO_NUMBERS = ["a", None, [1], {}, np.ones(2), np.nan, 1j]
NO_BOOLS = ["a", "no", None, 0, 1, [], np.ones(2)]


def takes_nothing():
    return 1


class NoForward:
    pass


BAD = {
    "module": [3, None, "convnett", int, dict, NoForward, takes_nothing, [nn.ReLU]],
    "unrelated": [3, "speaker", nn.Linear, [None], {"a": 1}, int],
    "layer": ["nope", None, 1.5, [], [None], True, 99, -99, {"a"}, HUGE],
    "unrelated_layer": ["nope", 1.5, [], [None], True, 99, {"a"}],
    "metric": ["ckaa", None, 3, [], ["cka", "cka"], {}, np.ones(2)],
    "aggregation": ["grams", None, 3, [], ["gram", "gram"], {}, np.ones(2)],
    "weight": [-1, np.inf, HUGE, True, [1.0, 2.0], [-1], "large", None, {}, np.ones(2), np.nan],
    "weight_schedule": [
        "warm", None, 3, {}, takes_nothing, lambda: 1, lambda epoch: "a", lambda epoch: -1,
        lambda epoch: np.nan, lambda epoch: None, lambda epoch: 1 / 0,
    ],
    "penalty_data": ["all", None, 3, {}, [], np.ones(2), "unlabeled", "both"],
    "penalty_batch_size": [1, 0, -1, 2.0, True, HUGE, *NO_NUMBERS],
    "penalty_every": [0, -1, 2.0, True, HUGE, *NO_NUMBERS],
    "conditional": [*NO_BOOLS, "yes"],
    "product_of_experts": [-0.1, np.inf, HUGE, True, torch.ones(1), *NO_NUMBERS],
    "augment": [3, "noise", int, {}, np.ones(2), [None], [takes_nothing, 3], takes_nothing],
    "augment_unrelated": NO_BOOLS,
    "augment_keep": ["same", None, 3, {}, [], True],
    "cache": ["disk", None, 3, {}, [], np.ones(2)],
    "cache_size": [-1, 1.5, True, HUGE, *NO_NUMBERS],
    "memory": [3, "", [], {}, __file__, os.path.join(__file__, "sub"), "no\0folder", object()],
    "checkpoint_dir": [
        3, "", [], {}, b"folder", __file__, os.path.join(__file__, "sub"), "no\0folder", object(),
    ],
    "class_weight": [
        "even", 3, [1, 1], np.ones(2), {0: -1, 1: 1}, {0: np.nan}, {0: np.inf}, {0: "a"},
        {0: 0, 1: 0}, {2: 1}, {"0": 1.0}, {0: None}, {0: HUGE}, {0: True},
    ],
    "random_state": [-1, 2**32, HUGE, 1.5, "seed", True, [1], {}, np.random.default_rng(0)],
    "precision": ["double", None, 64, {}, [], torch.float32],
    "criterion": [None, "mse", 3, int, dict, [], takes_nothing, nn.MSELoss(reduction="none")],
    "optimizer": [None, "adamm", 3, int, dict, [], takes_nothing, lambda p, lr: None],
    "lr": [-0.1, np.inf, HUGE, True, torch.ones(1), *NO_NUMBERS],
    "lr_schedule": [
        "one_cylce", None, 3, {}, [], takes_nothing, lambda progress: -1, lambda progress: None,
        lambda progress: np.nan, lambda progress: 1 / 0,
    ],
    "max_grad_norm": [0, -1, True, HUGE, "a", [], {}, np.nan],
    "weight_decay": [-1, np.inf, True, HUGE, *NO_NUMBERS],
    "target_similarity": [-0.1, 1.0, np.nan, True, "a", {}, [0.1, 0.2], HUGE],
    "max_epochs": [-1, 1.5, True, HUGE, *NO_NUMBERS],
    "batch_size": [0, -2, 1.5, True, HUGE, *NO_NUMBERS],
    "iterator_train": [None, "loader", 3, int, [], takes_nothing, lambda data, batch_size: None],
    "iterator_valid": [None, "loader", 3, int, [], takes_nothing, lambda data, **kwargs: 1],
    "dataset": [None, "data", 3, int, {}, takes_nothing],
    "train_split": [True, 1, 0, 5, 1.0, -0.5, np.nan, "a", int, [0.1], {}, HUGE],
    "callbacks": ["stop", 3, [3], (), {}, int, [("a", 3)], [int]],
    "predict_nonlinearity": [3, "softmax", [], {}, takes_nothing, lambda x: 3],
    "warm_start": NO_BOOLS,
    "verbose": [-1, "a", None, 1.5, [], HUGE, np.nan],
    "device": ["gpu", "a", 1.5, [], {}, "cuda:99", "meta", object()],
    "compile": NO_BOOLS,
    "use_caching": ["yes", None, 2, [], {}, np.ones(2)],
    "torch_load_kwargs": [3, "a", [], {1: 2}, True],
    "classes": [3, "ab", [], [0, 0], [[0, 1]], [0, None], [0, 1, np.nan], {}],
}  # fmt: skip
ROWS = [
    (estimator, name, place)
    for estimator in (AntiTransferClassifier, AntiTransferRegressor)
    for name in BAD
    if name in inspect.signature(estimator).parameters
    for place in range(len(BAD[name]))
]


@pytest.fixture
def nothing_is_trained(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("a network was trained")

    monkeypatch.setattr(NeuralNet, "fit_loop", train)


def test_no_parameter_is_left_out():
    known = {
        parameter.name
        for estimator in (AntiTransferClassifier, AntiTransferRegressor)
        for parameter in inspect.signature(estimator).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert set(BAD) == known


@pytest.mark.parametrize(
    ("estimator", "name", "place"),
    ROWS,
    ids=[f"{e.__name__[12:]}-{n}-{type(BAD[n][p]).__name__}{p}" for e, n, p in ROWS],
)
def test_bad_values(estimator, name, place, tabular, unrelated, nothing_is_trained):
    X, y, nuisance = tabular
    fit = {}
    if name in ("layer", "unrelated_layer"):  # read from the networks, so they must be there
        parameters = {"unrelated": unrelated}
    elif name == "unrelated":
        parameters = {}
    else:
        parameters, fit = {"unrelated": AntiTransferClassifier()}, {"y_unrelated": nuisance}
    net = estimator(**{**parameters, name: BAD[name][place]})
    before = dict(vars(net))
    with pytest.raises((ValueError, TypeError)) as raised:
        net.fit(X, y, **fit)
    assert name in str(raised.value)
    assert len(str(raised.value)) < 2000
    assert vars(net).keys() == before.keys()
    assert all(vars(net)[key] is value for key, value in before.items())


def test_cuda_where_there_is_none_is_refused(tabular, monkeypatch):
    X, y, _ = tabular
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match=r"'device' .*, of this machine. Got 'cuda'.* not there"):
        AntiTransferClassifier(device="cuda").fit(X, y)


# ---- what works where it should ---------------------------------------------------------------

NUMBERS = {
    "batch_size": np.int64(16),
    "penalty_batch_size": np.int32(5),
    "penalty_every": np.int64(2),
    "max_epochs": np.int16(2),
    "cache_size": np.int64(10**6),
    "random_state": np.int64(0),
    "lr": np.float32(0.01),
    "weight": np.float16(0.5),
    "layer": np.int64(0),
    "verbose": np.int64(0),
    "warm_start": np.False_,
    "conditional": np.True_,
    "product_of_experts": np.float32(0.5),
    "train_split": np.float64(0.2),
    "iterator_train__num_workers": np.int64(0),
    "iterator_valid__batch_size": np.int64(7),
    "optimizer__weight_decay": np.float32(0.01),
    "module__hidden_layer_sizes": (np.int64(8), np.int64(4)),
    "module__dropout": np.float32(0.125),
    "criterion__label_smoothing": np.float32(0.125),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_numpy_are_numbers(name, tabular, unrelated):
    X, y, _ = tabular
    common = {"unrelated": unrelated, "max_epochs": 1, "random_state": 0, "lr": 0.003}
    value = NUMBERS[name]
    python = tuple(map(int, value)) if isinstance(value, tuple) else value.item()
    nets = [
        AntiTransferClassifier(**{**common, name: v}).fit(X, y, X_unlabeled=X[:31])
        for v in (value, python)
    ]
    np.testing.assert_array_equal(*(net.predict_proba(X) for net in nets))


@pytest.mark.parametrize("sampler", [False, True])
def test_a_search_over_a_range_of_numpy(sampler, tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(max_epochs=1, random_state=0)
    if sampler:  # batches that torch makes
        net.set_params(iterator_train__sampler=torch.utils.data.SequentialSampler(range(40)))
    search = GridSearchCV(net, {"batch_size": np.arange(8, 17, 8)}, cv=2, error_score="raise")
    assert search.fit(X, y).best_score_ > 0


class Own(Dataset):
    pass


def test_batches_of_a_dataset_of_ones_own(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(dataset=Own, batch_size=np.int64(20), max_epochs=1, random_state=0)
    assert net.fit(X, y).history[-1, "train_batch_count"] == 4
    net.set_params(batch_size=-1).fit(X, y)
    assert net.history[-1, "train_batch_count"] == 1


@pytest.mark.parametrize("verbose", [True, 1, np.True_])
def test_verbose_is_a_number_or_not(verbose, tabular, capsys):
    X, y, _ = tabular
    AntiTransferClassifier(verbose=verbose, max_epochs=1).fit(X, y)
    assert "1 of 1 epochs" in capsys.readouterr().out


# ---- weights of classes -----------------------------------------------------------------------


def test_weights_of_classes_by_label(tabular):
    X, y, _ = tabular
    common = {"max_epochs": 2, "random_state": 0, "batch_size": -1, "precision": "float64"}
    names = np.array(["no", "yes"])[y]
    by_name = AntiTransferClassifier(class_weight={"yes": 3}, **common).fit(X, names)
    by_hand = AntiTransferClassifier(**common).fit(X, y, sample_weight=np.where(y, 3.0, 1.0))
    np.testing.assert_array_equal(by_name.predict_proba(X), by_hand.predict_proba(X))
    zero = AntiTransferClassifier(class_weight={"no": 0}, **common).fit(X, names)
    assert np.isfinite(zero.history[:, "train_loss"]).all()


def test_in_a_batch_without_some_of_them(tabular):
    X, _, _ = tabular
    net = AntiTransferClassifier(class_weight={0: 1, 1: 2}, max_epochs=1, random_state=0)
    net.partial_fit(X[:20], np.arange(20) % 2 * 2, classes=[0, 1, 2])
    net.partial_fit(X[:20], np.zeros(20, int))
    with pytest.raises(ValueError, match=r"'class_weight' .*\[0, 1, 2\].* \[3\] are not"):
        clone(net).set_params(class_weight={3: 1}).partial_fit(
            X[:20], np.zeros(20, int), classes=[0, 1, 2]
        )
    with pytest.raises(ValueError, match="give every sample the weight 0"):
        clone(net).set_params(class_weight={0: 0, 1: 2}).partial_fit(
            X[:20], np.zeros(20, int), classes=[0, 1, 2]
        )


@pytest.mark.parametrize("classes", [3, [0, 0], [0, None], []])
def test_classes_of_partial_fit(classes, tabular, nothing_is_trained):
    X, y, _ = tabular
    net = AntiTransferClassifier()
    before = dict(vars(net))
    with pytest.raises(ValueError, match="classes"):
        net.partial_fit(X, y, classes=classes)
    assert vars(net) == before


# ---- predictions that are not finite ----------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_predictions_that_are_not_finite_are_refused(precision, tabular):
    X, y, _ = tabular
    common = {"precision": precision, "max_epochs": 1, "random_state": 0, "lr": 0.003}
    common["module__standardize"] = False  # which would make them small enough
    net = AntiTransferClassifier(**common).fit(X, y)
    regressor = AntiTransferRegressor(**common).fit(X, X[:, 0])
    wide = {"float32": "float64", "float16": "float32"}[precision]
    bad = X.copy()
    bad[[3, 5]] = 3e38 if precision == "float32" else 1e6
    for method in (net.predict, net.predict_proba, net.decision_function, regressor.predict):
        with pytest.raises(ValueError, match=rf"2 of 80 .*at rows 3, 5\..*precision='{wide}'"):
            method(bad)
    assert np.isfinite(net.predict_proba(bad[:3])).all()


def test_so_are_those_of_weights_that_are_not_finite(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, y)
    next(net.module_.parameters()).data.fill_(np.nan)
    with pytest.raises(ValueError, match=r"80 of 80 .*the first at rows 0.* weights are not fin"):
        net.predict(X)

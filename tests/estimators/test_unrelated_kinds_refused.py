"""What is unrelated and cannot be used is refused before training, with the way out."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from skorch.helper import predefined_split
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, default_collate

from atl_sklearn import AntiTransferClassifier, list_layers
from atl_sklearn.estimators._fit_identity import identify_fit
from atl_sklearn.inspection import extract_activations, probe_score
from atl_sklearn.persistence import load, save
from atl_sklearn.tuning import AntiTransferSearchCV, anti_transfer_distributions, share_network

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*far from converged.*"),
    pytest.mark.filterwarnings("ignore:.* predicts .*"),
    pytest.mark.filterwarnings("ignore:The 'unrelated' estimator did not learn:UserWarning"),
]
FAST = {"max_epochs": 1, "random_state": 0, "module__hidden_layer_sizes": (6,)}


def trained(unrelated, X, y, params=(), **given):
    params = {"weight": 1.0, "penalty_every": 1, **FAST, **dict(params)}
    return AntiTransferClassifier(unrelated=unrelated, **params).fit(X, y, **given)


Z = np.arange(160.0).reshape(80, 2)
WHO = np.arange(80) % 3
SIX = Z[:30, [0] * 6]
HOLE = np.where(np.arange(160).reshape(80, 2) == 7, np.nan, Z)


def known(X):
    return LogisticRegression().fit(X, np.arange(len(X)) % 2)


# For each: unrelated, parameters, arguments of fit, and what the error says.
REFUSED = {
    "a typo": ("label", {}, {}, TypeError, r"Got 'label' instead. Did you mean 'labels'\?"),
    "another typo": ("precompute", {}, {}, TypeError, r"Did you mean 'precomputed'\?"),
    "a typo in a list": (["labels", "lables"], {}, {}, TypeError, r"unrelated\[1\]"),
    "no new samples": (DBSCAN(), {}, {}, TypeError, r"predict_proba, decision_function"),
    "labels without": ("labels", {}, {}, ValueError, r"unrelated='labels' .* y_unrelated=...\)"),
    "precomputed without": ("precomputed", {}, {}, ValueError, r"fit\(X, y, Z_unrelated=...\)"),
    "Z in vain": ("labels", {}, {"y_unrelated": WHO, "Z_unrelated": Z}, ValueError, "in vain|was"),
    "labels in vain": (
        "precomputed", {}, {"y_unrelated": WHO, "Z_unrelated": Z}, ValueError,
        r"y_unrelated was given, but there is no unfitted",
    ),
    "a view in vain": (
        "labels", {}, {"y_unrelated": WHO, "X_unrelated": Z}, ValueError,
        r"X_unrelated was given, but no 'unrelated' network or estimator takes it. Leave",
    ),
    "unlabeled in vain": (
        "precomputed", {}, {"Z_unrelated": Z, "Z_unlabeled": Z}, ValueError,
        r"Z_unlabeled was given, but there is no X_unlabeled",
    ),
    "NaN": (
        "precomputed", {}, {"Z_unrelated": HOLE}, ValueError,
        r"Z_unrelated has NaN or infinite values, in 1 of 80 samples, at positions 3\.",
    ),
    "infinite labels": (
        "labels", {}, {"y_unrelated": np.where(WHO == 1, np.inf, 0.0)}, ValueError,
        r"y_unrelated has NaN or infinite values, in 27 of 80",
    ),
    "missing labels": (
        "labels", {}, {"y_unrelated": [None, *WHO[1:]]}, ValueError, r"y_unrelated has missing",
    ),
    "wrong length": (
        "precomputed", {}, {"Z_unrelated": Z[:70]}, ValueError,
        r"row for each sample of X, which has 80. Got shape \(70, 2\)",
    ),
    "a list that was not split": (
        "precomputed", {}, {"Z_unrelated": [Z[:70], Z]}, ValueError, r"SliceDict\(a=",
    ),
    "text": (
        "precomputed", {}, {"Z_unrelated": ["a"] * 80}, ValueError, r"it must have numbers",
    ),
    "wrong view": (
        nn.Linear(2, 2), {}, {"X_unrelated": Z[:70]}, ValueError,
        r"X_unrelated must have a row for each sample of X, which has 80. Got 70",
    ),
    "a view that is no data": (
        nn.Linear(2, 2), {}, {"X_unrelated": 3}, ValueError, r"X_unrelated must be an array-like",
    ),
    "a view of another shape": (
        nn.Linear(3, 2), {}, {"X_unrelated": Z}, ValueError,
        r"The unrelated network cannot take X_unrelated, of shape \(8, 2\)",
    ),
    "a Dataset as view": (
        nn.Linear(2, 2), {}, {"X_unrelated": TensorDataset(torch.zeros(80, 2))},
        (TypeError, ValueError), r"X_unrelated must be an array-like",
    ),
    "labels on unlabeled data": (
        "labels", {"penalty_data": "unlabeled"}, {"y_unrelated": WHO, "X_unlabeled": SIX},
        ValueError, r"penalty_data='unlabeled' .* the unrelated labels .* pass Z_unlabeled",
    ),
    "no Z of unlabeled data": (
        "precomputed", {}, {"Z_unrelated": Z, "X_unlabeled": SIX}, ValueError,
        r"penalty_data='auto' compares on X_unlabeled.*pass Z_unlabeled.*penalty_data='train'",
    ),
    "no view of unlabeled data": (
        nn.Linear(2, 2), {}, {"X_unrelated": Z, "X_unlabeled": SIX}, ValueError,
        r"pass X_unrelated_unlabeled to fit",
    ),
    "other shape of unlabeled data": (
        "precomputed", {},
        {"Z_unrelated": Z, "X_unlabeled": SIX, "Z_unlabeled": Z[:30, :1]},
        ValueError, r"samples of Z_unlabeled must have the shape of .* \(2,\). Got \(1,\)",
    ),
    "other length of unlabeled data": (
        "precomputed", {},
        {"Z_unrelated": Z, "X_unlabeled": SIX, "Z_unlabeled": Z[:29]},
        ValueError, r"Z_unlabeled must have a row for each sample of X_unlabeled, which has 30",
    ),
    "too few labels of unlabeled data": (
        "labels", {},
        {"y_unrelated": WHO, "X_unlabeled": SIX, "Z_unlabeled": WHO[:29]},
        ValueError, r"Z_unlabeled must have a label for each sample of X_unlabeled, which has 30",
    ),
    "a layer of labels": (
        "labels", {"unrelated_layer": "last"}, {"y_unrelated": WHO}, ValueError,
        r"y_unrelated has no layers, so that the 'unrelated_layer' .* 'output' or 'posterior'",
    ),
    "a typo in the layer": (
        "labels", {"unrelated_layer": "outptu"}, {"y_unrelated": WHO}, ValueError,
        r"Did you mean 'output'\?",
    ),
    "posterior of an embedding": (
        "precomputed", {"unrelated_layer": "posterior"}, {"Z_unrelated": Z}, ValueError,
        r"Z_unrelated gives no probabilities.* None or 'output'",
    ),
    "an index of components": (
        PCA(2), {"unrelated_layer": 0}, {}, ValueError, r"unrelated PCA has no layers.*Got 0",
    ),
    "two layers for one": (
        "precomputed", {"unrelated_layer": ["output", "output"]}, {"Z_unrelated": Z}, ValueError,
        r"must choose as many layers",
    ),
    "columns": (
        ["labels", "labels"], {}, {"y_unrelated": WHO}, ValueError, r"one column for each of the 2",
    ),
    "arrays": (
        ["precomputed", "precomputed"], {}, {"Z_unrelated": Z}, ValueError,
        r"one array for each of the 2 .* Got 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused(name, tabular, monkeypatch):
    X, y, _ = tabular
    unrelated, params, given, kind, message = REFUSED[name]
    steps = []
    monkeypatch.setattr(AntiTransferClassifier, "train_step", lambda *a, **k: steps.append(0))
    net = AntiTransferClassifier(
        unrelated=unrelated, weight=1.0, penalty_every=1, **{**FAST, **params}
    )
    with pytest.raises(kind, match=message) as error:
        net.fit(X, y, **given)
    assert not steps
    assert not hasattr(net, "module_")
    assert len(str(error.value)) < 1200


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("of", ["X", "X_unrelated"])
def test_columns_in_another_order(of, frozen, tabular):
    """A network takes arrays, in which the order of the columns cannot be seen."""
    X, y, nuisance = tabular
    table = pd.DataFrame(X, columns=list("abcdef"))
    turned = table[list("fedcba")]
    network = AntiTransferClassifier(**FAST).fit(table, nuisance)
    net = AntiTransferClassifier(
        unrelated=FrozenEstimator(network) if frozen else network, weight=1.0, **FAST
    )
    for good in (table, X):  # an array has no names
        net.fit(good, y) if of == "X" else net.fit(X, y, X_unrelated=good)
    with pytest.raises(ValueError, match=rf"cannot take {of}: [\s\S]*in the same order"):
        net.fit(turned, y) if of == "X" else net.fit(X, y, X_unrelated=turned)
    for ask in (probe_score, extract_activations):
        with pytest.raises(ValueError, match="in the same order"):
            ask(network, turned, *([nuisance] if ask is probe_score else []))


def test_errors_cut_what_users_wrote(tabular):
    X, y, _ = tabular
    with pytest.raises(TypeError) as error:
        trained("l" * 10**5, X, y)
    assert len(str(error.value)) < 1500


def test_labels_alone_compare_the_training_batches(tabular):
    """Who has no labels of the unlabeled data is not asked for them."""
    X, y, nuisance = tabular
    found = trained("labels", X, y, y_unrelated=nuisance, X_unlabeled=X[:30])
    plain = trained("labels", X, y, y_unrelated=nuisance)
    assert found.history[:, "train_penalty"] == plain.history[:, "train_penalty"]


def test_a_pair_of_layers_is_compared_with_the_same_answers(tabular):
    X, y, nuisance = tabular
    params = {"layer": ["last", "output"]}
    found = trained("labels", X, y, params, y_unrelated=nuisance)
    assert {"train_penalty_hidden.0.activation", "train_penalty_output"} <= set(found.history[-1])
    explicit = {**params, "unrelated_layer": ["output", "posterior"]}
    again = trained("labels", X, y, explicit, y_unrelated=nuisance)
    assert found.history[:, "train_penalty_output"] == again.history[:, "train_penalty_output"]


# ---- batches that do not say which samples they have --------------------------------------


class Noisy(Dataset):
    """Other samples in each epoch, but of the same recordings."""

    def __init__(self, X, y):
        self.X, self.y = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index] + 0.01 * torch.randn(self.X.shape[1]), self.y[index]


def test_samples_of_a_dataset_are_known_by_their_positions(tabular):
    X, y, _ = tabular
    seen = []

    def spy(a, b):
        seen.append((a.detach(), b))
        return a.mean() * 0 + b.mean() * 0

    number = np.arange(80.0)
    X = np.c_[number, X]  # the batch says itself which samples it has
    params = {"metric": spy, "layer": "input", "train_split": 0.25}
    for given in (Noisy(X, y), TensorDataset(torch.as_tensor(X).float(), torch.as_tensor(y))):
        seen.clear()
        net = AntiTransferClassifier(
            unrelated="precomputed",
            weight=1.0,
            penalty_every=1,
            module=Shows,
            max_epochs=1,
            random_state=0,
            **params,
        )
        net.fit(given, y, Z_unrelated=number)
        assert len(seen) > 2
        for ours, theirs in seen:
            np.testing.assert_allclose(ours[:, 0], theirs[:, 0], atol=0.2)


class Shows(nn.Module):
    """Its first layer says what it is given."""

    def __init__(self):
        super().__init__()
        self.input = nn.Identity()
        self.scores = nn.Linear(7, 2)

    def forward(self, x):
        return self.scores(self.input(x))


def test_estimators_are_run_on_batches_of_a_dataset(tabular):
    X, y, nuisance = tabular
    X = X.astype(np.float32)
    source = LogisticRegression().fit(X, nuisance)
    data = TensorDataset(torch.as_tensor(X), torch.as_tensor(y))
    auto = {"weight": "auto"}
    found = trained(source, data, y, auto)
    expected = trained(source, X, y, auto)
    np.testing.assert_allclose(
        found.history[:, "train_penalty"], expected.history[:, "train_penalty"], rtol=1e-5
    )
    assert found.weight_ == pytest.approx(expected.weight_, rel=1e-5)
    wrong = LogisticRegression().fit(X[:, :3], nuisance)
    with pytest.raises(ValueError, match="LogisticRegression cannot take a batch of X"):
        trained(wrong, data, y)
    with pytest.raises(ValueError, match=r"cannot be fitted on the data, of TensorDataset"):
        trained(LogisticRegression(), data, y, y_unrelated=nuisance)


class OwnLoader(DataLoader):
    """The user's own way to make batches."""


OWN_BATCHES = {
    "iterator": {"iterator_train": OwnLoader},
    "collate_fn": {"iterator_train__collate_fn": default_collate},
    "validation": {"iterator_valid": OwnLoader, "train_split": 0.2},
}


@pytest.mark.parametrize("name", OWN_BATCHES)
def test_batches_of_ones_own(name, tabular):
    X, y, nuisance = tabular
    with pytest.raises(ValueError, match=r"known for the samples of X by their positions.*Leave"):
        trained("labels", X, y, OWN_BATCHES[name], y_unrelated=nuisance)
    source = LogisticRegression().fit(X, nuisance)
    found = trained(source, X, y, OWN_BATCHES[name])  # says something of any batch
    assert 0 < found.history[-1]["train_penalty"] <= 1
    trained("labels", X, y, OWN_BATCHES[name], y_unrelated=nuisance, X_unlabeled=X[:30],
            Z_unlabeled=nuisance[:30]) if name == "iterator" else None  # fmt: skip


def test_validation_data_from_elsewhere(tabular):
    X, y, nuisance = tabular
    other = TensorDataset(torch.as_tensor(X[:20]).float(), torch.as_tensor(y[:20]))
    split = {"train_split": predefined_split(other)}
    with pytest.raises(ValueError, match="not for validation data that 'train_split' brings"):
        trained("labels", X, y, split, y_unrelated=nuisance)
    found = trained(LogisticRegression().fit(X, nuisance), X, y, split)
    assert "valid_penalty" in found.history[-1]


# ---- what else knows of them --------------------------------------------------------------


def test_layers_are_those_of_networks(tabular, tmp_path):
    X, _, _ = tabular
    source = known(X)
    for call in (list_layers, extract_activations):
        with pytest.raises(TypeError, match=r"must be a fitted Anti.* which has no layers"):
            call(source, X)
    with pytest.raises(TypeError, match=r"share_network takes .* Got 'labels'"):
        share_network("labels", tmp_path)


def test_files_leave_what_is_fitted_behind(tabular, tmp_path):
    X, y, nuisance = tabular
    found = trained(known(X), X, y)
    save(found, tmp_path / "a.safetensors")
    loaded = load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(X), found.predict_proba(X))
    with pytest.raises(ValueError, match="was a fitted LogisticRegression, which did not travel"):
        loaded.fit(X, y)
    save(found, tmp_path / "b.safetensors", include_unrelated=True)
    again = clone(load(tmp_path / "b.safetensors")).fit(X, y)
    assert again.history[:, "train_penalty"] == found.history[:, "train_penalty"]
    words = trained(["labels"], X, y, y_unrelated=nuisance)
    save(words, tmp_path / "c.safetensors")
    assert load(tmp_path / "c.safetensors").unrelated == ["labels"]


CHANGES = {
    "labels": ("labels", {"y_unrelated": WHO}, {"y_unrelated": WHO[::-1]}),
    "computed elsewhere": ("precomputed", {"Z_unrelated": Z}, {"Z_unrelated": Z + 1}),
    "another view": (nn.Sequential(nn.Linear(2, 2)), {"X_unrelated": Z}, {"X_unrelated": -Z}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_checkpoint_is_that_of_the_same_data(name, tabular, tmp_path, monkeypatch):
    """What a fit goes on from is found by everything that it was given."""
    X, y, _ = tabular
    unrelated, *inputs = CHANGES[name]
    net = AntiTransferClassifier(unrelated=unrelated, checkpoint_dir=tmp_path, **FAST)
    found = []

    def spy(net, data, **kwargs):
        found.append(identify_fit(net, data))

    monkeypatch.setattr("atl_sklearn.estimators._fitting.open_checkpoints", spy)
    for given in (*inputs, inputs[0]):
        clone(net).fit(X, y, **given)
    first, second, again = found
    assert first == again
    assert {part for part in first if first[part] != second[part]} == set(inputs[0])


def test_memory_tells_views_apart(tabular, tmp_path):
    X, y, _ = tabular
    torch.manual_seed(0)
    source = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    params = {"memory": tmp_path, "max_epochs": 2}
    view = np.random.default_rng(0).normal(size=(80, 2))
    first = trained(source, X, y, params, X_unrelated=view)
    again = trained(source, X, y, params, X_unrelated=view)
    other = trained(source, X, y, params, X_unrelated=view**2)
    assert first.history[:, "train_penalty"] == again.history[:, "train_penalty"]
    assert first.history[:, "train_penalty"] != other.history[:, "train_penalty"]
    alone = trained(source, X, y, {"max_epochs": 2}, X_unrelated=view**2)
    np.testing.assert_allclose(
        other.history[:, "train_penalty"], alone.history[:, "train_penalty"], rtol=1e-4
    )


SEARCHED = {
    "labels": ("labels", {"y_unrelated": WHO}),
    "precomputed": ("precomputed", {"Z_unrelated": Z}),
    "several": ("precomputed", {"Z_unrelated": [Z, Z[:, 0]]}),
    "an estimator": (PCA(2), {}),
    "a view": (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)), {"X_unrelated": Z}),
}


@pytest.mark.parametrize("name", SEARCHED)
def test_searches_take_them(name, tabular):
    X, y, _ = tabular
    unrelated, given = SEARCHED[name]
    net = AntiTransferClassifier(unrelated=unrelated, **FAST)
    space = anti_transfer_distributions(net, X, y, X_unrelated=given.get("X_unrelated"))
    assert "last" in space["layer"].choices
    assert "cka" in space["metric"].choices
    search = AntiTransferSearchCV(net, n_trials=2, cv=2, random_state=0).fit(X, y, **given)
    assert search.best_score_ >= search.baseline_score_
    with pytest.raises(ValueError, match=r"must have a row for each of the 80 samples"):
        AntiTransferSearchCV(net, n_trials=2, cv=2).fit(X, y, **{**given, "Z_unrelated": Z[:9]})

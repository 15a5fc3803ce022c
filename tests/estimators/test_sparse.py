"""Sparse X trains the network of the same dense X, and is never dense as a whole."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from optuna.distributions import CategoricalDistribution
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder
from skorch.dataset import Dataset
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, list_layers
from atl_sklearn.inspection import extract_activations, probe_score
from atl_sklearn.tuning import AntiTransferSearchCV
from tests.slow import all_but_slow

FAST = {"max_epochs": 2, "random_state": 0}
N_SAMPLES = 300


@pytest.fixture(scope="module")
def table():
    """Return categories of shape (300, 3), a target and a nuisance."""
    rng = np.random.RandomState(0)
    X = rng.randint(5, size=(N_SAMPLES, 3))
    return X, X[:, 0] % 2, X[:, 1] % 3


@pytest.fixture(scope="module")
def encoded(table):
    X, target, nuisance = table
    return OneHotEncoder().fit_transform(X), target, nuisance


@pytest.fixture
def rows_made_dense(monkeypatch):
    """Return how many rows each call made dense."""
    counts = []
    for cls in (sp.csr_matrix, sp.csr_array):
        original = cls.toarray

        def toarray(self, *args, original=original, **kwargs):
            counts.append(self.shape[0])
            return original(self, *args, **kwargs)

        monkeypatch.setattr(cls, "toarray", toarray)
    return counts


def fitted(X, y, nuisance, unlabeled, **parameters):
    net = AntiTransferClassifier(
        unrelated=AntiTransferClassifier(max_epochs=2, lr=0.02, random_state=0),
        weight=1.0,
        penalty_every=1,
        train_split=0.2,
        **{**FAST, **parameters},
    )
    return net.fit(
        X, y, y_unrelated=nuisance, X_unlabeled=unlabeled, sample_weight=np.linspace(1, 2, len(y))
    )


def predictions_of(X, y, nuisance, unlabeled):
    net = fitted(X, y, nuisance, unlabeled)
    net.partial_fit(X, y, X_unlabeled=unlabeled)
    return net.predict_proba(X), net.decision_function(X), net.unrelated_score_


@pytest.fixture(scope="module")
def of_dense(encoded):
    X, y, nuisance = encoded
    return predictions_of(X.toarray(), y, nuisance, X.toarray()[:151])


@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix")
@pytest.mark.parametrize(
    "form",
    all_but_slow(
        ["csr_array", "csr_matrix", "csc_array", "coo_array", "coo_matrix", "lil_array"]
        + ["dok_array", "dok_matrix", "bsr_array", "dia_array"],
        "csr_matrix",
        "coo_array",
        "dia_array",
    ),
)
def test_any_form_trains_the_network_of_dense_data(form, encoded, of_dense, rows_made_dense):
    X, y, nuisance = encoded
    kind = getattr(sp, form)
    proba, scores, unrelated_score = predictions_of(kind(X), y, nuisance, kind(X[:151]))
    assert rows_made_dense
    assert max(rows_made_dense) <= 96  # penalty_batch_size
    np.testing.assert_array_equal(proba, of_dense[0])
    np.testing.assert_array_equal(scores, of_dense[1])
    assert unrelated_score == of_dense[2]


def test_so_do_regressors_and_data_of_other_precision(encoded):
    X, y, _ = encoded
    dense = X.toarray()
    for precision in ("float64", "bfloat16"):
        sparse, full = (
            AntiTransferRegressor(precision=precision, **FAST).fit(data, y).predict(data)
            for data in (X.astype(np.int64), dense)
        )
        np.testing.assert_array_equal(sparse, full)


def test_kept_activations_are_found_by_the_data_in_any_form(encoded, tmp_path, rows_made_dense):
    X, y, nuisance = encoded
    net = fitted(X, y, nuisance, None, memory=tmp_path)
    kept = {path for path in tmp_path.rglob("*") if path.suffix in (".npy", ".pkl")}
    assert any(path.suffix == ".npy" for path in kept)
    other = X.tocsc()
    assert other.has_canonical_format  # which a matrix remembers
    again = fitted(other, y, nuisance, None, memory=tmp_path)
    assert {p for p in tmp_path.rglob("*") if p.suffix in (".npy", ".pkl")} == kept
    np.testing.assert_array_equal(net.predict_proba(X), again.predict_proba(X))
    changed = X.copy()
    changed.data[0] = 2
    fitted(changed, y, nuisance, None, memory=tmp_path)
    assert {p for p in tmp_path.rglob("*") if p.suffix in (".npy", ".pkl")} > kept
    assert max(rows_made_dense) <= 256 < N_SAMPLES


def test_memory_stays_small():
    n_samples, n_features = 20_000, 5_000
    rng = np.random.default_rng(0)
    places = rng.integers(n_samples, size=10_000), rng.integers(n_features, size=10_000)
    X = sp.csr_array((np.ones(10_000), places), shape=(n_samples, n_features))
    y = np.arange(n_samples) % 2
    net = AntiTransferClassifier(
        batch_size=100, module__hidden_layer_sizes=(4,), max_epochs=1, random_state=0
    )
    tracemalloc.start()
    try:
        net.fit(X, y).predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.05 * 4 * n_samples * n_features  # of 400 MB


# ---- what users do with it ----------------------------------------------------------------


def test_one_hot_encoded_columns_in_a_pipeline(table, rows_made_dense):
    X, y, _ = table
    encoder = make_column_transformer((OneHotEncoder(), [0, 1, 2]), sparse_threshold=1)
    pipeline = make_pipeline(
        encoder, MaxAbsScaler(), AntiTransferClassifier(lr=0.02, max_epochs=10, random_state=0)
    )
    search = GridSearchCV(pipeline, {"antitransferclassifier__lr": [0.01, 0.02]}, cv=2)
    assert search.set_params(error_score="raise").fit(X, y).best_score_ > 0.95
    assert 0 < max(rows_made_dense) <= 33


def test_layers_activations_and_probes(encoded, rows_made_dense):
    X, y, _ = encoded
    dense = X.toarray()
    net = AntiTransferClassifier(**FAST).fit(X, y)
    rows_made_dense.clear()
    assert list_layers(net, X.tocoo()) == list_layers(net, dense)
    found = extract_activations(net, X, batch_size=100)
    assert max(rows_made_dense) <= 100
    np.testing.assert_array_equal(found, extract_activations(net, dense, batch_size=100))
    assert probe_score(net, X, y) > 0.9


@pytest.mark.slow
def test_a_search(encoded):
    X, y, nuisance = encoded
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(max_epochs=5, lr=0.02), **FAST)
    space = {"weight": CategoricalDistribution((0.0, 1.0))}
    for chosen, n_trials in ((space, 2), (None, 1)):
        search = AntiTransferSearchCV(net, chosen, n_trials=n_trials, cv=2, random_state=0)
        assert search.fit(X, y, y_unrelated=nuisance).best_score_ > 0.5


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(15, 2)

    def forward(self, words, scale):
        return self.linear(words) * scale


def test_sparse_parts_of_a_mapping(encoded):
    X, y, _ = encoded
    scale = np.ones((N_SAMPLES, 1), dtype=np.float32)
    torch.manual_seed(0)
    module = Named()
    sparse, dense = (
        AntiTransferClassifier(module, **FAST).fit({"words": words, "scale": scale}, y)
        for words in (X.tocsc(), X.toarray())
    )
    for one, other in zip(sparse.module_.parameters(), dense.module_.parameters(), strict=True):
        assert torch.equal(one, other)


class Own(Dataset):
    pass


def test_a_dataset_and_a_sampler_of_ones_own(encoded):
    X, y, _ = encoded
    for parameters in (
        {"dataset": Own},
        {"iterator_train__sampler": torch.utils.data.SequentialSampler(range(N_SAMPLES))},
    ):
        sparse, dense = (
            AntiTransferClassifier(**parameters, **FAST).fit(data, y).predict_proba(X.toarray())
            for data in (X, X.toarray())
        )
        np.testing.assert_array_equal(sparse, dense)


# ---- what cannot be -----------------------------------------------------------------------


def test_what_is_refused(encoded):
    X, y, _ = encoded
    with pytest.raises(ValueError, match=r"ConvNet must be .* Got \(15,\)"):
        AntiTransferClassifier("convnet").fit(X, y)
    with pytest.raises(TypeError, match=r"layout torch\.sparse_coo\. Pass a sparse matrix"):
        AntiTransferClassifier().fit(torch.tensor(X.toarray()).to_sparse(), y)
    bad = X.copy()
    bad.data[3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        AntiTransferClassifier().fit(bad, y)
    net = AntiTransferClassifier(**FAST).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        net.predict(X[:, :-1])

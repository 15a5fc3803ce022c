"""Frozen activations, computed once."""

import numpy as np
import pytest
import torch
from skorch.dataset import ValidSplit
from torch.utils.data import TensorDataset

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, activation_similarity
from atl_sklearn.similarity import get_aggregation, get_aggregation_names, get_metric_names
from atl_sklearn.unrelated._activation_cache import ActivationCache


def normal(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class TestStore:
    def make(self, limit=10**6):
        self.calls = []
        self.values = [normal((10, 3)), normal((10, 2, 2), 1)]
        return ActivationCache(10, limit)

    def get(self, store, index):
        places = torch.as_tensor(index)

        def compute():
            self.calls.append(places.tolist())
            return [x[places].clone() for x in self.values]

        found = store.get(index, compute)
        for x, value in zip(found, self.values, strict=True):
            assert torch.equal(x, value[places])

    def test_each_sample_is_computed_once(self):
        store = self.make()
        self.get(store, [3, 1])
        self.get(store, [1, 3])
        assert self.calls == [[3, 1]]
        self.get(store, [1, 4])  # one is missing
        self.get(store, torch.tensor([4, 3, 1]))
        assert self.calls == [[3, 1], [1, 4]]
        assert store.n_bytes == 4 * (30 + 40)

    def test_what_needs_too_much_is_not_kept(self):
        for limit in (0, 10**6):
            store = self.make(limit)
            self.values[0] = normal((10, 2**18))  # above 1 MiB for a sample
            self.get(store, [0, 1])
            self.get(store, [0, 1])
            assert len(self.calls) == 2
            assert store.n_bytes == 0

    def test_other_samples(self):
        store = self.make()
        for _ in range(2):
            assert store.get(None, lambda: [torch.ones(1)])[0] == 1
        assert store.n_bytes == 0


@pytest.mark.parametrize("aggregation", ["mean", "sum", "max", "spatial_mean", "gram"])
@pytest.mark.parametrize("metric", [n for n in get_metric_names() if n != "adversarial"])
@pytest.mark.parametrize("shape", [(6, 3, 5, 4), (6, 4, 2), (6, 5)])
def test_what_is_kept_compares_as_the_whole(metric, aggregation, shape):
    a, b = normal(shape).double().abs(), normal(shape, 1).double().abs()
    small = get_aggregation(aggregation).compact(b)
    assert small.numel() <= b.numel()
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0, 3.0])
    torch.testing.assert_close(
        activation_similarity(
            a, small, metric=metric, aggregation=aggregation, sample_weight=weight
        ),
        activation_similarity(a, b, metric=metric, aggregation=aggregation, sample_weight=weight),
    )


def test_the_other_aggregations_need_the_whole():
    whole = {name for name in get_aggregation_names() if get_aggregation(name).compact is None}
    assert whole == {"none", "product", "batch_gram", "pairwise", "stochastic_pairwise"}


def make_data(n_samples, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, 6, 8)).astype(np.float32)
    return X, rng.randint(2, size=n_samples)


X, Y = make_data(64)
X_UNLABELED = make_data(50, 1)[0]
TRIED = 8 + 4  # the first samples, and the half of them alone
FAST = {
    "max_epochs": 4, "random_state": 0, "module__channels": (4, 6), "module__pool_after": (0,),
    "weight": 1.0, "penalty_every": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def unrelated():
    return AntiTransferClassifier(**FAST).fit(X, 1 - Y)


def fit(unrelated, *, data=None, cls=AntiTransferClassifier, **params):
    return cls(unrelated=unrelated, **{**FAST, **params}).fit(X, Y, X_unlabeled=data)


class TestInTraining:
    def test_the_training_data_pass_once(self, unrelated, counted):
        fit(unrelated)
        assert sum(counted) == TRIED + 64
        counted.clear()
        fit(unrelated, cache_size=0)
        assert sum(counted) == 8 + 4 * 64

    def test_the_unlabeled_data_pass_once(self, unrelated, counted):
        fit(unrelated, data=X_UNLABELED, penalty_batch_size=25)
        assert sum(counted) == 8 + TRIED + 50
        counted.clear()
        fit(unrelated, data=X_UNLABELED, penalty_batch_size=25, penalty_data="both")
        assert sum(counted) == 2 * TRIED + 50 + 64

    def test_validation_data_are_kept_too(self, unrelated, counted):
        fit(unrelated, train_split=ValidSplit(4))
        assert sum(counted) == TRIED + 64

    def test_datasets_may_change(self, unrelated, counted):
        data = TensorDataset(torch.tensor(X_UNLABELED))
        fit(unrelated, data=data, penalty_batch_size=25)
        assert sum(counted) == 8 + 8 + 4 * 2 * 25

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"aggregation": "max", "metric": "squared_cosine", "layer": 0},
            {"aggregation": "gram", "metric": "cka", "layer": [0, 1]},
            {"aggregation": "none", "metric": "hsic"},
            {"aggregation": "pairwise", "metric": "sigmoid_mse"},
            {"metric": "adversarial", "unrelated_layer": "posterior"},
            {"metric": "ridge_r2", "conditional": True},
        ],
    )
    @pytest.mark.parametrize("data", [None, X_UNLABELED])
    def test_the_result_is_the_same(self, unrelated, params, data):
        kept, live = (fit(unrelated, data=data, cache_size=size, **params) for size in (2**30, 0))
        names = [name for name in live.history[-1] if name.startswith("train_penalty")]
        for name in names:
            np.testing.assert_allclose(
                kept.history[:, name], live.history[:, name], rtol=1e-3, atol=1e-5
            )
        for one, other in zip(kept.module_.parameters(), live.module_.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)

    def test_several_networks_and_a_regressor(self, unrelated):
        nets = [
            fit([unrelated, unrelated], cls=AntiTransferRegressor, weight=[1.0, 0.5], cache_size=n)
            for n in (2**30, 0)
        ]
        for name in ("train_penalty_0", "train_penalty_1"):
            np.testing.assert_allclose(
                nets[0].history[:, name], nets[1].history[:, name], rtol=1e-3, atol=1e-5
            )

    @pytest.mark.parametrize("size", [-1, 1.5, "all"])
    def test_bad_sizes(self, unrelated, size):
        with pytest.raises(ValueError, match=r"'cache_size' parameter .* bytes"):
            fit(unrelated, cache_size=size)

"""However the penalty is computed, the training is the same."""

import numpy as np
import pytest
import torch

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.modules import ConvNet

EPOCHS, BATCH = 4, 16
NETWORK = {"channels": (4, 6), "pool_after": (0,)}
PARAMS = {
    "weight": 1.0,
    "penalty_every": 1,
    "max_epochs": EPOCHS,
    "batch_size": BATCH,
    "random_state": 0,
    "iterator_train__shuffle": False,
    **{f"module__{name}": value for name, value in NETWORK.items()},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(48, 6, 8)).astype(np.float32)
    return X, rng.randint(2, size=48), (X.mean(axis=(1, 2)) > 0).astype(int)


@pytest.fixture(scope="module")
def unrelated(data):
    X, _, nuisance = data
    return AntiTransferClassifier(**PARAMS).fit(X, nuisance)


def published(current, frozen):
    """Squared mean absolute cosine of the rows of the Gram matrices, all of them built."""
    grams = []
    for x in (current, frozen):
        n_samples, n_channels = x.shape[:2]
        rows = x.reshape(n_samples * n_channels, -1)
        grams.append(rows @ rows.T / (rows.numel() * 0.001))
    return torch.nn.functional.cosine_similarity(*grams, dim=1).abs().mean() ** 2


def trained_by_hand(data, unrelated, seed):
    """Train as PyTorch's tutorials do; return the penalties and the weights."""
    X, y = torch.tensor(data[0]), torch.tensor(data[1])
    torch.default_generator.manual_seed(seed)
    network = ConvNet((6, 8), 2, **NETWORK)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.003, weight_decay=1e-4)
    n_steps = EPOCHS * -(-len(X) // BATCH)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.003, total_steps=n_steps)
    found = {}
    frozen = unrelated.module_.eval()
    for name, module in (("current", network), ("frozen", frozen)):
        module.blocks[1].activation.register_forward_hook(
            lambda module, args, output, name=name: found.__setitem__(name, output)
        )
    penalties = []
    for _ in range(EPOCHS):
        of_epoch = []
        for start in range(0, len(X), BATCH):
            batch = X[start : start + BATCH]
            optimizer.zero_grad()
            task = torch.nn.functional.cross_entropy(network(batch), y[start : start + BATCH])
            with torch.no_grad():
                frozen(batch)
            penalty = published(found["current"], found["frozen"])
            (task + 2.0 * penalty).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
            of_epoch.append(penalty.item())
        penalties.append(np.mean(of_epoch))
    return penalties, list(network.parameters())


def test_cached_live_and_published_are_one_trajectory(data, unrelated, tmp_path):
    X, y, _ = data
    params = {
        **PARAMS,
        "unrelated": unrelated,
        "metric": "squared_cosine",
        "aggregation": "batch_gram",
        "weight": 2.0,
    }
    nets = {
        name: AntiTransferClassifier(**params, **how).fit(X, y)
        for name, how in {
            "cached": {"cache": "memory"},
            "mapped": {"cache": "mapped"},
            "kept": {"memory": tmp_path},
            "live": {"cache": "live"},
        }.items()
    }
    seed = nets["live"]._stream().seed
    copied = AntiTransferClassifier(**PARAMS).fit(X, data[2])  # hooks stay out of the fixture
    penalties, weights = trained_by_hand(data, copied, seed)
    assert penalties[-1] < 0.9 * penalties[0]
    for net in nets.values():
        np.testing.assert_allclose(net.history[:, "train_penalty"], penalties, rtol=1e-4)
        for ours, theirs in zip(net.module_.parameters(), weights, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("aggregation", ["none", "mean", "max", "spatial_mean", "gram", "pairwise"])
@pytest.mark.parametrize("metric", ["cosine", "squared_cosine"])
def test_rows_whose_norms_are_known(data, unrelated, metric, aggregation):
    X, y, _ = data
    params = {**PARAMS, "unrelated": unrelated, "metric": metric, "aggregation": aggregation}
    weight = np.linspace(0, 2, len(y))
    kept, live = (
        AntiTransferClassifier(cache=cache, **params).fit(X, y, sample_weight=weight)
        for cache in ("memory", "live")
    )
    by_itself = AntiTransferClassifier(**{**params, "metric": Unnormed(metric)}, cache="live").fit(
        X, y, sample_weight=weight
    )
    for net in (kept, by_itself):
        np.testing.assert_allclose(
            net.history[:, "train_penalty"], live.history[:, "train_penalty"], rtol=1e-4
        )
        for ours, theirs in zip(net.module_.parameters(), live.module_.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


class Unnormed:
    """Cosines of explicit rows: nothing is known in advance."""

    def __init__(self, metric):
        self.power = 2 if metric == "squared_cosine" else 1
        self.absolute = metric == "squared_cosine"

    def __call__(self, a, b, *, sample_weight=None):
        sample_weight = torch.ones(len(a)) if sample_weight is None else sample_weight
        found = torch.nn.functional.cosine_similarity(a, b, dim=-1).reshape(len(a), -1)
        found = found.abs() if self.absolute else found
        return ((found.mean(dim=1) * sample_weight).sum() / sample_weight.sum()) ** self.power


def test_the_same_seed_gives_the_same_network_bit_for_bit(data, unrelated, tmp_path):
    X, y, _ = data
    for how in ({"cache": "memory"}, {"cache": "mapped"}, {"cache": "live"}, {"memory": tmp_path}):
        params = {**PARAMS, "iterator_train__shuffle": True}
        one, other = (
            AntiTransferClassifier(unrelated=unrelated, **params, **how).fit(X, y) for _ in range(2)
        )
        for ours, theirs in zip(one.module_.parameters(), other.module_.parameters(), strict=True):
            assert torch.equal(ours, theirs)

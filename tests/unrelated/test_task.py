"""What of the features matters for the unrelated network's own task."""

import warnings

import networks
import numpy as np
import pytest
import torch
from torch import nn

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.unrelated import FrozenNetwork
from atl_sklearn.unrelated._task import fit_directions

N, N_FEATURES = 300, 6


def data(seed=0, n_samples=N):
    return torch.randn(n_samples, N_FEATURES, generator=torch.Generator().manual_seed(seed))


def learnt(network, X, layer="task", **params):
    frozen = FrozenNetwork(network, **params)
    frozen.choose(layer, X[:8])
    assert frozen.learns_directions
    frozen.learn_directions([X[:100], X[100:]])
    return frozen


def deep():
    """Eight features, of which three classes are read by a linear layer."""
    return networks.seeded(
        lambda: nn.Sequential(nn.Linear(N_FEATURES, 8), nn.Tanh(), nn.Linear(8, 3))
    )


def explained(targets, features):
    """Return the share of the variance of the targets that features explain linearly."""
    design = torch.cat([features, torch.ones(len(features), 1)], dim=1).double()
    left = targets - design @ torch.linalg.lstsq(design, targets.double()).solution
    return float(1 - left.square().sum() / (targets - targets.mean(dim=0)).square().sum())


def test_it_is_what_the_read_out_uses_and_nothing_else():
    network, X = deep(), data()
    frozen = learnt(network, X)
    (found,) = frozen(X)
    assert found.shape == (N, 2)  # three classes have two degrees of freedom
    with torch.no_grad():
        features = network[:2](X)
        scores = network(X)
    torch.testing.assert_close(found.mT @ found / N, torch.eye(2), atol=1e-3, rtol=0)
    contrasts = scores - scores.mean(dim=1, keepdim=True)
    assert explained(contrasts, found) > 0.999
    assert explained(features, found) < 0.9  # the rest of the features is left out
    # What the read-out does not see changes nothing.
    weight = network[2].weight.detach()
    _, _, axes = torch.linalg.svd(weight - weight.mean(dim=0))
    unseen = features + 5 * axes[-1]
    torch.testing.assert_close(frozen._directions[0](unseen), found, atol=1e-4, rtol=0)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_few_outputs(n_outputs):
    network = networks.mlp(N_FEATURES, n_outputs)
    assert learnt(network, data())(data())[0].shape == (N, 1)


def test_of_numbers_each_counts():
    network = networks.mlp(N_FEATURES, 2)
    frozen = learnt(network, data(), nonlinearity=nn.Identity())
    assert frozen(data())[0].shape == (N, 2)


class Convolutional(nn.Module):
    """Its scores are no linear function of its last layer's features."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv1d(1, 5, 3), nn.ReLU())

    def forward(self, x):
        return self.conv(x[:, None]).mean(dim=2)[:, :3] ** 2


def test_without_a_linear_read_out_it_is_where_the_answers_differ():
    X = data()
    frozen = learnt(networks.seeded(Convolutional), X)
    (found,) = frozen(X)
    assert found.shape == (N, 2, N_FEATURES - 2)  # the positions stay
    with torch.no_grad():
        posterior = frozen.network(X).softmax(dim=1)
        features = frozen.network.conv(X[:, None]).mean(dim=2)
    pooled = found.mean(dim=2)
    torch.testing.assert_close(pooled.mT @ pooled / N, torch.eye(2), atol=1e-3, rtol=0)
    assert explained(posterior, pooled) == pytest.approx(explained(posterior, features), abs=1e-3)


def test_class_means_are_what_a_fitted_read_out_sees():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % 3
    centres = torch.tensor([[4.0, 0, 0, 0], [0, 4.0, 0, 0], [-4.0, -4.0, 0, 0]])
    features = centres[labels] + torch.randn(N, 4, generator=generator)
    found = fit_directions(features, answers=nn.functional.one_hot(labels, 3))(features)
    means = torch.stack([found[labels == label].mean(dim=0) for label in range(3)])
    assert found.shape == (N, 2)
    assert torch.cdist(means, means)[~torch.eye(3, dtype=bool)].min() > 1.5
    spread = torch.cat([found[labels == label] - means[label] for label in range(3)]).std(dim=0)
    assert spread.max() < 0.5


def test_answers_that_are_all_the_same():
    network = networks.mlp(N_FEATURES)
    nn.init.zeros_(network[2].weight)
    with pytest.raises(ValueError, match=r"'task' finds nothing in the unrelated network: .* same"):
        learnt(network, data())


def test_it_is_for_unrelated_networks_only():
    X, y = data().numpy(), np.arange(N) % 2
    net = AntiTransferClassifier(unrelated=deep(), weight=1.0, layer="task")
    with pytest.raises(ValueError, match="unrelated_layer='task'"):
        net.fit(X, y)
    net = AntiTransferClassifier(unrelated=deep(), weight=1.0, unrelated_layer="tasks")
    with pytest.raises(ValueError, match="not found"):
        net.fit(X, y)


def fitted(network, **params):
    params = {
        "max_epochs": 2, "random_state": 0, "unrelated_layer": "task", "weight": 1.0,
    } | params  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*far from converged")
        net = AntiTransferClassifier(unrelated=network, **params)
        return net.fit(data().numpy(), np.arange(N) % 2)


def penalty(network, **params):
    return fitted(network, **params).history[-1, "train_penalty"]


@pytest.mark.parametrize("cache", ["memory", "live"])
def test_training_with_it_is_determined(cache):
    first = penalty(deep(), cache=cache)
    assert penalty(deep(), cache=cache) == pytest.approx(first, rel=1e-4)
    assert penalty(deep(), cache=cache, unrelated_layer="1") != pytest.approx(first, rel=1e-2)
    both = fitted([deep(), deep()], unrelated_layer=["task", "task"], cache=cache)
    assert both.history[-1, "train_penalty_1"] == pytest.approx(
        both.history[-1, "train_penalty_0"], rel=1e-3
    )


def test_scale_and_place_of_the_features_do_not_count():
    network = deep()
    scaled = deep()
    with torch.no_grad():
        scaled[2].weight *= 100
        scaled[2].bias += 7
    assert penalty(scaled) == pytest.approx(penalty(network), rel=1e-3)


def test_what_is_kept_is_known_by_the_directions_too(tmp_path):
    X, y = data().numpy(), np.arange(N) % 2

    def count():
        return len(list(tmp_path.glob("joblib/atl_sklearn/activations/*")))

    for _ in range(2):
        fitted(deep(), memory=tmp_path)
    assert count() == 1
    fitted(deep(), memory=tmp_path, unrelated_layer="output")
    assert count() == 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*far from converged")
        net = AntiTransferClassifier(
            unrelated=deep(), unrelated_layer="task", memory=tmp_path, max_epochs=1,
            weight=1.0, penalty_data="unlabeled",
        )  # fmt: skip
        net.fit(X, y, X_unlabeled=data(1, 64).numpy())
        assert count() == 3
        # The same unlabeled data, and another network of directions: those of other samples.
        net.fit(2 * X, y, X_unlabeled=data(1, 64).numpy())
    assert count() == 4

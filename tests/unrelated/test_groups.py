"""Groups that an encoder hears."""

import networks
import numpy as np
import pytest
import torch
from torch import nn

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.unrelated import find_groups
from tests.slow import all_but_slow


def blobs(n_groups=4, n_samples=60, n_features=6, seed=0):
    rng = np.random.RandomState(seed)
    groups = np.arange(n_samples) % n_groups
    centers = 15 * np.eye(n_features)[:n_groups]
    return (centers[groups] + rng.normal(size=(n_samples, n_features))).astype("float32"), groups


def encoder():
    return networks.seeded(lambda: nn.Linear(6, 6, bias=False))


@pytest.mark.parametrize("n_groups", all_but_slow([3, 4, 6], 4))
def test_the_groups_and_their_number_are_found(n_groups):
    X, groups = blobs(n_groups)
    network = find_groups(encoder(), X)
    assert len(network.centers) == n_groups
    more, groups = blobs(n_groups, seed=1)
    found = network(torch.from_numpy(more))
    assert found.shape == (60, n_groups)
    assert torch.equal(found.sum(dim=1), torch.ones(60))
    labels = found.argmax(dim=1).numpy()
    assert len({(a, b) for a, b in zip(groups, labels, strict=True)}) == n_groups
    again = find_groups(encoder(), X)
    assert torch.equal(again.centers, network.centers)
    assert len(find_groups(encoder(), X, n_groups=5).centers) == 5
    assert len(find_groups(encoder(), X, max_groups=2).centers) == 2


def test_the_encoder_stays_as_it_is():
    X, _ = blobs()
    network = nn.Sequential(encoder(), nn.BatchNorm1d(6)).train()
    before = {name: x.clone() for name, x in network.state_dict().items()}
    found = find_groups(network, torch.from_numpy(X).double())
    assert network.training
    assert found.encoder is network
    assert all(torch.equal(before[name], x) for name, x in network.state_dict().items())


def test_the_embedding_may_be_a_part():
    X, _ = blobs()
    network = networks.Returning(lambda scores, hidden: {"scores": scores, "embedding": hidden})
    found = find_groups(network, X, part="embedding", n_groups=3)
    assert found.centers.shape == (3, 8)
    assert found(torch.from_numpy(X)).shape == (60, 3)
    with pytest.raises(ValueError, match=r"'part' parameter, if it is one of \['embedding', 'sco"):
        find_groups(network, X)
    with pytest.raises(ValueError, match=r"found one of shape \(60, 3, 2\)"):
        find_groups(nn.Unflatten(1, (3, 2)), X)


@pytest.mark.parametrize("layer", ["last", 0, "encoder", "task", None])
def test_layers_of_the_encoder_are_not_taken_for_the_groups(layer):
    X, groups = blobs()
    network = find_groups(encoder(), X, n_groups=3)
    net = AntiTransferClassifier(unrelated=network, unrelated_layer=layer, weight=1.0, layer=0)
    with pytest.raises(ValueError, match=r"of groups nothing but what is returned .* 'output'"):
        net.fit(X, groups)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_groups": 1}, "'n_groups' parameter .* must be 'auto' or an int in"),
        ({"n_groups": "all"}, "'n_groups' parameter .* Got 'all'"),
        ({"max_groups": 2.5}, "'max_groups' parameter .* Got 2.5"),
        ({"n_groups": 60}, "Got 60 of 60 samples, for 60 groups"),
        ({"X": np.zeros((9, 6), "float32")}, "Got 1 of 9 samples, for 2 groups or more"),
        ({"encoder": "encoder"}, "'encoder' parameter"),
    ],
)
def test_bad_values(params, message):
    params = {"encoder": encoder(), "X": blobs()[0]} | params
    with pytest.raises(ValueError, match=message):
        find_groups(**params)


def test_a_network_does_without_the_groups():
    """The target is hidden behind groups that nobody labelled."""
    rng = np.random.RandomState(0)

    def data(n_samples, seed, share):
        X, groups = blobs(2, n_samples, seed=seed)
        same = np.random.RandomState(seed).rand(n_samples) < share
        y = np.where(same, groups, rng.randint(2, size=n_samples))
        X[:, 4] = X[:, 4] / 2 + 1.5 * (2 * y - 1)
        return X, y

    X, y = data(200, 1, 0.97)
    X_unlabeled, _ = data(150, 2, 0.0)
    X_test, y_test = data(400, 3, 0.0)
    groups = find_groups(nn.Identity(), X_unlabeled, max_groups=4)
    assert len(groups.centers) == 2
    plain, anti = (
        AntiTransferClassifier(
            unrelated=unrelated, unrelated_layer="output", max_epochs=15, random_state=0
        )
        .fit(X, y, X_unlabeled=X_unlabeled if unrelated else None)
        .score(X_test, y_test)
        for unrelated in (None, groups)
    )
    assert anti > plain + 0.02

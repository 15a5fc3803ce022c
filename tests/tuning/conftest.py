import numpy as np
import pytest

from atl_sklearn import AntiTransferClassifier


@pytest.fixture(scope="session")
def tabular():
    """Return X of shape (90, 6), a target and a nuisance that agrees with it in 4 of 5 samples."""
    rng = np.random.RandomState(0)
    target = rng.randint(2, size=90)
    nuisance = np.where(rng.rand(90) < 0.8, target, 1 - target)
    X = rng.normal(size=(90, 6)).astype(np.float32)
    X[:, 0] += 1.5 * target
    X[:, 1] += 3 * nuisance
    return X, target, nuisance


@pytest.fixture(scope="session")
def unrelated(tabular):
    """Return a network that knows the nuisance."""
    X, _, nuisance = tabular
    return AntiTransferClassifier(max_epochs=20, random_state=0).fit(X, nuisance)


@pytest.fixture
def net(unrelated):
    """Return a small network to tune."""
    return AntiTransferClassifier(
        unrelated=unrelated, max_epochs=3, random_state=0, module__hidden_layer_sizes=(8, 6)
    )

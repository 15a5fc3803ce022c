import numpy as np
import pytest

from atl_sklearn import AntiTransferClassifier


@pytest.fixture(scope="session")
def tabular():
    """Return X of shape (80, 6), a target and a nuisance that agrees with it in 3 of 4 samples."""
    rng = np.random.RandomState(0)
    target = rng.randint(2, size=80)
    nuisance = np.where(rng.rand(80) < 0.75, target, 1 - target)
    X = rng.normal(size=(80, 6))
    X[:, 0] += target
    X[:, 1] += 3 * nuisance
    return X, target, nuisance


@pytest.fixture(scope="session")
def images():
    """Return X of shape (48, 10, 12) with a target and a nuisance."""
    rng = np.random.RandomState(1)
    target, nuisance = rng.randint(3, size=48), rng.randint(2, size=48)
    X = rng.normal(size=(48, 10, 12)).astype(np.float32)
    X[:, :3] += target[:, None, None]
    X[:, -3:] += 2 * nuisance[:, None, None]
    return X, target, nuisance


@pytest.fixture(scope="session")
def unrelated(tabular):
    """Return a network that knows the nuisance of the tabular data."""
    X, _, nuisance = tabular
    return AntiTransferClassifier(max_epochs=20, random_state=0).fit(X, nuisance)


@pytest.fixture(scope="session")
def unrelated_images(images):
    """Return a network that knows the nuisance of the images."""
    X, _, nuisance = images
    net = AntiTransferClassifier(max_epochs=3, random_state=0, module__channels=(4, 6))
    return net.set_params(module__pool_after=(1,)).fit(X, nuisance)

import pytest

from atl_sklearn.unrelated import FrozenNetwork


@pytest.fixture
def counted(monkeypatch):
    """Count the samples that pass through frozen networks."""
    seen = []
    forward = FrozenNetwork._forward

    def counting(self, X):
        seen.append(len(X))
        return forward(self, X)

    monkeypatch.setattr(FrozenNetwork, "_forward", counting)
    return seen

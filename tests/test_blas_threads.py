"""How many threads of BLAS there are while something is computed."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from atl_sklearn import AntiTransferClassifier
from atl_sklearn._blas_threads import threads_for
from atl_sklearn.inspection import probe_score
from atl_sklearn.unrelated import explained_scores


def n_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        if n_threads() != {2}:
            pytest.skip("this BLAS does not take two threads")
        yield


@pytest.mark.parametrize(("size", "inside"), [(1e3, {1}), (1e12, {2})])
def test_small_products_have_one_and_afterwards_there_are_as_many_as_before(size, inside):
    with threads_for(size):
        assert n_threads() == inside
    assert n_threads() == {2}
    with pytest.raises(ZeroDivisionError), threads_for(size):
        _ = 1 / 0
    assert n_threads() == {2}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_explained_and_what_a_probe_reads_is_computed_by_one(monkeypatch):
    seen = []

    def told(name):
        inner = getattr(np, name)

        def watched(*args, **kwargs):
            seen.append(n_threads())
            return inner(*args, **kwargs)

        return watched

    X = np.random.default_rng(0).normal(size=(40, 3))
    y = (X[:, 0] > 0).astype(int)
    net = AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, y)
    monkeypatch.setattr("sklearn.linear_model._logistic.np.unique", told("unique"))
    explained_scores(X, y)
    assert {1} in seen
    seen.clear()
    probe_score(net, X, y)
    assert {1} in seen
    assert n_threads() == {2}

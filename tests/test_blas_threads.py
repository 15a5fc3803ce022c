"""How many threads of BLAS there are while something is computed."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from atl_sklearn import AntiTransferClassifier
from atl_sklearn._blas_threads import threads_for
from atl_sklearn.inspection import _probe, probe_score
from atl_sklearn.unrelated import _explained, explained_scores


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


def test_blocks_that_overlap_leave_as_many_as_before():
    first, second = threads_for(1), threads_for(1)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # as in another thread of Python
    assert n_threads() == {1}
    second.__exit__(None, None, None)
    assert n_threads() == {2}


def watched(monkeypatch, module, name):
    """Return what the numbers of threads are put in while a function runs."""
    seen, inner = [], getattr(module, name)

    def tells(*args, **kwargs):
        seen.append(n_threads())
        return inner(*args, **kwargs)

    monkeypatch.setattr(module, name, tells)
    return seen


def test_what_is_explained_is_computed_by_one(monkeypatch):
    X = np.random.default_rng(0).normal(size=(40, 3))
    for name, y in (("_of_classes", (X[:, 0] > 0).astype(int)), ("_of_numbers", X[:, 0])):
        seen = watched(monkeypatch, _explained, name)
        explained_scores(X, y)
        assert seen == [{1}]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_a_probe_reads_is_computed_by_one_but_for_probes_of_the_users(monkeypatch):
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = (X[:, 0] > 0).astype(int)
    net = AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, y)
    seen = watched(monkeypatch, _probe, "cross_val_score")
    probe_score(net, X, y)
    probe_score(net, X, y, probe=AntiTransferClassifier(max_epochs=1))
    assert seen == [{1}, {2}]

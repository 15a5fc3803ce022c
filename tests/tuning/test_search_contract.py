"""scikit-learn's own checks for the search, in double precision and full batches."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.tuning import AntiTransferSearchCV
from tests.any_width import any_width


def search_of(estimator):
    net = estimator(
        unrelated=any_width(), unrelated_layer="linear", precision="float64", batch_size=-1,
        max_epochs=12, lr=0.15, random_state=0, module__hidden_layer_sizes=(12, 8),
    )  # fmt: skip
    return AntiTransferSearchCV(
        net, objective="accuracy", n_trials=2, cv=2, refit="best", random_state=0
    )


# Nothing is expected to fail.
@parametrize_with_checks([search_of(AntiTransferClassifier)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([search_of(AntiTransferRegressor)])
def test_checks_of_scikit_learn_with_numbers(estimator, check):
    check(estimator)


def test_no_check_is_skipped_for_lack_of_a_network():
    X = np.random.RandomState(0).normal(size=(40, 3))
    search = search_of(AntiTransferClassifier).fit(X, X[:, 0] > 0)
    assert search.cv_results_["state"].tolist() == ["complete", "complete"]
    assert search.score(X, X[:, 0] > 0) > 0.9

"""Whether an unrelated estimator knows more than chance."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, r2_score

from atl_sklearn.unrelated._fitting import _chance


def by_scikit_learn(predicted, labels, score):
    """Return the p-value of the permutation test, with a score of scikit-learn."""
    rng = np.random.RandomState(0)
    observed = score(labels, predicted)
    reached = [score(rng.permutation(labels), predicted) >= observed for _ in range(200)]
    return (1 + sum(reached)) / 201


@pytest.mark.parametrize("right", [0.2, 0.3, 0.4, 1.0])
@pytest.mark.parametrize("names", [[0, 1, 2, 3], ["a", "b", "c", "d"]])
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
def test_of_classes_it_is_that_of_balanced_accuracy(right, names):
    rng = np.random.RandomState(1)
    labels = rng.choice(names[:3], 40, p=[0.6, 0.3, 0.1])
    predicted = np.where(rng.rand(40) < right, labels, rng.choice(names, 40))
    expected = by_scikit_learn(predicted, labels, balanced_accuracy_score)
    assert _chance(predicted, labels, classes=True) == expected
    assert _chance(predicted[:, None], labels, classes=True) == expected


@pytest.mark.parametrize("shape", [(30,), (30, 1), (30, 2)])
@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_of_numbers_it_is_that_of_r2(shape, noise):
    rng = np.random.RandomState(2)
    labels = rng.standard_normal(shape) * 10 ** np.arange(np.prod(shape[1:], dtype=int))
    predicted = labels / 2 + noise * rng.standard_normal(shape)
    expected = by_scikit_learn(predicted, labels, r2_score)
    assert _chance(predicted, labels, classes=False) == expected


def test_constant_labels_can_tell_nothing():
    labels, predicted = np.ones(12), np.arange(12)
    assert _chance(predicted, labels, classes=False) == 1
    assert _chance(predicted > 5, labels > 0, classes=True) == 1

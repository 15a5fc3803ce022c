"""What answers to an unrelated task say of the target."""

import numpy as np
import pytest
from scipy.special import log_softmax

from atl_sklearn.unrelated import explained_scores, unexplained_share


@pytest.fixture
def rng():
    return np.random.RandomState(0)


def confounded(rng, n=400, n_classes=4, conflicts=0.05):
    nuisance = rng.randint(n_classes, size=n)
    other = (nuisance + rng.randint(1, n_classes, size=n)) % n_classes
    return nuisance, np.where(rng.uniform(size=n) < conflicts, other, nuisance)


def test_scores_are_the_logarithm_of_what_the_answers_make_of_the_shares(rng):
    nuisance, y = confounded(rng)
    scores = explained_scores(np.eye(4)[nuisance], y)
    share = np.bincount(y) / len(y)
    q = np.exp(log_softmax(np.log(share) + scores, axis=1))
    table = np.array([np.bincount(y[nuisance == k], minlength=4) for k in range(4)])
    table = table / table.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(q, table[nuisance], atol=0.06)


def test_answers_that_say_nothing_add_hardly_anything(rng):
    y = rng.choice(3, size=3000, p=[0.7, 0.2, 0.1])
    scores = explained_scores(np.eye(5)[rng.randint(5, size=3000)], y)
    assert np.abs(scores).mean() < 0.05


def test_wide_answers_of_few_samples_add_hardly_anything(rng):
    y = rng.randint(3, size=90)
    scores = explained_scores(rng.normal(size=(90, 60)), y)
    # Without the last step, which looks at samples not seen, it is 2.
    assert np.abs(scores).mean() < 0.3


def test_where_the_answers_determine_the_target_the_size_limits_how_sure_they_are(rng):
    few, many = (
        explained_scores(np.eye(2)[nuisance], nuisance)
        for nuisance in (np.arange(40) % 2, np.arange(4000) % 2)
    )
    assert few.min() > np.log(1 / 40)
    assert many.min() < few.min()


def test_no_sample_tells_of_itself(rng):
    """One that has an answer of its own gets what answers say that were never seen."""
    nuisance, y = confounded(rng, n=200, n_classes=3, conflicts=0)
    answers = np.c_[np.eye(3)[nuisance], np.zeros(200)]
    answers[7] = 0, 0, 0, 1
    y_other = y.copy()
    y_other[7] = (y[7] + 1) % 3
    one, other = explained_scores(answers, y), explained_scores(answers, y_other)
    # Only the common factor knows of it.
    np.testing.assert_allclose(one[7] / one[7, 0], other[7] / other[7, 0], rtol=1e-6)


def test_a_class_that_a_fold_lacks_and_one_that_nobody_has(rng):
    nuisance, y = confounded(rng, n=60, n_classes=2)
    y[5] = 2
    scores = explained_scores(np.eye(2)[nuisance], y, n_classes=4)
    assert scores.shape == (60, 4)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[:, 3], 0, atol=1e-12)


def test_one_class_alone(rng):
    scores = explained_scores(rng.normal(size=20), np.zeros(20, int), n_classes=2)
    assert np.isfinite(scores).all()


def test_numbers_leave_the_residual(rng):
    nuisance = rng.normal(size=500)
    rest = rng.normal(size=500)
    scores = explained_scores(nuisance, 3 * nuisance + rest + 10)
    np.testing.assert_allclose(scores, 3 * (nuisance - nuisance.mean()), atol=0.4)
    column = explained_scores(nuisance, (3 * nuisance + rest + 10)[:, None])
    np.testing.assert_allclose(column[:, 0], scores)
    two = explained_scores(nuisance, np.c_[nuisance, rest])
    assert two.shape == (500, 2)
    assert np.abs(two[:, 1]).mean() < 0.1 * np.abs(two[:, 0]).mean()


def test_scale_and_shift_of_answers_do_not_matter(rng):
    nuisance, y = confounded(rng)
    answers = np.eye(4)[nuisance] + 0.1 * rng.normal(size=(400, 4))
    np.testing.assert_allclose(
        explained_scores(answers, y), explained_scores(1e4 * answers - 7, y), atol=2e-3
    )


def test_samples_of_no_weight_count_as_absent(rng):
    nuisance, y = confounded(rng)
    weight = (nuisance == y).astype(float)
    scores = explained_scores(np.eye(4)[nuisance], y, sample_weight=weight)
    unweighted = explained_scores(np.eye(4)[nuisance], y)
    conflicts = nuisance != y
    at = np.arange(400)[conflicts], y[conflicts]
    assert scores[at].mean() < unweighted[at].mean()  # nothing told of these
    assert np.isfinite(explained_scores(nuisance, y, sample_weight=np.zeros(400))).all()


@pytest.mark.parametrize(
    ("answers", "y", "options", "match"),
    [
        (np.zeros(3), np.zeros(4, int), {}, "same number of samples"),
        (np.zeros(1), np.zeros(1, int), {}, "at least 2"),
        (np.full(4, np.nan), np.zeros(4, int), {}, "NaN or infinite"),
        (np.zeros(4), np.array([0, 1, 2, 1]), {"n_classes": 2}, "classes from 0 to 1"),
        (np.zeros(4), np.array([0, -1, 0, 1]), {}, "classes from 0"),
        (np.zeros(4), np.array([0.0, np.nan, 0, 1]), {}, "y"),
    ],
)
def test_what_cannot_be_is_refused(answers, y, options, match):
    with pytest.raises(ValueError, match=match):
        explained_scores(answers, y, **options)


def test_the_unexplained_share():
    assert unexplained_share(np.zeros((6, 3)), np.arange(6) % 3) == 1
    y = np.arange(40) % 2
    assert unexplained_share(50 * np.eye(2)[y], y) < 1e-6
    assert unexplained_share(50 * np.eye(2)[1 - y], y) == 1  # it never asks for more
    half = np.where(np.arange(40) < 20, 50.0, 0.0)[:, None] * np.eye(2)[y]
    assert unexplained_share(half, y) == pytest.approx(0.5)
    assert unexplained_share(half, y, sample_weight=np.arange(40) >= 20) == pytest.approx(1)
    numbers = np.array([[0.0], [2.0]])
    assert unexplained_share(np.array([[-0.5], [0.5]]), numbers) == pytest.approx(0.5)
    assert unexplained_share(np.zeros(3), np.ones(3)) == 1  # nothing is to be learnt
    assert unexplained_share(half, y, sample_weight=np.zeros(40)) == pytest.approx(0.5)


@pytest.mark.parametrize(("scores", "y"), [
    (np.zeros((3, 2)), np.arange(3)), (np.zeros((2, 2)), np.arange(3)),
    (np.zeros(3), np.zeros((3, 1))), (np.zeros((0, 2)), np.zeros(0, int)),
])  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(scores, y):
    with pytest.raises(ValueError, match="scores must have shape"):
        unexplained_share(scores, y)

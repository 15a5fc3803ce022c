"""Laws that every metric and aggregation, or those that claim them, must keep."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from atl_sklearn.similarity import (
    activation_similarity,
    get_aggregation_names,
    get_metric_names,
    is_batch_metric,
)

METRICS = [name for name in get_metric_names() if name != "adversarial"]  # has parameters
AGGREGATIONS = get_aggregation_names()
ROW_METRICS = [name for name in METRICS if not is_batch_metric(name)]
BATCH_METRICS = [name for name in METRICS if is_batch_metric(name)]
RANGES = {
    "cka": (0, 1),
    "cosine": (-1, 1),
    "cross_correlation": (0, 1),
    "debiased_cka": (-np.inf, np.inf),
    "distance_correlation": (0, 1),
    "hsic": (0, 1),
    "ridge_r2": (0, 1),
    "sigmoid_mse": (-1, -0.5),
    "squared_cosine": (0, 1),
}
# Equal activations score below 1: a ridge keeps from it, or correlations between features.
BELOW_ONE = {"cross_correlation", "ridge_r2"}
COMBINATIONS = [
    (metric, aggregation)
    for metric in METRICS
    for aggregation in AGGREGATIONS
    if (metric, aggregation) != ("cross_correlation", "batch_gram")
]
quick = settings(max_examples=5, deadline=None, derandomize=True)
shapes = st.tuples(st.integers(2, 6), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
seeds = st.integers(0, 2**16)


def draw(shape, seed, *, positive=False):
    rng = np.random.RandomState(seed)
    a, b = rng.normal(size=shape), rng.normal(size=shape)
    if positive:
        a, b = np.abs(a) + 0.05, np.abs(b) + 0.05
    return torch.tensor(a), torch.tensor(b)


def similarity(a, b, metric, aggregation, **kwargs):
    generator = torch.Generator().manual_seed(0)
    return activation_similarity(
        a, b, metric=metric, aggregation=aggregation, generator=generator, **kwargs
    )


@pytest.mark.parametrize(("metric", "aggregation"), COMBINATIONS)
class TestAll:
    @quick
    @given(shape=shapes, seed=seeds)
    def test_range(self, metric, aggregation, shape, seed):
        low, high = RANGES[metric]
        value = similarity(*draw(shape, seed), metric, aggregation).item()
        assert low - 1e-9 <= value <= high + 1e-9

    @quick
    @given(shape=shapes, seed=seeds)
    def test_symmetry(self, metric, aggregation, shape, seed):
        if metric == "ridge_r2":
            return  # one side predicts the other
        a, b = draw(shape, seed, positive=True)
        torch.testing.assert_close(
            similarity(a, b, metric, aggregation), similarity(b, a, metric, aggregation)
        )

    @quick
    @given(shape=shapes, seed=seeds)
    def test_order_of_samples(self, metric, aggregation, shape, seed):
        a, b = draw(shape, seed, positive=True)
        order = torch.randperm(len(a), generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(
            similarity(a, b, metric, aggregation),
            similarity(a[order], b[order], metric, aggregation),
        )

    @quick
    @given(shape=shapes, seed=seeds)
    def test_weights_are_repetitions(self, metric, aggregation, shape, seed):
        if metric == "debiased_cka":
            return  # compares distinct samples only
        a, b = draw(shape, seed, positive=True)
        counts = np.random.RandomState(seed + 1).randint(3, size=len(a))
        counts[0] = 2
        repeats = torch.tensor(counts)
        weighted = similarity(a, b, metric, aggregation, sample_weight=counts)
        repeated = similarity(
            a.repeat_interleave(repeats, dim=0), b.repeat_interleave(repeats, dim=0),
            metric, aggregation,
        )  # fmt: skip
        # Distances between equal samples come out as the root of rounding.
        tolerance = 1e-5 if metric in ("distance_correlation", "hsic") else 1e-7
        torch.testing.assert_close(weighted, repeated, rtol=tolerance, atol=tolerance)

    @quick
    @given(seed=seeds)
    def test_gradient(self, metric, aggregation, seed):
        # Two rows of positions or fewer than channels, and the other way round.
        for shape in ((4, 5, 2), (3, 2, 3, 2)):
            a, b = (x.requires_grad_() for x in draw(shape, seed, positive=True))
            weight = torch.tensor([1.0, 0.5, 2.0, 1.5][: shape[0]])

            def function(a, b, weight=weight):
                return similarity(a, b, metric, aggregation, sample_weight=weight)

            # hsic takes its bandwidth without gradient.
            if metric == "hsic":
                continue
            # In directions that the seeds draw, and not by each number of a and b.
            assert torch.autograd.gradcheck(function, (a, b), atol=1e-6, rtol=1e-4, fast_mode=True)

    def test_equal_activations_are_most_similar(self, metric, aggregation):
        a, b = draw((6, 4, 3, 2), 0, positive=True)
        equal = similarity(a, a, metric, aggregation).item()
        if metric in BELOW_ONE:
            assert 0 < equal < 1
            return
        assert equal >= similarity(a, b, metric, aggregation).item()
        if "pairwise" not in aggregation or is_batch_metric(metric):
            most = {"sigmoid_mse": -0.5}.get(metric, 1.0)
            assert equal == pytest.approx(most, abs=1e-6)


def test_hsic_gradient_is_that_at_a_fixed_bandwidth():
    a, b = draw((5, 3), 0)
    a.requires_grad_()
    value = activation_similarity(a, b, metric="hsic")
    value.backward()

    def at_fixed_bandwidth(x):
        def kernel(x, reference):
            squares = torch.cdist(reference, reference).square()
            k = torch.exp(-torch.cdist(x, x).square() / (2 * squares.mean()))
            return k - k.mean(0) - k.mean(1, keepdim=True) + k.mean()

        k, other = kernel(x, a.detach()), kernel(b, b)
        return (k * other).sum() / (k.square().sum() * other.square().sum()).sqrt()

    again = a.detach().clone().requires_grad_()
    expected = at_fixed_bandwidth(again)
    expected.backward()
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(a.grad, again.grad)


@pytest.mark.parametrize(
    ("metric", "aggregation"),
    [pair for pair in COMBINATIONS if pair[0] != "sigmoid_mse" and pair[1] != "product"],
)
@quick
@given(seed=seeds, factor=st.floats(1e-3, 1e3), other=st.floats(1e-3, 1e3))
def test_scale(metric, aggregation, seed, factor, other):
    a, b = draw((5, 4, 3), seed)
    torch.testing.assert_close(
        similarity(factor * a, other * b, metric, aggregation),
        similarity(a, b, metric, aggregation),
        rtol=1e-6, atol=1e-9,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "aggregation"), [pair for pair in COMBINATIONS if pair[1] != "stochastic_pairwise"]
)
@quick
@given(seed=seeds)
def test_order_of_channels_of_both(metric, aggregation, seed):
    a, b = draw((4, 5, 3), seed, positive=True)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        similarity(a[:, order], b[:, order], metric, aggregation),
        similarity(a, b, metric, aggregation),
    )


@pytest.mark.parametrize(
    ("metric", "aggregation"),
    [
        pair
        for pair in COMBINATIONS
        if pair[0] in BATCH_METRICS and pair[1] in ("none", "mean", "max", "spatial_mean", "gram")
    ],
)
@quick
@given(seed=seeds)
def test_order_of_channels_of_one(metric, aggregation, seed):
    a, b = draw((6, 5, 3), seed)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        similarity(a[:, order], b, metric, aggregation), similarity(a, b, metric, aggregation)
    )


@pytest.mark.parametrize("metric", [n for n in BATCH_METRICS if n != "cross_correlation"])
@quick
@given(seed=seeds)
def test_rotation_and_shift_of_one(metric, seed):
    a, b = draw((8, 5), seed)
    rotation = np.linalg.qr(np.random.RandomState(seed).normal(size=(5, 5)))[0]
    moved = a @ torch.tensor(rotation) + 3.0
    torch.testing.assert_close(
        similarity(moved, b, metric, "none"), similarity(a, b, metric, "none")
    )
    if metric not in BELOW_ONE:
        assert similarity(moved, a, metric, "none").item() == pytest.approx(1, abs=1e-6)


def test_squared_cosine_is_no_mean_of_squares():
    a = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    b = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    value = activation_similarity(a, b, metric="squared_cosine", aggregation="none")
    assert value.item() == pytest.approx(0.25)


def test_independent_features_are_dissimilar():
    a, b = draw((400, 2), 0)
    for metric in BATCH_METRICS:
        assert similarity(a, b, metric, "none").item() < 0.2
    nonlinear = a.abs()
    assert similarity(a, nonlinear, "cka", "none").item() < 0.05
    assert similarity(a, nonlinear, "hsic", "none").item() > 0.1

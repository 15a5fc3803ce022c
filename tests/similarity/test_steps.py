"""What is computed faster while training: the same numbers and gradients."""

import pytest
import torch

from atl_sklearn import activation_similarity
from atl_sklearn.similarity import get_aggregation
from atl_sklearn.similarity._correlation_step import (
    any_features,
    cross_correlation_step,
    ordinary_features,
)
from atl_sklearn.similarity._precomputed import n_precomputed, prepare, restore
from atl_sklearn.similarity._sample_products import largest_magnitude


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


WEIGHTS = [None, torch.tensor([1.0, 0.0, 2.0, 1.0, 0.5, 1.0]).double()]


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("shapes", [((6, 3), (6, 4)), ((6, 9), (6, 20)), ((6, 3, 2, 2), (6, 5, 3))])
@pytest.mark.parametrize("constant", [False, True])
def test_the_gradient_in_closed_form(shapes, weight, constant):
    a, b = normal(*shapes[0]), normal(*shapes[1], seed=1)
    if constant:
        a[:, 1] = 2.0
    found = []
    for frozen in (True, False):  # with a gradient on both sides autograd makes it
        x, y = a.clone().requires_grad_(), b.clone().requires_grad_(not frozen)
        value = activation_similarity(x, y, sample_weight=weight)
        (1.5 * value).backward()
        found.append((value.detach(), x.grad))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-12)
    assert found[0][1].abs().max() > 1e-3


@pytest.mark.parametrize("n_features", [3, 12])
def test_its_own_gradient(n_features):
    p = torch.full((6,), 1 / 6, dtype=torch.float64)
    others = any_features(normal(6, 4, seed=1), p, weighted=False)

    def of(x):
        features = any_features(x, p, weighted=False)
        return cross_correlation_step(x, features, others, p, weighted=False)

    x = normal(6, n_features).requires_grad_()
    (gradient,) = torch.autograd.grad(of(x), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    step = 1e-6
    direction = normal(6, n_features, seed=2)
    sizes = []
    for sign in (1, -1):
        moved = (x + sign * step * direction).detach().requires_grad_()
        sizes.append(torch.autograd.grad(of(moved), moved)[0].square().sum())
    torch.testing.assert_close(
        (second * direction).sum(), (sizes[0] - sizes[1]) / (2 * step), rtol=1e-4, atol=1e-7
    )


@pytest.mark.parametrize("weight", WEIGHTS)
def test_magnitudes_that_need_no_care(weight):
    x = 3 * normal(6, 5) + 20
    p = torch.full((6,), 1 / 6).double() if weight is None else weight / weight.sum()
    found = ordinary_features(x, p)
    expected = any_features(x, p, weighted=weight is not None)
    there = p > 0
    torch.testing.assert_close(
        (found.centred * found.scale)[there], (expected.centred * expected.scale)[there]
    )


@pytest.mark.parametrize(
    ("scale", "offset"), [(1e-6, 0), (1e6, 0), (1, 1e5), (0, 1), (1, torch.nan)]
)
def test_magnitudes_that_need_care(scale, offset):
    p = torch.full((6,), 1 / 6)
    assert ordinary_features(scale * normal(6, 5).float() + offset, p) is None


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_features_that_are_all_constant(value):
    a = torch.full((6, 3), value, requires_grad=True)
    similarity = activation_similarity(a, normal(6, 4).float())
    similarity.backward()
    assert similarity == 0
    assert torch.equal(a.grad, torch.zeros(6, 3))


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e30])
@pytest.mark.parametrize("metric", ["cross_correlation", "cka", "squared_cosine"])
@pytest.mark.parametrize("aggregation", ["none", "spatial_mean", "gram"])
def test_the_scale_means_nothing_whether_it_is_ordinary_or_not(scale, metric, aggregation):
    a, b = normal(6, 3, 4).float(), normal(6, 3, 4, seed=1).float()
    values = [
        activation_similarity(factor * a, b, metric=metric, aggregation=aggregation)
        for factor in (1.0, scale)
    ]
    torch.testing.assert_close(*values, rtol=1e-4, atol=1e-6)


def test_the_largest_magnitude_in_any_order_of_memory():
    x = normal(2, 3, 4, 5)
    for y in (x, x.to(memory_format=torch.channels_last), x.transpose(1, 3), x[:, ::2], -x):
        assert largest_magnitude(y) == y.abs().max()
    assert largest_magnitude(torch.tensor([[1.0, torch.nan]])).isnan()


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
@pytest.mark.parametrize("aggregation", ["none", "mean", "sum", "max", "spatial_mean", "gram"])
@pytest.mark.parametrize("metric", ["cosine", "squared_cosine"])
@pytest.mark.parametrize("shape", [(6, 3, 5, 4), (6, 4, 2), (6, 5)])
def test_rows_of_known_norm(shape, metric, aggregation, scale, weight):
    check_prepared(shape, metric, aggregation, scale, weight)


@pytest.mark.parametrize("metric", ["cosine", "squared_cosine"])
@pytest.mark.parametrize("shape", [(6, 3, 5, 4), (6, 5)])
def test_pairs_of_known_norm(shape, metric):
    check_prepared(shape, metric, "pairwise", 1.0, WEIGHTS[1])


def check_prepared(shape, metric, aggregation, scale, weight):
    a, b = normal(*shape), scale * normal(*shape, seed=1)
    b[0] = 0
    parts = prepare(b, metric, aggregation)
    assert len(parts) == n_precomputed(metric, aggregation) == 2
    how = {"metric": metric, "aggregation": aggregation, "sample_weight": weight}
    torch.testing.assert_close(
        activation_similarity(a, restore(parts), **how), activation_similarity(a, b, **how)
    )
    if aggregation == "pairwise":
        assert parts[0].numel() < b.numel()
    assert get_aggregation(aggregation).degree is not None


@pytest.mark.parametrize(
    ("metric", "aggregation"),
    [
        ("cka", "none"),
        ("cosine", "product"),
        ("cosine", "batch_gram"),
        ("squared_cosine", "stochastic_pairwise"),
        ("sigmoid_mse", "none"),
        (torch.dist, "none"),
    ],
)
def test_what_has_no_norms_of_its_own(metric, aggregation):
    b = normal(6, 3, 4)
    parts = prepare(b, metric, aggregation)
    assert len(parts) == n_precomputed(metric, aggregation) == 1
    assert torch.equal(restore(parts), b)

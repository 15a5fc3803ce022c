"""Where a norm is 0 it has a kink: its gradient goes to 0 there, and does not jump."""

import pytest
import torch

from atl_sklearn import activation_similarity
from atl_sklearn.similarity._sample_products import KINK


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def orthogonal(n_samples, n_features):
    """Return features without mean, uncorrelated, of variance 1."""
    x = normal(n_samples, n_features)
    return torch.linalg.qr(x - x.mean(dim=0)).Q * n_samples**0.5


def value_and_gradient(a, b, *, frozen=True, **kwargs):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_(not frozen)
    value = activation_similarity(a, b, **kwargs)
    value.backward()
    return value.item(), a.grad


# With a gradient on both sides autograd makes it, otherwise it is in closed form.
FORMS = pytest.mark.parametrize("frozen", [True, False])
SIZES = pytest.mark.parametrize("n_samples", [4, 12])  # by samples, and by features


@FORMS
@SIZES
def test_small_correlations_have_small_gradients(n_samples, frozen):
    both = orthogonal(n_samples, 3)
    v, a = both[:, :1].repeat(1, 9), both[:, 1:]

    def at(correlation):
        return value_and_gradient(a + correlation * both[:, :1], v, frozen=frozen)

    values, gradients = zip(*map(at, (1e-7, 1e-5, 1e-3, 0.1, 0.2)), strict=True)
    sizes = [gradient.norm().item() for gradient in gradients]
    # The value is the root mean square correlation all the way down.
    assert values[1] == pytest.approx(100 * values[0], rel=1e-3)
    assert values[2] == pytest.approx(100 * values[1], rel=1e-3)
    assert sizes[1] == pytest.approx(100 * sizes[0], rel=1e-2)
    assert sizes[2] == pytest.approx(100 * sizes[1], rel=1e-2)
    assert sizes[3] == pytest.approx(sizes[4], rel=0.1)
    # What changes its sign changes that of the gradient, without a jump.
    opposite = at(-1e-7)[1]
    torch.testing.assert_close(opposite, -gradients[0], rtol=1e-3, atol=1e-9)
    assert (opposite - gradients[0]).norm() < 1e-4 * sizes[4]


@FORMS
@SIZES
def test_the_gradient_does_not_jump_where_correlations_begin_to_be_small(n_samples, frozen):
    both = orthogonal(n_samples, 3)
    v, a = both[:, :1].repeat(1, 9), both[:, 1:]

    def at(correlation):
        return value_and_gradient(a + correlation * both[:, :1], v, frozen=frozen)

    edge = KINK / at(1e-3)[0] * 1e-3  # the values are in proportion
    (below, small), (above, large) = at(0.999 * edge), at(1.001 * edge)
    assert below < KINK < above
    torch.testing.assert_close(small, large, rtol=1e-2, atol=1e-4 * large.norm().item())


@pytest.mark.parametrize("aggregation", ["spatial_mean", "gram"])
def test_samples_that_meet_do_not_push_each_other(aggregation):
    a, b, direction = normal(7, 5).abs(), normal(7, 4, seed=1), normal(5, seed=2)
    found = []
    for step in (1e-6, -1e-6):
        a[1] = a[0] + step * direction
        found.append(
            value_and_gradient(a, b, metric="distance_correlation", aggregation=aggregation)[1]
        )
    largest = found[0].abs().max().item()
    torch.testing.assert_close(*found, rtol=0, atol=1e-3 * largest)


def test_equal_samples_are_at_no_distance():
    """Distances that products give are rounding where samples are equal: so is no gradient."""
    index = torch.arange(50) % 13
    a, b = normal(13, 40).abs()[index], normal(13, 6, seed=1)[index]
    _, gradient = value_and_gradient(a, b, metric="distance_correlation", aggregation="gram")
    largest = gradient.abs().max().item()
    torch.testing.assert_close(gradient[:13], gradient[13:26], rtol=0, atol=1e-11 * largest)
    moved = a * (1 + 2.0**-52 * normal(50, 1, seed=3).sign())  # as another processor might
    _, other = value_and_gradient(moved, b, metric="distance_correlation", aggregation="gram")
    torch.testing.assert_close(gradient, other, rtol=0, atol=1e-11 * largest)


def test_small_correlations_have_second_derivatives():
    both = orthogonal(8, 3)
    a = (both[:, 1:] + 1e-9 * both[:, :1]).requires_grad_()
    value = activation_similarity(a, both[:, :1])
    (gradient,) = torch.autograd.grad(value, a, create_graph=True)
    (second,) = torch.autograd.grad((gradient * both[:, :1]).sum(), a)
    step, moved = 1e-5, []
    for sign in (1, -1):
        at = (a.detach() + sign * step * both[:, :1]).requires_grad_()
        moved.append(torch.autograd.grad(activation_similarity(at, both[:, :1]), at)[0])
    torch.testing.assert_close(second, (moved[0] - moved[1]) / (2 * step), rtol=1e-4, atol=1e-6)
    assert second.norm() > 1

"""Values and gradients stay finite, and memory small, whatever comes."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from atl_sklearn.similarity import activation_similarity, get_aggregation_names, get_metric_names

COMBINATIONS = [
    (metric, name)
    for metric in get_metric_names()
    for name in get_aggregation_names()
    if metric != "adversarial"  # has parameters
    and (metric, name) != ("cross_correlation", "batch_gram")
]
EVERY = pytest.mark.parametrize(("metric", "aggregation"), COMBINATIONS)


def normal(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def value_and_gradient(a, b, metric, aggregation, **kwargs):
    a = a.clone().requires_grad_()
    value = activation_similarity(a, b, metric=metric, aggregation=aggregation, **kwargs)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(a.grad).all()
    return value.detach(), a.grad


CASES = {
    "zeros": (torch.zeros(4, 3, 5), normal((4, 3, 5))),
    "both zeros": (torch.zeros(4, 3, 5), torch.zeros(4, 3, 5)),
    "some zeros": (normal((4, 3, 5)).relu() * (torch.arange(3) > 0)[:, None], normal((4, 3, 5))),
    "constant": (torch.ones(4, 3, 5), normal((4, 3, 5))),
    "one sample": (normal((1, 3, 5)), normal((1, 3, 5), 1)),
    "two samples": (normal((2, 3, 5)), normal((2, 3, 5), 1)),
    "one channel": (normal((4, 1, 5)), normal((4, 1, 5), 1)),
    "one position": (normal((4, 3, 1)), normal((4, 3, 1), 1)),
    "one number": (normal((1, 1)), normal((1, 1), 1)),
    "equal": (normal((4, 3, 5)), normal((4, 3, 5))),
    "equal samples": (normal((1, 3, 5)).repeat(4, 1, 1), normal((4, 3, 5), 1)),
    "1e-20": (1e-20 * normal((4, 3, 5)), 1e-20 * normal((4, 3, 5), 1)),
    "1e20": (1e20 * normal((4, 3, 5)), 1e20 * normal((4, 3, 5), 1)),
    "1e20 and 1e-20": (1e20 * normal((4, 3, 5)), 1e-20 * normal((4, 3, 5), 1)),
    "1e-20 and 1e20": (1e-20 * normal((4, 3, 5)), 1e20 * normal((4, 3, 5), 1)),
    "mixed": (
        normal((4, 3, 5)) * torch.tensor([1e-20, 1.0, 1e10])[:, None], normal((4, 3, 5), 1)
    ),
    "large offset": (1e6 + normal((4, 3, 5)), normal((4, 3, 5), 1)),
}  # fmt: skip


@EVERY
@pytest.mark.parametrize("case", CASES)
def test_everything_is_finite(case, metric, aggregation):
    value_and_gradient(*CASES[case], metric, aggregation)


@pytest.mark.parametrize(
    ("metric", "aggregation"),
    [pair for pair in COMBINATIONS if pair[0] != "sigmoid_mse" and pair[1] != "product"],
)
@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_what_is_free_of_scale_stays_right_at_extremes(metric, aggregation, factor):
    a, b = normal((5, 3, 4)), normal((5, 3, 4), 1)
    expected, gradient = value_and_gradient(
        a, b, metric, aggregation, generator=torch.Generator().manual_seed(0)
    )
    value, scaled = value_and_gradient(
        factor * a, b, metric, aggregation, generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)
    largest = gradient.abs().max()
    torch.testing.assert_close(scaled * factor, gradient, rtol=1e-2, atol=1e-4 * largest.item())


def test_a_large_error_is_the_limit_of_the_sigmoid():
    a, b = 1e20 * normal((4, 3, 5)), torch.zeros(4, 3, 5)
    for aggregation in ("none", "gram", "batch_gram", "pairwise"):
        value, gradient = value_and_gradient(a, b, "sigmoid_mse", aggregation)
        assert value.item() == -1
        assert not gradient.any()


@pytest.mark.parametrize(
    "metric",
    ["cka", "cross_correlation", "debiased_cka", "distance_correlation", "hsic", "ridge_r2"],
)
def test_nothing_to_arrange_is_no_similarity(metric):
    for case in ("zeros", "constant", "one sample", "equal samples"):
        value, gradient = value_and_gradient(*CASES[case], metric, "none")
        assert value.item() == 0
        assert not gradient.any()
    b = normal((4, 3, 5), 1)
    only = torch.tensor([0.0, 2.0, 0.0, 0.0])
    value, gradient = value_and_gradient(normal((4, 3, 5)), b, metric, "none", sample_weight=only)
    assert value.item() == 0


def test_zero_rows_have_no_cosine():
    a, b = torch.tensor([[[1.0, 2.0], [0.0, 0.0]]]), torch.ones(1, 2, 2)
    value, gradient = value_and_gradient(a, b, "cosine", "none")
    expected = torch.cosine_similarity(a, b, dim=2).mean()
    torch.testing.assert_close(value, expected)
    assert not gradient[0, 1].any()


def test_the_gradient_of_a_product_is_bounded_at_zero():
    a = torch.zeros(3, 16, 4).requires_grad_()
    b = normal((3, 16, 4)).abs()
    for metric in ("squared_cosine", "sigmoid_mse"):
        small = (1e-12 * normal((3, 16, 4)).abs(), b)
        for current in (a.detach(), small[0]):
            _, gradient = value_and_gradient(current, b, metric, "product")
            assert gradient.abs().max() < 1e3


@EVERY
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_accumulated_in_single(dtype, metric, aggregation):
    a, b = (normal((4, 3, 5), seed).abs().to(dtype) for seed in (0, 1))
    generator = torch.Generator()
    expected = activation_similarity(
        a.float(), b.float(), metric=metric, aggregation=aggregation,
        generator=generator.manual_seed(0),
    )  # fmt: skip
    value, gradient = value_and_gradient(
        a, b, metric, aggregation, generator=generator.manual_seed(0)
    )
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("aggregation", ["none", "gram", "batch_gram", "spatial_mean"])
@pytest.mark.parametrize("metric", ["squared_cosine", "sigmoid_mse", "cka", "hsic"])
def test_autocast_changes_nothing(metric, aggregation):
    a, b = normal((4, 3, 5)), normal((4, 3, 5), 1)
    expected = activation_similarity(a, b, metric=metric, aggregation=aggregation)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = activation_similarity(a, b, metric=metric, aggregation=aggregation)
        half = activation_similarity(a.bfloat16(), b, metric=metric, aggregation=aggregation)
    torch.testing.assert_close(value, expected, rtol=0, atol=0)
    assert half.dtype == torch.float32


class PeakMemory(TorchDispatchMode):
    """Sums the bytes of the storages that operations make, as long as they live."""

    def __init__(self):
        super().__init__()
        self.live, self.now, self.peak, self.largest = {}, 0, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        known = {t.untyped_storage()._cdata for t in tree_iter(args) if isinstance(t, torch.Tensor)}
        for tensor in tree_iter(result):
            if not isinstance(tensor, torch.Tensor):
                continue
            storage = tensor.untyped_storage()
            if storage._cdata in known or storage._cdata in self.live:
                continue
            size = storage.nbytes()
            self.live[storage._cdata] = storage._weak_ref()
            self.largest = max(self.largest, size)
        for key, reference in list(self.live.items()):
            if torch.UntypedStorage._expired(reference):
                torch.UntypedStorage._free_weak_ref(reference)
                del self.live[key]
        total = 0
        for reference in self.live.values():
            storage = torch.UntypedStorage._new_with_weak_ptr(reference)
            total += storage.nbytes() if storage is not None else 0
            del storage
        self.peak = max(self.peak, total)
        return result


@pytest.mark.parametrize("metric", ["squared_cosine", "sigmoid_mse", "cka"])
@pytest.mark.parametrize("aggregation", ["gram", "batch_gram", "pairwise"])
def test_no_large_matrix_is_built(aggregation, metric):
    """The published form would build (32 * 512)^2 and 32 * 512^2 * 64 numbers: 1 and 2 GB."""
    a, b = (normal((32, 512, 8, 8), seed).relu() for seed in (0, 1))
    a.requires_grad_()
    with PeakMemory() as memory:
        activation_similarity(a, b, metric=metric, aggregation=aggregation).backward()
    assert 4e6 < memory.peak < 100e6
    assert memory.largest <= max(a.numel(), 32 * 512**2) * 4

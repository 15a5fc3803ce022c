"""The metric that trains its own reader."""

import pytest
import torch

from atl_sklearn import AntiTransferLoss, activation_similarity
from atl_sklearn.similarity._adversary import Adversary


def normal(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_loss(current, unrelated, **params):
    torch.manual_seed(0)
    return AntiTransferLoss(metric="adversarial", **params).initialize(current, unrelated)


def test_the_reader_learns_to_read_while_the_total_is_minimised():
    unrelated = normal((64, 3))
    current = torch.cat([unrelated, normal((64, 2), 1)], dim=1)
    loss = make_loss(current, unrelated)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    values = []
    for _ in range(300):
        optimizer.zero_grad()
        penalty = loss(current, unrelated)
        penalty.total.backward()
        optimizer.step()
        values.append(penalty.parts.item())
    assert values[0] < 0.3
    assert values[-1] > 0.9


def test_what_is_read_becomes_unreadable():
    unrelated = normal((64, 3))
    current = unrelated.clone().requires_grad_()
    loss = make_loss(current, unrelated)
    optimizer = torch.optim.Adam([current, *loss.parameters()], lr=0.02)
    before = activation_similarity(current, unrelated, metric="ridge_r2").item()
    for _ in range(300):
        optimizer.zero_grad()
        loss(current, unrelated).total.backward()
        optimizer.step()
    after = activation_similarity(current.detach(), unrelated, metric="ridge_r2").item()
    assert before > 0.9
    assert after < 0.5


def test_gradients_of_the_reader_alone_are_reversed():
    current, unrelated = normal((16, 4)).requires_grad_(), normal((16, 2), 1)
    adversary = Adversary(4, 2)
    adversary(current, unrelated).backward()
    ours = {name: p.grad for name, p in adversary.reader.named_parameters()}
    gradient, current.grad = current.grad, None
    target = unrelated - unrelated.mean(0)
    target = target / (target.var(0, unbiased=False) * 1.001).sqrt()
    predicted = adversary.reader(current)
    value = 1 - (predicted - target).square().mean() / target.square().mean()
    adversary.zero_grad()
    value.backward()
    torch.testing.assert_close(gradient, current.grad, rtol=1e-3, atol=1e-6)
    for name, p in adversary.reader.named_parameters():
        torch.testing.assert_close(ours[name], -p.grad, rtol=1e-2, atol=1e-4)


def test_weights_are_repetitions():
    current, unrelated = normal((5, 4, 3)), normal((5, 2), 1)
    adversary = Adversary(4, 2)
    counts = torch.tensor([2, 0, 1, 3, 1])
    weighted = adversary(current, unrelated, sample_weight=counts)
    repeated = adversary(
        current.repeat_interleave(counts, dim=0), unrelated.repeat_interleave(counts, dim=0)
    )
    torch.testing.assert_close(weighted, repeated)
    assert adversary(current, unrelated, sample_weight=torch.zeros(5)).item() == 0


def test_what_is_compared_is_flattened():
    current, unrelated = normal((6, 4, 3, 2)), normal((6, 5), 1)
    for aggregation, length in (("none", 24), ("spatial_mean", 4), ("max", 6), ("gram", 16)):
        loss = make_loss(current, unrelated, aggregation=aggregation)
        assert loss.adversaries["0_0"].reader[0].in_features == length
        assert torch.isfinite(loss(current, unrelated).total)


def test_constant_activations_have_nothing_to_be_read():
    loss = make_loss(normal((6, 4)), torch.ones(6, 3))
    assert loss(normal((6, 4)), torch.ones(6, 3)).total.item() == 0


def test_one_metric_for_each_layer():
    layers = [normal((8, 4)), normal((8, 3), 1)]
    unrelated = [normal((8, 5), 2), normal((8, 2), 3)]
    loss = AntiTransferLoss(metric=["adversarial", "cka"]).initialize(layers, unrelated)
    assert list(loss.adversaries) == ["0_0"]
    parts = loss(layers, unrelated).parts
    expected = activation_similarity(layers[1], unrelated[1], metric="cka")
    torch.testing.assert_close(parts[0, 1], expected)
    with pytest.raises(ValueError, match=r"'metric' parameter .* each of the 1"):
        loss(layers[0], unrelated[0])


def test_errors():
    current, unrelated = normal((6, 4)), normal((6, 3))
    with pytest.raises(RuntimeError, match="call its initialize"):
        AntiTransferLoss(metric="adversarial")(current, unrelated)
    with pytest.raises(ValueError, match="AntiTransferLoss"):
        activation_similarity(current, unrelated, metric="adversarial")
    with pytest.raises(ValueError, match="batch_gram"):
        make_loss(current, unrelated, aggregation="batch_gram")


class TestCondition:
    """What a target explains is left out of the comparison."""

    def shared(self, n=600):
        target = torch.arange(n) % 3
        means = 3 * normal((3, 4), 5)
        a, b = normal((n, 4)) + means[target], normal((n, 4), 1) + means[target].flip(1)
        return a, b, target

    @pytest.mark.parametrize("metric", ["cka", "debiased_cka", "cross_correlation", "ridge_r2",
                                        "hsic", "distance_correlation"])  # fmt: skip
    @pytest.mark.parametrize("aggregation", ["spatial_mean", "gram"])
    def test_only_what_is_left_counts(self, metric, aggregation):
        a, b, target = self.shared()
        kwargs = {"metric": metric, "aggregation": aggregation}
        shared = activation_similarity(a, b, **kwargs)
        left = activation_similarity(a, b, condition=target, **kwargs)
        assert left < 0.5 * shared
        assert left < 0.3

    def test_classes_are_centred(self):
        a, b, target = self.shared(30)
        centred = [
            x - torch.stack([x[target == k].mean(0) for k in range(3)])[target] for x in (a, b)
        ]
        ours = activation_similarity(a, b, condition=target)
        torch.testing.assert_close(ours, activation_similarity(*centred), rtol=1e-4, atol=1e-5)
        one_hot = torch.nn.functional.one_hot(target).float()
        torch.testing.assert_close(ours, activation_similarity(a, b, condition=one_hot))

    def test_numbers_are_fitted_linearly(self):
        number = normal((200,), 3)
        a, b = number[:, None] + 0.1 * normal((200, 2)), -number[:, None] * torch.ones(1, 2)
        b = b + 0.1 * normal((200, 2), 7)
        assert activation_similarity(a, b) > 0.9
        assert activation_similarity(a, b, condition=number) < 0.1

    def test_weights_are_repetitions(self):
        a, b, target = self.shared(12)
        counts = torch.tensor([1, 2, 0, 1, 1, 2, 1, 1, 1, 3, 0, 1])
        weighted = activation_similarity(a, b, condition=target, sample_weight=counts)
        repeated = [x.repeat_interleave(counts, dim=0) for x in (a, b, target)]
        torch.testing.assert_close(
            weighted, activation_similarity(*repeated[:2], condition=repeated[2])
        )

    def test_adversary(self):
        a, b, target = self.shared()
        loss = make_loss(a, b)
        optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
        for _ in range(150):
            optimizer.zero_grad()
            loss(a, b, condition=target).total.backward()
            optimizer.step()
        assert loss(a, b, condition=target).total.item() < 0.2

    def test_errors(self):
        a, b, target = self.shared(6)
        with pytest.raises(ValueError, match="cannot take a condition"):
            activation_similarity(a, b, metric="cosine", condition=target)
        with pytest.raises(ValueError, match=r"condition must have shape \(6,\)"):
            activation_similarity(a, b, condition=target[:5])
        with pytest.raises(ValueError, match="one axis"):
            activation_similarity(a, b, condition=target[:, None])

"""Weights that follow a target of similarity."""

import copy

import pytest
import torch

from atl_sklearn import AntiTransferLoss
from atl_sklearn.similarity import activation_similarity
from atl_sklearn.similarity._precomputed import prepare, restore
from atl_sklearn.similarity._similarity_target import WeightControl, permuted


def batches(n_batches, share, seed=0, size=64):
    """Yield activations of which the current ones have a share of the unrelated ones."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n_batches):
        theirs = torch.randn(size, 3, generator=generator)
        own = torch.randn(size, 3, generator=generator)
        yield (share * theirs + (1 - share**2) ** 0.5 * own).requires_grad_(), theirs


def trained(share, *, n_batches=60, **params):
    loss = AntiTransferLoss(**params)
    generator = torch.Generator().manual_seed(1)
    for current, unrelated in batches(n_batches, share):
        loss(current, unrelated, generator=generator)
    return loss


@pytest.mark.parametrize("metric", ["cross_correlation", "cka", "ridge_r2", "hsic", "cosine"])
def test_the_weight_rises_above_the_target_and_falls_below_it(metric):
    rises = trained(0.9, metric=metric, target_similarity=0.1, weight=2.0)
    falls = trained(0.0, metric=metric, target_similarity=0.1, weight=2.0)
    assert falls.used_weights()[0] < 1.0 < 4.0 < rises.used_weights()[0] < 20.1
    assert falls.unmet_targets() == []


def test_chance_does_not_count():
    """Batches of 20 independent samples have a cross-correlation of 0.23."""
    loss = AntiTransferLoss(target_similarity=0.1)
    generator = torch.Generator().manual_seed(1)
    for current, unrelated in batches(200, 0.0, size=20):
        part = loss(current, unrelated, generator=generator).parts.item()
    assert part > 0.1
    assert abs(loss.left_similarities()[0][0]) < 0.1
    assert loss.used_weights()[0] < 0.1


def test_the_similarity_is_that_of_all_samples():
    """Of features that share 0.6 of their standard deviation, each with one of three."""
    (left,) = trained(0.6, n_batches=200, target_similarity=0.1).left_similarities()
    current, unrelated = next(batches(1, 0.6, size=50_000))
    whole = activation_similarity(current, unrelated, metric="cross_correlation").item()
    assert left[0] == pytest.approx(whole, abs=0.03)


def test_the_weight_is_what_the_penalty_is_multiplied_with():
    loss = trained(0.9, n_batches=5, target_similarity=0.1)
    current, unrelated = next(batches(1, 0.9, seed=3))
    before = loss.used_weights()[0]
    penalty = loss(current, unrelated)
    torch.testing.assert_close(penalty.total, before * penalty.parts[0, 0])
    assert loss.used_weights()[0] != before


def test_nothing_changes_in_evaluation_or_without_gradients():
    loss = trained(0.9, n_batches=5, target_similarity=0.1)
    before = loss.used_weights()
    current, unrelated = next(batches(1, 0.9, seed=3))
    with torch.no_grad():
        loss(current, unrelated)
    loss.eval()(current, unrelated)
    assert loss.used_weights() == before
    loss.train()(current, unrelated)
    assert loss.used_weights() != before


def test_the_state_goes_on_where_it_ended():
    whole = trained(0.9, n_batches=20, target_similarity=0.1)
    first = trained(0.9, n_batches=10, target_similarity=0.1)
    again = AntiTransferLoss(target_similarity=0.1)
    again.load_state_dict(first.state_dict())
    generator = torch.Generator().manual_seed(1)
    for number, (current, unrelated) in enumerate(batches(20, 0.9)):
        if number < 10:  # as many random numbers as the first took
            torch.randperm(len(current), generator=generator)
        else:
            again(current, unrelated, generator=generator)
    assert again.used_weights() == whole.used_weights()
    assert copy.deepcopy(again).used_weights() == whole.used_weights()


def test_a_state_of_other_networks_is_left():
    first = trained(0.9, n_batches=10, target_similarity=0.1)
    other = AntiTransferLoss(target_similarity=0.1)
    other.load_state_dict(first.state_dict())
    current, unrelated = next(batches(1, 0.9))
    other.eval()(current, unrelated, unrelated)
    assert other.used_weights(2) == [1.0, 1.0]


def test_each_network_has_its_own_target_or_none():
    loss = AntiTransferLoss(weight=[1.0, 2.0, 3.0], target_similarity=[0.0, None, 0.9])
    for current, unrelated in batches(40, 0.9):
        loss(current, unrelated, unrelated, unrelated)
    first, second, third = loss.used_weights(3)
    assert (first > 2.0, second, third < 1.5) == (True, 2.0, True)
    assert [row[0] is None for row in loss.left_similarities()] == [False, True, False]


def test_of_several_layers_the_most_similar_decides():
    loss = AntiTransferLoss(target_similarity=0.2)
    for (near, unrelated), (far, _) in zip(batches(40, 0.9), batches(40, 0.0, 5), strict=True):
        loss([far, near], [unrelated, unrelated])
    assert loss.used_weights()[0] > 2.0


def test_without_a_target_there_is_no_state():
    loss = AntiTransferLoss()
    current, unrelated = next(batches(1, 0.9))
    before = torch.get_rng_state()
    loss(current, unrelated)
    assert torch.equal(torch.get_rng_state(), before)
    assert not loss.state_dict()
    assert "target" not in repr(loss)
    assert "target_similarity=0.1" in repr(AntiTransferLoss(target_similarity=0.1))


def test_a_target_that_stays_unmet_is_told():
    loss = trained(0.9, n_batches=200, target_similarity=0.05, weight=0.5)
    (message,) = loss.unmet_targets()
    assert "above target_similarity=0.05, although its weight rose to its limit, 5" in message


def test_a_few_samples_and_what_is_not_finite_teach_nothing():
    current, unrelated = next(batches(1, 0.9))
    loss = AntiTransferLoss(target_similarity=0.1)
    loss(current[:3], unrelated[:3])
    assert loss.used_weights() == [1.0]
    loss = AntiTransferLoss(target_similarity=0.1, metric=lambda a, b: (a * torch.inf).sum())
    loss(current, unrelated)
    assert loss.used_weights() == [1.0]


def test_noise_slows_what_is_near_the_target():
    """A control whose average is within its error moves less than one far above it."""
    moved = []
    for excess in (0.02, 0.5):
        control = WeightControl(0.1, [1])
        generator = torch.Generator().manual_seed(0)
        for noise in (0.2 * torch.randn(40, generator=generator)).tolist():
            control.update([0.1 + excess + noise], [0.0], 64)
        moved.append(control.logarithm)
    assert abs(moved[0]) < 0.5 * moved[1]


def test_prepared_activations_are_permuted():
    loss = AntiTransferLoss(metric="squared_cosine", aggregation="gram", target_similarity=0.1)
    x = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([3, 1, 0, 2, 5, 4])
    kept = permuted(restore(prepare(x, "squared_cosine", "gram")), order)
    current = torch.randn(6, 3, 4, requires_grad=True)
    torch.testing.assert_close(loss(current, [kept]).parts, loss(current, x[order]).parts)


@pytest.mark.parametrize("target", [-0.1, 1.0, "0.1", True, float("nan"), [0.1, 2.0]])
def test_bad_targets_are_refused(target):
    with pytest.raises(ValueError, match=r"'target_similarity' parameter of AntiTransferLoss must"):
        AntiTransferLoss(target_similarity=target)


@pytest.mark.parametrize(
    ("metric", "why"), [("sigmoid_mse", "negative"), ("adversarial", "reader")]
)
def test_metrics_without_a_scale_are_refused(metric, why):
    with pytest.raises(ValueError, match=f"must be None with metric='{metric}', which .*{why}"):
        AntiTransferLoss(metric=metric, target_similarity=0.1)
    with pytest.raises(ValueError, match="must be None with metric"):
        AntiTransferLoss(metric=["cka", metric], target_similarity=[None, 0.1])


def test_a_list_of_the_wrong_length_is_refused():
    current, unrelated = next(batches(1, 0.9))
    with pytest.raises(ValueError, match=r"'target_similarity' .* each of the 1 unrelated"):
        AntiTransferLoss(target_similarity=[0.1, 0.2])(current, unrelated)

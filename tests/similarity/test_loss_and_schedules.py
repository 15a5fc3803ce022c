import copy
import math
import pickle

import pytest
import torch

from atl_sklearn import AntiTransferLoss
from atl_sklearn.similarity import (
    activation_similarity,
    get_aggregation,
    get_metric,
    get_weight_schedule,
    get_weight_schedule_names,
    is_batch_metric,
)


def normal(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


CURRENT = [normal((6, 4, 3)), normal((6, 5))]
UNRELATED = [[normal((6, 4, 3), 1), normal((6, 5), 2)], [normal((6, 4, 3), 3), normal((6, 5), 4)]]


# ---- AntiTransferLoss ---------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["cka", "squared_cosine"])
def test_layers_and_networks_are_summed_by_their_weights(metric):
    loss = AntiTransferLoss(
        metric=metric, aggregation="none", weight=[0.5, 2.0], layer_weight=[1.0, 3.0]
    )
    current = [x.clone().requires_grad_() for x in CURRENT]
    penalty = loss(current, *UNRELATED)
    expected = torch.tensor(
        [
            [activation_similarity(a, b, metric=metric, aggregation="none") for a, b in pairs]
            for pairs in ([*zip(CURRENT, network, strict=True)] for network in UNRELATED)
        ]
    )
    torch.testing.assert_close(penalty.parts.detach(), expected)
    weights = torch.tensor([[0.5, 1.5], [2.0, 6.0]])
    torch.testing.assert_close(penalty.total.detach(), (weights * expected).sum())
    penalty.total.backward()
    assert all(x.grad.any() for x in current)


def test_one_layer_and_network_need_no_lists():
    total, parts = AntiTransferLoss(weight=2.0)(CURRENT[0], UNRELATED[0][0])
    assert parts.shape == (1, 1)
    torch.testing.assert_close(total, 2 * parts[0, 0])


def test_a_weight_of_zero_leaves_out_what_is_not_finite():
    infinite = torch.full((6, 4, 3), torch.inf)
    current = CURRENT[0].clone().requires_grad_()
    loss = AntiTransferLoss(metric="cosine", aggregation="none", weight=[1.0, 0.0])
    penalty = loss(current, UNRELATED[0][0], infinite)
    penalty.total.backward()
    assert torch.isfinite(penalty.total)
    assert torch.isfinite(current.grad).all()
    nothing = AntiTransferLoss(weight=0.0)(CURRENT[0], UNRELATED[0][0])
    assert nothing.total.item() == 0 < nothing.parts.item()


def test_sample_weights_and_generators_are_passed_on():
    weight = torch.tensor([1.0, 0, 0, 2, 1, 1])
    penalty = AntiTransferLoss()(CURRENT[0], UNRELATED[0][0], sample_weight=weight)
    expected = activation_similarity(CURRENT[0], UNRELATED[0][0], sample_weight=weight)
    torch.testing.assert_close(penalty.total, expected)
    loss = AntiTransferLoss(metric="cosine", aggregation="stochastic_pairwise")
    values = {
        seed: [
            loss(
                CURRENT[0], UNRELATED[0][0], generator=torch.Generator().manual_seed(seed)
            ).total.item()
            for _ in range(2)
        ]
        for seed in range(8)
    }
    assert all(first == second for first, second in values.values())
    assert len({first for first, _ in values.values()}) > 1


def test_it_is_copied_pickled_and_printed():
    loss = AntiTransferLoss(metric="hsic", weight=[1.0, 2.0])
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        torch.testing.assert_close(
            other(CURRENT, *UNRELATED).total, loss(CURRENT, *UNRELATED).total
        )
    assert "metric='hsic', aggregation='spatial_mean', weight=(1.0, 2.0)" in repr(loss)
    assert not list(loss.parameters())


@pytest.mark.parametrize("weight", [-1, math.inf, math.nan, "1", True, None, [1.0, -1.0]])
def test_bad_weights_are_refused(weight):
    with pytest.raises(ValueError, match="'weight' parameter of AntiTransferLoss must be a float"):
        AntiTransferLoss(weight=weight)


def test_bad_calls_are_refused():
    with pytest.raises(ValueError, match=r"metric must be a callable or one of \['adver.*'cka'"):
        AntiTransferLoss(metric="nope")
    with pytest.raises(ValueError, match="Did you mean 'spatial_mean'"):
        AntiTransferLoss(aggregation="spacial_mean")
    with pytest.raises(ValueError, match="at least one unrelated network"):
        AntiTransferLoss()(CURRENT)
    with pytest.raises(ValueError, match=r"network 1 has activations of 1 layers.* has 2"):
        AntiTransferLoss()(CURRENT, UNRELATED[0], UNRELATED[1][:1])
    with pytest.raises(ValueError, match=r"'weight' .* each of the 2 unrelated networks"):
        AntiTransferLoss(weight=[1.0])(CURRENT, *UNRELATED)
    with pytest.raises(ValueError, match=r"'layer_weight' .* each of the 2 layers"):
        AntiTransferLoss(layer_weight=[1.0])(CURRENT, *UNRELATED)


# ---- activation_similarity: arguments -----------------------------------------------------


def gap(a, b):
    return (a - b).square().mean()


def weighted_gap(a, b, sample_weight=None):
    return ((a - b).square().flatten(1).mean(1) * sample_weight).sum()


def halves(x):
    return x.flatten(1).unflatten(1, (2, -1))


def test_callables():
    a, b = CURRENT[0], UNRELATED[0][0]
    expected = gap(a.mean(dim=1), b.mean(dim=1))
    torch.testing.assert_close(
        activation_similarity(a, b, metric=gap, aggregation="mean"), expected
    )
    value = activation_similarity(a, b, metric="cosine", aggregation=halves)
    expected = torch.cosine_similarity(halves(a), halves(b), dim=2).mean()
    torch.testing.assert_close(value, expected)
    by_vectors = activation_similarity(a, b, metric="cka", aggregation=halves)
    by_maps = activation_similarity(a, b, metric="cka", aggregation="none")
    torch.testing.assert_close(by_vectors, by_maps)
    for aggregation, shape in [
        ("gram", (6, 4, 4)),
        ("batch_gram", (24, 24)),
        ("pairwise", (6, 48)),
    ]:
        shapes = []

        def spy(x, y, shapes=shapes):
            shapes.extend([tuple(x.shape), tuple(y.shape)])
            return x.sum()

        activation_similarity(a, b, metric=spy, aggregation=aggregation)
        assert shapes == [shape, shape]
    with pytest.raises(ValueError, match="'gap' takes no sample_weight"):
        activation_similarity(a, b, metric=gap, sample_weight=torch.ones(6))
    activation_similarity(a, b, metric=weighted_gap, sample_weight=torch.ones(6))
    with pytest.raises(ValueError, match=r"must return a tensor with one number. Got \(6, 4\)"):
        activation_similarity(a, b, metric=torch.sub)
    with pytest.raises(ValueError, match=r"must return a tensor of shape \(6, ..., length\)"):
        activation_similarity(a, b, aggregation=torch.sum)


def test_pairs_of_callables_are_the_built_in_pairwise():
    a, b = CURRENT[0], UNRELATED[0][0]

    def cosine(x, y):
        return torch.cosine_similarity(x, y, dim=-1).mean()

    explicit = activation_similarity(a, b, metric=cosine, aggregation="pairwise")
    torch.testing.assert_close(
        explicit, activation_similarity(a, b, metric="cosine", aggregation="pairwise")
    )


@pytest.mark.parametrize(
    ("aggregation", "other", "differ"),
    [
        ("none", (6, 5, 3), "channels"),
        ("none", (6, 4, 2), "positions"),
        ("pairwise", (6, 5, 2), "channels and positions"),
        ("mean", (6, 4, 2), "positions"),
        ("spatial_mean", (6, 5, 3), "channels"),
        ("gram", (6, 5, 3), "channels"),
        ("batch_gram", (6, 5, 3), "channels"),
    ],
)
def test_shapes_that_cannot_be_compared(aggregation, other, differ):
    b = normal(other)
    with pytest.raises(ValueError) as error:
        activation_similarity(CURRENT[0], b, metric="cosine", aggregation=aggregation)
    message = str(error.value)
    for part in ("(6, 4, 3)", str(other), f"the same {differ}", "'cka', 'cross_correlation'"):
        assert part in message
    value = activation_similarity(CURRENT[0], b, metric="cka", aggregation=aggregation)
    assert 0 <= value.item() <= 1


def test_shapes_that_can_be_compared_though_they_differ():
    for aggregation, other in [("mean", (6, 7, 3)), ("spatial_mean", (6, 4, 9, 2))]:
        activation_similarity(CURRENT[0], normal(other), metric="cosine", aggregation=aggregation)


@pytest.mark.parametrize(
    ("a", "b", "error", "match"),
    [
        ([[1.0]], torch.ones(1, 1), TypeError, "current must be a torch.Tensor. Got list"),
        (torch.ones(2, 2), torch.ones(2, 2).int(), TypeError, "unrelated must have a floating"),
        (torch.ones(2), torch.ones(2), ValueError, r"\(n_samples, n_channels.*Got \(2,\)"),
        (torch.ones(0, 2), torch.ones(0, 2), ValueError, r"none of them 0. Got \(0, 2\)"),
        (
            torch.ones(2, 2),
            torch.ones(3, 2),
            ValueError,
            r"the same samples.*\(2, 2\) and \(3, 2\)",
        ),
    ],
)
def test_bad_activations_are_refused(a, b, error, match):
    with pytest.raises(error, match=match):
        activation_similarity(a, b)


def test_weights_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"must have shape \(6,\).*Got \(5,\)"):
        activation_similarity(CURRENT[0], UNRELATED[0][0], sample_weight=torch.ones(5))


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match=r"must not be negative. Got -1"):
        activation_similarity(CURRENT[0], UNRELATED[0][0], sample_weight=[-1.0, 1, 1, 1, 1, 1])


@pytest.mark.parametrize("metric", ["cka", "hsic", "cosine", "sigmoid_mse"])
def test_a_batch_without_weight_has_no_similarity(metric):
    a = CURRENT[0].clone().requires_grad_()
    value = activation_similarity(a, UNRELATED[0][0], metric=metric, sample_weight=torch.zeros(6))
    value.backward()
    assert value.item() == 0
    assert not a.grad.any()


# ---- registries ---------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["ckaa", None, 3, ["cka"]])
def test_bad_names_list_the_good_ones(wrong):
    with pytest.raises(ValueError, match=r"metric must be .*'cka', 'cosine', .*Got ") as error:
        get_metric(wrong)
    assert ("Did you mean 'cka'?" in str(error.value)) == (wrong == "ckaa")
    with pytest.raises(ValueError, match="aggregation must be"):
        get_aggregation(wrong)
    with pytest.raises(ValueError, match="weight_schedule must be"):
        get_weight_schedule(wrong)


def test_callables_are_passed_through():
    assert get_metric(gap) is gap
    assert get_aggregation(halves).rows is halves
    assert not is_batch_metric(gap)


# ---- schedules ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", get_weight_schedule_names())
@pytest.mark.parametrize("max_epochs", [1, 2, 7, 30])
def test_schedules_stay_between_0_and_1(name, max_epochs):
    schedule = get_weight_schedule(name)
    factors = [schedule(epoch, max_epochs) for epoch in range(max_epochs)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) == 1
    assert factors == sorted(factors, reverse=name == "cosine")


def test_schedules_are_what_they_say():
    assert [get_weight_schedule("linear_warmup")(e, 8) for e in range(6)] == [
        0.25, 0.5, 0.75, 1, 1, 1,
    ]  # fmt: skip
    cosine = [get_weight_schedule("cosine")(epoch, 4) for epoch in range(4)]
    assert cosine == pytest.approx([1, 0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125)])
    assert get_weight_schedule("constant")(3, 4) == 1


def halving(epoch):
    return 0.5**epoch


def test_a_callable_takes_the_epoch():
    schedule = pickle.loads(pickle.dumps(get_weight_schedule(halving)))
    assert [schedule(epoch, 10) for epoch in range(3)] == [1, 0.5, 0.25]
    for wrong in (-1.0, math.nan, math.inf, "1", None, True):
        with pytest.raises(ValueError, match=r"weight_schedule must return a float in \[0, inf\)"):
            get_weight_schedule(lambda epoch, wrong=wrong: wrong)(0, 1)

"""The learning rate, the norm of the gradients and the weight decay: what a network trains by."""

import inspect

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping, LRScheduler
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.estimators._clipping import clip_gradients
from atl_sklearn.estimators._learning_rate import get_lr_schedule
from tests.estimators.test_training import same_state, state_of

FAST = {"max_epochs": 4, "random_state": 0}
N_BATCHES = 3  # of 32 in the 90 samples of `tabular`


class Rates(Callback):
    """Notes the learning rate and the first beta of every step."""

    def on_train_begin(self, net, **kwargs):
        self.rates_, self.betas_ = [], []

    def on_grad_computed(self, net, **kwargs):
        group = net.optimizer_.param_groups[0]
        self.rates_.append(group["lr"])
        self.betas_.append(group.get("betas", (None,))[0])


def rates_of(X, y, **params):
    net = AntiTransferClassifier(**{**FAST, "callbacks": [("rates", Rates())], **params}).fit(X, y)
    return dict(net.callbacks_)["rates"]


# ---- schedules ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [10, 27, 100])
def test_one_cycle_is_that_of_torch(n_steps):
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.003)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.003, total_steps=n_steps)
    schedule = get_lr_schedule("one_cycle")
    for step in range(n_steps):
        assert schedule(0.003, step, n_steps) == optimizer.param_groups[0]["lr"]
        optimizer.step()
        if step < n_steps - 1:
            scheduler.step()


def test_cosine_is_that_of_torch():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    for step in range(20):
        expected = optimizer.param_groups[0]["lr"]
        assert get_lr_schedule("cosine")(0.1, step, 20) == pytest.approx(expected, rel=1e-9)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("n_steps", range(1, 10))
def test_a_cycle_of_few_steps_begins_at_the_rate(n_steps):
    schedule = get_lr_schedule("one_cycle")
    rates = [schedule(1.0, step, n_steps) for step in range(n_steps)]
    assert rates[0] == 1
    assert rates == sorted(rates, reverse=True)


def test_the_rate_of_each_step(tabular):
    X, y, _ = tabular
    n_steps = N_BATCHES * FAST["max_epochs"]
    for name in ("one_cycle", "cosine", "constant"):
        expected = [get_lr_schedule(name)(0.003, step, n_steps) for step in range(n_steps)]
        assert rates_of(X, y, lr_schedule=name).rates_ == expected
    found = rates_of(X, y, lr=0.5, lr_schedule=lambda progress: 1 - progress).rates_
    np.testing.assert_allclose(found, 0.5 * (1 - np.arange(n_steps) / n_steps))


def test_the_history_has_the_rate_and_the_optimizer_keeps_its_own(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(lr_schedule="cosine", **FAST).fit(X, y)
    n_steps = N_BATCHES * FAST["max_epochs"]
    expected = [get_lr_schedule("cosine")(0.003, step, n_steps) for step in (2, 5, 8, 11)]
    assert net.history[:, "lr"] == expected
    assert net.optimizer_.param_groups[0]["lr"] == 0.003
    assert net.optimizer_.param_groups[0]["betas"] == (0.9, 0.999)


def test_momentum_moves_against_the_rate_unless_it_is_the_users(tabular):
    X, y, _ = tabular
    found = rates_of(X, y)
    assert max(found.betas_) == found.betas_[0] == pytest.approx(0.95)
    assert found.betas_[int(np.argmax(found.rates_))] < 0.88
    assert set(rates_of(X, y, optimizer__betas=(0.8, 0.9)).betas_) == {0.8}
    assert set(rates_of(X, y, lr_schedule="cosine").betas_) == {0.9}
    net = AntiTransferClassifier(optimizer=torch.optim.SGD, optimizer__momentum=0.7, **FAST)
    assert net.fit(X, y).optimizer_.param_groups[0]["momentum"] == 0.7


def test_each_call_is_one_schedule(tabular):
    X, y, _ = tabular
    callbacks = [("rates", Rates())]
    net = AntiTransferClassifier(callbacks=callbacks, warm_start=True, **FAST).fit(X, y)
    first = dict(net.callbacks_)["rates"].rates_
    for again in (net.partial_fit, net.fit):
        again(X, y)
        assert dict(net.callbacks_)["rates"].rates_ == first


def test_a_constant_rate_makes_parts_a_whole_and_a_cycle_does_not(tabular):
    X, y, _ = tabular
    for name, equal in (("constant", True), ("one_cycle", False)):
        whole = AntiTransferClassifier(lr_schedule=name, random_state=0, max_epochs=4).fit(X, y)
        parts = AntiTransferClassifier(lr_schedule=name, random_state=0, max_epochs=2).fit(X, y)
        assert same_state(state_of(whole), state_of(parts.partial_fit(X, y))) is equal


def test_a_scheduler_among_the_callbacks_wins(tabular, capsys):
    X, y, _ = tabular
    scheduler = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.1)
    params = {"callbacks": [scheduler, ("rates", Rates())], "verbose": 1}
    found = rates_of(X, y, **params).rates_
    np.testing.assert_allclose(found, [0.003] * 6 + [0.0003] * 6)
    assert "LRScheduler sets the learning rate; lr_schedule='one_cycle' is not used" in (
        capsys.readouterr().out
    )


class Halves(Callback):
    def on_epoch_begin(self, net, **kwargs):
        for group in net.optimizer_.param_groups:
            group["lr"] /= 2


def test_a_callback_that_sets_the_rate_wins(tabular):
    X, y, _ = tabular
    found = rates_of(X, y, callbacks=[Halves(), ("rates", Rates())]).rates_
    np.testing.assert_allclose(found[::3], 0.003 / 2 ** np.arange(1, 5))


def test_groups_keep_their_proportions(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        optimizer__param_groups=[("head.*", {"lr": 0.03})], lr_schedule="cosine",
        callbacks=[("rates", Rates())], **FAST,
    ).fit(X, y)  # fmt: skip
    assert dict(net.callbacks_)["rates"].rates_[0] == 0.03
    assert [group["lr"] for group in net.optimizer_.param_groups] == [0.03, 0.003]


class Endless:
    """An iterator of the user's that does not say how many batches it has."""

    def __init__(self, dataset, batch_size, **kwargs):
        self.loader = torch.utils.data.DataLoader(dataset, batch_size=batch_size)

    def __iter__(self):
        return iter(self.loader)


def test_an_iterator_without_a_length_has_a_rate_by_epoch(tabular):
    X, y, _ = tabular
    found = rates_of(X, y, iterator_train=Endless, lr_schedule="cosine").rates_
    expected = [get_lr_schedule("cosine")(0.003, epoch, 4) for epoch in range(4)]
    assert found == [rate for rate in expected for _ in range(N_BATCHES)]


def test_an_early_end_cuts_the_schedule_off(tabular):
    X, y, _ = tabular
    stop = EarlyStopping("train_loss", patience=1, threshold=10.0)
    found = rates_of(X, y, callbacks=[stop, ("rates", Rates())]).rates_
    whole = rates_of(X, y).rates_
    assert found == whole[: len(found)]
    assert len(found) < len(whole)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_an_optimizer_that_evaluates_several_times_in_a_step(tabular, schedule):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        optimizer=torch.optim.LBFGS, lr=1.0, batch_size=-1, lr_schedule=schedule,
        **{**FAST, "max_epochs": 8},
    ).fit(X, y)  # fmt: skip
    assert net.score(X, y) > 0.95


@pytest.mark.parametrize("schedule", [lambda progress: -1, lambda progress: None])
def test_a_callable_must_return_a_factor(tabular, schedule):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"'lr_schedule' parameter .* returns a float"):
        AntiTransferClassifier(lr_schedule=schedule, **FAST).fit(X, y)


# ---- gradients ----------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [0.1, 5.0, 100.0])
def test_clipping_is_that_of_torch(norm):
    torch.manual_seed(1)
    shapes = [(20, 10), (20,), (3, 20)]
    ours, theirs = (
        [nn.Parameter(torch.zeros(shape)) for shape in shapes] + [nn.Parameter(torch.zeros(1))]
        for _ in range(2)
    )
    for one, other in zip(ours[:3], theirs[:3], strict=True):
        one.grad = torch.randn_like(one)
        other.grad = one.grad.clone()
    clip_gradients(ours, norm)
    torch.nn.utils.clip_grad_norm_(theirs, norm)
    for one, other in zip(ours[:3], theirs[:3], strict=True):
        assert torch.equal(one.grad, other.grad)


class Norms(Callback):
    """Notes the change that a step of plain gradient descent makes."""

    def on_train_begin(self, net, **kwargs):
        self.norms_ = []

    def on_batch_begin(self, net, training, **kwargs):
        self.before = [p.detach().clone() for p in net.module_.parameters()]

    def on_batch_end(self, net, training, **kwargs):
        parameters = net.module_.parameters()
        change = [p.detach() - b for p, b in zip(parameters, self.before, strict=True)]
        self.norms_.append(float(torch.cat([c.flatten() for c in change]).norm()))


def test_parameters_are_listed_once_an_epoch(tabular):
    X, y, _ = tabular

    class Counting(AntiTransferClassifier):
        listed = 0

        def get_all_learnable_params(self):
            self.__dict__["listed"] = self.listed + 1
            return super().get_all_learnable_params()

    counts = [
        Counting(max_epochs=3, random_state=0, max_grad_norm=norm).fit(X, y).listed
        for norm in (None, 1.0)
    ]
    assert counts[1] - counts[0] == 3  # and not in each of the 9 steps


def largest_step(X, y, **params):
    net = AntiTransferClassifier(
        **{
            "optimizer": torch.optim.SGD, "lr": 1.0, "lr_schedule": "constant", "weight_decay": 0,
            "callbacks": [("norms", Norms())], "max_epochs": 1, "random_state": 0, **params,
        }
    ).fit(X, y)  # fmt: skip
    return max(dict(net.callbacks_)["norms"].norms_)


def test_steps_are_bounded_by_the_norm(tabular):
    X, y, _ = tabular
    free = largest_step(X, y, max_grad_norm=None)
    assert free > 0.1
    assert largest_step(X, y, max_grad_norm=0.05) == pytest.approx(0.05, rel=1e-3)
    assert largest_step(X, y, max_grad_norm=100 * free) == free


def test_clipping_among_the_callbacks_wins(tabular):
    X, y, _ = tabular
    callbacks = [GradientNormClipping(0.2), ("norms", Norms())]
    found = largest_step(X, y, max_grad_norm=0.05, callbacks=callbacks)
    assert found > 0.1


# ---- weight decay -------------------------------------------------------------------------


def test_weight_decay_reaches_optimizers_that_have_one(tabular):
    X, y, _ = tabular

    def decay_of(**params):
        net = AntiTransferClassifier(max_epochs=1, random_state=0, **params).fit(X, y)
        return net.optimizer_.param_groups[0].get("weight_decay")

    assert decay_of() == 1e-4
    assert decay_of(weight_decay=0.1) == 0.1
    assert decay_of(weight_decay=0.1, optimizer__weight_decay=0.2) == 0.2
    assert decay_of(optimizer=torch.optim.SGD, weight_decay=0.3) == 0.3
    assert decay_of(optimizer=torch.optim.Rprop) is None


# ---- parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [AntiTransferClassifier, AntiTransferRegressor])
@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"lr_schedule": "one_cylce"}, "lr_schedule must be .*Did you mean 'one_cycle'"),
        ({"lr_schedule": 3}, "lr_schedule must be a callable or one of"),
        ({"max_grad_norm": 0}, "'max_grad_norm' parameter of .* must be None or a float in"),
        ({"max_grad_norm": np.nan}, "'max_grad_norm' parameter"),
        ({"max_grad_norm": True}, "'max_grad_norm' parameter"),
        ({"weight_decay": -1}, r"'weight_decay' parameter of .* must be a float in \[0, inf\)"),
        ({"weight_decay": None}, "'weight_decay' parameter"),
    ],
)
def test_bad_values_are_refused(estimator, parameters, match, tabular):
    X, y, _ = tabular
    net = estimator(**parameters)
    with pytest.raises((TypeError, ValueError), match=match):
        net.fit(X, y)
    assert not hasattr(net, "module_")


def test_classifier_and_regressor_have_one_recipe():
    ours, theirs = (
        inspect.signature(estimator).parameters
        for estimator in (AntiTransferClassifier, AntiTransferRegressor)
    )
    for name in ("lr_schedule", "max_grad_norm", "weight_decay", "optimizer", "max_epochs"):
        assert ours[name].default == theirs[name].default


def test_float16_is_clipped_after_it_is_unscaled(tabular):
    X, y, _ = tabular
    half = AntiTransferClassifier(precision="float16", **FAST).fit(X, y)
    single = AntiTransferClassifier(**FAST).fit(X, y)
    assert half.history[-1, "train_loss"] == pytest.approx(
        single.history[-1, "train_loss"], rel=0.05
    )

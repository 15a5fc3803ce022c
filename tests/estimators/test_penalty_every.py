"""The penalty in some of the steps, which count for the others too."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.estimators._in_turn import InTurn
from atl_sklearn.modules import MLP

N = 80
RNG = np.random.RandomState(0)
X = RNG.normal(size=(N, 5)).astype(np.float32)
Y, NUISANCE = (X[:, 0] + X[:, 1] > 0).astype(int), (X[:, 1] > 0).astype(int)
X_UNLABELED = RNG.normal(size=(150, 5)).astype(np.float32)
# Ten steps an epoch.
PARAMS = {
    "batch_size": 8, "max_epochs": 2, "random_state": 0, "module__hidden_layer_sizes": (6,),
    "weight": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def unrelated():
    return AntiTransferClassifier(max_epochs=3, random_state=0).fit(X, NUISANCE)


def weights_of(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


def compared(net):
    """Return for each epoch the steps that have a penalty."""
    return [
        [step for step, row in enumerate(epoch["batches"]) if "train_penalty" in row]
        for epoch in net.history
    ]


def turns_of(turns, n_steps, epoch):
    """Return for each step of an epoch whether it is one that compares."""
    turns.begin(n_steps, epoch)
    now = []
    for _ in range(n_steps):
        turns.count()
        now.append(turns.now)
    return now


@pytest.mark.parametrize("every", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 7, 10, 11])
def test_a_training_weighs_the_same(every, n_steps):
    turns = InTurn(every)
    epochs = [turns_of(turns, n_steps, epoch) for epoch in range(every)]
    assert all(any(now) for now in epochs)
    # After k epochs, all steps have been counted for, however long an epoch is.
    assert sum(map(sum, epochs)) * turns.factor == every * n_steps
    assert epochs[0][0]


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_every_kth_step_across_epochs(every):
    turns = InTurn(every)
    now = [one for epoch in range(5) for one in turns_of(turns, 10, epoch)]
    assert now == [step % every == 0 for step in range(50)]


def test_where_an_epoch_is_known_alone_its_turns_are_too():
    everything = InTurn(6)
    expected = [turns_of(everything, 8, epoch) for epoch in range(4)]
    assert [turns_of(InTurn(6), 8, epoch) for epoch in range(4)] == expected


def test_where_the_number_of_steps_is_not_known_each_counts_as_many_times():
    turns = InTurn(4)
    turns.begin(None)
    assert turns.factor == 4


def test_1_is_every_step(unrelated):
    net = AntiTransferClassifier(unrelated=unrelated, penalty_every=1, **PARAMS).fit(X, Y)
    assert compared(net) == [list(range(10))] * 2


@pytest.mark.parametrize(
    ("unlabeled", "penalty_data", "every", "steps"),
    [
        (None, "auto", 4, [[0, 4, 8], [2, 6]]),
        (X_UNLABELED, "train", 4, [[0, 4, 8], [2, 6]]),
        (X_UNLABELED, "auto", 6, [[0, 6], [2, 8]]),
        (X_UNLABELED, "both", 6, [[0, 6], [2, 8]]),
    ],
)
def test_the_default_goes_by_the_data(unrelated, unlabeled, penalty_data, every, steps):
    params = {"unrelated": unrelated, "penalty_data": penalty_data, **PARAMS}
    default = AntiTransferClassifier(**params).fit(X, Y, X_unlabeled=unlabeled)
    assert compared(default) == steps
    net = AntiTransferClassifier(penalty_every=every, **params).fit(X, Y, X_unlabeled=unlabeled)
    assert torch.equal(weights_of(net), weights_of(default))


@pytest.mark.parametrize("target", [0.3, [0.3]])
@pytest.mark.parametrize("unlabeled", [None, X_UNLABELED])
def test_a_target_is_corrected_in_every_step(unrelated, unlabeled, target):
    params = {**PARAMS, "unrelated": [unrelated], "target_similarity": target}
    net = AntiTransferClassifier(**params).fit(X, Y, X_unlabeled=unlabeled)
    assert compared(net) == [list(range(10))] * 2


@pytest.mark.parametrize("unlabeled", [None, X_UNLABELED])
def test_a_training_that_goes_on_compares_in_the_same_steps(unrelated, unlabeled):
    params = {"unrelated": unrelated, **PARAMS, "lr_schedule": "constant"}
    once = AntiTransferClassifier(**{**params, "max_epochs": 3}).fit(X, Y, X_unlabeled=unlabeled)
    parts = AntiTransferClassifier(**{**params, "max_epochs": 1})
    for _ in range(3):
        parts.partial_fit(X, Y, X_unlabeled=unlabeled)
    assert compared(parts) == compared(once)
    assert torch.equal(weights_of(parts), weights_of(once))


@pytest.mark.parametrize("unlabeled", [None, X_UNLABELED])
def test_the_first_step_and_every_kth_after_it(unrelated, unlabeled):
    net = AntiTransferClassifier(unrelated=unrelated, penalty_every=4, **PARAMS)
    net.fit(X, Y, X_unlabeled=unlabeled)
    assert compared(net) == [[0, 4, 8], [2, 6]]
    for epoch in net.history:
        rows = [row for row in epoch["batches"] if "train_penalty" in row]
        mean = np.mean([row["train_penalty"] for row in rows])
        assert epoch["train_penalty"] == pytest.approx(mean)
        assert epoch["penalty_weight"] == 1.0


class Counting(MLP):
    """Counts the samples that it is called on while training."""

    def forward(self, x):
        if self.training:
            self.__dict__["seen"] = self.__dict__.get("seen", 0) + len(x)
        return super().forward(x)


def test_unlabeled_batches_are_drawn_for_the_steps_that_compare(unrelated):
    net = AntiTransferClassifier(
        Counting, unrelated=unrelated, penalty_every=4, penalty_batch_size=30, **PARAMS
    )
    net.fit(X, Y, X_unlabeled=X_UNLABELED)
    assert net.module_.seen == 2 * N + 5 * 30


class FirstGradient(Callback):
    """Keeps the gradient of the first step."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        if not hasattr(self, "gradient_"):
            self.gradient_ = torch.cat([p.grad.flatten().clone() for _, p in named_parameters])


def test_the_gradient_is_as_many_times_larger(unrelated):
    def first(**kwargs):
        seen = FirstGradient()
        params = {**PARAMS, "batch_size": N // 2, "callbacks": [seen], "max_grad_norm": None}
        net = AntiTransferClassifier(unrelated=unrelated, **{**params, **kwargs}).fit(X, Y)
        return dict(net.callbacks_)["FirstGradient"].gradient_

    plain, once, twice = first(weight=0), first(penalty_every=1), first(penalty_every=2)
    assert (once - plain).norm() > 1e-3
    torch.testing.assert_close(twice - plain, 2 * (once - plain), atol=1e-5, rtol=1e-4)


def test_readers_of_adversaries_learn_in_the_same_steps(unrelated):
    net = AntiTransferClassifier(
        unrelated=unrelated, metric="adversarial", penalty_every=5, **PARAMS
    )
    steps = []
    step = torch.optim.AdamW.step

    class Counted(torch.optim.AdamW):
        def step(self, closure=None):
            steps.append(len(self.param_groups[0]["params"]))
            return step(self, closure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.optim.AdamW", Counted)
        net.set_params(optimizer="sgd", lr=0.01).fit(X, Y)
    assert compared(net) == [[0, 5]] * 2
    assert len(steps) == 4


def test_own_train_step(unrelated):
    class Own(AntiTransferClassifier):
        def train_step(self, batch, **fit_params):
            self._zero_grad_optimizer()
            step = self.train_step_single(batch, **fit_params)
            self.optimizer_.step()
            return step

    net = Own(unrelated=unrelated, penalty_every=4, **PARAMS).fit(X, Y, X_unlabeled=X_UNLABELED)
    assert compared(net) == [[0, 4, 8], [2, 6]]


def test_validation_compares_always(unrelated):
    net = AntiTransferClassifier(
        unrelated=unrelated, penalty_every=4, train_split=0.25, **PARAMS
    ).fit(X, Y)
    rows = [row for row in net.history[-1]["batches"] if "valid_batch_size" in row]
    assert rows and all("valid_penalty" in row for row in rows)

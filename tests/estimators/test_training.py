"""Seeds, history, schedules, losses that are not finite, and what skorch nets can do."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold
from skorch import NeuralNetClassifier
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LoadInitState,
    LRScheduler,
)
from skorch.dataset import ValidSplit
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, NonFiniteLossError
from atl_sklearn.modules import MLP

FAST = {"max_epochs": 2, "random_state": 0}


def state_of(net):
    return {name: value.clone() for name, value in net.module_.state_dict().items()}


def same_state(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


# ---- seeds --------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [AntiTransferClassifier, AntiTransferRegressor])
def test_the_same_seed_gives_the_same_network(estimator, tabular, unrelated):
    X, y, _ = tabular
    parameters = {"unrelated": unrelated, "max_epochs": 2, "module__dropout": 0.3}
    one, same, other = (estimator(random_state=seed, **parameters).fit(X, y) for seed in (0, 0, 1))
    assert same_state(state_of(one), state_of(same))
    assert not same_state(state_of(one), state_of(other))
    again = one.fit(X, y)
    assert same_state(state_of(again), state_of(same))


def test_the_global_generators_are_untouched(tabular, unrelated):
    X, y, _ = tabular
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    net = AntiTransferClassifier(
        unrelated=unrelated, metric="cosine", aggregation="stochastic_pairwise", layer=0, **FAST
    )
    net.fit(X, y).partial_fit(X, y).predict(X)
    net.set_params(module__dropout=0.5)
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


def test_without_a_seed_networks_differ(tabular):
    X, y, _ = tabular
    one, other = (AntiTransferClassifier(max_epochs=1).fit(X, y) for _ in range(2))
    assert not same_state(state_of(one), state_of(other))


def test_training_in_parts_is_training_at_once(tabular, unrelated):
    X, y, _ = tabular
    parameters = {"unrelated": unrelated, "random_state": 0, "module__dropout": 0.3}
    parameters |= {"lr_schedule": "constant", "weight": 1.0}
    whole = AntiTransferClassifier(max_epochs=4, **parameters).fit(X, y)
    parts = AntiTransferClassifier(max_epochs=2, **parameters).fit(X, y).partial_fit(X, y)
    warm = AntiTransferClassifier(max_epochs=2, warm_start=True, **parameters).fit(X, y).fit(X, y)
    for net in (parts, warm):
        assert same_state(state_of(net), state_of(whole))
        assert net.history[:, "train_penalty"] == whole.history[:, "train_penalty"]


def test_a_plain_network_is_that_of_skorch(tabular):
    """One that skorch alone trains on the same batches is the same, bit for bit."""
    X, y, _ = tabular
    plain = AntiTransferClassifier(
        iterator_train__shuffle=False, module__standardize=False, **{**FAST, "max_epochs": 5}
    )
    n_batches = -(-len(X) // 32)
    net = clone(plain).set_params(optimizer__fused=False).fit(X, y)
    torch.default_generator.manual_seed(net._stream().seed)
    stock = NeuralNetClassifier(
        MLP((6,), 2), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=0.003,
        max_epochs=5, batch_size=32, train_split=None, verbose=0, optimizer__weight_decay=1e-4,
        callbacks=[
            GradientNormClipping(5),
            LRScheduler(
                torch.optim.lr_scheduler.OneCycleLR, max_lr=0.003, total_steps=5 * n_batches,
                step_every="batch",
            ),
        ],
    ).fit(X.astype(np.float32), y)  # fmt: skip
    assert same_state(state_of(net), state_of(stock))
    # The optimizer's fused form, which is the default, rounds in another order.
    for ours, theirs in zip(
        plain.fit(X, y).module_.parameters(), net.module_.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert net.history[:, "train_loss"] == stock.history[:, "train_loss"]


# ---- history ------------------------------------------------------------------------------


def test_history_has_task_loss_penalty_and_weight_for_both_stages(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=unrelated,
        weight=0.5,
        penalty_every=1,
        train_split=ValidSplit(4, stratified=True),
        **FAST,
    ).fit(X, y)
    for row in net.history:
        assert row["penalty_weight"] == 0.5
        assert 0 < row["train_penalty"] <= 1
        assert 0 < row["valid_penalty"] <= 1
        objective = row["train_loss"] + 0.5 * row["train_penalty"]
        assert row["train_objective"] == pytest.approx(objective, rel=1e-5)
    _, valid = net.get_split_datasets(X, y)
    indices = valid.indices
    with torch.no_grad():
        loss = nn.functional.cross_entropy(net.forward(X[indices]), torch.tensor(y[indices]))
    assert net.history[-1, "valid_loss"] == pytest.approx(float(loss), rel=1e-5)


def test_the_table_prints_them(tabular, unrelated, capsys):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, verbose=2, **FAST).fit(X, y)
    where, header, *_ = capsys.readouterr().out.splitlines()
    assert where.startswith("Unrelated activations of training data: kept in memory (")
    for column in ("train_loss", "train_penalty", "penalty_weight", "train_objective"):
        assert column in header
    AntiTransferClassifier(unrelated=unrelated, **FAST).fit(X, y)
    assert capsys.readouterr().out == ""
    assert len(net.history) == 2


def halving(epoch):
    return 0.5**epoch


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        (halving, [1, 0.5, 0.25, 0.125]),
        ("cosine", None),
        ("linear_warmup", None),
    ],
)
def test_the_weight_follows_its_schedule(schedule, factors, tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=unrelated,
        weight=2.0,
        penalty_every=1,
        weight_schedule=schedule,
        max_epochs=4,
        random_state=0,
    ).fit(X, y)
    weights = net.history[:, "penalty_weight"]
    if factors is not None:
        assert weights == [2.0 * factor for factor in factors]
    else:
        assert weights == sorted(weights, reverse=schedule == "cosine")
        assert len(set(weights)) > 1
    for row in net.history:
        objective = row["train_loss"] + row["penalty_weight"] * row["train_penalty"]
        assert row["train_objective"] == pytest.approx(objective, rel=1e-5)


def negative(epoch):
    return -1.0


def test_a_schedule_must_return_a_factor(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, weight_schedule=negative)
    with pytest.raises(ValueError, match="weight_schedule"):
        net.fit(X, y)


# ---- not finite ---------------------------------------------------------------------------


def test_an_exploding_loss_stops_with_the_last_finite_weights(tabular):
    X, y, _ = tabular
    net = AntiTransferRegressor(
        lr=1e18, optimizer=torch.optim.SGD, max_epochs=5, batch_size=-1, random_state=0
    )
    with pytest.raises(NonFiniteLossError, match=r"not finite in epoch \d\..*Lower lr") as error:
        net.fit(X, 1e3 * y)
    assert "train task loss" in str(error.value) or "weights" in str(error.value)
    assert all(torch.isfinite(value).all() for value in net.module_.state_dict().values())
    with pytest.raises(NotFittedError):
        net.predict(X)


def exploding(current, unrelated):
    return current.sum() * torch.inf


def vanishing_gradient_is_nan(current, unrelated):
    return torch.sqrt((current - current.detach()).square().sum())


def test_a_penalty_that_is_not_finite_is_named(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, metric=exploding, layer=0, **FAST)
    with pytest.raises(NonFiniteLossError, match=r"train penalty is not finite in epoch 1.*weight"):
        net.fit(X, y)
    assert all(torch.isfinite(value).all() for value in net.module_.state_dict().values())


def test_weights_that_are_not_finite_after_the_last_step_are_noticed(tabular, unrelated):
    """Finite losses with a NaN gradient: the loss of a single step would never show it."""
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=unrelated, metric=vanishing_gradient_is_nan, layer=0, batch_size=-1,
        max_epochs=1, random_state=0,
    )  # fmt: skip
    with pytest.raises(NonFiniteLossError, match="weights of the network is not finite in epoch 1"):
        net.fit(X, y)
    assert all(torch.isfinite(value).all() for value in net.module_.state_dict().values())


@pytest.mark.parametrize("lr", [1e20, 1e38])  # weights that are finite, but useless, and infinite
def test_a_fitted_network_survives_a_failed_continuation(tabular, lr):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y)
    proba = net.predict_proba(X)
    net.set_params(lr=lr)
    with pytest.raises(NonFiniteLossError):
        net.partial_fit(X * 1e15, y)
    np.testing.assert_array_equal(net.predict_proba(X), proba)


# ---- fitted or not ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_initialised_is_not_fitted(method, tabular):
    X, _, _ = tabular
    net = AntiTransferClassifier(module__input_shape=(6,), module__n_outputs=2).initialize()
    with pytest.raises(NotFittedError):
        getattr(net, method)(X)


def test_an_unrelated_network_that_was_only_initialised_is_unfitted(tabular):
    X, y, _ = tabular
    other = AntiTransferClassifier(module__input_shape=(6,), module__n_outputs=2).initialize()
    with pytest.raises(ValueError, match="unfitted AntiTransferClassifier"):
        AntiTransferClassifier(unrelated=other).fit(X, y)


# ---- what skorch nets can do --------------------------------------------------------------


def test_callbacks(tabular, unrelated, tmp_path):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=unrelated,
        weight=1.0,
        penalty_every=1,
        train_split=ValidSplit(4, stratified=True),
        max_epochs=50,
        random_state=0,
        callbacks=[
            ("f1", EpochScoring("f1", lower_is_better=False)),
            ("stop", EarlyStopping(monitor="valid_loss", patience=3)),
            ("schedule", LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=5)),
            ("keep", Checkpoint(monitor="valid_loss_best", dirname=tmp_path, f_pickle="n.pkl")),
        ],
        callbacks__stop__patience=5,
    ).fit(X, np.array(["no", "yes"])[y])
    assert len(net.history) < 50
    assert net.history[-1, "f1"] > 0
    with open(tmp_path / "n.pkl", "rb") as file:
        kept = pickle.load(file)
    assert kept.module_(torch.zeros(1, 6)).shape == (1, 2)
    assert kept._run is None  # what only the fit needs is not in the checkpoint
    best = [row for row in net.history if row["valid_loss_best"]][-1]
    assert kept.history[-1, "train_loss"] == best["train_loss"]
    assert set(kept.predict(X)) <= {"no", "yes"}  # and it predicts, with the labels of the fit
    assert kept.score(X, np.array(["no", "yes"])[y]) > 0.5


class PickledAtOnce(Callback):
    def on_train_begin(self, net, **kwargs):
        self.kept_ = pickle.dumps(net)


def test_a_pickle_of_what_has_learnt_nothing_does_not_predict(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(callbacks=[PickledAtOnce()], **FAST).fit(X, y)
    with pytest.raises(NotFittedError):
        pickle.loads(dict(net.callbacks_)["PickledAtOnce"].kept_).predict(X)


def test_a_training_that_starts_from_checkpoints_of_skorch_has_a_schedule_of_its_own(
    tabular, tmp_path
):
    X, y, _ = tabular

    def fit(lr_schedule):
        saved = Checkpoint(monitor=None, dirname=tmp_path)
        return AntiTransferClassifier(
            callbacks=[LoadInitState(saved), saved], lr_schedule=lr_schedule, lr=0.01,
            max_epochs=3, random_state=0,
        ).fit(X, y)  # fmt: skip

    first = fit("one_cycle")
    # The rates saved are those of the end of a cycle, at which nothing would be learnt.
    assert first.history[-1, "lr"] < 5e-4
    again = fit("one_cycle")
    assert len(again.history) == 6
    assert again.summary_.n_epochs == 3
    assert again.history[3:, "lr"] == first.history[:, "lr"]
    assert again.optimizer_.param_groups[0]["lr"] == pytest.approx(0.01)
    steps = [float(net.optimizer_.state_dict()["state"][0]["step"]) for net in (first, again)]
    assert steps[1] == 2 * steps[0]


def test_early_stopping_sees_the_task_loss(tabular, unrelated):
    """A penalty that dwarfs the task must not be what a callback monitors."""
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=unrelated, weight=1000.0, train_split=ValidSplit(4, stratified=True), **FAST
    ).fit(X, y)
    assert net.history[-1, "valid_loss"] < 10 < net.history[-1, "train_objective"]


def test_parameters_of_parts(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        module__hidden_layer_sizes=(7,),
        optimizer__weight_decay=0.5,
        criterion__label_smoothing=0.1,
        **FAST,
    ).fit(X, y)
    assert net.module_.hidden[0].linear.out_features == 7
    assert net.optimizer_.param_groups[0]["weight_decay"] == 0.5
    assert net.criterion_.label_smoothing == 0.1
    net.set_params(optimizer__weight_decay=0.25, lr=0.5)
    assert net.optimizer_.param_groups[0]["weight_decay"] == 0.25
    assert net.optimizer_.param_groups[0]["lr"] == 0.5


def test_parameters_are_saved_and_loaded(tabular, tmp_path):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y)
    net.save_params(f_params=tmp_path / "p.pt", f_history=tmp_path / "h.json")
    other = AntiTransferClassifier(max_epochs=1, random_state=3).fit(X, y)
    other.load_params(f_params=tmp_path / "p.pt", f_history=tmp_path / "h.json")
    np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))
    assert len(other.history) == 2
    fresh = AntiTransferClassifier(module__input_shape=(6,), module__n_outputs=2, classes=[0, 1])
    fresh.initialize().load_params(f_params=tmp_path / "p.pt")
    np.testing.assert_array_equal(fresh.predict(X), net.predict(X))


def test_optimizers_with_closures_minimise_the_objective(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=unrelated, optimizer=torch.optim.LBFGS, lr=0.05, batch_size=-1, max_epochs=5,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    objective = net.history[:, "train_objective"]
    assert objective[-1] < objective[0]


def test_a_closure_returns_the_objective(tabular, unrelated):
    X, y, _ = tabular
    returned = []

    class Watching(torch.optim.SGD):
        def step(self, closure=None):
            returned.append(super().step(closure).item())

    net = AntiTransferClassifier(
        unrelated=unrelated, weight=3.0, optimizer=Watching, batch_size=-1, max_epochs=3,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    assert returned == pytest.approx(net.history[:, "train_objective"])


def test_overridden_losses_are_used(tabular, unrelated):
    X, y, _ = tabular

    class Doubled(AntiTransferClassifier):
        def get_loss(self, *args, **kwargs):
            return 2 * super().get_loss(*args, **kwargs)

    parameters = {"max_epochs": 1, "batch_size": -1, "random_state": 0}
    doubled = Doubled(unrelated=unrelated, weight=1.0, penalty_every=1, **parameters).fit(X, y)
    single = AntiTransferClassifier(
        unrelated=unrelated, weight=1.0, penalty_every=1, **parameters
    ).fit(X, y)
    expected = pytest.approx(2 * single.history[0, "train_loss"])
    assert doubled.history[0, "train_loss"] == expected
    weight = np.ones(80)
    assert (
        Doubled(**parameters).fit(X, y, sample_weight=weight).history[0, "train_loss"] == expected
    )


def test_fit_arguments_reach_the_network(tabular, unrelated):
    X, y, _ = tabular

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 2)

        def forward(self, x, scale=1.0):
            return self.linear(x) * scale

    net = AntiTransferClassifier(Scaled, batch_size=-1, max_epochs=1, random_state=0)
    net.fit(X, y, scale=0.0)
    assert net.history[0, "train_loss"] == pytest.approx(np.log(2))
    proba = net.predict_proba(X)
    with pytest.raises(TypeError, match=r"arguments \['scales'\]: neither"):
        net.fit(X, y, scales=0.0)
    np.testing.assert_array_equal(net.predict_proba(X), proba)


def test_groups_reach_the_split_and_not_the_network(tabular, unrelated):
    X, y, _ = tabular
    groups = np.arange(80) % 4
    seen = []

    class Watching(AntiTransferClassifier):
        def validation_step(self, batch, **fit_params):
            seen.append(batch.X)
            return super().validation_step(batch, **fit_params)

    net = Watching(unrelated=unrelated, train_split=ValidSplit(GroupKFold(4)), **FAST)
    net.fit(X, y, groups=groups)
    validated = torch.cat(seen[:1]).numpy()
    (group,) = {groups[np.flatnonzero(np.isclose(X[:, 0], row[0]))[0]] for row in validated}
    assert len(validated) == np.sum(groups == group)


def test_a_network_described_anew_is_made_in_the_next_fit(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(warm_start=True, **FAST).fit(X, y)
    proba = net.predict_proba(X)
    net.set_params(module__hidden_layer_sizes=(3,))
    np.testing.assert_array_equal(net.predict_proba(X), proba)
    net.fit(X, y)
    assert net.module_.hidden[0].linear.out_features == 3
    assert len(net.history) == 2
    net.set_params(module__hiden=3)
    with pytest.raises(TypeError, match="hiden"):
        net.partial_fit(X, y)


def test_initialising_again_unfits(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y).initialize()
    with pytest.raises(NotFittedError):
        net.predict(X)


def test_another_unrelated_network_for_the_continuation(tabular, unrelated):
    X, y, nuisance = tabular
    learns = AntiTransferClassifier(max_epochs=20, random_state=0)
    net = AntiTransferClassifier(unrelated=learns, **FAST)
    net.fit(X, y, y_unrelated=nuisance)
    fitted = net.unrelated_
    assert net.partial_fit(X, y).unrelated_ is fitted
    net = pickle.loads(pickle.dumps(net))
    net.partial_fit(X, y).set_params(unrelated=unrelated).partial_fit(X, y)
    assert net.unrelated_ is unrelated
    net.set_params(unrelated=None).partial_fit(X, y)
    assert net.unrelated_ is None
    assert "train_penalty" not in net.history[-1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # by torch, while compiling
def test_a_compiled_network_has_the_same_penalty(tabular, unrelated):
    X, y, _ = tabular
    parameters = {"unrelated": unrelated, "batch_size": -1, **FAST}
    plain = AntiTransferClassifier(**parameters).fit(X, y)
    compiled = AntiTransferClassifier(compile=True, compile__backend="eager", **parameters)
    compiled.fit(X, y)
    np.testing.assert_allclose(
        compiled.history[:, "train_penalty"], plain.history[:, "train_penalty"], rtol=1e-5
    )
    again = copy.deepcopy(plain).partial_fit(X, y).history[:, "train_penalty"]
    compiled.partial_fit(X, y)
    np.testing.assert_allclose(compiled.history[:, "train_penalty"], again, rtol=1e-5)

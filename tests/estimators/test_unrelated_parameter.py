"""What can be passed as `unrelated`, and that nothing ever changes it."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed, parallel_backend
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import DBSCAN
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor

FAST = {"max_epochs": 2, "random_state": 0}
LEARNS = {"max_epochs": 20, "random_state": 0}  # long enough to know the nuisance


def state_of(net):
    module = net if isinstance(net, nn.Module) else net.module_
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_same_state(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def predictions(net, X):
    return net.predict_proba(X)


# ---- sources ------------------------------------------------------------------------------


def module_of(net):
    return net.module_


def frozen_of(net):
    return FrozenEstimator(net)


def pipeline_of(net):
    pipeline = make_pipeline("passthrough", clone(net))
    pipeline.steps[-1] = (pipeline.steps[-1][0], net)
    return pipeline


def frozen_pipeline_of(net):
    return FrozenEstimator(pipeline_of(net))


def identity(net):
    return net


@pytest.mark.parametrize("wrap", [identity, module_of, frozen_of, pipeline_of, frozen_pipeline_of])
def test_every_kind_of_source_is_the_same_network(wrap, tabular, unrelated):
    X, y, _ = tabular
    expected = AntiTransferClassifier(unrelated=unrelated, weight=1.0, penalty_every=1, **FAST).fit(
        X, y
    )
    net = AntiTransferClassifier(
        unrelated=wrap(unrelated), weight=1.0, penalty_every=1, **FAST
    ).fit(X, y)
    assert_same_state(state_of(net), state_of(expected))
    assert net.history[:, "train_penalty"] == expected.history[:, "train_penalty"]


def test_the_penalty_changes_the_network(tabular, unrelated):
    X, y, _ = tabular
    plain = AntiTransferClassifier(**FAST).fit(X, y)
    net = AntiTransferClassifier(unrelated=unrelated, **FAST).fit(X, y)
    assert not np.array_equal(predictions(plain, X), predictions(net, X))


def test_a_skorch_net_is_a_source(tabular):
    X, y, nuisance = tabular
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2), nn.Softmax(dim=-1))
    other = NeuralNetClassifier(module, max_epochs=1, verbose=0, train_split=None)
    other.fit(X.astype(np.float32), nuisance)
    net = AntiTransferClassifier(unrelated=other, **FAST).fit(X, y)
    assert len(net.history[:, "train_penalty"]) == 2


def test_a_regressor_is_a_source(tabular):
    X, y, _ = tabular
    other = AntiTransferRegressor(**FAST).fit(X, X[:, 1])
    net = AntiTransferClassifier(unrelated=other, weight=1.0, **FAST).fit(X, y)
    assert 0 < net.history[-1, "train_penalty"] <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        "speaker",
        BaseEstimator(),
        DBSCAN(),  # which says nothing of samples that it was not fitted on
        nn.Linear,
        AntiTransferClassifier,
        LogisticRegression,
        make_pipeline(StandardScaler(), DBSCAN()),
    ],
)
def test_other_sources_are_refused_before_training(wrong, tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=wrong)
    with pytest.raises(TypeError, match="'unrelated' parameter must be None, a fitted Anti"):
        net.fit(X, y)
    assert not hasattr(net, "module_")
    with pytest.raises(TypeError, match=r"'unrelated\[1\]' parameter must be"):
        AntiTransferClassifier(unrelated=[nn.Linear(6, 2), wrong]).fit(X, y)


# ---- weight 0 -----------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{"weight": 0}, {"weight": 0.0}, {"unrelated": None}])
def test_without_weight_or_network_it_is_the_plain_network_bit_for_bit(
    parameters, images, unrelated_images
):
    X, y, _ = images
    fast = {**FAST, "module__dropout": 0.2}
    plain = AntiTransferClassifier(**fast).fit(X, y)
    net = AntiTransferClassifier(**{"unrelated": unrelated_images, **fast, **parameters}).fit(X, y)
    assert_same_state(state_of(net), state_of(plain))
    assert set(net.history[-1]) == set(plain.history[-1])
    assert not any("penalty" in name for name in net.history[-1])


def test_the_penalty_takes_no_random_numbers_from_the_training(tabular, unrelated):
    """With a vanishing weight the trajectory stays that of the plain network."""
    X, y, _ = tabular
    fast = {**FAST, "module__dropout": 0.3, "precision": "float64"}
    plain = AntiTransferClassifier(**fast).fit(X, y)
    tiny = AntiTransferClassifier(
        unrelated=unrelated, weight=1e-12, aggregation="stochastic_pairwise", metric="cosine",
        layer=0, **fast,
    ).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(predictions(tiny, X), predictions(plain, X), atol=1e-7)


# ---- nothing changes it -------------------------------------------------------------------


class Batched(nn.Module):
    """Has BatchNorm, so that a forward pass in training mode would change it."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(inplace=True), nn.Linear(5, 2)
        )

    def forward(self, x):
        return self.layers(x)


def test_weights_and_buffers_are_bit_identical_after_fit(tabular):
    X, y, nuisance = tabular
    other = AntiTransferClassifier(Batched, **FAST).fit(X, nuisance)
    other.module_.train()
    before = state_of(other)
    net = AntiTransferClassifier(Batched, unrelated=other, weight=1.0, **FAST).fit(X, y)
    net.partial_fit(X, y)
    assert_same_state(state_of(other), before)
    assert other.module_.training
    assert all(parameter.requires_grad for parameter in other.module_.parameters())
    assert not any(module._forward_hooks for module in other.module_.modules())
    ours = {id(parameter) for parameter in net.get_all_learnable_params()}
    assert not ours & {id(parameter) for parameter in other.module_.parameters()}
    trained = {id(p) for group in net.optimizer_.param_groups for p in group["params"]}
    assert not trained & {id(parameter) for parameter in other.module_.parameters()}


def test_the_network_may_be_its_own_unrelated_one(tabular, unrelated):
    """Continuing from the very network to avoid: the frozen side must not follow."""
    X, _, nuisance = tabular
    before = state_of(unrelated)
    net = AntiTransferClassifier(unrelated.module_, unrelated=unrelated.module_, **FAST)
    net.fit(X, nuisance)
    assert_same_state(state_of(unrelated), before)
    assert net.history[0]["train_penalty"] > 0.5


def test_the_network_in_training_may_be_its_own_unrelated_one(tabular):
    X, y, _ = tabular
    nets = [AntiTransferClassifier(**FAST).fit(X, y) for _ in range(2)]
    itself, copied = nets[0].module_, copy.deepcopy(nets[1].module_)
    for net, other in zip(nets, (itself, copied), strict=True):
        net.set_params(unrelated=other, weight=3.0).partial_fit(X, y)
    assert nets[0].history[:, "train_penalty"][2:] == nets[1].history[:, "train_penalty"][2:]
    assert_same_state(state_of(nets[0]), state_of(nets[1]))


def test_hooks_are_gone_and_it_pickles_after_an_exception(tabular, unrelated):
    X, y, _ = tabular

    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 2)
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            if self.training and self.calls > 3:
                raise RuntimeError("midway")
            return self.linear(x)

    net = AntiTransferClassifier(Failing, unrelated=unrelated, **FAST)
    with pytest.raises(RuntimeError, match="midway"):
        net.fit(X, y)
    for module in (*net.module_.modules(), *unrelated.module_.modules()):
        assert not module._forward_hooks
    pickle.loads(pickle.dumps(unrelated))
    net.module_.__class__ = nn.Module  # the class itself is local
    pickle.loads(pickle.dumps(net.module_))


# ---- cloning, searching, pickling ---------------------------------------------------------


@pytest.mark.parametrize("wrap", [identity, module_of, frozen_of, pipeline_of])
def test_clone_keeps_it_by_reference(wrap, unrelated):
    source = wrap(unrelated)
    net = AntiTransferClassifier(unrelated=source, weight=2.0, optimizer__weight_decay=0.1)
    cloned = clone(clone(net))
    assert cloned.unrelated is source
    assert cloned.get_params(deep=False).keys() == net.get_params(deep=False).keys()
    assert (cloned.weight, cloned.optimizer__weight_decay) == (2.0, 0.1)
    several = clone(AntiTransferClassifier(unrelated=[source, AntiTransferClassifier(lr=0.5)]))
    assert several.unrelated[0] is source
    assert several.unrelated[1].lr == 0.5


def test_pipelines_and_searches_keep_it(tabular, unrelated):
    X, y, _ = tabular
    before = state_of(unrelated)
    pipeline = make_pipeline(StandardScaler(), AntiTransferClassifier(unrelated=unrelated, **FAST))
    grid = {"antitransferclassifier__weight": [0, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_estimator_[-1].unrelated is unrelated
    assert_same_state(state_of(unrelated), before)


@pytest.mark.slow  # processes, which import everything
def test_cross_validation_in_processes_keeps_it(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, **FAST)
    parallel, serial = (
        cross_validate(net, X, y, cv=2, n_jobs=n_jobs, return_estimator=True, error_score="raise")
        for n_jobs in (2, None)
    )
    for one, other in zip(parallel["estimator"], serial["estimator"], strict=True):
        assert_same_state(state_of(one.unrelated), state_of(unrelated))
        assert_same_state(state_of(one), state_of(other))
        assert "train_penalty" in one.history[-1]


def test_it_is_pickled_and_copied_with_the_network(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, **FAST).fit(X, y)
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        np.testing.assert_array_equal(predictions(other, X), predictions(net, X))
        assert_same_state(state_of(other.unrelated), state_of(unrelated))
        other.fit(X, y)
        assert_same_state(state_of(other), state_of(net))


def test_fits_in_threads_are_those_in_turn(tabular, unrelated):
    X, y, _ = tabular
    nets = [
        AntiTransferClassifier(
            unrelated=unrelated, random_state=seed, max_epochs=3, module__dropout=0.2
        )
        for seed in range(4)
    ]
    in_turn = [clone(net).fit(X, y) for net in nets]
    with parallel_backend("threading", n_jobs=2):
        in_threads = Parallel()(delayed(clone(net).fit)(X, y) for net in nets)
    for one, other in zip(in_turn, in_threads, strict=True):
        assert_same_state(state_of(one), state_of(other))
        assert one.history[:, "train_penalty"] == other.history[:, "train_penalty"]


# ---- nested parameters --------------------------------------------------------------------


def test_parameters_of_a_fitted_network_cannot_be_set(unrelated):
    net = AntiTransferClassifier(unrelated=unrelated)
    with pytest.raises(ValueError, match=r"'unrelated__lr' cannot be set: .* is fitted"):
        net.set_params(unrelated__lr=0.1)
    with pytest.raises(ValueError, match=r"'unrelated__lr' cannot be set: .* not an estimator"):
        AntiTransferClassifier().set_params(unrelated__lr=0.1)
    several = [AntiTransferClassifier(), AntiTransferClassifier()]
    with pytest.raises(ValueError, match=r"'unrelated__lr' cannot be set: .* is a list of 2, and"):
        AntiTransferClassifier(unrelated=several).set_params(unrelated__lr=0.1)
    with pytest.raises(ValueError, match=r"cannot be set: .* not an estimator but a Linear"):
        AntiTransferClassifier(unrelated=nn.Linear(1, 1)).set_params(unrelated__lr=0.1)
    assert not any(name.startswith("unrelated__") for name in net.get_params())
    assert unrelated.lr == 0.003


def test_parameters_of_an_unfitted_network_can_be_set():
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier())
    net.set_params(unrelated__lr=0.1, weight=2)
    assert (net.unrelated.lr, net.get_params()["unrelated__lr"], net.weight) == (0.1, 0.1, 2)
    with pytest.raises(ValueError, match="Invalid parameter"):
        net.set_params(unrelated__learning_rate=0.1)


def test_modules_can_be_set_as_parameters(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST)
    net.set_params(unrelated=nn.Sequential(nn.Linear(6, 3)), module=nn.Sequential(nn.Linear(6, 2)))
    net.fit(X, y).set_params(unrelated=nn.Sequential(nn.Linear(6, 4))).fit(X, y)
    assert net.unrelated_[0].out_features == 4


# ---- unfitted estimators ------------------------------------------------------------------


def test_an_unfitted_estimator_is_fitted_on_y_unrelated(tabular):
    X, y, nuisance = tabular
    other = AntiTransferClassifier(**LEARNS)
    net = AntiTransferClassifier(unrelated=other, **FAST).fit(X, y, y_unrelated=nuisance)
    assert not hasattr(other, "module_")
    expected = clone(other).fit(X, nuisance)
    assert_same_state(state_of(net.unrelated_), state_of(expected))
    from_fitted = AntiTransferClassifier(unrelated=expected, **FAST).fit(X, y)
    assert_same_state(state_of(net), state_of(from_fitted))


@pytest.mark.parametrize("weight", [0, 1.0])
def test_an_unfitted_estimator_without_labels_names_both_ways_out(weight, tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(), weight=weight)
    with pytest.raises(ValueError, match=r"y_unrelated=.*FrozenEstimator"):
        net.fit(X, y)


def test_a_fitted_network_in_a_grid_needs_a_frozen_estimator(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST)
    raw = GridSearchCV(net, {"unrelated": [unrelated]}, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="FrozenEstimator"):
        raw.fit(X, y)
    frozen = GridSearchCV(
        net, {"unrelated": [None, FrozenEstimator(unrelated)]}, cv=2, error_score="raise"
    )
    frozen.fit(X, y)


def test_labels_in_vain_or_of_another_length_are_refused(tabular, unrelated):
    X, y, nuisance = tabular
    with pytest.raises(ValueError, match="no unfitted 'unrelated' estimator"):
        AntiTransferClassifier(unrelated=unrelated).fit(X, y, y_unrelated=nuisance)
    with pytest.raises(ValueError, match="no unfitted 'unrelated' estimator"):
        AntiTransferClassifier().fit(X, y, y_unrelated=nuisance)
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier())
    with pytest.raises(ValueError, match=r"n_samples = 80.*Got shape \(79,\)"):
        net.fit(X, y, y_unrelated=nuisance[1:])
    with pytest.raises(ValueError, match=r"1 unrelated tasks that need labels. Got 3 columns"):
        net.fit(X, y, y_unrelated=np.stack([nuisance] * 3, axis=1))


def test_labels_reach_a_network_in_a_pipeline(tabular):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**LEARNS), **FAST)
    pipeline = make_pipeline(StandardScaler(), net)
    pipeline.fit(X, y, antitransferclassifier__y_unrelated=nuisance)
    assert "train_penalty" in pipeline[-1].history[-1]


# ---- several unrelated tasks --------------------------------------------------------------


def test_several_networks_each_with_a_weight(tabular, unrelated):
    X, y, _ = tabular
    second = AntiTransferRegressor(**FAST).fit(X, X[:, 2])
    several = {"unrelated": [unrelated, second], "penalty_every": 1, **FAST}
    both = AntiTransferClassifier(weight=[1.0, 0.5], **several)
    row = both.fit(X, y).history[-1]
    assert (row["penalty_weight_0"], row["penalty_weight_1"]) == (1.0, 0.5)
    objective = row["train_loss"] + row["train_penalty_0"] + 0.5 * row["train_penalty_1"]
    assert row["train_objective"] == pytest.approx(objective, rel=1e-5)
    only = AntiTransferClassifier(weight=[1.0, 0.0], **several)
    single = AntiTransferClassifier(unrelated=unrelated, weight=1.0, penalty_every=1, **FAST)
    assert_same_state(state_of(only.fit(X, y)), state_of(single.fit(X, y)))
    assert both.unrelated_ == [unrelated, second]


def test_several_unfitted_networks_have_a_column_each(tabular):
    X, y, nuisance = tabular
    labels = np.stack([nuisance, X[:, 2] > 0], axis=1).astype(int)
    net = AntiTransferClassifier(unrelated=[AntiTransferClassifier(**LEARNS)] * 2, **FAST)
    net.fit(X, y, y_unrelated=labels)
    for position in range(2):
        expected = AntiTransferClassifier(**LEARNS).fit(X, labels[:, position])
        assert_same_state(state_of(net.unrelated_[position]), state_of(expected))


def test_columns_of_a_frame_keep_their_types(tabular):
    X, y, nuisance = tabular
    frame = pd.DataFrame({"who": np.array(["a", "b"])[nuisance], "how": X[:, 2] > 0})
    net = AntiTransferClassifier(unrelated=[AntiTransferClassifier(**LEARNS)] * 2, **FAST)
    net.fit(X, y, y_unrelated=frame)
    assert net.unrelated_[0].classes_.tolist() == ["a", "b"]
    assert net.unrelated_[1].classes_.dtype == bool


def test_freezing_comes_after_fitting(tabular):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=FrozenEstimator(AntiTransferClassifier()))
    with pytest.raises(ValueError, match="Fit it before it is frozen"):
        net.fit(X, y, y_unrelated=nuisance)


def test_fitted_and_unfitted_networks_mix(tabular, unrelated):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=[unrelated, AntiTransferClassifier(**LEARNS)], **FAST)
    net.fit(X, y, y_unrelated=nuisance)
    assert net.unrelated_[0] is unrelated
    assert "train_penalty_1" in net.history[-1]


# ---- layers -------------------------------------------------------------------------------


def test_several_layers_are_in_the_history_by_name(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        unrelated=unrelated, weight=1.0, penalty_every=1, layer=[0, "last"], **FAST
    ).fit(X, y)
    row = net.history[-1]
    first, last = row["train_penalty_hidden.0.activation"], row["train_penalty_hidden.1.activation"]
    assert row["train_objective"] == pytest.approx(row["train_loss"] + first + last, rel=1e-5)


def test_architectures_may_differ(tabular):
    X, y, _ = tabular
    other = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 2))
    net = AntiTransferClassifier(
        unrelated=other, layer="hidden.0.activation", unrelated_layer="1", **FAST
    ).fit(X, y)
    assert "train_penalty" in net.history[-1]
    with pytest.raises(ValueError, match="unrelated network; name its layer by unrelated_layer"):
        AntiTransferClassifier(unrelated=other, layer="hidden.0.activation").fit(X, y)


def test_each_of_several_networks_may_have_its_layer(tabular, unrelated):
    X, y, _ = tabular
    other = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 2))
    net = AntiTransferClassifier(
        unrelated=[unrelated, other], layer=0, unrelated_layer=[0, "1"], **FAST
    ).fit(X, y)
    assert "train_penalty_1" in net.history[-1]
    with pytest.raises(ValueError, match="one entry for each of the 2 unrelated networks"):
        net.set_params(unrelated_layer=["1"]).fit(X, y)
    with pytest.raises(ValueError, match="as many layers as 'layer', which chooses 1"):
        net.set_params(unrelated_layer=[0, ["0", "1"]]).fit(X, y)


def test_shapes_that_cannot_be_compared_are_an_error_with_both(tabular):
    X, y, _ = tabular
    other = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 2))
    net = AntiTransferClassifier(unrelated=other, metric="squared_cosine")
    with pytest.raises(ValueError, match=r"hidden\.1\.activation") as error:
        net.fit(X, y)
    assert "(8, 50)" in str(error.value)
    assert "(8, 9)" in str(error.value)
    assert "cka" in str(error.value)
    assert not hasattr(net, "module_")


def test_a_network_for_data_of_another_shape_is_an_error(tabular, unrelated):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"unrelated network cannot take .* \(8, 4\)"):
        AntiTransferClassifier(unrelated=unrelated).fit(X[:, :4], y)


def test_in_place_nonlinearities_do_not_hide_the_layer(tabular):
    X, y, _ = tabular

    def network(inplace):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=inplace), nn.Linear(5, 2))

    histories = []
    for inplace in (False, True):
        net = AntiTransferClassifier(
            network(inplace), unrelated=network(inplace), layer="0", **FAST
        ).fit(X, y)
        histories.append(net.history[:, "train_penalty"])
    assert histories[0] == histories[1]


def test_a_larger_weight_lowers_the_similarity(tabular, unrelated):
    X, y, _ = tabular
    last = [
        AntiTransferClassifier(unrelated=unrelated, weight=weight, max_epochs=20, random_state=0)
        .fit(X, y)
        .history[-1]["train_penalty"]
        for weight in (1e-6, 1.0, 10.0)
    ]
    assert last[0] > last[1] + 0.1 > last[2] + 0.1


@pytest.mark.parametrize("metric", ["squared_cosine", "cosine", "sigmoid_mse", "cka", "hsic"])
@pytest.mark.parametrize("aggregation", ["none", "mean", "gram", "batch_gram", "pairwise"])
def test_metrics_and_aggregations_train_convolutional_networks(
    metric, aggregation, images, unrelated_images
):
    X, y, _ = images
    net = AntiTransferClassifier(
        unrelated=unrelated_images,
        weight=1.0,
        penalty_every=1,
        metric=metric,
        aggregation=aggregation,
        module__channels=(4, 6),
        module__pool_after=(1,),
        **FAST,
    ).fit(X, y)
    assert np.isfinite(net.history[:, "train_penalty"]).all()

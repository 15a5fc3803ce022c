"""Data that only the penalty sees."""

import numpy as np
import optuna
import pytest
import sklearn
import torch
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import IterableDataset, TensorDataset

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.modules import MLP

PARAMS = {"max_epochs": 3, "random_state": 0}


def make_data(n_samples, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, 5)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(int), (X[:, 1] > 0).astype(int)


X, Y, NUISANCE = make_data(80)
X_UNLABELED = make_data(150, seed=1)[0]


@pytest.fixture(scope="module")
def unrelated():
    return AntiTransferClassifier(**PARAMS).fit(X, NUISANCE)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def weights_of(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


class Recording(MLP):
    """Keeps what it was called on while training."""

    def forward(self, x):
        if self.training:
            self.__dict__.setdefault("seen", []).append(x.detach().clone())
        return super().forward(x)


def fit_recording(unrelated, **kwargs):
    fit = {"X_unlabeled": X_UNLABELED, **kwargs.pop("fit", {})}
    net = AntiTransferClassifier(
        Recording, unrelated=unrelated, weight=1.0, penalty_every=1, **{**PARAMS, **kwargs}
    )
    return net.fit(X, Y, **fit)


class TestWhatIsCompared:
    def test_the_penalty_sees_only_unlabeled_data(self, unrelated):
        net = fit_recording(unrelated, penalty_batch_size=50)
        sizes = [len(x) for x in net.module_.seen]
        # three steps an epoch, each a training batch and then an unlabeled one
        assert sizes == [32, 50, 32, 50, 16, 50] * 3
        # each round takes every sample once
        of_round = torch.cat(net.module_.seen[1:6:2])
        assert len(torch.unique(of_round, dim=0)) == 150
        known = torch.tensor(X_UNLABELED)
        assert all((known == row).all(dim=1).any() for row in of_round)

    def test_the_value_is_that_of_the_unlabeled_batch(self, unrelated):
        values = []

        def metric(current, theirs):
            values.append(len(current))
            return (current * 0).sum() + 0.25

        net = AntiTransferClassifier(unrelated=unrelated, metric=metric, **PARAMS)
        net.fit(X, Y, X_unlabeled=X_UNLABELED)
        assert set(values) == {8, 96}  # the first are tried out
        assert net.history[-1, "train_penalty"] == pytest.approx(0.25)

    def test_fewer_samples_than_the_batch_are_all_of_them(self, unrelated):
        net = fit_recording(unrelated, fit={"X_unlabeled": X_UNLABELED[:30]})
        assert {len(x) for x in net.module_.seen[1::2]} == {30}

    def test_both(self, unrelated):
        seen = []

        def metric(current, theirs):
            seen.append(len(current))
            return (current * 0).sum() + (1.0 if len(current) == 60 else 0.0)

        net = AntiTransferClassifier(
            unrelated=unrelated,
            weight=1.0,
            penalty_every=1,
            metric=metric,
            penalty_data="both",
            penalty_batch_size=60,
            **PARAMS,
        ).fit(X, Y, X_unlabeled=X_UNLABELED)
        assert {60, 32, 16} <= set(seen)
        assert net.history[-1, "train_penalty"] == pytest.approx(0.5)

    def test_training_data_alone(self, unrelated):
        plain = AntiTransferClassifier(unrelated=unrelated, **PARAMS).fit(X, Y)
        net = AntiTransferClassifier(unrelated=unrelated, penalty_data="train", **PARAMS)
        net.fit(X, Y, X_unlabeled=X_UNLABELED)
        assert torch.equal(weights_of(net), weights_of(plain))

    def test_validation_is_on_the_validation_data(self, unrelated):
        net = AntiTransferClassifier(
            unrelated=unrelated, train_split=lambda data, y=None: (data, data), **PARAMS
        ).fit(X, Y, X_unlabeled=X_UNLABELED)
        assert 0 <= net.history[-1, "valid_penalty"] <= 1

    def test_it_changes_the_network(self, unrelated):
        nets = [
            AntiTransferClassifier(unrelated=unrelated, **PARAMS).fit(X, Y, X_unlabeled=data)
            for data in (None, X_UNLABELED, X_UNLABELED[:90])
        ]
        assert not torch.equal(weights_of(nets[0]), weights_of(nets[1]))
        assert not torch.equal(weights_of(nets[1]), weights_of(nets[2]))

    def test_a_plain_network_ignores_it(self):
        plain = AntiTransferClassifier(**PARAMS).fit(X, Y)
        net = AntiTransferClassifier(**PARAMS).fit(X, Y, X_unlabeled=X_UNLABELED)
        assert torch.equal(weights_of(net), weights_of(plain))

    def test_regressor(self, unrelated):
        net = AntiTransferRegressor(unrelated=unrelated, conditional=True, **PARAMS)
        net.fit(X, X[:, 0], X_unlabeled=X_UNLABELED)
        assert 0 < net.history[-1, "train_penalty"] < 1


class TestWhatStaysTheSame:
    def test_running_statistics_come_from_the_training_batches(self, unrelated):
        def module():
            torch.manual_seed(0)
            layers = [torch.nn.Linear(5, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU()]
            return torch.nn.Sequential(*layers, torch.nn.Linear(8, 2))

        # Without a gradient of the penalty only the buffers could differ.
        def metric(current, theirs):
            return (current * 0).sum()

        nets = [
            AntiTransferClassifier(module(), unrelated=unrelated, layer="2", unrelated_layer="last",
                                   weight=1.0, metric=metric, **PARAMS).fit(X, Y, X_unlabeled=data)
            for data in (None, 100 + X_UNLABELED)
        ]  # fmt: skip
        states = [net.module_.state_dict() for net in nets]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])

    def test_dropout_and_order_of_the_training(self, unrelated):
        def metric(current, theirs):
            return (current * 0).sum()

        params = {**PARAMS, "unrelated": unrelated, "metric": metric, "module__dropout": 0.5}
        params["weight"] = 1.0
        nets = [
            AntiTransferClassifier(**params).fit(X, Y, X_unlabeled=data)
            for data in (None, X_UNLABELED)
        ]
        assert torch.equal(weights_of(nets[0]), weights_of(nets[1]))

    @pytest.mark.parametrize("metric", ["cka", "adversarial"])
    def test_partial_fit_goes_on(self, unrelated, metric):
        def make(max_epochs):
            return AntiTransferClassifier(
                unrelated=unrelated, weight=1.0, penalty_every=1, metric=metric,
                module__dropout=0.2, max_epochs=max_epochs,
                random_state=0, lr_schedule="constant",
            )  # fmt: skip

        once = make(4).fit(X, Y, X_unlabeled=X_UNLABELED)
        twice = make(2).fit(X, Y, X_unlabeled=X_UNLABELED)
        twice.partial_fit(X, Y, X_unlabeled=X_UNLABELED)
        assert torch.equal(weights_of(once), weights_of(twice))

    def test_the_same_again(self, unrelated):
        nets = [
            AntiTransferClassifier(unrelated=unrelated, metric="adversarial", **PARAMS)
            .fit(X, Y, X_unlabeled=X_UNLABELED)
            for _ in range(2)
        ]  # fmt: skip
        assert torch.equal(weights_of(nets[0]), weights_of(nets[1]))


class TestKindsOfData:
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda X: torch.tensor(X),
            lambda X: X.tolist(),
            lambda X: X.astype(np.float64),
            lambda X: TensorDataset(torch.tensor(X)),
            lambda X: TensorDataset(torch.tensor(X), torch.zeros(len(X))),
        ],
    )
    def test_all_the_same(self, unrelated, wrap):
        expected = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        expected.fit(X, Y, X_unlabeled=X_UNLABELED)
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        net.fit(X, Y, X_unlabeled=wrap(X_UNLABELED))
        assert torch.equal(weights_of(net), weights_of(expected))

    def test_a_dataset_of_as_many_samples_is_taken_whole(self, unrelated):
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        net.fit(X, Y, X_unlabeled=TensorDataset(torch.tensor(X_UNLABELED[: len(X)])))
        assert net.history[-1, "train_penalty"] > 0

    def test_mapping(self, unrelated):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second = torch.nn.Linear(5, 4), torch.nn.Linear(4, 2)

            def forward(self, a):
                return self.second(self.first(a).relu())

        net = AntiTransferClassifier(Net(), unrelated=Net(), layer="first", **PARAMS)
        net.fit({"a": X}, Y, X_unlabeled={"a": X_UNLABELED})
        assert net.history[-1, "train_penalty"] > 0


class Endless(IterableDataset):
    def __iter__(self):
        yield torch.zeros(5)


class TestErrors:
    @pytest.mark.parametrize(
        ("unlabeled", "error", "message"),
        [
            (X_UNLABELED[:80], ValueError, r"as many samples as X \(80\).*torch Dataset"),
            (X_UNLABELED[:, :3], ValueError, "X_unlabeled does not fit X: .*3 features"),
            (X_UNLABELED[:1], ValueError, "at least 2 samples"),
            (np.full((9, 5), np.nan), ValueError, "X_unlabeled does not fit X: .*NaN"),
            (TensorDataset(torch.zeros(9, 4)), ValueError, r"shape \(5,\).*Got \(4,\)"),
            (Endless(), TypeError, "iterable only"),
            ([(torch.zeros(5),)] * 9, ValueError, "Dataset that was split"),
        ],
    )
    def test_data_that_do_not_fit(self, unrelated, unlabeled, error, message):
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        with pytest.raises(error, match=f"(?s){message}"):
            net.fit(X, Y, X_unlabeled=unlabeled)
        assert not hasattr(net, "module_")

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"penalty_data": "both"}, "pass them as X_unlabeled to fit"),
            ({"penalty_data": "unlabeled"}, "pass them as X_unlabeled to fit"),
            ({"penalty_data": "test"}, "must be one of .*'train'"),
            ({"penalty_batch_size": 1}, r"must be an int in \[2, inf\)"),
            ({"penalty_batch_size": 2.5}, r"must be an int in \[2, inf\)"),
            ({"conditional": True, "metric": "cosine"}, "sample by sample"),
        ],
    )
    def test_parameters(self, unrelated, params, message):
        with pytest.raises(ValueError, match=message):
            AntiTransferClassifier(unrelated=unrelated, **params).fit(X, Y)

    def test_what_cannot_be_compared_fails_before_training(self, unrelated):
        net = AntiTransferClassifier(
            unrelated=unrelated, metric="cross_correlation", aggregation="batch_gram", **PARAMS
        )
        with pytest.raises(ValueError, match=r"cannot be compared .*'cross_correlation'"):
            net.fit(X, Y, X_unlabeled=X_UNLABELED)
        assert not hasattr(net, "module_")


class TestThroughScikitLearn:
    """Handed on whole, transformed like X, or refused."""

    def test_pipeline_transforms_it(self, unrelated, routing):
        scale = np.array([1, 10, 100, 1, 1])
        scaler = StandardScaler().fit(X * scale)
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        pipeline = make_pipeline(StandardScaler(), net, transform_input=["X_unlabeled"])
        pipeline.fit(X * scale, Y, X_unlabeled=X_UNLABELED * scale)
        expected = AntiTransferClassifier(unrelated=unrelated, **PARAMS).fit(
            scaler.transform(X * scale), Y, X_unlabeled=scaler.transform(X_UNLABELED * scale)
        )
        assert torch.equal(weights_of(pipeline[-1]), weights_of(expected))

    def test_untransformed_is_refused(self, unrelated):
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        pipeline = make_pipeline(StandardScaler(), net)
        with pytest.raises(ValueError, match=r'transform_input=\["X_unlabeled"\]'):
            pipeline.fit(X, Y, antitransferclassifier__X_unlabeled=X_UNLABELED)

    def test_routed_but_untransformed_is_refused(self, unrelated, routing):
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        pipeline = make_pipeline(StandardScaler(), net)
        with pytest.raises(ValueError, match=r'transform_input=\["X_unlabeled"\]'):
            pipeline.fit(X, Y, X_unlabeled=X_UNLABELED)

    def test_subclasses_and_pipelines_around_are_seen(self, unrelated):
        class Own(AntiTransferClassifier):
            def fit(self, X, y, **kwargs):
                return self._again(X, y, **kwargs)

            def _again(self, X, y, **kwargs):
                return super().fit(X, y, **kwargs)

        net = Own(unrelated=unrelated, **PARAMS)
        inner = make_pipeline("passthrough", net)
        for pipeline, name in (
            (make_pipeline(StandardScaler(), net), "own__X_unlabeled"),
            (make_pipeline(StandardScaler(), inner), "pipeline__own__X_unlabeled"),
        ):
            with pytest.raises(ValueError, match=r'transform_input=\["X_unlabeled"\]'):
                pipeline.fit(X, Y, **{name: X_UNLABELED})

    def test_a_pipeline_that_fits_something_else_is_no_error(self, unrelated):
        class Fits(BaseEstimator):
            def fit(self, X, y):
                net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
                self.net_ = net.fit(X, y, X_unlabeled=X_UNLABELED)
                return self

        make_pipeline(StandardScaler(), Fits()).fit(X, Y)

    def test_nothing_to_transform_is_no_error(self, unrelated):
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        pipeline = make_pipeline("passthrough", net)
        pipeline.fit(X, Y, antitransferclassifier__X_unlabeled=X_UNLABELED)

    @pytest.mark.parametrize("routed", [False, True])
    def test_cross_validation_hands_it_on_whole(self, unrelated, routed):
        with sklearn.config_context(enable_metadata_routing=routed):
            net = AntiTransferClassifier(
                Recording, unrelated=unrelated, weight=1.0, penalty_every=1, **PARAMS
            )
            found = cross_validate(
                net, X, Y, cv=KFold(4), params={"X_unlabeled": X_UNLABELED}, return_estimator=True
            )
        for fitted in found["estimator"]:
            assert {len(x) for x in fitted.module_.seen[1::2]} == {96}

    def test_cross_validation_never_splits_it(self, unrelated):
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        for data in (X_UNLABELED[:80], TensorDataset(torch.tensor(X_UNLABELED[:80]))):
            with pytest.raises(ValueError, match="as many samples as X"):
                cross_validate(net, X, Y, cv=4, params={"X_unlabeled": data}, error_score="raise")

    def test_grid_search_over_a_pipeline(self, unrelated, routing):
        net = AntiTransferClassifier(unrelated=unrelated, **PARAMS)
        pipeline = make_pipeline(StandardScaler(), net, transform_input=["X_unlabeled"])
        grid = {"antitransferclassifier__penalty_data": ["train", "unlabeled", "both"]}
        search = GridSearchCV(pipeline, grid, cv=3, error_score="raise")
        search.fit(X, Y, X_unlabeled=X_UNLABELED)
        assert search.best_estimator_[-1].history[-1, "train_penalty"] > 0

    def test_optuna(self, unrelated):
        def objective(trial):
            net = AntiTransferClassifier(
                unrelated=unrelated, weight=trial.suggest_float("weight", 0.1, 1), **PARAMS
            )
            params = {"X_unlabeled": X_UNLABELED}
            return cross_val_score(net, X, Y, cv=3, params=params, error_score="raise").mean()

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
        )
        study.optimize(objective, n_trials=2)
        assert len(study.trials) == 2

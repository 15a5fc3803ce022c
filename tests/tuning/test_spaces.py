"""Search spaces: only what can be computed, and only what a database can hold."""

from itertools import product

import numpy as np
import optuna
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.similarity import get_aggregation_names, get_metric_names
from atl_sklearn.tuning import (
    anti_transfer_distributions,
    anti_transfer_grid,
    suggest_anti_transfer,
)
from tests.slow import all_but_slow

FAST = {"max_epochs": 1, "random_state": 0}
EVERYTHING = {"metrics": get_metric_names(), "aggregations": get_aggregation_names()}
RNG = np.random.RandomState(0)
TABLE = RNG.normal(size=(24, 6))
IMAGES = RNG.normal(size=(24, 8, 9)).astype(np.float32)
Y = np.arange(24) % 3
SMALL = {"module__channels": (3, 4), "module__pool_after": (0,), **FAST}


def fitted(X, **params):
    return AntiTransferClassifier(**{**FAST, **params}).fit(X, np.arange(24) % 2)


ESTIMATORS = {
    "table": (AntiTransferClassifier(unrelated=fitted(TABLE), **FAST), TABLE),
    "images": (AntiTransferClassifier(unrelated=fitted(IMAGES, **SMALL), **SMALL), IMAGES),
    "unfitted": (AntiTransferClassifier(unrelated=AntiTransferClassifier(**FAST), **FAST), TABLE),
    "other network": (
        AntiTransferClassifier(
            unrelated=nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)),
            unrelated_layer="1",
            **FAST,
        ),
        TABLE,
    ),
    "posterior": (
        AntiTransferClassifier(unrelated=fitted(TABLE), unrelated_layer="posterior", **FAST),
        TABLE,
    ),
    "conditional": (
        AntiTransferClassifier(unrelated=fitted(TABLE), conditional=True, **FAST),
        TABLE,
    ),
    "pipeline": (
        make_pipeline(StandardScaler(), AntiTransferClassifier(unrelated=fitted(TABLE), **FAST)),
        TABLE,
    ),
    "regressor": (AntiTransferRegressor(unrelated=fitted(TABLE), **FAST), TABLE),
}


@pytest.mark.parametrize("name", all_but_slow(ESTIMATORS, *(ESTIMATORS.keys() - {"unfitted"})))
def test_every_combination_can_be_trained(name):
    estimator, X = ESTIMATORS[name]
    found = anti_transfer_distributions(estimator, X, **EVERYTHING)
    assert len(found) == 5
    choices = {name.rpartition("__")[2]: d.choices for name, d in found.items()}
    prefix = next(iter(found)).rpartition("layer")[0]
    wanted = list(product(choices["layer"], choices["metric"], choices["aggregation"]))
    unfitted = name == "unfitted"
    for layer, metric, aggregation in wanted[:: max(1, len(wanted) // 30)]:
        params = {"layer": layer, "metric": metric, "aggregation": aggregation, "weight": 1.0}
        estimator.set_params(**{prefix + key: value for key, value in params.items()})
        estimator.fit(X, Y, **({"y_unrelated": np.arange(24) % 2} if unfitted else {}))


def test_what_cannot_be_compared_is_left_out():
    same, _ = ESTIMATORS["table"]
    assert "squared_cosine" in anti_transfer_distributions(same, TABLE)["metric"].choices
    for name in ("other network", "posterior", "conditional"):
        estimator, X = ESTIMATORS[name]
        found = anti_transfer_distributions(estimator, X, **EVERYTHING)
        assert "squared_cosine" not in found["metric"].choices
        assert "cka" in found["metric"].choices


def test_targets_are_searched_where_they_are_asked_for():
    net, X = ESTIMATORS["pipeline"]
    name = "antitransferclassifier__target_similarity"
    assert name not in anti_transfer_distributions(net, X)
    found = anti_transfer_distributions(net, X, targets=[None, 0.1], metrics=["adversarial", "cka"])
    assert found[name].choices == (None, 0.1)
    assert found["antitransferclassifier__metric"].choices == ("cka",)
    grid = anti_transfer_grid(net, X, weights=[0, 1], metrics=["cka"], targets=[None, 0.1, 0.3])
    assert len(ParameterGrid(grid)) == 1 + 3
    search = GridSearchCV(net, grid, cv=2, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["params"]) == 4
    with pytest.raises(ValueError, match="'target_similarity' parameter of the network must be"):
        anti_transfer_grid(net, X, targets=[2.0])
    with pytest.raises(ValueError, match="metrics must have one that can have a target"):
        anti_transfer_grid(net, X, targets=[0.1], metrics=["adversarial"])


def test_layers_are_names():
    net, X = ESTIMATORS["images"]
    layers = anti_transfer_distributions(net, X)["layer"].choices
    assert layers == ("last", "blocks.0.activation")
    chosen = anti_transfer_distributions(net, X, layers=["blocks.0.activation"])["layer"].choices
    assert chosen == ("blocks.0.activation",)


def test_nothing_is_trained_or_changed():
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**FAST), **FAST)
    before = repr(net.get_params(deep=False))
    anti_transfer_distributions(net, TABLE)
    assert repr(net.get_params(deep=False)) == before
    assert not hasattr(net, "module_")
    assert not hasattr(net.unrelated, "module_")


def test_a_grid_has_the_plain_network_once():
    net, X = ESTIMATORS["pipeline"]
    grid = anti_transfer_grid(net, X, weights=[0, 1, 2], metrics=["cka", "ridge_r2"])
    assert len(ParameterGrid(grid)) == 1 + 2 * 2
    assert sum(p["antitransferclassifier__weight"] == 0 for p in ParameterGrid(grid)) == 1
    assert len(anti_transfer_grid(net, X, weights=[0])) == 1
    assert len(anti_transfer_grid(net, X, weights=[1])) == 1
    search = GridSearchCV(net, grid, cv=2, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["params"]) == 5


def test_the_plain_network_of_a_grid_adds_nothing_to_the_scores():
    net, X = ESTIMATORS["pipeline"]
    name = "antitransferclassifier__product_of_experts"
    grid = anti_transfer_grid(net, X, weights=[0, 1], metrics=["cka"])
    assert not any(name in part for part in grid)
    own = clone(net).set_params(**{name: 1})
    plain, other = anti_transfer_grid(own, X, weights=[0, 1], metrics=["cka"])
    assert plain[name] == [0.0] and name not in other


def test_strengths_of_the_product_of_experts_are_searched_where_asked_for():
    net, X = ESTIMATORS["pipeline"]
    name = "antitransferclassifier__product_of_experts"
    assert name not in anti_transfer_distributions(net, X)
    assert anti_transfer_distributions(net, X, strengths=[1, 0])[name].choices == (0.0, 1.0)
    grid = anti_transfer_grid(net, X, weights=[0, 1], metrics=["cka"], strengths=[0, 1])
    pairs = [(p["antitransferclassifier__weight"], p[name]) for p in ParameterGrid(grid)]
    assert sorted(pairs) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for bad in ([-1], ["much"], [np.nan], [None]):
        with pytest.raises(ValueError, match="strengths"):
            anti_transfer_grid(net, X, strengths=bad)


def test_the_default_can_be_searched_beside_numbers():
    net, X = ESTIMATORS["pipeline"]
    weight, strength = (f"antitransferclassifier__{n}" for n in ("weight", "product_of_experts"))
    both = {"weights": ["auto", 1, 0], "strengths": ["auto", 1, 0]}
    found = anti_transfer_distributions(net, X, **both)
    assert found[weight].choices == found[strength].choices == (0.0, 1.0, "auto")
    # With a number as the weight, "auto" adds nothing, and is no candidate of its own.
    grid = ParameterGrid(anti_transfer_grid(net, X, metrics=["cka"], **both))
    pairs = [(p[weight], p[strength]) for p in grid]
    numbers = [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert pairs == [*numbers, ("auto", 0), ("auto", 1), ("auto", "auto")]
    grid = ParameterGrid(anti_transfer_grid(net, X, metrics=["cka"], weights=["auto", 0, 1]))
    assert [p[weight] for p in grid] == [0, 1, "auto"]
    grid = anti_transfer_grid(net, X, metrics=["cka"], weights=["auto"], strengths=["auto"])
    search = GridSearchCV(net, grid, cv=2, error_score="raise").fit(X, Y)
    assert search.best_params_[weight] == search.best_params_[strength] == "auto"


def test_a_trial_suggests_what_a_database_can_hold(tmp_path):
    net, X = ESTIMATORS["pipeline"]

    def objective(trial):
        params = suggest_anti_transfer(trial, net, X)
        assert net.set_params(**params).get_params()["antitransferclassifier__weight"] >= 0
        return params["antitransferclassifier__weight"]

    storage = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(storage=storage, study_name="space")
    study.optimize(objective, n_trials=5)
    stored = optuna.load_study(storage=storage, study_name="space")
    assert [t.params for t in stored.trials] == [t.params for t in study.trials]
    for trial in stored.trials:
        for value in trial.params.values():
            assert isinstance(value, str | float)
    assert 0 in stored.trials[0].distributions["antitransferclassifier__weight"].choices


def test_bad_input_is_told():
    net, _ = ESTIMATORS["table"]
    with pytest.raises(TypeError, match=r"'estimator' parameter must be .* Got StandardScaler"):
        anti_transfer_distributions(StandardScaler(), TABLE)
    with pytest.raises(ValueError, match=r"'unrelated' parameter .* is None"):
        anti_transfer_grid(AntiTransferClassifier(), TABLE)
    with pytest.raises(ValueError, match=r"metric must be .* Did you mean 'cka'"):
        anti_transfer_distributions(net, TABLE, metrics=["cca"])
    for weights in ([-1], [], ["a"], [np.nan], [10**400], [True]):
        with pytest.raises(ValueError, match=r"'weights' .* one or more floats in \[0, 1e\+30\]"):
            anti_transfer_distributions(net, TABLE, weights=weights)
    for name in ("layers", "metrics", "aggregations", "weights", "schedules"):
        for make in (anti_transfer_distributions, anti_transfer_grid):
            with pytest.raises(ValueError, match=rf"'{name}' .* must be a list. .* {name}=\['cka'"):
                make(net, TABLE, **{name: "cka"})
            with pytest.raises(ValueError, match=f"'{name}' parameter .* must be a list. Got 3"):
                make(net, TABLE, **{name: 3})
    with pytest.raises(ValueError, match=r"'schedules' .* a list of one or more schedules"):
        anti_transfer_distributions(net, TABLE, schedules=[])
    with pytest.raises(ValueError, match="weight_schedule must be"):
        anti_transfer_distributions(net, TABLE, schedules=["slow"])
    with pytest.raises(ValueError, match=r"Layer 'conv' .* not found"):
        anti_transfer_distributions(net, TABLE, layers=["conv"])
    other, _ = ESTIMATORS["other network"]
    with pytest.raises(ValueError, match="No combination"):
        anti_transfer_distributions(other, TABLE, metrics=["squared_cosine"], aggregations=["none"])

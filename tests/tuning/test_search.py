"""AntiTransferSearchCV in one process."""

import pickle
import sys
import weakref

import numpy as np
import optuna
import pandas as pd
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.inspection import probe_score
from atl_sklearn.tuning import AntiTransferSearchCV, anti_transfer_distributions, share_network
from atl_sklearn.tuning._evaluation import Data
from atl_sklearn.tuning._folds import label_codes
from atl_sklearn.tuning._request import make_job

WEIGHTS = {"weight": CategoricalDistribution((0.0, 0.5, 1.0, 2.0))}
LEARNS = {"max_epochs": 20, "lr": 0.02, "random_state": 0}
FEW = {"n_trials": 5, "cv": 3, "random_state": 0}


# ---- what it finds ------------------------------------------------------------------------


def test_the_plain_network_comes_first(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, **FEW).fit(X, y)
    first = search.cv_results_["params"][0]
    assert first["weight"] == 0
    expected = cross_val_score(clone(net).set_params(weight=0), X, y, cv=3)
    assert [search.cv_results_[f"split{i}_test_score"][0] for i in range(3)] == expected.tolist()
    assert search.baseline_score_ == pytest.approx(expected.mean())
    assert len(search.cv_results_["params"]) == 5


def test_data_are_free_at_once(net, tabular, no_collector):
    def search():
        X = tabular[0].copy()
        found = AntiTransferSearchCV(net, n_trials=2, cv=2, random_state=0).fit(X, tabular[1])
        return found, weakref.ref(X)

    found, data = search()
    assert found.n_splits_ == 2
    assert data() is None


def test_the_best_is_refitted_and_its_gain_is_paired(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, pruner=None, n_trials=8, cv=3, random_state=1)
    search.fit(X, y)
    table = search.cv_results_
    best = search.best_index_
    assert search.best_score_ == np.nanmax(table["mean_test_score"])
    assert table["rank_test_score"][best] == 1
    folds = np.array([table[f"split{i}_test_score"] for i in range(3)])
    assert search.gain_.mean == pytest.approx(np.mean(folds[:, best] - folds[:, 0]))
    assert search.gain_.low <= search.gain_.mean <= search.gain_.high
    expected = clone(net).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.predict_proba(X), expected.predict_proba(X))
    assert search.score(X, y) == expected.score(X, y)
    np.testing.assert_array_equal(search.classes_, [0, 1])
    assert search.n_features_in_ == 6
    assert pd.DataFrame(table).shape[0] == 8
    # Each weight was fitted once; what came again was taken over.
    copies = [trial for trial in search.study_.trials if "copy_of" in trial.user_attrs]
    assert len(copies) == 8 - len({p["weight"] for p in table["params"]}) > 0


def test_what_adds_nothing_is_the_same_candidate(net, tabular):
    X, y, _ = tabular
    space = {
        "weight": CategoricalDistribution([0.0, 1.0]),
        "product_of_experts": CategoricalDistribution([0.0, "auto"]),
    }
    search = AntiTransferSearchCV(net, space, pruner=None, n_trials=12, cv=2, random_state=0)
    search.fit(X, y)
    asked = {(t.params["weight"], t.params["product_of_experts"]) for t in search.study_.trials}
    assert {(1.0, 0.0), (1.0, "auto")} <= asked
    fitted = [trial for trial in search.study_.trials if "copy_of" not in trial.user_attrs]
    assert [trial.params["weight"] for trial in fitted] == [0.0, 1.0]


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_the_first_trial_adds_nothing_to_the_scores(net, tabular, in_pipeline):
    X, y, _ = tabular
    net.set_params(product_of_experts=1)
    estimator = make_pipeline(StandardScaler(), net) if in_pipeline else net
    prefix = "antitransferclassifier__" if in_pipeline else ""
    space = {f"{prefix}weight": CategoricalDistribution((0.0, 1.0))}
    settings = {"scoring": "neg_log_loss", "pruner": None, "cv": 2, "random_state": 0}
    search = AntiTransferSearchCV(estimator, space, n_trials=6, **settings).fit(X, y)
    zero = {f"{prefix}weight": 0.0}
    plain = {**zero, f"{prefix}product_of_experts": 0.0}
    table = search.cv_results_
    assert table["params"][0] == plain
    assert zero in table["params"][1:]  # with what the estimator adds
    assert {f"{prefix}weight": 1.0} in table["params"][1:]
    assert table[f"param_{prefix}product_of_experts"].mask.tolist() == [False] + [True] * 5
    for row, params in enumerate(table["params"]):
        candidate = clone(estimator).set_params(**params)
        expected = cross_val_score(candidate, X, y, cv=2, scoring="neg_log_loss")
        assert table["mean_test_score"][row] == pytest.approx(expected.mean())
    assert search.baseline_score_ == table["mean_test_score"][0]
    assert search.baseline_score_ != table["mean_test_score"][table["params"].index(zero)]


@pytest.mark.parametrize(
    ("strengths", "first"), [((0.0, 1.0), 0.0), ((0.5, "auto"), "auto"), ((1, 0), 0)]
)
def test_the_first_trial_takes_no_strength(net, tabular, strengths, first):
    X, y, _ = tabular
    net.set_params(product_of_experts=1)
    space = {**WEIGHTS, "product_of_experts": CategoricalDistribution(strengths)}
    search = AntiTransferSearchCV(net, space, n_trials=1, cv=2, random_state=0).fit(X, y)
    assert search.best_params_ == {"weight": 0.0, "product_of_experts": first}
    assert search.best_estimator_.product_of_experts_ == 0


@pytest.mark.parametrize(
    ("own", "space"),
    [
        ({}, {"weight": CategoricalDistribution((0, 0.1, 1))}),
        ({}, {"weight": IntDistribution(0, 3)}),
        ({"max_grad_norm": 5}, {**WEIGHTS, "max_grad_norm": FloatDistribution(1, 9)}),
        ({"lr": 1}, {**WEIGHTS, "lr": CategoricalDistribution((0.1, 1.0))}),
    ],
)
def test_numbers_that_are_equal_are_the_same_candidate(net, tabular, own, space):
    X, y, _ = tabular
    net.set_params(**own)
    never_good = optuna.pruners.ThresholdPruner(lower=2)
    search = AntiTransferSearchCV(net, space, n_trials=3, cv=2, random_state=0, pruner=never_good)
    search.fit(X, y)  # all are pruned but the plain network
    assert search.cv_results_["state"][0] == "complete"
    assert search.baseline_score_ == search.cv_results_["mean_test_score"][0]
    assert search.gain_.mean == 0


@pytest.mark.parametrize("refit", ["best", "one_standard_error"])
def test_the_default_beside_numbers(net, tabular, refit):
    X, y, _ = tabular
    space = {"weight": CategoricalDistribution([0.0, 1.0, "auto"])}
    search = AntiTransferSearchCV(
        net, space, pruner=None, n_trials=8, cv=2, random_state=0, refit=refit
    ).fit(X, y)
    tried = {params["weight"] for params in search.cv_results_["params"]}
    assert tried == {0.0, 1.0, "auto"}
    assert search.best_params_["weight"] in tried


def test_candidates_agree_with_scikit_learns_folds(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, pruner=None, **FEW).fit(X, y)
    for row, params in enumerate(search.cv_results_["params"]):
        expected = cross_val_score(clone(net).set_params(**params), X, y, cv=3)
        assert search.cv_results_["mean_test_score"][row] == pytest.approx(expected.mean())


def test_a_seed_determines_the_search(net, tabular):
    X, y, _ = tabular
    found = [
        AntiTransferSearchCV(net, n_trials=4, cv=2, random_state=seed).fit(X, y).cv_results_
        for seed in (0, 0, 1)
    ]
    assert found[0]["params"] == found[1]["params"] != found[2]["params"]
    np.testing.assert_array_equal(found[0]["mean_test_score"], found[1]["mean_test_score"])


def test_what_has_no_seed_has_the_same_in_all_candidates(net, tabular):
    X, y, _ = tabular
    net.set_params(random_state=None)
    search = AntiTransferSearchCV(net, WEIGHTS, pruner=None, n_trials=3, cv=2, random_state=0)
    first, second = (clone(search).fit(X, y).cv_results_ for _ in range(2))
    np.testing.assert_array_equal(first["mean_test_score"], second["mean_test_score"])
    assert net.random_state is None


def test_the_last_fit_has_the_seed_of_the_search(tabular):
    X, y, nuisance = tabular
    parts = [AntiTransferClassifier(max_epochs=2)]
    net = make_pipeline(
        StandardScaler(), AntiTransferClassifier(unrelated=parts, max_epochs=2, weight=30.0)
    )
    space = {"antitransferclassifier__weight": CategoricalDistribution((0.0, 30.0))}
    found = [
        AntiTransferSearchCV(
            net, space, pruner=None, n_trials=2, cv=2, random_state=seed, refit=lambda table: 1
        ).fit(X, y, y_unrelated=nuisance)
        for seed in (0, 0, 1)
    ]
    weights = [search.best_estimator_[-1].module_.state_dict() for search in found]
    for name, values in weights[0].items():
        assert torch.equal(values, weights[1][name])
    assert not all(torch.equal(values, weights[2][name]) for name, values in weights[0].items())
    assert parts[0].random_state is None


def test_a_resumed_search_ends_in_the_same_fit(tabular, unrelated, tmp_path):
    """Without a random_state the seeds are those of the study."""
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, max_epochs=1)
    search = AntiTransferSearchCV(net, WEIGHTS, n_trials=2, cv=2, storage=tmp_path, study_name="s")
    first, second = (clone(search).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("wrap", [FrozenEstimator, share_network, make_pipeline, list])
def test_a_wrapped_pipeline_is_searched_as_it_is_fitted(wrap, tabular, tmp_path):
    """Its other steps are applied, in the space as in `fit`."""
    X, y, nuisance = tabular
    learnt = make_pipeline(PCA(4), AntiTransferClassifier(max_epochs=1, random_state=0))
    learnt.fit(X, nuisance)
    if wrap is share_network:
        wrapped = share_network(learnt, tmp_path)
    elif wrap is list:
        wrapped = [FrozenEstimator(learnt)]
    elif wrap is make_pipeline:
        wrapped = make_pipeline(FrozenEstimator(learnt))
    else:
        wrapped = wrap(learnt)
    anti, plain = (
        AntiTransferClassifier(unrelated=source, max_epochs=1, random_state=0)
        for source in (wrapped, learnt)
    )
    space = anti_transfer_distributions(anti, X, y)
    assert space == anti_transfer_distributions(plain, X, y)
    last = AntiTransferClassifier(unrelated=learnt[-1])
    assert space == anti_transfer_distributions(last, X, y, X_unrelated=learnt[:-1].transform(X))
    found, expected = (
        AntiTransferSearchCV(of, n_trials=3, cv=2, random_state=0).fit(X, y).cv_results_
        for of in (anti, plain)
    )
    assert found["params"] == expected["params"]
    np.testing.assert_array_equal(found["mean_test_score"], expected["mean_test_score"])


def test_a_weight_is_searched_even_if_nobody_asks(net, tabular):
    X, y, _ = tabular
    space = {"lr": FloatDistribution(1e-3, 1e-2, log=True), "max_epochs": IntDistribution(2, 4)}
    search = AntiTransferSearchCV(net, space, **FEW).fit(X, y)
    assert search.cv_results_["params"][0] == {"lr": 0.003, "max_epochs": 3, "weight": 0.0}
    assert {p["weight"] for p in search.cv_results_["params"]} <= {0.0, "auto"}
    own = AntiTransferSearchCV(clone(net).set_params(weight=2.0), space, **FEW).fit(X, y)
    assert {p["weight"] for p in own.cv_results_["params"]} == {0.0, 2.0}


@pytest.mark.parametrize(
    ("own", "second"), [([0.7], 0.7), ((2,), 2.0), (["auto"], "auto"), ([0], 1.0), (0, 1.0)]
)
def test_the_weight_that_is_searched_may_be_in_a_list(net, tabular, own, second):
    X, y, _ = tabular
    net.set_params(weight=own)
    space = {"lr": FloatDistribution(1e-3, 1e-2)}
    job = make_job(AntiTransferSearchCV(net, space, cv=2), Data(X, y), None)
    assert job.space["weight"].choices == (0.0, second)


def test_weights_that_no_study_can_store_are_refused(net, unrelated, tabular):
    X, y, _ = tabular
    space = {"lr": FloatDistribution(1e-3, 1e-2)}
    several = Untouched(unrelated=[unrelated] * 2, max_epochs=1, weight=[0.7, 0.7])
    search = AntiTransferSearchCV(several, space, cv=2)
    assert make_job(search, Data(X, y), None).space["weight"].choices == (0.0, 0.7)
    several.set_params(weight=[0.7, 0.2])
    message = r"'weight' parameter .* one for all .* Got \[0.7, 0.2\] instead. Add 'weight' to"
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)
    assert make_job(clone(search).set_params(param_distributions=WEIGHTS), Data(X, y), None)


def test_a_regressor_is_searched(unrelated, tabular):
    X, y, _ = tabular
    net = AntiTransferRegressor(unrelated=unrelated, max_epochs=2, random_state=0)
    search = AntiTransferSearchCV(net, **FEW).fit(X, y + 0.1 * X[:, 2])
    assert is_regressor(search)
    assert not hasattr(search, "predict_proba")
    assert search.predict(X).shape == (90,)


# ---- objectives ---------------------------------------------------------------------------


def test_the_worst_group_is_that_of_all_folds(net, tabular):
    X, y, nuisance = tabular
    groups = np.where(y == nuisance, "usual", "rare")
    search = AntiTransferSearchCV(
        net, WEIGHTS, objective="worst_group", cv=StratifiedKFold(2), n_trials=3, random_state=0
    ).fit(X, y, groups=groups)
    right = np.zeros(len(y), dtype=bool)
    by_fold = []
    for train, test in StratifiedKFold(2).split(X, y):
        plain = clone(net).set_params(weight=0).fit(X[train], y[train])
        right[test] = plain.predict(X[test]) == y[test]
        by_fold.append(min(right[test][groups[test] == g].mean() for g in ("usual", "rare")))
    expected = min(right[groups == g].mean() for g in ("usual", "rare"))
    assert search.baseline_score_ == pytest.approx(expected)
    found = [search.cv_results_[f"split{i}_test_score"][0] for i in range(2)]
    assert found == pytest.approx(by_fold)


def test_the_worst_group_over_folds_of_groups(net, tabular):
    X, y, _ = tabular
    groups = np.arange(90) % 3
    search = AntiTransferSearchCV(
        net, WEIGHTS, objective="worst_group", cv=LeaveOneGroupOut(), n_trials=2, random_state=0
    ).fit(X, y, groups=groups)
    folds = [search.cv_results_[f"split{i}_test_score"][0] for i in range(3)]
    assert search.baseline_score_ == pytest.approx(min(folds))


@pytest.mark.parametrize("last", ["c", "b c"])
def test_groups_of_several_columns_are_their_combinations(net, tabular, last):
    X, y, nuisance = tabular
    first = np.where(nuisance, "a", "a b")
    second = np.where(nuisance, last, "c")
    labels = np.column_stack([first, second])
    search = AntiTransferSearchCV(net, WEIGHTS, objective="worst_group", n_trials=1, cv=2)
    baselines = [
        search.fit(X, y, y_unrelated=given).baseline_score_ for given in (nuisance, labels)
    ]
    assert baselines[0] == baselines[1]


def test_combinations_have_names_that_can_be_read():
    plain = np.array([["f", "1"], ["m", "1"], ["f", "1"]])
    assert label_codes(plain, 3, "y_unrelated").tolist() == ["f 1", "m 1", "f 1"]
    alike = np.array([["a b", "c"], ["a", "b c"]])
    assert label_codes(alike, 2, "y_unrelated").tolist() == ["'a b', 'c'", "'a', 'b c'"]


@pytest.mark.parametrize("regression", [False, True])
def test_the_worst_group_of_numbers_is_a_quarter(net, tabular, regression):
    X, y, nuisance = tabular
    numbers = nuisance + X[:, 2].astype(float)
    if regression:
        net = AntiTransferRegressor(unrelated=net.unrelated, max_epochs=2, random_state=0)
        y = y + 0.1 * X[:, 3]
    cv = KFold(2, shuffle=True, random_state=0)
    settings = {"objective": "worst_group", "cv": cv, "n_trials": 2, "random_state": 0}
    search = AntiTransferSearchCV(net, WEIGHTS, **settings).fit(X, y, y_unrelated=numbers)
    quarters = np.digitize(numbers, np.quantile(numbers, (0.25, 0.5, 0.75)))
    expected = AntiTransferSearchCV(net, WEIGHTS, **settings).fit(X, y, y_unrelated=quarters)
    for name in ("split0_test_score", "mean_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], expected.cv_results_[name])
    named = search.study_.trials[0].user_attrs["folds"][0]["groups"]
    assert len(named) == 4 and all(" to " in name for name in named)


def test_labels_that_are_no_groups_are_refused_in_a_few_words(tabular, unrelated):
    X, y, _ = tabular
    net = Untouched(unrelated=unrelated, max_epochs=1)
    settings = {"cv": StratifiedKFold(2), "n_trials": 2}
    search = AntiTransferSearchCV(net, WEIGHTS, objective="worst_group", **settings)
    for alone in (np.arange(90), X[:, :2].astype(float)):
        with pytest.raises(ValueError, match="Each of the 90 samples is a group of its own"):
            search.fit(X, y, y_unrelated=alone)
    search.set_params(objective="trade_off")
    with pytest.raises(ValueError, match=r"Fold 0 has, .*\.\.\.\. Use .* cut numbers") as told:
        search.fit(X, y, y_unrelated=X[:, 2].astype(float))
    assert len(str(told.value)) < 800


def test_the_trade_off_has_a_front(net, tabular):
    X, y, nuisance = tabular
    search = AntiTransferSearchCV(
        net, WEIGHTS, objective="trade_off", cv=2, n_trials=6, random_state=0
    ).fit(X, y, y_unrelated=nuisance)
    table = search.cv_results_
    front = search.pareto_
    assert [p.score for p in front] == sorted((p.score for p in front), reverse=True)
    assert [p.probe for p in front] == sorted((p.probe for p in front), reverse=True)
    for score, probe in zip(table["mean_test_score"], table["mean_test_probe"], strict=True):
        assert any(p.score >= score and p.probe <= probe for p in front)
    assert front[0].index == search.best_index_
    train, test = next(StratifiedKFold(2).split(X, y))
    plain = clone(net).set_params(weight=0).fit(X[train], y[train])
    expected = probe_score(plain, X[test], nuisance[test])
    assert table["split0_test_probe"][0] == pytest.approx(expected)
    assert len(search.study_.directions) == 2

    search.set_params(refit="one_standard_error").fit(X, y, y_unrelated=nuisance)
    best = front[0].index
    error = np.std([table[f"split{i}_test_score"][best] for i in range(2)], ddof=1) / np.sqrt(2)
    near = table["mean_test_score"] >= front[0].score - error
    assert table["mean_test_probe"][search.best_index_] == table["mean_test_probe"][near].min()


def test_another_score(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, scoring="neg_log_loss", **FEW).fit(X, y)
    expected = cross_val_score(clone(net).set_params(weight=0), X, y, cv=3, scoring="neg_log_loss")
    assert search.baseline_score_ == pytest.approx(expected.mean())
    assert search.score(X, y) < 0


# ---- folds and what is passed on ----------------------------------------------------------


def test_a_number_of_folds_keeps_groups_together(net, tabular):
    X, y, _ = tabular
    groups = np.arange(90) % 6
    job = make_job(AntiTransferSearchCV(net, cv=3), Data(X, y, groups), None)
    for train, test in job.evaluation.folds:
        assert not set(groups[train]) & set(groups[test])
    job = make_job(AntiTransferSearchCV(net, cv=GroupKFold(2)), Data(X, y, groups), None)
    assert len(job.evaluation.folds) == 2


SPIED = []


class Spy(AntiTransferClassifier):
    """Remembers what it was fitted on."""

    # Named, so that scikit-learn 1.6 knows that it can be requested.
    def fit(self, X, y=None, sample_weight=None, **params):
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        # Not found as a global name, which would make it part of what the class is.
        vars(sys.modules[__name__])["SPIED"].append((X, y, params))
        return super().fit(X, y, **params)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_what_belongs_to_samples_is_split_and_unlabeled_data_are_not(
    in_pipeline, unrelated, tabular
):
    X, y, nuisance = tabular
    SPIED.clear()
    rng = np.random.RandomState(1)
    more = rng.normal(size=(37, 6)).astype(np.float32)
    weight = rng.rand(90)
    net = Spy(unrelated=AntiTransferClassifier(**LEARNS), max_epochs=1, random_state=0)
    with config_context(enable_metadata_routing=in_pipeline):
        if in_pipeline:
            net.set_fit_request(sample_weight=True)
            scaler = StandardScaler().set_fit_request(sample_weight=False)
            net = make_pipeline(scaler, net, transform_input=["X_unlabeled"])
        space = {("spy__" if in_pipeline else "") + "weight": CategoricalDistribution((0.0, 1.0))}
        search = AntiTransferSearchCV(net, space, n_trials=1, cv=2, refit=False, pruner=None)
        search.fit(X, y, y_unrelated=nuisance, X_unlabeled=more, sample_weight=weight)
    folds = list(StratifiedKFold(2).split(X, y))
    assert len(SPIED) == 2
    for (seen, targets, params), (train, _) in zip(SPIED, folds, strict=True):
        assert len(seen) == len(train)
        np.testing.assert_array_equal(targets, y[train])
        np.testing.assert_array_equal(params["y_unrelated"], nuisance[train])
        np.testing.assert_array_equal(params["sample_weight"], weight[train])
        expected = StandardScaler().fit(X[train]).transform(more) if in_pipeline else more
        np.testing.assert_array_equal(params["X_unlabeled"], expected)


def test_a_pipeline_around_it_transforms_unlabeled_data(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, n_trials=2, cv=2)
    more = 3 * X[:37]
    around = make_pipeline(StandardScaler(), clone(search))
    with pytest.raises(ValueError, match="X_unlabeled came through a Pipeline"):
        around.fit(X, y, antitransfersearchcv__X_unlabeled=more)
    with config_context(enable_metadata_routing=True):
        around = make_pipeline(StandardScaler(), search, transform_input=["X_unlabeled"])
        around.fit(X, y, X_unlabeled=more)
    scaled = StandardScaler().fit(X)
    expected = clone(search).fit(scaled.transform(X), y, X_unlabeled=scaled.transform(more))
    np.testing.assert_array_equal(
        around.predict_proba(X), expected.predict_proba(scaled.transform(X))
    )


def test_labels_for_the_score_alone_do_not_reach_a_fitted_network(net, tabular):
    X, y, nuisance = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, objective="worst_group", **FEW)
    search.fit(X, y, y_unrelated=nuisance)
    assert search.best_estimator_.unrelated_score_ is None


def test_the_unrelated_network_is_fitted_once_per_fold(tabular):
    X, y, nuisance = tabular
    SPIED.clear()
    net = AntiTransferClassifier(unrelated=Spy(**LEARNS), max_epochs=1, random_state=0)
    space = {"weight": CategoricalDistribution((0.0, 1.0, 2.0, 4.0)), **layer_space()}
    search = AntiTransferSearchCV(net, space, n_trials=6, cv=2, random_state=0, pruner=None)
    search.fit(X, y, y_unrelated=nuisance)
    assert len({str(p) for p in search.cv_results_["params"] if p["weight"] > 0}) > 1
    # Two for each fold, one of them for the score; and two in the last fit, if it has a weight.
    assert len(SPIED) == 4 + 2 * (search.best_params_["weight"] > 0)


def layer_space():
    return {"layer": CategoricalDistribution(("last", "hidden.0.activation"))}


# ---- pruning ------------------------------------------------------------------------------


def test_trials_are_pruned_by_epoch_but_never_the_plain_network(net, tabular):
    X, y, _ = tabular
    net.set_params(max_epochs=6)
    space = {"lr": CategoricalDistribution((0.003, 1e-6, 2e-6, 3e-6, 4e-6)), **WEIGHTS}
    search = AntiTransferSearchCV(
        net, space, scoring="neg_log_loss", n_trials=14, cv=2, random_state=0,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
    ).fit(X, y)  # fmt: skip
    states = search.cv_results_["state"]
    assert states[0] == "complete"
    pruned = np.flatnonzero(states == "pruned")
    assert len(pruned) > 0
    assert np.isnan(search.cv_results_["mean_test_score"][pruned]).all()
    steps = [
        len(search.study_.trials[search.cv_results_["trial"][row]].intermediate_values)
        for row in pruned
    ]
    assert min(step for step in steps if step) < 6  # within the first fold


def test_pruning_changes_no_network(net, tabular):
    """Watching a training does not touch it: with a pruner that never prunes all is the same."""
    X, y, _ = tabular
    net.set_params(module__dropout=0.3)
    never = optuna.pruners.ThresholdPruner(lower=-1)
    found = [
        AntiTransferSearchCV(net, WEIGHTS, pruner=pruner, **FEW).fit(X, y)
        for pruner in (None, never)
    ]
    for name in ("split0_test_score", "split1_test_score", "mean_test_score"):
        np.testing.assert_array_equal(*(search.cv_results_[name] for search in found))
    trial = found[1].study_.trials[1]
    values = list(trial.intermediate_values.values())
    assert len(values) == 3 * 3
    assert values[-1] == pytest.approx(trial.value)  # the last epoch's is the trial's


@pytest.mark.parametrize("kind", ["pipeline", "strings"])
def test_what_is_watched_is_the_score(kind, net, tabular):
    X, y, _ = tabular
    if kind == "pipeline":
        net = make_pipeline(StandardScaler(), net)
    else:
        y = np.array(["no", "yes"])[y]
    never = optuna.pruners.ThresholdPruner(lower=-1)
    search = AntiTransferSearchCV(net, pruner=never, n_trials=3, cv=2, random_state=0).fit(X, y)
    for trial in search.study_.trials[1:]:
        if "copy_of" not in trial.user_attrs:
            assert list(trial.intermediate_values.values())[-1] == pytest.approx(trial.value)


class Remembering(Callback):
    def on_train_end(self, net, **kwargs):
        net.ended_ = True


def test_callbacks_of_ones_own_stay(net, tabular):
    X, y, _ = tabular
    net.set_params(callbacks=[("mine", Remembering())])
    search = AntiTransferSearchCV(net, WEIGHTS, **FEW).fit(X, y)
    assert search.best_estimator_.ended_
    assert [name for name, _ in search.best_estimator_.callbacks] == ["mine"]
    net.set_params(callbacks="disable")
    never = optuna.pruners.ThresholdPruner(lower=-1)
    search = AntiTransferSearchCV(net, WEIGHTS, pruner=never, n_trials=2, cv=3).fit(X, y)
    assert len(search.study_.trials[1].intermediate_values) == 2  # by fold, but for the last


# ---- which one is refitted ----------------------------------------------------------------


def test_one_standard_error_takes_the_smallest_weight(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(
        net, WEIGHTS, refit="one_standard_error", n_trials=8, cv=3, random_state=0, pruner=None
    ).fit(X, y)
    table = search.cv_results_
    best = int(np.argmax(table["mean_test_score"]))
    folds = np.array([table[f"split{i}_test_score"][best] for i in range(3)])
    bound = table["mean_test_score"][best] - folds.std(ddof=1) / np.sqrt(3)
    near = [
        p["weight"]
        for p, s in zip(table["params"], table["mean_test_score"], strict=True)
        if s >= bound
    ]
    assert search.best_params_["weight"] == min(near)


def test_a_rule_of_ones_own_and_none(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, refit=last_complete, **FEW).fit(X, y)
    assert search.best_index_ == last_complete(search.cv_results_)
    search.set_params(refit=outside)
    with pytest.raises(ValueError, match=r"callable 'refit' must return the index .* Got 99"):
        search.fit(X, y)
    search.set_params(refit=False).fit(X, y)
    assert "weight" in search.best_params_
    with pytest.raises(AttributeError, match="refit=False"):
        search.predict(X)


def last_complete(table):
    return int(np.flatnonzero(table["state"] == "complete")[-1])


def outside(table):
    return 99


# ---- among scikit-learn's -----------------------------------------------------------------


def test_it_nests(net, tabular):
    X, y, nuisance = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, n_trials=2, cv=2, random_state=0)
    assert is_classifier(search)
    pipeline = make_pipeline(StandardScaler(), search)
    result = cross_validate(
        pipeline, X, y, cv=3, return_estimator=True, error_score="raise",
        params={"antitransfersearchcv__groups": np.arange(90) % 9},
    )  # fmt: skip
    assert np.isfinite(result["test_score"]).all()
    for fitted in result["estimator"]:
        assert fitted[-1].n_splits_ == 2
        assert fitted[-1].cv_results_["params"][0]["weight"] == 0
    with config_context(enable_metadata_routing=True):
        search.set_params(objective="worst_group")
        params = {"y_unrelated": nuisance, "groups": nuisance}
        search.set_params(cv=StratifiedKFold(2))
        scores = cross_validate(search, X, y, cv=2, params=params, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()


def test_it_is_cloned_and_pickled(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, **FEW)
    with pytest.raises(NotFittedError):
        search.predict(X)
    search.set_params(estimator__lr=0.01).fit(X, y)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))
    assert [t.params for t in loaded.study_.trials] == [t.params for t in search.study_.trials]
    assert not hasattr(clone(search), "cv_results_")
    assert clone(search).estimator.lr == 0.01


def test_a_progress_bar_counts_trials(net, tabular, capsys):
    X, y, _ = tabular
    AntiTransferSearchCV(net, WEIGHTS, progress_bar=True, n_trials=3, cv=2).fit(X, y)
    assert "3/3" in capsys.readouterr().err
    AntiTransferSearchCV(net, WEIGHTS, n_trials=2, cv=2).fit(X, y)
    assert capsys.readouterr().err == ""


def test_a_timeout_ends_it_after_the_plain_network(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, timeout=1e-6, n_trials=9, cv=2).fit(X, y)
    assert [params["weight"] for params in search.cv_results_["params"]] == [0]
    assert search.gain_.mean == 0


def test_a_timeout_may_be_longer_than_any_time(net, tabular):
    X, y, _ = tabular
    for timeout in (10**400, np.inf):
        search = AntiTransferSearchCV(net, WEIGHTS, timeout=timeout, n_trials=1, cv=2)
        assert len(search.fit(X, y).cv_results_["params"]) == 1


# ---- failures -----------------------------------------------------------------------------


def test_a_failed_trial_ends_the_search_or_has_no_score(net, tabular):
    X, y, _ = tabular
    space = {"lr": CategoricalDistribution((0.003, -1.0)), **WEIGHTS}
    search = AntiTransferSearchCV(net, space, n_trials=8, cv=2, random_state=0)
    with pytest.raises(ValueError, match="'lr' parameter"):
        search.fit(X, y)
    with pytest.warns(FitFailedWarning, match="'lr' parameter"):
        search.set_params(error_score=np.nan).fit(X, y)
    failed = search.cv_results_["state"] == "fail"
    assert 0 < failed.sum() < 8
    assert np.isnan(search.cv_results_["mean_test_score"][failed]).all()
    assert search.best_params_["lr"] > 0


def half_nan(estimator, X, y):
    return 0.5 if estimator.weight == 0 else np.nan


def test_a_score_that_is_no_number_is_a_failure(net, tabular):
    X, y, _ = tabular
    search = AntiTransferSearchCV(net, WEIGHTS, scoring=half_nan, pruner=None, **FEW)
    with pytest.raises(ValueError, match="score is not finite"):
        search.fit(X, y)
    with pytest.warns(FitFailedWarning, match="score is not finite"):
        search.set_params(error_score=np.nan).fit(X, y)
    assert search.best_params_["weight"] == 0


class Untouched(AntiTransferClassifier):
    """Must not be fitted on more than what layers and shapes are tried with."""

    def fit(self, X, y=None, **params):
        assert len(X) <= 8, "a trial ran"
        return super().fit(X, y, **params)


@pytest.mark.parametrize(
    ("parameters", "arguments", "error", "message"),
    [
        ({"estimator": StandardScaler()}, {}, TypeError, "'estimator' parameter must be"),
        ({"objective": "acc"}, {}, ValueError, r"'objective' .* must be one of .* Got 'acc'"),
        ({"n_trials": 0}, {}, ValueError, r"'n_trials' .* int in \[1, inf\). Got 0"),
        ({"timeout": -1}, {}, ValueError, "'timeout' .* above 0. Got -1"),
        ({"refit": "last"}, {}, ValueError, "'refit' .* Got 'last'"),
        ({"sampler": "tpe"}, {}, ValueError, "'sampler' .* Got 'tpe'"),
        ({"pruner": "median"}, {}, ValueError, "'pruner' .* Got 'median'"),
        ({"error_score": 0.0}, {}, ValueError, "'error_score' .* Got 0.0"),
        ({"study_name": 3}, {}, ValueError, "'study_name' .* Got 3"),
        ({"group_by": "speaker"}, {}, ValueError, "'group_by' .* Got 'speaker'"),
        ({"objective": np.ones(2)}, {}, ValueError, "'objective' parameter"),
        ({"pruner": np.ones(2)}, {}, ValueError, "'pruner' parameter"),
        ({"refit": np.ones(2)}, {}, ValueError, "'refit' parameter"),
        ({"error_score": np.ones(2)}, {}, ValueError, "'error_score' parameter"),
        ({"progress_bar": "no"}, {}, ValueError, "'progress_bar' .* True or False. Got 'no'"),
        ({"resume": None}, {}, ValueError, "'resume' parameter of AntiTransferSearchCV"),
        ({"random_state": -1}, {}, ValueError, r"'random_state' .* \[0, 4294967295\].* Got -1"),
        ({"n_jobs": 0}, {}, ValueError, "'n_jobs' .* but not 0. Got 0 instead. -1 stands"),
        ({"n_jobs": "a"}, {}, ValueError, "'n_jobs' parameter of AntiTransferSearchCV"),
        ({"scoring": {"a": 1}}, {}, ValueError, "'scoring' parameter .* one score at a time"),
        ({"cv": 1}, {}, ValueError, r"'cv' parameter must be an int in \[2, 90\].* Got 1"),
        ({"cv": [1]}, {}, ValueError, "'cv' parameter must be .* Got the fold 1"),
        ({"cv": []}, {}, ValueError, "'cv' parameter must be .* which has no fold"),
        ({"param_distributions": ["weight"]}, {}, ValueError, "None or a dict from names .* Got"),
        (
            {"objective": "trade_off", "pruner": optuna.pruners.NopPruner()},
            {},
            ValueError,
            "does not prune trials with two objectives",
        ),
        ({}, {"y": None}, ValueError, "requires y to be passed, but the target y is None"),
        ({}, {"y_unrelated": [0] * 80}, ValueError, r"y_unrelated must .* = 90.*shape \(80,\)"),
        ({}, {"groups": [0] * 80}, ValueError, r"groups must .* = 90.*Got shape \(80,\)"),
        ({"cv": 5}, {"groups": np.arange(90) % 3}, ValueError, "3 groups .* over cv=5 folds"),
        ({}, {"y": [0] * 90}, ValueError, "class"),
        (
            {"cv": GroupKFold(2)},
            {"y": np.arange(90) // 45, "groups": np.arange(90) // 45},
            ValueError,
            "training samples of fold 0 have one class only",
        ),
        (
            {"cv": GroupKFold(3)},
            {"y": np.arange(90) // 30 % 2, "groups": np.arange(90) // 30},
            ValueError,
            "validation samples of fold 0 have one class only",
        ),
        (
            {"objective": "worst_group", "cv": StratifiedKFold(3)},
            {"groups": ["a"] * 88 + ["b"] * 2},
            ValueError,
            "group 'b' in groups is too small for the folds: it has 2 samples, .* 3 folds",
        ),
        ({"objective": "worst_group"}, {"groups": None}, ValueError, "needs labels: pass groups"),
        (
            {"objective": "worst_group", "cv": StratifiedKFold(3)},
            {"groups": [1] * 90},
            ValueError,
            "at least two groups in groups. Got",
        ),
        (
            {"objective": "trade_off", "cv": GroupKFold(3)},
            {"groups": np.arange(90) % 3},
            ValueError,
            "needs two labels with two samples each. Fold 0 has, of groups",
        ),
        ({}, {"X_unlabeled": np.zeros((90, 6))}, ValueError, "X_unlabeled has 90 samples"),
        ({}, {"X_unlabeled": np.zeros((60, 6))}, ValueError, "X_unlabeled has 60 samples"),
        ({"storage": "mongodb://x/y"}, {}, ValueError, "URL of a database .* Got 'mongodb"),
        ({"storage": 3}, {}, ValueError, "'storage' parameter must be .* Got 3"),
        ({"storage": __file__}, {}, ValueError, "which is a file"),
        (
            {"param_distributions": {"wieght": FloatDistribution(0, 1)}},
            {},
            ValueError,
            "names 'wieght', which is no parameter",
        ),
        (
            {"param_distributions": {"weight": [0, 1]}},
            {},
            TypeError,
            "must hold Optuna distributions",
        ),
        (
            {"param_distributions": {"weight": FloatDistribution(0.1, 10, log=True)}},
            {},
            ValueError,
            "'weight' must contain 0",
        ),
        (
            {"param_distributions": {"product_of_experts": CategoricalDistribution((0.5, 1))}},
            {},
            ValueError,
            "'product_of_experts' must contain 0 or 'auto', .*Got CategoricalDist",
        ),
    ],
)
def test_bad_input_is_told_before_any_trial(
    parameters, arguments, error, message, unrelated, tabular
):
    X, y, _ = tabular
    given = {"estimator": Untouched(unrelated=unrelated, max_epochs=1), "cv": 3, **parameters}
    search = AntiTransferSearchCV(**given)
    with pytest.raises(error, match=message):
        search.fit(X, **{"y": y, **arguments})
    assert not hasattr(search, "study_")


def test_more_bad_input(tabular, unrelated):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"'unrelated' parameter .* is None"):
        AntiTransferSearchCV(Untouched()).fit(X, y)
    with pytest.raises(ValueError, match="not fitted, and y_unrelated is None"):
        AntiTransferSearchCV(Untouched(unrelated=Untouched())).fit(X, y)
    with pytest.raises(TypeError, match="splits X into folds"):
        AntiTransferSearchCV(Untouched(unrelated=unrelated)).fit({"x": X}, y)
    with pytest.warns(UserWarning, match="Choices for a categorical distribution"):  # optuna
        choices = {"metric": CategoricalDistribution(("cka", np.mean))}
    with pytest.raises(TypeError, match=r"choices of 'metric' .* must be strings"):
        AntiTransferSearchCV(Untouched(unrelated=unrelated), choices).fit(X, y)
    search = AntiTransferSearchCV(
        Untouched(unrelated=unrelated), storage=optuna.storages.InMemoryStorage(), n_jobs=2
    )
    with pytest.raises(ValueError, match="needs a 'storage' that other processes can see"):
        search.fit(X, y)

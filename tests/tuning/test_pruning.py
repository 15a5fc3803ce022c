"""The callback that prunes, in an objective of one's own."""

import copy
import warnings

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna_integration import OptunaSearchCV
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.dataset import ValidSplit

from atl_sklearn.tuning import TrialPruning, anti_transfer_distributions, suggest_anti_transfer


def train_loss(net):
    return net.history[-1, "train_loss"]


@pytest.fixture
def study():
    return optuna.create_study(
        direction="minimize", pruner=optuna.pruners.MedianPruner(n_startup_trials=1)
    )


def test_clones_report_to_the_same_trial(study, net, tabular):
    X, y, _ = tabular
    trial = study.ask()
    pruning = TrialPruning(trial, train_loss, first_step=10)
    for copied in (clone(pruning), copy.deepcopy(pruning)):
        assert copied.trial is trial
        assert (copied.monitor, copied.first_step) == (train_loss, 10)
    net.set_params(callbacks=[("pruning", pruning)])
    clone(clone(net)).fit(X, y)
    values = study.trials[0].intermediate_values
    assert list(values) == [10, 11, 12]
    with pytest.warns(UserWarning, match="is already reported"):  # by optuna: a second fit
        cross_val_score(net, X, y, cv=2, error_score="raise")


def test_a_bad_trial_ends_early(study, net, tabular):
    X, y, _ = tabular

    def objective(trial):
        params = suggest_anti_transfer(trial, net, X, weights=[0, 1])
        lr = trial.suggest_categorical("lr", [0.01, 1e-6])
        pruning = TrialPruning(trial, "train_loss")
        candidate = clone(net).set_params(lr=lr, max_epochs=4, **params)
        candidate.set_params(callbacks=[pruning]).fit(X, y)
        return train_loss(candidate)

    for lr in (0.01, 1e-6):
        study.enqueue_trial({"lr": lr, "weight": 0.0})
    study.optimize(objective, n_trials=2)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "PRUNED"]
    assert len(study.trials[1].intermediate_values) < 4


def test_a_column_that_is_not_there_is_told(study, net, tabular):
    X, y, _ = tabular
    net.set_params(callbacks=[TrialPruning(study.ask())])
    with pytest.raises(ValueError, match="TrialPruning watches 'valid_loss', which needs valid"):
        net.fit(X, y)
    net.set_params(train_split=ValidSplit(5, stratified=True))
    net.fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("trial", None), ("trial", optuna.Trial), ("monitor", 3), ("monitor", int),
     ("first_step", -1), ("first_step", 1.0)],
)  # fmt: skip
def test_bad_parameters_are_told_before_the_first_epoch(name, value, study, net, tabular):
    X, y, _ = tabular
    parameters = {"trial": study.ask(), "monitor": "train_loss", name: value}
    net.set_params(callbacks=[("pruning", TrialPruning(**parameters))])
    with pytest.raises(ValueError, match=f"'{name}' parameter of TrialPruning must be"):
        net.fit(X, y)
    assert not getattr(net, "history_", [])


@pytest.mark.filterwarnings("ignore:`optuna.terminator`:FutureWarning")  # imported by its search
# What optuna-integration does with scikit-learn 1.6.
@pytest.mark.filterwarnings("ignore:The OptunaSearchCV or classes:FutureWarning")
def test_distributions_are_for_optunas_own_search(net, tabular):
    X, y, _ = tabular
    pipeline = make_pipeline(StandardScaler(), net)
    space = anti_transfer_distributions(pipeline, X)
    assert all(isinstance(value, CategoricalDistribution) for value in space.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls its search experimental
        search = OptunaSearchCV(
            pipeline, space, cv=2, n_trials=3, random_state=0, error_score="raise"
        )
    search.fit(X, y)
    assert set(search.best_params_) == set(space)

"""Optimizers by name, and parameters that are called something else here."""

import inspect
import re

import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from skorch import NeuralNet

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.estimators._names import OPTIMIZERS, advice_for

FAST = {"max_epochs": 1, "random_state": 0}


@pytest.fixture
def nothing_is_trained(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("a network was trained")

    monkeypatch.setattr(NeuralNet, "fit_loop", train)


# ---- optimizers ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adam", "SGD", "RMSprop", "adamw", "lbfgs"])
def test_an_optimizer_by_name_is_that_of_torch(name, tabular):
    X, y, _ = tabular
    cls = OPTIMIZERS[name.lower()]
    by_name = AntiTransferClassifier(optimizer=name, **FAST).fit(X, y)
    by_class = AntiTransferClassifier(optimizer=cls, **FAST).fit(X, y)
    assert type(by_name.optimizer_) is cls
    assert by_name.get_params()["optimizer"] == name
    for one, other in zip(by_name.module_.parameters(), by_class.module_.parameters(), strict=True):
        assert torch.equal(one, other)
    fused = [net.optimizer_.defaults.get("fused") for net in (by_name, by_class)]
    assert fused[0] == fused[1]


def test_its_arguments_are_set_and_searched(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(optimizer="sgd", optimizer__momentum=0.5, **FAST).fit(X, y)
    assert net.optimizer_.defaults["momentum"] == 0.5
    search = GridSearchCV(AntiTransferClassifier(**FAST), {"optimizer": ["adam", "sgd"]}, cv=2)
    assert search.set_params(error_score="raise").fit(X, y).best_score_ > 0


@pytest.mark.parametrize("optimizer", ["sgd", torch.optim.SGD])
def test_it_is_set_on_a_fitted_network(optimizer, tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y).set_params(optimizer=optimizer)
    assert type(net.partial_fit(X, y).optimizer_) is torch.optim.SGD
    assert len(net.history) == 2


def make_nothing(parameters, **kwargs):
    return None


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"optimizer": "adamm"}, r"'optimizer' parameter of .*'adamm'.* mean 'adam(w|ax)?'\?"),
        ({"optimizer": "zzz"}, r"'zzz' instead\. Available: \['adadelta'"),
        ({"optimizer": int}, "'optimizer' parameter of AntiTransferClassifier must be an opt"),
        ({"optimizer": None}, "'optimizer' .* Got None"),
        ({"optimizer": torch.optim.SGD([torch.ones(1)], lr=1)}, "made for the network in fit"),
        ({"optimizer": make_nothing}, "'optimizer' .* It made None"),
        pytest.param(
            {"optimizer": "muon"},
            "'optimizer' parameter, 'muon', cannot be made.* 2D",
            marks=pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="not in this torch"),
        ),
        ({"optimizer__momentum": 1}, r"AdamW.* cannot be made.*optimizer__momentum"),
    ],
)
def test_bad_optimizers(parameters, match, tabular, nothing_is_trained):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(), **parameters)
    with pytest.raises(ValueError, match=match):
        net.fit(X, y, y_unrelated=nuisance)


# ---- names of others ----------------------------------------------------------------------

# What there is nothing to say of: it is always so, or never.
NOT_HERE = {"verbose", "warm_start", "random_state", "batch_size"}


@pytest.mark.parametrize(
    "name",
    sorted(
        (set(inspect.signature(MLPClassifier).parameters) - NOT_HERE)
        | (set(inspect.signature(MLPRegressor).parameters) - NOT_HERE)
    ),
)
def test_every_parameter_of_scikit_learns_networks_is_told(name, tabular, nothing_is_trained):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(), **{name: 1})
    with pytest.raises(ValueError, match=rf"unexpected argument '{name}' \({name}=1\)\. Here it"):
        net.fit(X, y, y_unrelated=nuisance)
    with pytest.raises(ValueError, match=rf"Invalid parameter '{name}' for .*\. Here it is"):
        AntiTransferRegressor().set_params(**{name: 1})


@pytest.mark.parametrize(
    "name", ["early_stopping", "max_iter", "alpha", "power_t", "momentum", "channels"]
)
def test_what_is_advised_exists(name):
    known = set(inspect.signature(AntiTransferClassifier).parameters)
    written = re.findall(r"\b([a-z_]+?)(?:__[a-z_]+)?\b(?==|\.$| with)", advice_for(name))
    assert written
    assert set(written) <= known | {"patience", "load_best"}


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("optimizer_lr", "mean 'optimizer__lr'"),
        ("iterator_train_shuffle", "mean 'iterator_train__shuffle'"),
        ("max_epoch", "mean 'max_epochs'"),
        ("label_smoothing", "it is criterion__label_smoothing"),
        ("num_workers", "it is iterator_train__num_workers"),
        ("nothing_like_it", r"Available: \['aggregation', .*'weight_schedule'\]"),
        ("modul__width", r"Available: "),
    ],
)
def test_other_names_are_looked_for(name, match, tabular, nothing_is_trained):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(), **{name: 1})
    with pytest.raises(ValueError, match=match):
        net.fit(X, y, y_unrelated=nuisance)


class TwoModules(AntiTransferClassifier):
    def initialize_module(self):
        super().initialize_module()
        self.second_ = torch.nn.Linear(self.get_params_for("second")["width"], 1)
        return self


def test_a_subclass_may_have_parts_of_its_own(tabular):
    X, y, _ = tabular
    net = TwoModules(second__width=3, **FAST).fit(X, y)
    assert net.second_.in_features == 3

"""Bad parameters are refused before training, with what they must be and what they are."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor

FAST = {"max_epochs": 1, "random_state": 0}


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"weight": -1}, r"'weight' parameter of AntiTransferClassifier must be a float in \[0"),
        ({"weight": "large"}, "'weight' parameter"),
        ({"weight": np.inf}, "Got inf instead"),
        ({"weight": np.nan}, "Got nan instead"),
        ({"weight": True}, "Got True instead"),
        ({"weight": [1.0, 2.0]}, "one for each of the 1 unrelated networks"),
        ({"metric": "ckaa"}, r"metric must be .*'cka'"),
        ({"metric": None}, "metric must be"),
        ({"aggregation": "grams"}, r"aggregation must be .*'gram'"),
        ({"weight_schedule": "warm"}, r"weight_schedule must be .*'linear_warmup'"),
        ({"layer": []}, "'layer' parameter must name at least one"),
        ({"layer": "nope"}, r"Layer 'nope' \(parameter 'layer'\) not found.*hidden"),
        ({"unrelated_layer": "nope"}, r"Layer 'nope' \(parameter 'unrelated_layer'\) not found"),
        ({"layer": 9}, "layer=9 is out of range"),
        ({"module": "convnett"}, r"'module' parameter .* must be .*'convnet'"),
        ({"module": 3}, "'module' parameter"),
        ({"precision": "double"}, r"'precision' .* one of \['bfloat16', .*'float64'\].*'double'"),
        ({"memory": 3}, r"'memory' parameter must be None, a folder .* or a joblib.Memory. Got 3"),
        ({"memory": __file__}, "'memory' parameter must be None, a folder"),
        ({"max_epochs": -1}, r"'max_epochs' .* an int in \[0, inf\). Got -1"),
        ({"max_epochs": 1.5}, "'max_epochs'"),
        ({"batch_size": 0}, "'batch_size' .* -1 for all"),
        ({"lr": -0.1}, "'lr'"),
        ({"class_weight": "even"}, "'class_weight' .* 'balanced'"),
        ({"device": "gpu"}, "'device' .* 'auto'"),
        ({"optimizer": "adamm"}, r"'optimizer' .* Got 'adamm' instead\. Did you mean 'adam'"),
        ({"criterion": "mse"}, "'criterion' .* a class, not its name"),
        ({"iterator_train": None}, "'iterator_train' .* a class"),
        ({"train_split": 5}, "'train_split' .* Got 5 instead"),
        ({"callbacks": "stop"}, "'callbacks' .* 'disable'"),
        ({"callbacks": [3]}, "'callbacks' .* list of skorch callbacks"),
        ({"module__n_outputs": 1}, r"\(n_samples, 2\), one for each class. Got \(8, 1\)"),
        ({"random_state": "seed"}, r"'random_state' .* \[0, 2\*\*32\) or .* Got 'seed'"),
        ({"wieght": 1}, r"unexpected argument 'wieght' \(wieght=1\)\. Did you mean 'weight'\?"),
        ({"module__layers": 3}, "layers"),
    ],
)
def test_bad_parameters(parameters, match, tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(**{"unrelated": unrelated, **parameters})
    with pytest.raises((ValueError, TypeError), match=match):
        net.fit(X, y)
    assert not hasattr(net, "module_")
    assert net.history is None


def test_a_failed_fit_leaves_a_fitted_network_as_it_was(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, weight=1.0, penalty_every=1, **FAST).fit(X, y)
    before, proba = dict(vars(net)), net.predict_proba(X)
    module = net.module_
    net.set_params(layer="nope")
    with pytest.raises(ValueError, match="nope"):
        net.fit(X[:, ::-1], 1 - y)
    with pytest.raises(ValueError, match="NaN"):
        net.fit(X * np.nan, y)
    assert net.module_ is module
    assert len(net.history) == 1
    assert vars(net).keys() == before.keys()
    np.testing.assert_array_equal(net.predict_proba(X), proba)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)

    def forward(self, x):
        return self.linear(x)


def test_a_regression_network_must_return_a_column_for_each_target(tabular):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"\(n_samples, 1\), one for each target. Got \(8, 2\)"):
        AntiTransferRegressor(Two, **FAST).fit(X, y)


# ---- modules ------------------------------------------------------------------------------


class Asks(nn.Module):
    def __init__(self, n_features_in, n_outputs, width=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features_in, width), nn.ReLU(), nn.Linear(width, n_outputs)
        )

    def forward(self, x):
        return self.layers(x)


class AsksNothing(nn.Module):
    def __init__(self, width=6, outputs=2, **anything):
        super().__init__()
        self.layer = nn.Linear(width, outputs)
        self.anything = anything

    def forward(self, x):
        return self.layer(x)


def test_a_module_is_told_the_sizes_that_it_names(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(Asks, module__width=4, **FAST).fit(X, y)
    assert [tuple(p.shape) for p in net.module_.parameters()] == [(4, 6), (4,), (2, 4), (2,)]
    wide = AntiTransferClassifier(Asks, module__n_outputs=5, classes=range(5), **FAST).fit(X, y)
    assert wide.predict_proba(X).shape == (80, 5)
    assert AntiTransferClassifier(AsksNothing, **FAST).fit(X, y).module_.anything == {}
    regressor = AntiTransferRegressor(Asks, **FAST).fit(X, X[:, :3])
    assert regressor.predict(X).shape == (80, 3)


def test_a_module_instance_is_copied(tabular):
    X, y, _ = tabular
    module = Asks(6, 2)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    first, second = (AntiTransferClassifier(module, **FAST).fit(X, y) for _ in range(2))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


@pytest.mark.parametrize("name", ["auto", "mlp", "convnet", "vgg"])
def test_modules_by_name(name, images):
    X, y, _ = images
    small = {"module__width": 0.05, "module__hidden_units": 8} if name == "vgg" else {}
    net = AntiTransferClassifier(name, **FAST, **small).fit(X, y)
    assert type(net.module_).__name__.lower() == {"auto": "convnet"}.get(name, name)


def test_an_auto_module_is_made_when_the_data_are_known(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).initialize()
    assert not hasattr(net, "module_")
    with pytest.raises(NotFittedError):
        net.predict(X)
    assert type(net.fit(X, y).module_).__name__ == "MLP"
    net = AntiTransferClassifier(module__input_shape=(4,), module__n_outputs=2).initialize()
    assert type(net.module_).__name__ == "MLP"


def test_the_device_is_resolved_and_the_parameter_kept(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y)
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert net.device == expected
    assert net.get_params()["device"] == "auto"
    assert next(net.module_.parameters()).device.type == expected
    assert AntiTransferClassifier(device="cpu").get_params()["device"] == "cpu"


def test_double_precision(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(precision="float64", **FAST).fit(X, y)
    assert {p.dtype for p in net.module_.parameters()} == {torch.float64}
    assert net.predict_proba(X).dtype == np.float64


def test_repr_shows_what_was_set(unrelated):
    text = repr(AntiTransferClassifier(weight=2, optimizer__weight_decay=0.1))
    assert text == "AntiTransferClassifier(optimizer__weight_decay=0.1, weight=2)"

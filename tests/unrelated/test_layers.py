import copy

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, list_layers
from atl_sklearn.unrelated._choosing import choose_layers
from atl_sklearn.unrelated._tracing import trace_layers


def small_convnet(*, inplace=False):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=inplace),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 1),
        nn.ELU(inplace=inplace),
        nn.Flatten(),
        nn.Linear(54, 10),
        nn.Tanh(),
        nn.Linear(10, 2),
    )


def layers_of(network, X):
    return trace_layers(network, lambda: network(X)).layers


IMAGES = torch.zeros(2, 1, 8, 8)


def chosen_names(layer, network=None, X=IMAGES):
    network = small_convnet() if network is None else network
    return [found.name for found in choose_layers(layer, layers_of(network, X))]


def test_lists_names_types_indices_and_shapes():
    layers = list_layers(small_convnet(), IMAGES)
    assert [layer.name for layer in layers] == [str(i) for i in range(10)]
    assert [layer.type for layer in layers[:3]] == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert [layer.index for layer in layers if layer.index is not None] == [0, 1, 2, 3]
    assert [layer.name for layer in layers if layer.index is not None] == ["0", "4", "7", "9"]
    assert layers[3].output_shape == (4, 3, 3)
    assert "(n_samples, 4, 3, 3)" in str(layers)
    assert str(layers).splitlines()[0].split() == ["index", "name", "type", "output", "shape"]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("last", ["5"]),  # the nonlinearity of the last convolution
        (0, ["2"]),  # through the BatchNorm
        (1, ["5"]),
        (-1, ["9"]),  # the output has no nonlinearity
        (-2, ["8"]),
        (np.int64(-3), ["5"]),
        ("0", ["0"]),  # a name is that module and nothing else
        (["0", -2, "last"], ["0", "8", "5"]),
    ],
)
def test_layers_are_chosen_by_name_index_list_and_last(layer, expected):
    assert chosen_names(layer) == expected


def test_last_without_convolutions_is_the_last_hidden_layer():
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
    assert chosen_names("last", network, torch.zeros(2, 4)) == ["3"]
    single = nn.Sequential(nn.Linear(4, 2))
    assert chosen_names("last", single, torch.zeros(2, 4)) == ["0"]


class Residual(nn.Module):
    """Its one ReLU runs three times, and its modules are not in the order of their runs."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2)
        self.second = nn.Linear(3, 3)
        self.first = nn.Linear(4, 3)
        self.relu = nn.ReLU()
        self.unused = nn.Linear(4, 3)

    def forward(self, x):
        x = self.relu(self.first(x))
        x = self.relu(x + self.second(x))
        return self.head(self.relu(x))


def test_order_is_that_of_running_and_a_shared_module_has_several_runs():
    layers = layers_of(Residual(), torch.zeros(2, 4))
    numbered = [layer.name for layer in layers if layer.index is not None]
    assert numbered == ["first", "second", "head"]
    first, second = choose_layers([0, 1], layers)
    assert (first.name, first.run) == ("relu", 0)
    assert (second.name, second.run) == ("relu", 1)
    (by_name,) = choose_layers("relu", layers)
    assert by_name.run == 2
    assert "relu (run 3)" in str(layers)


def test_a_wrong_name_suggests_near_ones():
    with pytest.raises(ValueError, match=r"Layer 'blok' \(parameter 'layer'\) not found\. Avail"):
        chosen_names("blok")
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(nn.Linear(4, 2)))
    with pytest.raises(ValueError, match=r"Did you mean 'features'") as error:
        choose_layers("feature", layers_of(network, X4))
    assert "Available: ['features.0', 'features']" in str(error.value)


X4 = torch.zeros(2, 4)


def test_an_index_out_of_range_lists_what_there_is():
    with pytest.raises(ValueError, match=r"layer=4 is out of range: the network has 4 .*0: '0'"):
        chosen_names(4)


@pytest.mark.parametrize("layer", [1.5, True, None, [None]])
def test_other_types_are_refused(layer):
    with pytest.raises(TypeError, match="'layer' parameter must be a layer's name"):
        chosen_names(layer)


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        chosen_names([])


def test_last_needs_a_convolution_or_linear_layer():
    network = nn.Sequential(nn.ReLU(), nn.Tanh())
    with pytest.raises(ValueError, match="Name a layer instead"):
        chosen_names("last", network, X4)


def test_tracing_changes_nothing():
    network = small_convnet().train()
    network[1].eval()
    modes = [module.training for module in network.modules()]
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError):
        layers_of(network, torch.zeros(2, 3, 8, 8))
    layers_of(network, IMAGES)
    assert [module.training for module in network.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_tracing_takes_no_random_numbers():
    class Noisy(nn.Sequential):
        def forward(self, x):
            return super().forward(x + torch.rand_like(x))

    network = Noisy(nn.Linear(4, 2))
    state = torch.get_rng_state()
    layers_of(network, X4)
    assert torch.equal(torch.get_rng_state(), state)


def test_in_place_changes_are_noticed():
    changed = [layer.changed_in_place for layer in layers_of(small_convnet(), IMAGES)]
    assert not any(changed)
    assert all(layer.changed_in_place for layer in layers_of(small_convnet(inplace=True), IMAGES))

    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.head = nn.Linear(4, 4)

        def forward(self, x):
            return self.head(torch.relu_(self.linear(x)))

    layers = layers_of(InPlace(), X4)
    assert [layer.changed_in_place for layer in layers] == [True, False]


def test_list_layers_takes_estimators():
    X = np.random.RandomState(0).rand(20, 4)
    y = np.arange(20) % 2
    net = AntiTransferClassifier(max_epochs=1)
    names = [layer.name for layer in list_layers(net.fit(X, y), X)]
    pipeline = make_pipeline(StandardScaler(), AntiTransferClassifier(max_epochs=1)).fit(X, y)
    assert [layer.name for layer in list_layers(pipeline, X)] == names
    assert "hidden.0.activation" in names


class Wide(nn.Module):
    def __init__(self, n_features_in=6, n_outputs=2):
        super().__init__()
        self.body = nn.Linear(n_features_in, 3)
        self.head = nn.Linear(3, n_outputs)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


UNFITTED = {
    "auto": (AntiTransferClassifier(), (6,), 2),
    "images": (AntiTransferClassifier(random_state=np.random.RandomState(0)), (8, 9), 2),
    "classes": (AntiTransferClassifier(classes=list("abcd")), (6,), 4),
    "n_outputs": (AntiTransferClassifier(module__n_outputs=5), (6,), 5),
    "one score": (AntiTransferClassifier(criterion=nn.BCEWithLogitsLoss), (6,), 1),
    "regressor": (AntiTransferRegressor(), (6,), 1),
    "class": (AntiTransferClassifier(Wide), (6,), 2),
    "instance": (AntiTransferClassifier(Wide(6, 3)), (6,), 3),
    "frozen": (FrozenEstimator(AntiTransferClassifier()), (6,), 2),
    "skorch": (NeuralNetClassifier(Wide), (6,), 2),
    "pipeline": (make_pipeline(StandardScaler(), AntiTransferClassifier()), (6,), 2),
}


@pytest.mark.parametrize("name", UNFITTED)
def test_list_layers_of_what_is_not_fitted(name):
    estimator, shape, n_outputs = UNFITTED[name]
    X = np.random.RandomState(0).rand(12, *shape).astype(np.float32)
    before = repr(estimator)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    layers = list_layers(estimator, X)
    assert layers[-1].output_shape == (n_outputs,)
    assert repr(estimator) == before
    net = estimator
    while isinstance(net, FrozenEstimator | Pipeline):
        net = net.estimator if isinstance(net, FrozenEstimator) else net[-1]
    assert not hasattr(net, "module_")
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    if n_outputs == 2 and name != "frozen":
        fitted = clone(estimator).fit(X, np.arange(12) % 2)
        assert list_layers(fitted, X) == layers


def test_a_pipeline_that_is_not_fitted_fits_copies_of_its_steps_on_all_of_x():
    X = np.arange(20)[:, None] % 5
    encoder = OneHotEncoder()
    pipeline = make_pipeline(encoder, AntiTransferClassifier(max_epochs=1))
    layers = list_layers(pipeline, X)
    assert not hasattr(encoder, "categories_")
    assert list_layers(pipeline.fit(X, np.arange(20) % 2), X) == layers
    assert list_layers(AntiTransferClassifier(), csr_array(np.eye(5))) == layers


@pytest.mark.parametrize("wrong", [None, 3, BaseEstimator(), nn.Linear, StandardScaler()])
def test_list_layers_refuses_what_has_no_network(wrong):
    with pytest.raises(TypeError, match=r"'estimator' parameter must be a fitted Anti"):
        list_layers(wrong, np.zeros((2, 4)))

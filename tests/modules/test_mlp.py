"""The multilayer perceptron."""

import pytest
import torch
from torch import nn

from atl_sklearn.modules import MLP

x = torch.linspace(-1, 1, 12).reshape(2, 6)


def names(network):
    return [name for name, module in network.named_modules() if not list(module.children())]


def test_names_of_its_parts():
    assert names(MLP(6, 2, hidden_layer_sizes=(5, 4), dropout=0.1)) == [
        "hidden.0.linear",
        "hidden.0.activation",
        "hidden.0.dropout",
        "hidden.1.linear",
        "hidden.1.activation",
        "hidden.1.dropout",
        "head",
    ]


def test_without_dropout_there_is_no_such_part():
    assert not any("dropout" in name for name in names(MLP(6, 2)))


def test_an_int_is_a_feature_vector():
    assert MLP(6, 2).input_shape == MLP((6,), 2).input_shape == (6,)


@pytest.mark.parametrize("sizes", [5, (5,), [5]])
def test_one_hidden_layer(sizes):
    network = MLP(6, 2, hidden_layer_sizes=sizes)
    assert [tuple(weight.shape) for weight in network.parameters()] == [(5, 6), (5,), (2, 5), (2,)]


def test_without_hidden_layers_it_is_linear():
    network = MLP((2, 3), 2, hidden_layer_sizes=())
    images = torch.randn(4, 2, 3)
    torch.testing.assert_close(network(images), network.head(images.flatten(1)))


def test_it_computes_what_it_says():
    network = MLP(6, 2, hidden_layer_sizes=(5, 4), activation="tanh")
    first, second = network.hidden[0].linear, network.hidden[1].linear
    expected = network.head(second(first(x).tanh()).tanh())
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("elu", nn.functional.elu),
        ("gelu", nn.functional.gelu),
        ("identity", lambda values: values),
        ("leaky_relu", nn.functional.leaky_relu),
        ("logistic", torch.sigmoid),
        ("relu", torch.relu),
        ("silu", nn.functional.silu),
        ("tanh", torch.tanh),
    ],
)
def test_named_activations(name, function):
    network = MLP(6, 2, activation=name)
    torch.testing.assert_close(network.hidden[0].activation(x), function(x))


_shared = nn.PReLU()


@pytest.mark.parametrize("activation", [nn.PReLU, _shared, lambda: _shared])
def test_activations_are_not_shared(activation):
    network = MLP(6, 2, activation=activation)
    first, second = network.hidden[0].activation, network.hidden[1].activation
    assert isinstance(first, nn.PReLU)
    assert len({first, second, _shared}) == 3
    assert first.weight is not second.weight


def test_activations_in_place_are_turned_off_in_the_copies_only():
    given = nn.Sequential(nn.ReLU(inplace=True))
    network = MLP(6, 2, activation=given)
    assert not network.hidden[0].activation[0].inplace
    assert given[0].inplace


def test_a_near_miss_is_named():
    with pytest.raises(ValueError, match=r"one of \['elu'.*'ReLU' instead\. Did you mean 'relu'"):
        MLP(6, 2, activation="ReLU")


def test_other_unknown_activations_list_the_good_ones():
    with pytest.raises(ValueError, match=r"'activation' parameter of MLP must be .* instead\.$"):
        MLP(6, 2, activation="xyz")


@pytest.mark.parametrize("activation", [3, None, lambda: 3])
def test_activations_of_another_type_are_refused(activation):
    with pytest.raises(TypeError, match=r"'activation' parameter of MLP must be .*torch\.nn\.ReLU"):
        MLP(6, 2, activation=activation)


@pytest.mark.parametrize("sizes", [0, (5, 0), (5.0,), "5", None, {5, 6}])
def test_wrong_hidden_layers_are_refused(sizes):
    with pytest.raises(ValueError, match="'hidden_layer_sizes' parameter of MLP must be an int in"):
        MLP(6, 2, hidden_layer_sizes=sizes)


def test_a_batch_of_other_samples_shows_both_shapes():
    with pytest.raises(ValueError, match=r"of shape \(n_samples, 6\).*Got \(2, 7\) instead"):
        MLP(6, 2)(torch.zeros(2, 7))

"""What holds for every network, whatever its design."""

import copy
import pickle

import pytest
import torch

from atl_sklearn.modules import MLP, VGG, ConvNet

VECTORS = [(1,), (7,)]
IMAGES = [(1, 1), (1, 9), (2, 2), (3, 5), (33, 17), (64, 32), (1, 1, 1), (3, 1, 1), (2, 5, 4)]
IMAGES += [(3, 32, 31)]
NARROW = {"width": 1 / 32, "grid_size": 2}
CASES = [
    *[(MLP, shape, {}) for shape in [*VECTORS, (1, 1), (3, 5), (2, 5, 4), (2, 3, 2, 2)]],
    *[(ConvNet, shape, {}) for shape in IMAGES],
    *[(VGG, shape, NARROW) for shape in IMAGES],
    (MLP, (6,), {"dropout": 0.5, "activation": "tanh"}),
    (ConvNet, (9, 8), {"dropout": 0.5, "batch_norm": False}),
    (VGG, (9, 8), {**NARROW, "batch_norm": True}),
]
every_network = pytest.mark.parametrize(
    ("cls", "shape", "parameters"), CASES, ids=lambda value: getattr(value, "__name__", None)
)
one_of_each = pytest.mark.parametrize(
    ("cls", "shape", "parameters"),
    [
        (MLP, (6,), {"dropout": 0.5}),
        (ConvNet, (9, 8), {"dropout": 0.5}),
        (VGG, (9, 8), {**NARROW, "batch_norm": True}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)


def equal_states(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@every_network
@pytest.mark.parametrize("n_outputs", [1, 4])
def test_scores_have_one_column_for_each_output(cls, shape, parameters, n_outputs):
    network = cls(shape, n_outputs, **parameters)
    scores = network(torch.randn(3, *shape))
    assert scores.shape == (3, n_outputs)
    assert torch.isfinite(scores).all()


@every_network
def test_one_sample_and_no_sample_in_evaluation(cls, shape, parameters):
    network = cls(shape, 2, **parameters).eval()
    assert network(torch.randn(1, *shape)).shape == (1, 2)
    assert network(torch.randn(0, *shape)).shape == (0, 2)


@every_network
def test_gradients_reach_every_parameter(cls, shape, parameters):
    # A unit of so narrow a network may rest for all of a few samples, which is no fault here.
    network = cls(shape, 3, **parameters).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.ReLU):
            layer.register_forward_hook(lambda _, args, output: args[0].abs())
    network(torch.randn(8, *shape)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@one_of_each
def test_scores_are_raw(cls, shape, parameters):
    network = cls(shape, 3, **parameters).eval()
    scores = network(torch.randn(16, *shape))
    assert (scores < 0).any()
    assert not torch.allclose(scores.sum(1), torch.ones(16))


@one_of_each
def test_evaluation_is_deterministic_and_samples_independent(cls, shape, parameters):
    network = cls(shape, 3, **parameters).eval()
    x = torch.randn(4, *shape)
    torch.testing.assert_close(network(x), network(x), rtol=0, atol=0)
    torch.testing.assert_close(network(x)[:2], network(x[:2]))


@one_of_each
def test_dropout_only_while_training(cls, shape, parameters):
    network = cls(shape, 3, **parameters)
    x = torch.randn(4, *shape)
    assert not torch.equal(network.train()(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


@one_of_each
def test_same_seed_same_weights(cls, shape, parameters):
    def make(seed):
        torch.manual_seed(seed)
        return cls(shape, 3, **parameters)

    assert equal_states(make(0), make(0))
    assert not equal_states(make(0), make(1))


@one_of_each
@pytest.mark.parametrize("travel", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_are_equal_and_share_nothing(cls, shape, parameters, travel):
    network = cls(shape, 3, **parameters).eval()
    twin = travel(network)
    x = torch.randn(2, *shape)
    assert torch.equal(network(x), twin(x))
    with torch.no_grad():
        next(twin.parameters()).add_(1)
    assert not equal_states(network, twin)


@one_of_each
def test_nonlinearities_are_modules_of_their_own_and_not_in_place(cls, shape, parameters):
    network = cls(shape, 3, **parameters)
    runs = []
    rectifiers = [layer for layer in network.modules() if isinstance(layer, torch.nn.ReLU)]
    for layer in rectifiers:
        assert not layer.inplace
        layer.register_forward_hook(lambda module, *_: runs.append(module))
    network(torch.randn(2, *shape))
    assert len(rectifiers) > 0
    assert runs == rectifiers  # each runs once, in the order of the names


@one_of_each
def test_input_is_not_changed(cls, shape, parameters):
    x = torch.randn(2, *shape)
    before = x.clone()
    cls(shape, 3, **parameters)(x)
    assert torch.equal(x, before)


@one_of_each
def test_an_empty_or_wrong_input_shape_is_refused(cls, shape, parameters):
    for bad in [(), (0, 4), (-1,), (2.0, 3.0), "12", None, (True, 4)]:
        with pytest.raises(ValueError, match=f"'input_shape' parameter of {cls.__name__} must be"):
            cls(bad, 3, **parameters)


@one_of_each
@pytest.mark.parametrize("bad", [0, -1, 2.0, "2", None, True])
def test_a_wrong_number_of_outputs_is_refused(cls, shape, parameters, bad):
    with pytest.raises(ValueError, match=f"'n_outputs' parameter of {cls.__name__} must be an int"):
        cls(shape, bad, **parameters)


@one_of_each
@pytest.mark.parametrize("bad", [-0.1, 1, 1.5, float("nan"), "0.5", None, True])
def test_a_wrong_dropout_is_refused(cls, shape, parameters, bad):
    with pytest.raises(ValueError, match=r"'dropout' parameter of \w+ must be a float in \[0, 1\)"):
        cls(shape, 3, **{**parameters, "dropout": bad})


@one_of_each
def test_a_batch_of_another_rank_shows_both_shapes(cls, shape, parameters):
    network = cls(shape, 3, **parameters)
    with pytest.raises(ValueError, match=r"input of shape \(n_samples, .*Got \(2, 1, 1, 1, 1\)"):
        network(torch.zeros(2, 1, 1, 1, 1))


@pytest.mark.parametrize("cls", [ConvNet, VGG])
def test_images_of_one_channel_may_leave_the_channel_out(cls):
    parameters = NARROW if cls is VGG else {}
    plain = cls((8, 6), 2, **parameters).eval()
    with_channel = cls((1, 8, 6), 2, **parameters).eval()
    with_channel.load_state_dict(plain.state_dict())
    x = torch.randn(3, 8, 6)
    assert torch.equal(plain(x), with_channel(x.unsqueeze(1)))


@pytest.mark.parametrize("cls", [ConvNet, VGG])
@pytest.mark.parametrize(
    ("shape", "way_out"), [((5,), "Use MLP"), (5, "Use MLP"), ((2, 3, 4, 5), "Reshape X")]
)
def test_images_of_another_rank_are_refused(cls, shape, way_out):
    message = rf"{cls.__name__} must be \(height, width\).*\(channels, height, width\).*{way_out}"
    with pytest.raises(ValueError, match=message):
        cls(shape, 2)


@pytest.mark.parametrize("cls", [ConvNet, VGG])
def test_a_batch_with_other_channels_is_refused(cls):
    network = cls((3, 8, 8), 2, **(NARROW if cls is VGG else {}))
    with pytest.raises(ValueError, match=r"\(n_samples, 3, 8, 8\).*Got \(2, 1, 8, 8\) instead"):
        network(torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize("cls", [ConvNet, VGG])
def test_larger_images_than_announced_are_taken(cls):
    network = cls((16, 16), 2, **(NARROW if cls is VGG else {}))
    assert network(torch.randn(3, 21, 40)).shape == (3, 2)

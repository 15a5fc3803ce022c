"""The network of the paper."""

import pytest
import torch
from torch import nn

from atl_sklearn.modules import VGG

# torchvision's vgg16 and vgg16_bn for 1,000 classes of colour images.
N_PARAMETERS = {False: 138_357_544, True: 138_365_992}
CONVOLUTIONS = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]


def make_hollow(*args, **kwargs):
    """Make a network without memory for its weights."""
    with torch.device("meta"):
        return VGG(*args, **kwargs)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_number_of_parameters_of_the_original(batch_norm):
    network = make_hollow((3, 224, 224), 1000, batch_norm=batch_norm)
    n_parameters = sum(weight.numel() for weight in network.parameters())
    assert n_parameters == N_PARAMETERS[batch_norm]


def test_the_layers_are_those_of_the_original():
    network = make_hollow((3, 224, 224), 1000)
    letters = {nn.Conv2d: "C", nn.ReLU: "R", nn.MaxPool2d: "M", nn.Linear: "L", nn.Dropout: "D"}
    features = "".join(letters[type(layer)] for layer in network.features)
    assert features == "CRCRMCRCRMCRCRCRMCRCRCRMCRCRCRM"
    assert "".join(letters[type(layer)] for layer in network.classifier) == "LRDLRDL"
    convolutions = [layer for layer in network.features if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == CONVOLUTIONS
    assert network.features(torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, 512, 7, 7)
    assert network.classifier[0].in_features == 512 * 7 * 7


@pytest.mark.parametrize("batch_norm", [False, True])
def test_names_do_not_depend_on_the_size_of_the_images(batch_norm):
    large = make_hollow((224, 224), 5, batch_norm=batch_norm)
    small = make_hollow((1, 3), 5, batch_norm=batch_norm)
    assert [name for name, _ in large.named_modules()] == [n for n, _ in small.named_modules()]
    shapes = {name: weight.shape for name, weight in large.state_dict().items()}
    assert shapes == {name: weight.shape for name, weight in small.state_dict().items()}


def test_axes_with_nothing_left_are_not_pooled():
    network = VGG((40, 5), 2, width=1 / 64, grid_size=1)
    pools = [layer.kernel_size for layer in network.features if isinstance(layer, nn.MaxPool2d)]
    assert pools == [(2, 2), (2, 2), (2, 1), (2, 1), (2, 1)]
    assert network.features(torch.randn(2, 1, 40, 5)).shape[2:] == (1, 1)


@pytest.mark.parametrize(
    ("width", "first", "last", "hidden"),
    [
        (1, 64, 512, 4096),
        (0.5, 32, 256, 2048),
        (0.02, 1, 10, 82),
        (1e-9, 1, 1, 1),
        (2, 128, 1024, 8192),
    ],
)
def test_width_scales_channels_and_hidden_units(width, first, last, hidden):
    network = make_hollow((8, 8), 2, width=width)
    assert network.features[0].out_channels == first
    assert network.features[28].out_channels == last
    assert network.classifier[0].out_features == network.classifier[3].in_features == hidden
    assert network.classifier[6].out_features == 2


def test_hidden_units_and_grid_size():
    network = make_hollow((8, 8), 2, width=0.5, hidden_units=100, grid_size=3)
    assert network.classifier[0].in_features == 256 * 9
    assert network.classifier[0].out_features == 50


@pytest.mark.parametrize("width", [1 / 16, 1 / 4])
def test_signals_neither_fade_nor_explode(width):
    network = VGG((64, 64), 2, width=width).eval()
    x = torch.randn(8, 1, 64, 64)
    last_hidden = network.classifier[:-1](network.avgpool(network.features(x)).flatten(1))
    assert 0.05 < last_hidden.std() < 20
    assert network(x.squeeze(1)).abs().max() < 3


def test_where_the_weights_start():
    network = VGG((8, 8), 40, width=0.25)
    second = network.features[5]  # 16 channels in, 32 out
    deviations = {
        second: (2 / (9 * 32)) ** 0.5,  # He's, as many terms as go out
        network.classifier[3]: (2 / 1024) ** 0.5,
        network.classifier[6]: 0.01,
    }
    for layer, expected in deviations.items():
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert not layer.bias.any()


def test_dropout_reaches_both_hidden_layers():
    network = make_hollow((8, 8), 2, dropout=0.3)
    assert [network.classifier[index].p for index in (2, 5)] == [0.3, 0.3]
    assert make_hollow((8, 8), 2).classifier[2].p == 0.5


@pytest.mark.parametrize("name", ["width", "hidden_units", "grid_size"])
@pytest.mark.parametrize("bad", [0, -1, "1", None, True, float("nan")])
def test_wrong_sizes_are_refused(name, bad):
    with pytest.raises(ValueError, match=f"'{name}' parameter of VGG must be"):
        VGG((8, 8), 2, **{name: bad})

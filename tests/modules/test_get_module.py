"""Networks by name."""

import functools

import pytest
from torch import nn

from atl_sklearn.modules import MLP, VGG, ConvNet, get_module, get_module_names


def test_names_are_sorted_and_all_found():
    assert get_module_names() == ["auto", "convnet", "mlp", "vgg"]
    found = {name: get_module(name, (8, 8)) for name in get_module_names()}
    assert found == {"auto": ConvNet, "convnet": ConvNet, "mlp": MLP, "vgg": VGG}


@pytest.mark.parametrize(
    ("shape", "expected"), [(5, MLP), ((5,), MLP), ((8, 8), ConvNet), ((3, 8, 8), ConvNet)]
)
def test_auto_goes_by_the_shape(shape, expected):
    assert get_module("auto", shape) is expected


@pytest.mark.parametrize(
    "module", [MLP, nn.Linear, nn.Linear(2, 2), functools.partial(MLP, dropout=0.1), print]
)
def test_anything_that_can_be_called_is_returned_as_it_is(module):
    assert get_module(module, (5,)) is module


@pytest.mark.parametrize(
    ("name", "near"), [("ConvNet", "convnet"), ("MLP", "mlp"), ("vgg16", "vgg"), ("atuo", "auto")]
)
def test_near_misses_are_named(name, near):
    message = rf"one of \['auto'.*Got '{name}' instead\. Did you mean '{near}'\?$"
    with pytest.raises(ValueError, match=message):
        get_module(name, (5,))


def test_a_bad_name_lists_the_good_ones():
    message = r"one of \['auto', 'convnet', 'mlp', 'vgg'\]\. Got 'transformer' instead\.$"
    with pytest.raises(ValueError, match=message):
        get_module("transformer", (5,))


@pytest.mark.parametrize("module", [None, 3, ("mlp",)])
def test_other_types_are_refused(module):
    with pytest.raises(TypeError, match=r"'module' parameter must be a torch\.nn\.Module"):
        get_module(module, (5,))


def test_auto_has_nothing_for_more_axes():
    with pytest.raises(ValueError, match=r"Got X with 5 axes.*\(2, 3, 4, 5\).*module='mlp'"):
        get_module("auto", (2, 3, 4, 5))


def test_auto_needs_a_shape():
    with pytest.raises(ValueError, match="'input_shape' parameter of get_module must be"):
        get_module("auto", ())

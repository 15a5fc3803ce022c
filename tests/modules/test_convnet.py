"""The small convolutional network."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from atl_sklearn.modules import ConvNet


def children(module):
    return [name for name, _ in module.named_children()]


def test_names_of_its_parts():
    network = ConvNet((16, 16), 2, dropout=0.1)
    assert children(network) == ["blocks", "average", "dropout", "head"]
    assert len(network.blocks) == 5
    for index, block in enumerate(network.blocks):
        pool = ["pool"] if index in (0, 1, 3) else []
        assert children(block) == ["conv", "norm", "activation", *pool]


def test_parts_that_are_not_asked_for_do_not_exist():
    network = ConvNet((16, 16), 2, batch_norm=False, pool_after=())
    assert children(network) == ["blocks", "average", "head"]
    assert all(children(block) == ["conv", "activation"] for block in network.blocks)


@pytest.mark.parametrize(
    ("shape", "kernels", "shrunk"),
    [
        ((16, 16), [(2, 2), (2, 2), (2, 2)], (2, 2)),
        ((8, 8), [(2, 2), (2, 2), (2, 2)], (1, 1)),
        ((5, 40), [(2, 2), (2, 2), (1, 2)], (1, 5)),
        ((1, 3), [(1, 2), (1, 1), (1, 1)], (1, 1)),
        ((1, 1), [(1, 1), (1, 1), (1, 1)], (1, 1)),
    ],
)
def test_axes_with_nothing_left_are_not_pooled(shape, kernels, shrunk):
    network = ConvNet(shape, 2)
    pools = [module for module in network.modules() if isinstance(module, nn.MaxPool2d)]
    assert [pool.kernel_size for pool in pools] == kernels
    assert network.blocks(torch.randn(2, 1, *shape)).shape[2:] == shrunk


def test_fewer_blocks_than_pooling_knows():
    network = ConvNet((9, 9), 2, channels=(4, 6))
    assert [hasattr(block, "pool") for block in network.blocks] == [True, True]
    network = ConvNet((9, 9), 2, channels=(4, 6), pool_after=(1, 7))
    assert [hasattr(block, "pool") for block in network.blocks] == [False, True]


@pytest.mark.parametrize(("size", "kernel"), [(1, (1, 1)), (5, (5, 5)), ((3, 7), (3, 7))])
def test_convolutions_keep_the_size(size, kernel):
    network = ConvNet((6, 8), 2, channels=4, kernel_size=size, pool_after=())
    assert network.blocks[0].conv.kernel_size == kernel
    assert network.blocks(torch.randn(2, 1, 6, 8)).shape == (2, 4, 6, 8)


def test_it_computes_what_it_says():
    network = ConvNet((6, 8), 2, channels=(4,), pool_after=0, batch_norm=False)
    x = torch.randn(3, 6, 8)
    maps = nn.functional.max_pool2d(network.blocks[0].conv(x.unsqueeze(1)).relu(), 2)
    torch.testing.assert_close(network(x), network.head(maps.mean((2, 3))))


def test_number_of_parameters():
    # Weights of the convolutions, two numbers a channel for the norm, and the head.
    sizes = (1, 16, 32, 48, 48, 64)
    expected = sum(9 * a * b + 2 * b for a, b in pairwise(sizes)) + 64 * 10 + 10
    assert sum(weight.numel() for weight in ConvNet((9, 9), 10).parameters()) == expected


def test_a_single_sample_that_shrinks_to_one_position_cannot_be_normalised():
    x = torch.randn(1, 4, 4)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        ConvNet((4, 4), 2)(x)
    assert ConvNet((4, 4), 2, batch_norm=False)(x).shape == (1, 2)
    assert ConvNet((32, 32), 2)(torch.randn(1, 32, 32)).shape == (1, 2)


def test_it_learns():
    labels = torch.arange(32) % 2
    x = torch.randn(32, 8, 8)
    x[labels == 1, :, :4] += 1
    network = ConvNet((8, 8), 2, channels=(8, 8))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(20):
        loss = nn.functional.cross_entropy(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2


@pytest.mark.parametrize("size", [2, (3, 4), (3, 3, 3), (), 0, 3.0])
def test_wrong_kernels_are_refused(size):
    with pytest.raises(ValueError, match="'kernel_size' parameter of ConvNet must be"):
        ConvNet((9, 9), 2, kernel_size=size)


@pytest.mark.parametrize("channels", [(), 0, (8, -1), "8", None])
def test_wrong_channels_are_refused(channels):
    with pytest.raises(ValueError, match="'channels' parameter of ConvNet must"):
        ConvNet((9, 9), 2, channels=channels)


@pytest.mark.parametrize("pool_after", [-1, (0, 1.0), "all", None])
def test_wrong_pooling_is_refused(pool_after):
    with pytest.raises(ValueError, match=r"'pool_after' parameter of ConvNet must be an int in"):
        ConvNet((9, 9), 2, pool_after=pool_after)

"""States as bytes: the same back, of the same types, and nothing that is run."""

import json
import random
from collections import Counter, OrderedDict, deque
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from atl_sklearn.persistence import (
    ModelFileError,
    UnknownStateError,
    check_packable,
    pack_state,
    unpack_state,
)

IMAGES = torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)
STATES = {
    "plain": [None, True, 3, -0.1, "ä", float("inf")],
    "tuple": (1, (2, [3])),
    "dict": {1: "a", "b": {2.5: (None,)}, ("c",): 3},
    "tagged": {"is": "tuple", "items": 1},
    "counter": Counter({30: 1, 60: 2}),
    "deque": deque([1, 2], maxlen=3),
    "sets": ({1, 2}, frozenset({"a"})),
    "torch": [torch.float16, torch.device("cpu"), torch.Size([1, 2]), range(2, 8, 3)],
    "path": [Path("a/b"), b"\x00\xff"],
}


@pytest.mark.parametrize("name", STATES)
def test_containers_come_back_as_they_were(name):
    state = STATES[name]
    found = unpack_state(pack_state(state))
    assert found == state
    assert repr(found) == repr(state)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(3),
        torch.empty(0, 2),
        torch.ones(2, dtype=torch.bfloat16),
        torch.tensor([True, False]),
        torch.tensor([float("nan"), -0.0, float("inf")]),
        torch.arange(6.0).reshape(2, 3).T,
        torch.ones(1, 3).expand(4, 3),
        IMAGES,
        torch.nn.Parameter(torch.ones(2)),
    ],
)
def test_tensors_come_back_bit_for_bit(tensor):
    found = unpack_state(pack_state({"a": tensor, "b": tensor}))["b"]  # two of one memory
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    same = found.contiguous().flatten().view(torch.uint8)
    assert torch.equal(same, tensor.detach().contiguous().flatten().view(torch.uint8))


def test_images_keep_their_order_in_memory():
    assert (
        unpack_state(pack_state(IMAGES)).stride() == IMAGES.stride() != IMAGES.contiguous().stride()
    )


@pytest.mark.parametrize(
    "array",
    [
        np.float32(0.1),
        np.bool_(True),
        np.arange(3, dtype=">i2"),
        np.array(["a", "bc"]),
        np.array([b"a", b"bc"]),
        np.array([None, "a"]),
    ],
)
def test_arrays_and_numbers_of_numpy_keep_their_type(array):
    found = unpack_state(pack_state([array]))[0]
    assert type(found) is type(array)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_generators_go_on():
    made = [
        torch.Generator().manual_seed(3), np.random.RandomState(1), np.random.default_rng(2),
        random.Random(4),
    ]  # fmt: skip
    theirs = unpack_state(pack_state(made))
    assert torch.equal(torch.rand(3, generator=made[0]), torch.rand(3, generator=theirs[0]))
    for ours, found in zip(made[1:], theirs[1:], strict=True):
        assert ours.random() == found.random()


def test_versions_of_a_state_dict_come_along():
    state = torch.nn.BatchNorm1d(2).state_dict()
    found = unpack_state(pack_state(state))
    assert type(found) is OrderedDict
    assert found._metadata == state._metadata


def test_bytes_are_a_safetensors_file_and_the_same_each_time():
    state = {"weight": torch.arange(3.0), "step": 2}
    assert next(iter(load(pack_state(state)).values())).tolist() == [0, 1, 2]
    assert pack_state(state) == pack_state(unpack_state(pack_state(state)))


class Pair(tuple):
    pass


@pytest.mark.parametrize(
    "value",
    [
        object(),
        print,
        Pair((1, 2)),
        np.zeros(1, "f4,i4"),
        torch.ones(2).to_sparse(),
        torch.nn.ReLU(),
    ],
)
def test_what_is_unknown_is_refused_with_its_place(value):
    with pytest.raises(UnknownStateError, match=r"it\['a'\]\[1\] is"):
        check_packable({"a": [0, value]}, "it")
    with pytest.raises(UnknownStateError, match=r"it\['a'\]\[1\] is"):
        pack_state({"a": [0, value]}, "it")


def written(description):
    """Return a file that says what nobody packs."""
    return save({"0": torch.zeros(8, dtype=torch.uint8)}, {"state": json.dumps(description)})


@pytest.mark.parametrize(
    "description",
    [
        {"is": "torch_dtype", "value": "load"},
        {"is": "Generator", "id": 0, "state": {"is": "dict", "items": [["bit_generator", "seed"]]}},
        {"is": "array", "id": 0, "dtype": "|O", "shape": [1], "order": "C", "tensor": "0"},
        {"is": "torch_generator", "parts": ["nowhere", None]},
        {"is": "function", "name": "builtins:eval"},
        {"is": "eval", "value": "1 + 1"},
    ],
)
def test_nothing_that_a_file_names_is_called(description):
    with pytest.raises(ModelFileError):
        unpack_state(written(description))

import copy
import pickle
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from atl_sklearn.unrelated import FrozenNetwork
from atl_sklearn.unrelated._frozen import private_copy
from atl_sklearn.unrelated._hooks import ActivationHooks, HookPoint


@contextmanager
def tap(module, points):
    taps = ActivationHooks(module, points)
    try:
        with taps.read():
            yield taps
    finally:
        taps.remove()


def network(*, inplace=False):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(2, 3, 3),
        nn.BatchNorm1d(3),
        nn.ReLU(inplace=inplace),
        nn.Flatten(),
        nn.Linear(18, 4),
        nn.Dropout(),
        nn.Linear(4, 2),
    )


@pytest.fixture
def X():
    return torch.randn(5, 2, 8, generator=torch.Generator().manual_seed(0))


def frozen(module, layer, X):
    result = FrozenNetwork(module)
    result.choose(layer, X)
    return result


def test_activations_are_those_of_evaluation_mode(X):
    module = network().eval()
    expected = [module[:3](X), module[:5](X)]
    module.train()
    current = frozen(module, ["2", "4"], X)(X)
    torch.testing.assert_close(current, expected, rtol=0, atol=0)
    assert not any(tensor.requires_grad for tensor in current)


def test_in_place_nonlinearity_does_not_reach_the_layer_before_it(X):
    module = network(inplace=True).eval()
    before, after = frozen(module, ["1", "2"], X)(X)
    expected = module[:2](X)
    assert (expected < 0).any()
    torch.testing.assert_close(before, expected, rtol=0, atol=0)
    torch.testing.assert_close(after, expected.relu(), rtol=0, atol=0)


def test_the_users_network_stays_as_it_was(X):
    module = network().train()
    module.register_buffer("counter", torch.zeros(1))
    before = copy.deepcopy(module.state_dict())
    current = frozen(module, "last", X)
    current(X)
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not any(child._forward_hooks for child in module.modules())
    for name, value in module.state_dict().items():
        assert torch.equal(before[name], value), name


def test_parameters_are_shared_and_buffers_are_not():
    module = network()
    copied = private_copy(module)
    for ours, theirs in zip(copied.parameters(), module.parameters(), strict=True):
        assert ours.data_ptr() == theirs.data_ptr()
        assert not ours.requires_grad
    for ours, theirs in zip(copied.buffers(), module.buffers(), strict=True):
        assert ours.data_ptr() != theirs.data_ptr()


def test_weight_normalised_networks_can_be_frozen(X):
    module = nn.Sequential(nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(16, 3)))
    torch.testing.assert_close(frozen(module, "1", X)(X)[0], module(X).detach())

    class Cached(nn.Module):
        """Keeps a tensor that was computed with gradients; such tensors do not deepcopy."""

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(16, 3)
            self.kept = self.linear.weight * 2

        def forward(self, x):
            return self.linear(x.flatten(1)) + self.kept.sum()

    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(Cached())
    assert frozen(Cached(), "linear", X)(X)[0].shape == (5, 3)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        return x


def test_the_forward_pass_stops_after_the_deepest_layer(X):
    module = network()
    module.insert(3, Counting())
    module.append(Counting())
    current = frozen(module, ["2", "0"], X)
    early, late = current._network[3], current._network[-1]
    early.runs = late.runs = 0
    shapes = [tensor.shape for tensor in current(X)]
    assert shapes == [(5, 3, 6), (5, 3, 6)]
    assert (early.runs, late.runs) == (0, 0)
    current.choose("5", X)
    early.runs = late.runs = 0
    current(X)
    assert (early.runs, late.runs) == (1, 0)


def test_its_own_floating_type_is_used(X):
    module = network().double()
    assert frozen(module, "last", X)(X)[0].dtype == torch.float64


def test_mappings_are_passed_by_name():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 3)

        def forward(self, *, left, right):
            return self.linear(left - right)

    X = {"left": torch.ones(4, 2), "right": torch.zeros(4, 2)}
    assert frozen(Named(), 0, X)(X)[0].shape == (4, 3)


def test_data_of_another_shape_are_refused(X):
    with pytest.raises(ValueError, match=r"cannot take the data .* of shape \(5, 7, 8\)"):
        frozen(network(), "last", torch.zeros(5, 7, 8))


def test_recurrent_layers_give_their_output():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(2, 3, batch_first=True)
            self.head = nn.Linear(3, 1)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    X = torch.zeros(4, 6, 2)
    assert frozen(Recurrent(), "lstm", X)(X)[0].shape == (4, 3, 6)  # time behind the features


def test_hooks_leave_with_an_exception_and_the_module_pickles(X):
    module = network()
    with pytest.raises(RuntimeError, match="midway"), tap(module, [HookPoint("0")]):
        module(X)
        raise RuntimeError("midway")
    assert not any(child._forward_hooks for child in module.modules())
    pickle.loads(pickle.dumps(module))

    with pytest.raises(RuntimeError, match="expected"), tap(module, [HookPoint("6")]):
        module(torch.zeros(5, 3, 8))
    assert not any(child._forward_hooks for child in module.modules())


def test_a_layer_that_does_not_run_is_named(X):
    module = network()
    with tap(module, [HookPoint("0"), HookPoint("6")]) as recorder:
        module[0](X)
    with pytest.raises(RuntimeError, match=r"Layer '6' returned no activation"):
        recorder.activations()


def test_unforeseen_in_place_changes_are_an_error(X):
    module = network(inplace=True)
    with tap(module, [HookPoint("1", copy=False)]) as recorder:
        module(X)
    with pytest.raises(RuntimeError, match="changed in place after it was read"):
        recorder.activations()

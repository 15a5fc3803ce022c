"""Recurrent and attention layers count as layers, and time is not taken for channels."""

import networks
import numpy as np
import pytest
import torch
from torch import nn

from atl_sklearn import AntiTransferClassifier, list_layers
from atl_sklearn.similarity import spatial_mean
from atl_sklearn.unrelated import FrozenNetwork
from atl_sklearn.unrelated._choosing import choose_layers
from atl_sklearn.unrelated._tracing import trace_layers

X = torch.randn(4, 6, 9, generator=torch.Generator().manual_seed(0))


def read(network, layer, X=X):
    frozen = FrozenNetwork(network)
    tried = frozen.choose(layer, X)
    again = frozen(X)
    assert all(map(torch.equal, tried, again))
    return again[0]


def last_of(network, X=X):
    return choose_layers("last", trace_layers(network, lambda: network(X)).layers)[0].name


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_the_last_layer_is_the_recurrent_one_and_not_the_scores(kind, batch_first):
    network = networks.seeded(lambda: networks.Recurrent(kind, batch_first=batch_first))
    assert last_of(network) == "rnn"
    found = read(network, "last")
    assert found.shape == (4, 5, 9)
    states = network.rnn(X.transpose(1, 2) if batch_first else X.movedim(2, 0))[0]
    mean = states.mean(dim=1 if batch_first else 0)
    torch.testing.assert_close(spatial_mean(found), mean)  # over time, one for each feature


@pytest.mark.parametrize("batch_first", [True, False])
def test_layers_of_a_transformer(batch_first):
    network = networks.seeded(lambda: networks.Attentive(batch_first=batch_first))
    assert last_of(network) == "encoder.layers.1"
    for name in ("last", "encoder", "encoder.layers.0.self_attn"):
        assert read(network, name).shape == (4, 6, 9)
    listed = list_layers(network, X)
    kinds = {layer.name: layer.kind for layer in listed}
    assert kinds["encoder.layers.0"] == kinds["encoder.layers.0.self_attn"] == "attention"
    assert [x.index for x in listed if x.kind == "attention"] == [0, 3, 4, 7]
    torch.testing.assert_close(read(network, -2), read(network, "encoder.layers.1"))


def test_what_follows_keeps_the_axes():
    network = networks.seeded(
        lambda: nn.Sequential(
            nn.Linear(9, 5), nn.GELU(), nn.Dropout(), nn.LayerNorm(5), nn.Identity(), nn.Flatten()
        )
    )
    for name in map(str, range(5)):
        assert read(network, name).shape == (4, 5, 6)
    convolution = nn.Sequential(nn.Conv1d(6, 5, 1), nn.ReLU(), nn.LayerNorm([5, 9]))
    assert read(convolution, "1").shape == read(convolution, "2").shape == (4, 5, 9)


def test_a_stack_of_convolutions_and_recurrent_layers_ends_in_these():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(6, 6, 1)
            self.recurrent = networks.Recurrent()

        def forward(self, x):
            return self.recurrent(self.conv(x).relu())

    assert last_of(Network()) == "recurrent.rnn"


def test_cells_are_recurrent_layers():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.out = nn.LSTMCell(6, 5), nn.Linear(5, 2)

        def forward(self, x):
            state = None
            for step in x.unbind(dim=2):
                state = self.cell(step, state)
            return self.out(state[0])

    network = networks.seeded(Network)
    assert last_of(network) == "cell"
    torch.testing.assert_close(network.out(read(network, "last")), network(X))


@pytest.mark.parametrize("layer", ["rnn", "last", "task"])
def test_packed_sequences_are_refused(layer):
    network = networks.Recurrent(packed=True)
    with pytest.raises(ValueError, match="'rnn' returns a packed sequence"):
        if layer == "task":
            choose_layers("last", trace_layers(network, lambda: network(X)).layers)
        read(network, layer)
    assert read(network, "out").shape == (4, 3)


def test_states_are_no_activations():
    with pytest.raises(ValueError, match=r"'rnn\.1' .* not found"):
        read(networks.Recurrent("GRU"), "rnn.1")


@pytest.mark.parametrize("batch_first", [True, False])
def test_training_compares_the_recurrent_layers(batch_first):
    data = X.repeat(8, 1, 1).numpy()
    y = np.arange(len(data)) % 2

    def module(n_outputs=2):
        return networks.Recurrent(n_outputs=n_outputs, batch_first=batch_first)

    def penalty(layer):
        net = AntiTransferClassifier(
            networks.Recurrent, module__batch_first=batch_first, layer=layer,
            unrelated=networks.seeded(lambda: module(4)), max_epochs=1, random_state=0,
            weight=1.0, penalty_every=1,
        )  # fmt: skip
        with pytest.warns(UserWarning, match="far from converged"):
            return net.fit(data, y).history[-1, "train_penalty"]

    assert penalty("last") == penalty("rnn") == penalty(0) != penalty("out")

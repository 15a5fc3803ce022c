"""Networks that return mappings, objects and tuples."""

from types import SimpleNamespace

import networks
import pytest
import torch

from atl_sklearn import list_layers
from atl_sklearn.unrelated import FrozenNetwork

X = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
SOUNDS = torch.randn(5, 6, 7, generator=torch.Generator().manual_seed(0))


def read(network, layer, X=X):
    frozen = FrozenNetwork(network)
    tried = frozen.choose(layer, X)
    again = frozen(X)
    assert all(map(torch.equal, tried, again))
    return again[0]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda scores, hidden: {"hidden": hidden, "logits": scores},
        lambda scores, hidden: networks.Named(logits=scores, hidden=(hidden, hidden)),
        lambda scores, hidden: networks.Pair(torch.zeros(()), scores),
        lambda scores, hidden: SimpleNamespace(logits=scores, hidden=hidden),
        lambda scores, hidden: (scores, hidden),
        lambda scores, hidden: ((scores, hidden), [hidden]),
        lambda scores, hidden: {"only": scores, "name": "a", "mask": hidden > 0},
        lambda scores, hidden: torch.distributions.Categorical(logits=scores),
    ],
)
def test_the_scores_are_found_in_what_is_returned(wrap):
    network = networks.seeded(lambda: networks.Returning(wrap))
    plain = network.head(network.body(X))
    if isinstance(network(X), torch.distributions.Distribution):
        plain = plain.log_softmax(dim=1)
    torch.testing.assert_close(read(network, "output"), plain)
    torch.testing.assert_close(read(network, "posterior"), plain.softmax(dim=1))


def test_of_several_parts_each_has_a_name():
    network = networks.seeded(networks.Encoder)
    returned = network(SOUNDS)
    pooled = returned.pooler_output
    torch.testing.assert_close(read(network, "output.pooler_output", SOUNDS), pooled)
    posterior = read(network, "posterior.pooler_output", SOUNDS)
    torch.testing.assert_close(posterior, pooled.softmax(dim=1))
    # Features lie behind time there, and before it where they are compared.
    hidden = returned.last_hidden_state.transpose(1, 2)
    torch.testing.assert_close(read(network, "output", SOUNDS), hidden)
    listed = list_layers(network, SOUNDS)
    assert "output.pooler_output" in str(listed)
    assert "output.mask" not in str(listed)


@pytest.mark.parametrize("layer", ["output.pooled", "posterior", "output.mask"])
def test_an_error_lists_the_parts(layer):
    network = networks.seeded(networks.Encoder)
    with pytest.raises(ValueError, match=r"last_hidden_state', '\w+\.pooler_output"):
        read(network, layer, SOUNDS)


def test_nothing_is_guessed_among_several_parts():
    network = networks.Returning(lambda scores, hidden: {"a": scores, "b": hidden})
    with pytest.raises(ValueError, match=r"none of which is called logits.*'output.a', 'output.b'"):
        read(network, "output")
    assert read(network, "output.b").shape == (5, 8)
    nothing = networks.Returning(lambda scores, hidden: "nothing")
    with pytest.raises(ValueError, match="returns none"):
        read(nothing, "output")


def test_inner_modules_return_parts_too():
    network = networks.seeded(networks.Inner)
    returned = network.encoder(SOUNDS)
    torch.testing.assert_close(
        read(network, "encoder.pooler_output", SOUNDS), returned.pooler_output
    )
    hidden = returned.last_hidden_state.transpose(1, 2)
    torch.testing.assert_close(read(network, "encoder", SOUNDS), hidden)
    assert [x.name for x in list_layers(network, SOUNDS) if x.module == "encoder"] == [
        "encoder",
        "encoder.last_hidden_state",
        "encoder.pooler_output",
    ]


def test_an_inner_module_of_several_parts_says_which():
    inner = networks.Returning(lambda scores, hidden: {"a": scores, "b": hidden})

    class First(torch.nn.Module):
        def forward(self, found):
            return found["a"]

    network = torch.nn.Sequential(inner, First())
    with pytest.raises(ValueError, match=r"returns several tensors.*'0.a', '0.b'"):
        read(network, "0")
    assert read(network, "0.b").shape == (5, 8)


def test_modules_come_before_parts():
    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.output = torch.nn.Linear(6, 3)

        def forward(self, x):
            return {"logits": self.output(x).sum(dim=1, keepdim=True)}

    assert read(Network(), "output").shape == (5, 3)
    with pytest.raises(ValueError, match="not found"):
        read(Network(), "output.logits")

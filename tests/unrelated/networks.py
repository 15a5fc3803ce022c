"""Networks of many kinds, small, for the tests of what can be unrelated."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import torch
from torch import nn


def seeded(make):
    """Return what a function makes, its weights always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


def mlp(n_inputs=6, n_outputs=2):
    return seeded(lambda: nn.Sequential(nn.Linear(n_inputs, 8), nn.ReLU(), nn.Linear(8, n_outputs)))


class Recurrent(nn.Module):
    """A recurrent layer and a linear one, of samples (features, time)."""

    def __init__(self, kind="LSTM", n_outputs=3, *, batch_first=True, packed=False):
        super().__init__()
        self.rnn = getattr(nn, kind)(6, 5, batch_first=batch_first)
        self.out = nn.Linear(5, n_outputs)
        self.packed = packed

    def forward(self, x):
        x = x.transpose(1, 2) if self.rnn.batch_first else x.movedim(2, 0)
        if self.packed:
            lengths = torch.full((len(x),), x.shape[1])
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            return self.out(self.rnn(x)[1][0][-1])
        found = self.rnn(x)[0]
        return self.out(found[:, -1] if self.rnn.batch_first else found[-1])


class Attentive(nn.Module):
    """Layers of a transformer and a linear one, of samples (features, time)."""

    def __init__(self, *, batch_first=True):
        super().__init__()
        layer = nn.TransformerEncoderLayer(6, 2, 7, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(6, 2)
        self.batch_first = batch_first

    def forward(self, x):
        x = self.encoder(x.transpose(1, 2) if self.batch_first else x.movedim(2, 0))
        return self.out(x.mean(dim=1 if self.batch_first else 0))


@dataclass
class Answer:
    last_hidden_state: torch.Tensor
    pooler_output: torch.Tensor
    mask: torch.Tensor


class Named(OrderedDict):
    """As the libraries of pretrained networks return it: a mapping with attributes."""

    def __getattr__(self, name):
        return self[name]


Pair = namedtuple("Pair", ["loss", "logits"])


class Encoder(nn.Module):
    """Returns features over time, a pooled one, and what is no activation."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 4)
        self.norm = nn.LayerNorm(4)
        self.pool = nn.Linear(4, 3)

    def forward(self, x):
        hidden = self.norm(self.embed(x.transpose(1, 2)))
        return Answer(hidden, self.pool(hidden[:, 0]), torch.ones(len(x), dtype=torch.bool))


class Returning(nn.Module):
    """A network that wraps its scores in something."""

    def __init__(self, wrap, n_inputs=6):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_inputs, 8), nn.ReLU())
        self.head = nn.Linear(8, 2)
        self.wrap = wrap

    def forward(self, x):
        hidden = self.body(x)
        return self.wrap(self.head(hidden), hidden)


class Inner(nn.Module):
    """A network whose inner module returns a mapping."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        return self.out(self.encoder(x).pooler_output)

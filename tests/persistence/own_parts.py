"""Parts of somebody's own, as they lie in a module that others may not have."""

import warnings

import torch
from torch import nn

SLOPE = 0.25


def leaky(x):
    return nn.functional.leaky_relu(x, SLOPE)


class OwnNet(nn.Module):
    """A network that uses what its module has besides it."""

    def __init__(self, n_features_in=6, n_outputs=2):
        super().__init__()
        self.first = nn.Linear(n_features_in, 5)
        self.second = nn.Linear(5, n_outputs)
        self.register_buffer("shift", torch.full((5,), 0.5), persistent=False)
        self.register_buffer("scratch", None)

    def forward(self, x):
        return self.second(leaky(self.first(x)) + self.shift)


def halved(epoch):
    return 0.5


class NormedNet(nn.Module):
    """A network with weights that a hook computes."""

    def __init__(self):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.layer = nn.utils.weight_norm(nn.Linear(6, 2))

    def forward(self, x):
        return self.layer(x)

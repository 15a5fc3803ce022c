"""Steps of training: plain, with the published formula, and with the package's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from atl_sklearn import AntiTransferLoss
from atl_sklearn.modules import MLP, VGG, ConvNet
from atl_sklearn.similarity._precomputed import prepare, restore
from atl_sklearn.unrelated import (
    ActivationCache,
    ActivationHooks,
    FrozenNetwork,
    choose_layers,
    trace_layers,
)

FORMS = ("plain", "cached", "live", "published")
_LARGEST_MATRIX = 2**25  # elements of the published matrices that are still built: 128 MiB
_N_BATCHES = 3


@dataclass(frozen=True)
class Network:
    """A network to train, with the data that it takes."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    layers: dict[str, Any]


NETWORKS = {
    "VGG": Network(
        lambda: VGG((64, 64), 10, width=0.25, hidden_units=256, grid_size=2),
        (64, 64),
        {"first": 0, "middle": 6, "last": "last"},
    ),
    "ConvNet": Network(lambda: ConvNet((40, 48), 10), (40, 48), {"last": "last"}),
    "MLP": Network(lambda: MLP(50, 10), (50,), {"last": "last"}),
}


def published_similarity(current: torch.Tensor, unrelated: torch.Tensor) -> torch.Tensor:
    """Return the published loss as its paper defines it, with its matrices built.

    Guizzo, Weyde, Tarroni, "Anti-transfer learning", arXiv 2006.06494: the squared mean absolute
    cosine of the rows of the two Gram matrices of all channels of all samples.
    """
    grams = []
    for x in (current, unrelated):
        rows = x.reshape(x.shape[0] * x.shape[1], -1)
        grams.append(rows @ rows.T / (rows.numel() * 0.001))
    return nn.functional.cosine_similarity(*grams, dim=1).abs().mean() ** 2


def _compute(index: torch.Tensor, compute: Callable[[], list[torch.Tensor]]) -> Any:
    return compute()


class Steps:
    """One training step of a network in each of its forms.

    Parameters
    ----------
    network : Network
        What is trained.
    layer : str or int
        Where it is compared.
    batch_size : int
        Samples in a batch.
    metric, aggregation : str
        The comparison of the package's forms.
    device : torch.device
        Where it runs.
    """

    def __init__(
        self,
        network: Network,
        layer: Any,
        batch_size: int,
        *,
        device: torch.device,
        metric: str = "cross_correlation",
        aggregation: str = "spatial_mean",
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        n_samples = _N_BATCHES * batch_size
        self.X = torch.randn((n_samples, *network.shape), generator=generator).to(device)
        self.y = torch.randint(10, (n_samples,), generator=generator).to(device)
        self.size, self.position = batch_size, 0
        torch.manual_seed(0)
        self.network, unrelated = network.make().to(device), network.make().to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), fused=True)
        few = self.X[:2]
        self.frozen = FrozenNetwork(unrelated, device=device)
        self.frozen.choose(layer, few)
        with torch.no_grad():
            layers = trace_layers(self.network, lambda: self.network(few)).layers
        point = choose_layers(layer, layers)[0].point
        self.name = point.name
        self.taps = ActivationHooks(self.network, [point])
        self.whole = unrelated.eval()  # the published form runs all of it
        self.whole_taps = ActivationHooks(self.whole, [point])
        self.metric, self.aggregation = metric, aggregation
        self.loss = AntiTransferLoss(metric=metric, aggregation=aggregation)
        self.generator = torch.Generator().manual_seed(0)
        self.store = ActivationCache(n_samples, 2**40)
        for _ in range(_N_BATCHES):
            self.cached()

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        index = torch.arange(self.position * self.size, (self.position + 1) * self.size)
        self.position = (self.position + 1) % _N_BATCHES
        places = index.to(self.X.device)
        return index, self.X.index_select(0, places), self.y.index_select(0, places)

    def _finish(self, objective: torch.Tensor) -> None:
        objective.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        objective.item()

    def plain(self) -> None:
        """Make a step without a penalty."""
        _, X, y = self._batch()
        self._finish(nn.functional.cross_entropy(self.network(X), y))

    @torch.no_grad()
    def _prepared(self, X: torch.Tensor) -> list[torch.Tensor]:
        return prepare(self.frozen(X)[0], self.metric, self.aggregation)

    def _ours(self, *, cached: bool) -> None:
        index, X, y = self._batch()
        with self.taps.read():
            output = self.network(X)
        known = self.store.get if cached else _compute
        theirs = known(index, lambda: self._prepared(X))
        penalty = self.loss(
            self.taps.activations(), [restore(theirs)], generator=self.generator
        ).total
        self._finish(nn.functional.cross_entropy(output, y) + penalty)

    def cached(self) -> None:
        """Make a step with the package's penalty; the frozen side is known."""
        self._ours(cached=True)

    def live(self) -> None:
        """Make a step with the package's penalty; the frozen side is computed."""
        self._ours(cached=False)

    def published(self) -> None:
        """Make a step with the published formula, its matrices built."""
        _, X, y = self._batch()
        with self.taps.read():
            output = self.network(X)
        with torch.no_grad(), self.whole_taps.read():
            self.whole(X)
        penalty = published_similarity(self.taps.activations()[0], self.whole_taps.activations()[0])
        self._finish(nn.functional.cross_entropy(output, y) + penalty)

    def builds_published(self) -> bool:
        """Tell whether the matrices of the published formula can be built at all."""
        with torch.no_grad(), self.taps.read():
            self.network(self.X[:2])
        n_channels = self.taps.activations()[0].shape[1]
        return (n_channels * self.size) ** 2 <= _LARGEST_MATRIX

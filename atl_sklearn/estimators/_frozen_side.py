"""The frozen side of a fit: the unrelated networks, and what is kept of their activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from skorch.dataset import get_len

from atl_sklearn._fingerprint import Unidentifiable
from atl_sklearn.estimators._data import (
    ArrayData,
    LabelledData,
    Samples,
    UnlabeledData,
    first_samples,
    is_own_data,
)
from atl_sklearn.estimators._penalty_settings import PenaltySettings
from atl_sklearn.estimators._placement import autocast
from atl_sklearn.estimators._seeding import own_random_numbers
from atl_sklearn.similarity import Precomputed, n_precomputed, prepare, restore
from atl_sklearn.unrelated import (
    ActivationStore,
    FrozenNetwork,
    as_choices,
    get_memory,
    get_network,
    get_nonlinearity,
    key_of,
)

_OTHER_STREAM = 0x0DD
_STABLE = 1e-3  # of an activation's magnitude, by which it may differ from batch to batch


def network_label(position: int, n_networks: int) -> str:
    """Return what errors call an unrelated network."""
    return "The unrelated network" + (f" {position}" if n_networks > 1 else "")


def _choose(frozen: FrozenNetwork, choice: Any, X: Any, parameter: str) -> list[torch.Tensor]:
    """Choose layers of an unrelated network; a missing one may have another name there."""
    try:
        return frozen.choose(choice, X, parameter=parameter)
    except ValueError as error:
        if parameter == "layer" and "not found" in str(error):
            raise ValueError(
                f"{error} This is the unrelated network; name its layer by unrelated_layer."
            ) from None
        raise


def _freeze(
    settings: PenaltySettings,
    network: torch.nn.Module,
    sources: Sequence[object],
    X: Samples,
    n_layers: int,
) -> tuple[list[FrozenNetwork], list[list[torch.Tensor]]]:
    """Return the unrelated networks, frozen, with their layers chosen, and activations of X."""
    found, tried = [], []
    ours = set(map(id, network.parameters()))
    device = settings.device or next(network.parameters()).device
    parameter = settings.of_layer
    for position, (source, choice) in enumerate(
        zip(sources, settings.unrelated_layers, strict=True)
    ):
        if len(as_choices(choice, parameter)) != n_layers:
            raise ValueError(
                f"The 'unrelated_layer' parameter must choose as many layers as 'layer', "
                f"which chooses {n_layers}. Got {choice!r} instead."
            )
        label = network_label(position, len(sources))
        module = get_network(source)
        if ours & set(map(id, module.parameters())):
            # The network in training itself: what it is now stays, though it is trained.
            module = deepcopy(module)
        frozen = FrozenNetwork(
            module, device=device, label=label, nonlinearity=get_nonlinearity(source)
        )
        with autocast(settings.precision, settings.device, network):
            tried.append(_choose(frozen, choice, X, parameter))
        found.append(frozen)
    return found, tried


class FrozenSide:
    """The unrelated networks of one fit, and what is kept of their activations.

    Parameters
    ----------
    settings : PenaltySettings
        What is compared, and how.
    network : torch.nn.Module
        The network in training.
    sources : list
        The fitted unrelated estimators or modules.
    X : Tensor of shape (n_samples, ...) or mapping of these
        The first samples of the training data.
    comparisons : list of (metric, aggregation)
        One for each layer.
    exits : contextlib.ExitStack
        Told what must end with the fit.
    """

    def __init__(
        self,
        settings: PenaltySettings,
        network: torch.nn.Module,
        sources: Sequence[object],
        X: Samples,
        comparisons: list[tuple[Any, Any]],
        *,
        exits: ExitStack,
    ) -> None:
        self._settings = settings
        self._network = network
        self._exits = exits
        self._comparisons = comparisons
        self._networks, tried = _freeze(settings, network, sources, X, len(comparisons))
        self._tried = {False: (X, tried)}
        self._stores: dict[bool, ActivationStore] = {}
        self._on_cpu = next(network.parameters()).device.type == "cpu"

    def activations(
        self, X: object, *, unlabeled: bool, index: object = None, checked: bool = True
    ) -> list[list[torch.Tensor]]:
        """Return the activations of each network's layers for a batch.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The batch.
        unlabeled : bool
            Whether it is one of unlabeled samples.
        index : sequence of int or None, default=None
            Positions of the samples in their data set.
        checked : bool, default=True
            Whether activations that are not finite are refused; a GPU has to be waited for.

        Returns
        -------
        activations : list of list of Tensor
            For each network and layer.

        Raises
        ------
        ValueError
            If they are not finite.
        """
        with autocast(self._settings.precision, self._settings.device, self._network):
            found = [frozen(X) for frozen in self._networks]
        if checked:
            self._check_finite(found, unlabeled=unlabeled, index=index)
        return found

    def _check_finite(
        self, found: list[list[torch.Tensor]], *, unlabeled: bool, index: object
    ) -> None:
        for frozen, activations in zip(self._networks, found, strict=True):
            frozen.check_finite(activations, "X_unlabeled" if unlabeled else "X", index)

    def tried(self, X: Samples, *, unlabeled: bool) -> list[list[torch.Tensor]]:
        """Return the activations of the first samples of a data set, and remember them.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The samples; of the training data, those that the networks have seen.
        unlabeled : bool
            Whether they are unlabeled.

        Returns
        -------
        activations : list of list of Tensor
            For each network and layer.
        """
        index = list(range(get_len(X)))
        if unlabeled:
            found = self.activations(X, unlabeled=True, index=index)
            self._tried[True] = X, found
        else:
            found = self._tried[False][1]
            self._check_finite(found, unlabeled=False, index=index)
        return found

    @property
    def kept(self) -> dict[str, bool]:
        """Whether activations are kept, of training and of unlabeled data."""
        return {
            "unlabeled" if unlabeled else "training": store.where != "live"
            for unlabeled, store in sorted(self._stores.items())
        }

    def keep(
        self,
        data: Any,
        to_device: Callable[[object], Samples],
        *,
        unlabeled: bool,
        n_seen: float,
        whole_batches: bool = True,
    ) -> None:
        """Prepare to keep what comparisons need of the samples of a data set.

        Parameters
        ----------
        data : torch.utils.data.Dataset
            The data set, whose first samples were tried.
        to_device : callable
            Returns a batch as tensors where the networks are.
        unlabeled : bool
            Whether it is that of the unlabeled samples.
        n_seen : float
            How often each sample will be seen.
        whole_batches : bool, default=True
            Whether the batches are made here, and not by an iterator of the user's.
        """
        settings = self._settings
        X, activations = self._tried.pop(unlabeled)
        few = self._prepared(activations)
        because = self._changes(data, X, few, unlabeled=unlabeled, whole_batches=whole_batches)
        memory = get_memory(settings.memory)
        if not because and settings.cache == "auto" and memory is None and n_seen <= 1:
            because = "each sample is seen once"
        whose = f"Unrelated activations of {'unlabeled' if unlabeled else 'training'} data"
        report = (lambda text: print(f"{whose}: {text}")) if settings.verbose else None
        store = ActivationStore(
            len(data),
            settings.cache_size,
            cache=settings.cache,
            live_because=because,
            report=report,
        )
        self._exits.callback(store.close)
        self._stores[unlabeled] = store

        def compute(index: list[int]) -> list[torch.Tensor]:
            batch = to_device(data.__getitems__(index).X)
            return self._prepared(self.activations(batch, unlabeled=unlabeled, index=index))

        if memory is not None and isinstance(data, ArrayData) and store.where != "live":
            how = [
                (
                    frozen.nonlinearity,
                    [(point.name, point.run, kind) for point, kind in frozen.chosen],
                )
                for frozen in self._networks
            ]
            try:
                key = key_of(
                    [frozen.network for frozen in self._networks],
                    [how, self._comparisons, settings.precision],
                    data.X,
                )
            except Unidentifiable as error:
                store.report(f"not kept in 'memory' ({str(error).rstrip('.')}).")
                return
            folder = Path(memory.store_backend.location) / "atl_sklearn" / "activations" / key
            store.fill(folder, few, compute)
        if settings.keeps_in_order:
            store.complete(compute)

    def _changes(
        self,
        data: object,
        X: Samples,
        together: list[torch.Tensor],
        *,
        unlabeled: bool,
        whole_batches: bool,
    ) -> str:
        """Return why activations cannot be kept, or nothing."""
        settings = self._settings
        while isinstance(data, torch.utils.data.Subset):
            data = data.dataset
        if not is_own_data(data) and not isinstance(data, UnlabeledData):
            return "'dataset' makes the samples, and may change them"
        if not whole_batches:
            return "'iterator_train' makes the batches, and may change the samples"
        if isinstance(data, LabelledData | UnlabeledData) and settings.cache in ("auto", "live"):
            return (
                "a torch Dataset may change its samples; cache='memory' takes them to be the same "
                "in every epoch"
            )
        if settings.cache == "live" or settings.cache_size == 0:
            return ""
        count = (len(together[0]) + 1) // 2
        # With other random numbers than the first pass, or what is random would look the same.
        with own_random_numbers(settings.seed ^ _OTHER_STREAM, settings.device):
            apart = self._prepared(self.activations(first_samples(X, count), unlabeled=unlabeled))
        for whole, part in zip(together, apart, strict=True):
            size = float(whole.abs().max())
            if not torch.allclose(whole[:count], part, rtol=_STABLE, atol=_STABLE * size):
                return (
                    "they are random, or depend on the other samples of the batch, although the "
                    "network is in evaluation mode"
                )
        return ""

    @torch.no_grad()
    def _prepared(self, found: list[list[torch.Tensor]]) -> list[torch.Tensor]:
        return [
            tensor
            for activations in found
            for (metric, aggregation), x in zip(self._comparisons, activations, strict=True)
            for tensor in prepare(x, metric, aggregation)
        ]

    def __call__(
        self, X: object, index: Any, *, unlabeled: bool
    ) -> list[list[torch.Tensor | Precomputed]]:
        """Return what comparisons need of a batch, for each network and layer.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The batch.
        index : Tensor of shape (n_samples,) or None
            Positions of the samples in their data set, if they are the same in every epoch.
        unlabeled : bool
            Whether the data set is that of the unlabeled samples.

        Returns
        -------
        activations : list of list of Tensor or Precomputed
            As the loss takes them.
        """
        store = self._stores.get(unlabeled)
        kept = store is not None and store.where != "live"

        def compute() -> list[torch.Tensor]:
            checked = kept or self._on_cpu  # otherwise only if the penalty is not finite
            found = self.activations(X, unlabeled=unlabeled, index=index, checked=checked)
            return self._prepared(found)

        flat = compute() if store is None else store.get(index, compute)
        tensors = iter(flat)
        n_parts = len(flat) // len(self._networks)
        per_network = [[next(tensors) for _ in range(n_parts)] for _ in self._networks]
        return [self._regroup(parts) for parts in per_network]

    def _regroup(self, parts: list[torch.Tensor]) -> list[torch.Tensor | Precomputed]:
        remaining = iter(parts)
        return [
            restore([next(remaining) for _ in range(n_precomputed(metric, aggregation))])
            for metric, aggregation in self._comparisons
        ]

"""The frozen side of a fit: what is unrelated, and what is kept of its activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from skorch.dataset import get_len

from atl_sklearn._fingerprint import Unidentifiable
from atl_sklearn.estimators._data import (
    ArrayData,
    IndexedData,
    LabelledData,
    UnlabeledData,
    is_own_data,
    whole_of,
)
from atl_sklearn.estimators._penalty_settings import PenaltySettings
from atl_sklearn.estimators._placement import autocast
from atl_sklearn.estimators._samples import Samples, first_samples
from atl_sklearn.estimators._seeding import own_random_numbers
from atl_sklearn.similarity import (
    AggregationLike,
    Metric,
    Precomputed,
    n_precomputed,
    prepare,
    restore,
)
from atl_sklearn.unrelated import (
    N_FITTED,
    ActivationCache,
    LayerChoice,
    Side,
    as_choices,
    folder_in,
    get_memory,
    key_of,
)

_OTHER_STREAM = 0x0DD
ROWS_AT_ONCE = 256
_STABLE = 1e-3  # of an activation's magnitude, by which it may differ from batch to batch


def _choose(side: Side, choice: LayerChoice, X: Samples, parameter: str) -> list[torch.Tensor]:
    """Choose layers of an unrelated network; a missing one may have another name there."""
    try:
        return side.choose(choice, X, parameter=parameter)
    except ValueError as error:
        if parameter == "layer" and "not found" in str(error):
            raise ValueError(
                f"{error} This is the unrelated network; name its layer by unrelated_layer."
            ) from None
        raise


def _choose_layers(
    settings: PenaltySettings,
    network: torch.nn.Module,
    sides: Sequence[Side],
    X: Samples,
    n_layers: int,
) -> list[list[torch.Tensor]]:
    """Choose layers of the unrelated sides, and return their activations of X."""
    tried = []
    for side, choice in zip(sides, settings.unrelated_layers, strict=True):
        parameter = settings.of_layer
        if choice is None:  # in a list, as alone: the same as `layer`
            parameter, choice = "layer", settings.layer
        if len(as_choices(choice, parameter)) != n_layers:
            raise ValueError(
                f"The 'unrelated_layer' parameter must choose as many layers as 'layer', "
                f"which chooses {n_layers}. Got {choice!r} instead."
            )
        with autocast(settings.precision, settings.device, network):
            tried.append(_choose(side, choice, X, parameter))
    return tried


def _samples(data: IndexedData, index: list[int]) -> Samples:
    if is_own_data(data):
        return data.__getitems__(index).X
    return torch.utils.data.default_collate([data[place][0] for place in index])


class FrozenSide:
    """The unrelated sides of one fit, and what is kept of their activations.

    Parameters
    ----------
    settings : PenaltySettings
        What is compared, and how.
    network : torch.nn.Module
        The network in training.
    sides : list of Side
        One for each unrelated task.
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
        sides: Sequence[Side],
        X: Samples,
        comparisons: list[tuple[Metric, AggregationLike]],
        *,
        exits: ExitStack,
    ) -> None:
        self._settings = settings
        self._network = network
        self._exits = exits
        self._comparisons = comparisons
        self._sides = sides
        # What is only looked up needs no copy in the cache.
        self._computed = [at for at, side in enumerate(sides) if side.computes]
        self._looked_up = [at for at, side in enumerate(sides) if not side.computes]
        tried = _choose_layers(settings, network, sides, X, len(comparisons))
        self._tried = {False: (X, tried)}
        self._stores: dict[bool, ActivationCache] = {}
        # For unlabeled and for other data: whether positions tell the sides all that they need.
        self._by_position = {one: self._knows_by_position(unlabeled=one) for one in (False, True)}
        self._on_cpu = next(network.parameters()).device.type == "cpu"

    def learn_directions(self, data: IndexedData, to_device: Callable[[object], Samples]) -> None:
        """Learn which features matter for the networks' own tasks, where these are compared.

        Parameters
        ----------
        data : torch.utils.data.Dataset
            The training data, of which the first samples are taken.
        to_device : callable
            Returns a batch as tensors where the networks are.
        """
        wanted = [side for side in self._sides if side.learns_directions]
        if not wanted:
            return
        index = list(range(min(N_FITTED, len(data))))
        runs = [index[at : at + ROWS_AT_ONCE] for at in range(0, len(index), ROWS_AT_ONCE)]
        batches = [(to_device(_samples(data, run)), run) for run in runs]
        with autocast(self._settings.precision, self._settings.device, self._network):
            for side in wanted:
                side.learn_directions(batches)
        X, _ = self._tried[False]
        index = list(range(get_len(X)))
        found = self.activations(X, unlabeled=False, index=index, checked=False)
        self._tried[False] = X, found

    def activations(
        self,
        X: Samples,
        *,
        unlabeled: bool,
        index: object = None,
        checked: bool = True,
        only: Sequence[int] | None = None,
        changed: bool = False,
    ) -> list[list[torch.Tensor]]:
        """Return the activations of each side's layers for a batch.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The batch.
        unlabeled : bool
            Whether it is one of unlabeled samples.
        index : sequence of int or None, default=None
            Positions of the samples in their data set.
        checked : bool, default=True
            Whether activations that are not finite are refused; on a GPU, this has to wait for it.
        only : sequence of int or None, default=None
            Positions of the sides that are asked; None for all.
        changed : bool, default=False
            Whether the samples may have changed since training began.

        Returns
        -------
        activations : list of list of Tensor
            For each network and layer.

        Raises
        ------
        ValueError
            If they are not finite.
        """
        sides = self._sides if only is None else [self._sides[at] for at in only]
        with autocast(self._settings.precision, self._settings.device, self._network):
            found = [side(X, index, unlabeled=unlabeled, changed=changed) for side in sides]
        if checked:
            for side, activations in zip(sides, found, strict=True):
                of = "X_unlabeled" if unlabeled else "X"
                side.frozen.check_finite(activations, of, index)
        return found

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
            For each side and layer.
        """
        index = list(range(get_len(X)))
        if unlabeled:
            found = self.activations(X, unlabeled=True, index=index)
            self._tried[True] = X, found
        else:
            found = self._tried[False][1]
            for side, activations in zip(self._sides, found, strict=True):
                side.frozen.check_finite(activations, "X", index)
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
        if not self._computed:
            return
        few = self._prepared([activations[at] for at in self._computed])
        because = self._changes(data, X, few, unlabeled=unlabeled, whole_batches=whole_batches)
        memory = get_memory(settings.memory)
        if not because and settings.cache == "auto" and memory is None and n_seen <= 1:
            because = "each sample is seen once"
        whose = f"Unrelated activations of {'unlabeled' if unlabeled else 'training'} data"
        report = (lambda text: print(f"{whose}: {text}")) if settings.verbose else None
        store = ActivationCache(
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
            return self._prepared(
                self.activations(batch, unlabeled=unlabeled, index=index, only=self._computed)
            )

        if memory is not None and isinstance(data, ArrayData) and store.where != "live":
            known = [self._sides[at].identity(unlabeled=unlabeled) for at in self._computed]
            try:
                key = key_of(
                    [network for networks, _ in known for network in networks],
                    [[how for _, how in known], self._comparisons, settings.precision],
                    data.X,
                )
            except Unidentifiable as error:
                store.report(f"not kept in 'memory' ({str(error).rstrip('.')}).")
                return
            store.fill(folder_in(memory, "activations") / key, few, compute)
        if settings.keeps_in_order:
            store.complete(compute)

    def _knows_by_position(self, *, unlabeled: bool) -> bool:
        """Tell whether no side is given the samples themselves, which may change."""
        sides = [self._sides[at] for at in self._computed]
        return all(side.needs_positions(unlabeled=unlabeled) for side in sides)

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
        data = whole_of(data)
        if settings.augmented and not self._by_position[unlabeled]:
            return "'augment' makes other samples in every epoch"
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
        # Not with the random numbers of the first pass: what is random would look constant.
        with own_random_numbers(settings.seed ^ _OTHER_STREAM, settings.device):
            few = self.activations(
                first_samples(X, count),
                unlabeled=unlabeled,
                index=range(count),
                only=self._computed,
            )
            apart = self._prepared(few)
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
        self,
        X: Samples,
        index: torch.Tensor | None,
        *,
        unlabeled: bool,
        positions: torch.Tensor | None = None,
    ) -> list[list[torch.Tensor | Precomputed]]:
        """Return what comparisons need of a batch, for each side and layer.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The batch.
        index : Tensor of shape (n_samples,) or None
            Positions of the samples in their data set, if they are the same in every epoch.
        unlabeled : bool
            Whether the data set is that of the unlabeled samples.
        positions : Tensor of shape (n_samples,) or None, default=None
            The same where the samples may change; None for `index`.

        Returns
        -------
        activations : list of list of Tensor or Precomputed
            As the loss takes them.
        """
        store = self._stores.get(unlabeled)
        kept = store is not None and store.where != "live"

        places = index if positions is None else positions

        def compute(only: Sequence[int], *, checked: bool) -> list[torch.Tensor]:
            found = self.activations(
                X, unlabeled=unlabeled, index=places, checked=checked, only=only,
                changed=index is None,
            )  # fmt: skip
            return self._prepared(found)

        # On a GPU the others are checked only if the penalty is not finite.
        now = partial(compute, self._computed, checked=kept or self._on_cpu)
        known = places if self._by_position[unlabeled] else index
        tensors = iter(now() if store is None else store.get(known, now))
        others: Iterator[torch.Tensor] = iter(())
        if self._looked_up:
            others = iter(compute(self._looked_up, checked=self._on_cpu))
        return [
            self._regroup(tensors if at in self._computed else others)
            for at in range(len(self._sides))
        ]

    def _regroup(self, remaining: Iterator[torch.Tensor]) -> list[torch.Tensor | Precomputed]:
        return [
            restore([next(remaining) for _ in range(n_precomputed(metric, aggregation))])
            for metric, aggregation in self._comparisons
        ]

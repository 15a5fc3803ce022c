"""The frozen side that layers are compared with, where there is a network in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from atl_sklearn._pipelines import as_innermost_sees, innermost
from atl_sklearn.inspection._streaming import (
    frozen_network,
    has_network,
    read_activations,
    rows_of,
    unwrapped_search,
)
from atl_sklearn.similarity import activation_similarity
from atl_sklearn.unrelated import as_sources, as_tensors, is_fitted


@dataclass(frozen=True)
class UnrelatedSide:
    """A frozen network, and what X goes through before it.

    Attributes
    ----------
    name : str
        What it is called in tables.
    source : object
        The fitted unrelated estimator, or a module.
    before : object
        The estimator whose other steps X goes through.
    layer : str or int
        The layer of it.
    """

    name: str
    source: object
    before: object
    layer: str | int


def _layer_of(estimator: object, position: int, several: bool) -> str | int:
    chosen = getattr(estimator, "unrelated_layer", None)
    if several and isinstance(chosen, list | tuple):
        chosen = chosen[position]
    if chosen is None:
        chosen = getattr(estimator, "layer", "last")
    if isinstance(chosen, list | tuple):
        chosen = chosen[-1]
    return "last" if not isinstance(chosen, str | int) else chosen


def find_sides(
    estimators: dict[str, object], unrelated: object = None
) -> tuple[list[UnrelatedSide], list[str]]:
    """Return the frozen networks to compare with, and why others were left out.

    Parameters
    ----------
    estimators : dict of str to estimator
        The first of them that has unrelated networks gives these for all.
    unrelated : object or None
        A fitted one that takes X itself, or None.

    Returns
    -------
    sides : list of UnrelatedSide
        Perhaps none.
    left_out : list of str
        A sentence for each that cannot be compared with.
    """
    found: list[tuple[object, object, str | int]] = []
    if unrelated is not None:
        sources = as_sources(unrelated)
        found = [(source, source, "last") for source in sources]
    else:
        for estimator in estimators.values():
            net = innermost(unwrapped_search(estimator))
            fitted = getattr(net, "unrelated_", None)
            if fitted is None:
                continue
            several = isinstance(fitted, list | tuple)
            for at, source in enumerate(fitted if several else [fitted]):
                before = unwrapped_search(estimator)
                found.append((source, before, _layer_of(net, at, several)))
            break
    sides, left_out = [], []
    for at, (source, before, layer) in enumerate(found):
        name = type(innermost(source)).__name__ + (f" {at}" if len(found) > 1 else "")
        if not has_network(source) or not is_fitted(source):
            left_out.append(f"similarity to {name}: there is no network in it to read layers from")
            continue
        sides.append(UnrelatedSide(name, source, before, layer))
    return sides, left_out


def read_side(
    side: UnrelatedSide, X: object, chosen: np.ndarray, *, batch_size: int
) -> tuple[np.ndarray | None, str]:
    """Return what the frozen network makes of some samples, or why it cannot.

    Parameters
    ----------
    side : UnrelatedSide
        The network.
    X : array-like of shape (n_samples, ...)
        Data.
    chosen : ndarray of int
        The samples.
    batch_size : int
        How many at a time.

    Returns
    -------
    activations : ndarray of shape (n_chosen, n_channels) or None
        Means over positions.
    reason : str
        Empty where there are activations.
    """
    frozen = frozen_network(side.source)
    few = as_tensors(frozen.network, as_innermost_sees(side.before, rows_of(X, chosen[:2])))
    try:
        frozen.choose(side.layer, few[:2])
    except ValueError as error:
        return None, f"similarity to {side.name}: {str(error).split('. ')[0]}"
    (found,) = read_activations(side.before, frozen, X, chosen, batch_size=batch_size)
    return found, ""


def similarity_of(current: np.ndarray, unrelated: np.ndarray, metric: str) -> float:
    """Return the similarity of two sets of features of the same samples."""
    with torch.no_grad():
        a, b = torch.from_numpy(current), torch.from_numpy(unrelated)
        return float(activation_similarity(a, b, metric=metric))

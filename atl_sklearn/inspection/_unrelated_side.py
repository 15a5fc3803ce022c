"""The frozen side that layers are compared with, where there is a network in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from atl_sklearn._pipelines import innermost
from atl_sklearn.inspection._streaming import read_activations, rows_of, through, unwrapped_search
from atl_sklearn.similarity import activation_similarity
from atl_sklearn.unrelated import (
    as_sources,
    as_tensors,
    freeze_network,
    has_network,
    is_fitted,
    source_name,
)


@dataclass(frozen=True)
class UnrelatedSide:
    """A frozen network, and what X goes through before it.

    Attributes
    ----------
    name : str
        What it is called in tables.
    source : object
        The fitted unrelated estimator, or a module.
    stages : tuple of objects
        The estimators whose other steps X goes through, one after the other.
    layer : str or int
        The layer of it.
    """

    name: str
    source: object
    stages: tuple[object, ...]
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
    found: list[tuple[object, tuple[object, ...], str | int]] = []
    if unrelated is not None:
        sources = as_sources(unrelated)
        found = [(source, (source,), "last") for source in sources]
    else:
        for estimator in estimators.values():
            net = innermost(unwrapped_search(estimator))
            fitted = getattr(net, "unrelated_", None)
            if fitted is None:
                continue
            several = isinstance(fitted, list | tuple)
            for at, source in enumerate(fitted if several else [fitted]):
                before = unwrapped_search(estimator)
                found.append((source, (before, source), _layer_of(net, at, several)))
            break
    sides, left_out = [], []
    for at, (source, stages, layer) in enumerate(found):
        name = source_name(source) + (f" {at}" if len(found) > 1 else "")
        if not has_network(source) or not is_fitted(source):
            left_out.append(f"similarity to {name}: there is no network in it to read layers from")
            continue
        if layer == "task":
            layer = "last"
            left_out.append(
                f"directions of {name} for its own task, which fit alone learns: layers are "
                "compared with its last one"
            )
        sides.append(UnrelatedSide(name, source, stages, layer))
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
    frozen = freeze_network(side.source)
    few = as_tensors(frozen.network, through(side.stages, rows_of(X, chosen[:2])))
    try:
        frozen.choose(side.layer, few[:2])
    except ValueError as error:
        return None, f"similarity to {side.name}: {str(error).split('. ')[0]}"
    (found,) = read_activations(side.stages, frozen, X, chosen, batch_size=batch_size)
    return found, ""


def similarity_of(current: np.ndarray, unrelated: np.ndarray, metric: str) -> float:
    """Return the similarity of two sets of features of the same samples."""
    with torch.no_grad():
        a, b = torch.from_numpy(current), torch.from_numpy(unrelated)
        return float(activation_similarity(a, b, metric=metric))

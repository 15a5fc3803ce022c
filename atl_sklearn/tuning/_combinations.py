"""Which layers, metrics and aggregations go together for two networks and data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from atl_sklearn._generator import forked_generator
from atl_sklearn._pipelines import as_innermost_sees, last_step
from atl_sklearn._types import Views
from atl_sklearn.estimators import check_X
from atl_sklearn.similarity import (
    AntiTransferLoss,
    get_aggregation,
    get_metric,
    is_batch_metric,
)
from atl_sklearn.tuning._folds import take_rows
from atl_sklearn.tuning._target import find_network
from atl_sklearn.unrelated import (
    LayerList,
    SideMaker,
    UnrelatedInputs,
    as_sources,
    choose_layers,
    dense_rows,
    freeze,
    has_network,
    is_fitted,
)

_FEW = 8  # samples with which the networks are run
Shape: TypeAlias = tuple[int, ...]
_TRIED = 3  # samples with which a comparison is tried


@dataclass(frozen=True)
class Combinations:
    """What can be compared, as a product: every layer with every metric and aggregation.

    Attributes
    ----------
    layers, metrics, aggregations : tuple of str
        Each combination is valid.
    """

    layers: tuple[str, ...]
    metrics: tuple[str, ...]
    aggregations: tuple[str, ...]


def _untrained(estimator: BaseEstimator, X: object) -> BaseEstimator:
    """Return a copy of an estimator that has its network, made for X, but was not trained."""
    prefix, last = last_step(estimator)
    labels = getattr(last, "classes", None)
    labels = np.arange(2) if labels is None else np.asarray(labels)
    numbers = np.arange(_num_samples(X))
    y = labels[numbers % 2] if is_classifier(last) else numbers / len(numbers)
    plain = {"max_epochs": 0, "train_split": None, "callbacks": None}
    if hasattr(last, "unrelated"):
        plain["unrelated"] = None
    made = clone(estimator).set_params(**{prefix + name: v for name, v in plain.items()})
    return made.fit(X, y)


def _layers(network: LayerList) -> list[str]:
    """Return the names of the layers worth comparing: "last", and the hidden ones before it."""
    last = choose_layers("last", network)[0].name
    numbered = [layer.index for layer in network if layer.index is not None]
    names = [choose_layers(index, network)[0].name for index in numbered[:-1]]
    return ["last", *(name for name in dict.fromkeys(names) if name != last)]


@lru_cache(maxsize=4096)
def _comparable(metric: str, aggregation: str, ours: Shape, theirs: Shape) -> bool:
    """Try a comparison of activations of two shapes."""
    if theirs == () and not is_batch_metric(metric):
        return False
    loss = AntiTransferLoss(metric=metric, aggregation=aggregation)
    try:
        with forked_generator():
            a, b = (torch.rand(_TRIED, *(shape or (2,))) for shape in (ours, theirs))
            loss.initialize(a, b)(a, b, generator=torch.Generator().manual_seed(0))
    except ValueError:
        return False
    return True


def _layers_of(source: object, sides: SideMaker, X: np.ndarray) -> LayerList | None:
    """Return the layers of what is unrelated; None for what has none."""
    if not has_network(source):
        return None
    if not is_fitted(source):
        source = _untrained(source, sides.views_of([source]).get(0, X))
    (side,) = sides.make([source], device="cpu", dtype=torch.float32)
    return side.list_layers(torch.as_tensor(X))


def _shapes(
    layer: str, network: LayerList, others: list[tuple[str | int | None, LayerList | None]]
) -> tuple[Shape, list[Shape]] | None:
    """Return the layer's shape in each network; None where a network does not have it."""
    ours = choose_layers(layer, network)[0]
    theirs: list[tuple[int, ...]] = []
    for choice, listed in others:
        if listed is None:  # what it says of samples stands in the place of every layer
            theirs.append(())
            continue
        try:
            wanted = layer if choice is None else choice
            chosen = choose_layers(wanted, listed, parameter="unrelated_layer")[:1]
        except ValueError:
            return None
        # What a network returns has another shape than a layer, whatever it is in this trial.
        apart = ("output", "task")
        theirs += [x.output_shape if x.kind not in apart else () for x in chosen]
    return ours.output_shape, theirs


def find_combinations(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike | None,
    *,
    X_unrelated: Views | None = None,
    layers: Iterable[str] | None,
    metrics: Iterable[str],
    aggregations: Iterable[str],
) -> Combinations:
    """Return a product of layers, metrics and aggregations that can all be computed.

    Values that take part in most of the invalid combinations are left out until none is left.

    Parameters
    ----------
    estimator : AntiTransferClassifier, AntiTransferRegressor or Pipeline that ends in one
        Its networks are made, not trained.
    X : array-like of shape (n_samples, ...)
        Data as `estimator` takes them; a few samples are used.
    y : array-like of shape (n_samples,) or None
        Targets, for pipelines that need them to transform X.
    X_unrelated : array-like of shape (n_samples, ...) or None, default=None
        What the unrelated side is given instead of X.
    layers : iterable of str or None
        None for ``"last"`` and the hidden layers before it.
    metrics, aggregations : iterable of str
        What is wished for.

    Returns
    -------
    combinations : Combinations
        What of it is possible.

    Raises
    ------
    ValueError
        If a name is unknown, there is no unrelated network, or nothing is possible.
    """
    _, net = find_network(estimator)
    sources = as_sources(net.unrelated)
    if not sources:
        raise ValueError(
            f"There is nothing to search for: the 'unrelated' parameter of {type(net).__name__} is "
            "None. Pass a network that knows the nuisance, or an unfitted estimator and its labels "
            "as y_unrelated."
        )
    for names, get in ((metrics, get_metric), (aggregations, get_aggregation)):
        for name in names:
            get(name)
    n_samples = _num_samples(X)
    few = np.arange(min(_FEW, n_samples))
    y = None if y is None else _safe_indexing(y, few)
    given = as_innermost_sees(estimator, _safe_indexing(X, few), y, fits=True)
    made = _untrained(net, given)  # refuses data that cannot be learnt from
    rows = np.array(dense_rows(check_X(made, given), slice(None)))
    frozen, data = freeze(made, rows[:2])
    network = frozen.list_layers(data[:])
    view = None if X_unrelated is None else take_rows(X_unrelated, few, n_samples)
    sides = SideMaker(UnrelatedInputs(X_unrelated=view), given, None, {})
    choices = net.unrelated_layer
    several = isinstance(net.unrelated, list | tuple) and isinstance(choices, list | tuple)
    choices = list(choices) if several else [choices] * len(sources)
    others = []
    for choice, source in zip(choices, sources, strict=True):
        others.append((choice, _layers_of(source, sides, rows)))
    shapes = {}
    for layer in _layers(network) if layers is None else layers:
        found = _shapes(layer, network, others)
        if found is not None:
            shapes[layer] = found
    if net.conditional:
        metrics = [metric for metric in metrics if is_batch_metric(metric)]

    def is_valid(layer: str, metric: str, aggregation: str) -> bool:
        ours, theirs = shapes[layer]
        return all(_comparable(metric, aggregation, ours, shape) for shape in theirs)

    axes = [list(shapes), list(dict.fromkeys(metrics)), list(dict.fromkeys(aggregations))]
    invalid = {combination for combination in product(*axes) if not is_valid(*combination)}
    while invalid:
        # Drop what is valid in the smallest share of its combinations; of several, the last.
        shares = []
        for axis, values in enumerate(axes):
            size = np.prod([len(other) for other in axes]) / len(values)
            for place, value in enumerate(values):
                n_invalid = sum(combination[axis] == value for combination in invalid)
                shares.append((n_invalid / size, axis, place))
        _, axis, place = max(shares)
        value = axes[axis].pop(place)
        invalid = {combination for combination in invalid if combination[axis] != value}
    if not all(axes):
        raise ValueError(
            "No combination of the given layers, metrics and aggregations can compare the two "
            "networks. The metrics 'cross_correlation' and 'cka' with the aggregation "
            "'spatial_mean' compare any."
        )
    return Combinations(*map(tuple, axes))

"""What unrelated tasks say of all training samples, before training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from torch.utils.data import default_collate

from atl_sklearn._row_buffer import RowBuffer
from atl_sklearn.estimators._batch import Batch
from atl_sklearn.estimators._data import IndexedData, is_own_data
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._loading import batch_loader
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._penalty_settings import unrelated_choices
from atl_sklearn.estimators._samples import Samples
from atl_sklearn.similarity import spatial_mean
from atl_sklearn.unrelated import FrozenNetwork, LayerChoice, Side

_AT_ONCE = 256  # samples of which answers are looked up


def answers_of(
    net: Net,
    run: FitRun,
    sides: Mapping[int, Side],
    data: Any,
    tried: Samples,
    *,
    in_order: bool = False,
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Return what unrelated tasks answer for the training data.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    run : FitRun
        Its fit.
    sides : mapping of int to Side
        The unrelated tasks, by position.
    data : torch.utils.data.Dataset
        The training data.
    tried : Tensor of shape (n_few, ...) or mapping of these
        The first samples, where the network is.
    in_order : bool, default=False
        Whether each sample comes once, in the order of the data. This needs data whose batches are
        made here. Otherwise samples come as the user's iterator brings them.

    Returns
    -------
    answers : dict of int to ndarray of shape (n_samples, n_answers)
        Probabilities or predictions; of a plain module what it returns. Of a network that gives
        none of these, the features that are compared. Of maps it is the mean over positions.
    targets : ndarray of shape (n_samples, ...)
        Those of the same samples: integers are classes, all others are floats.

    Raises
    ------
    ValueError
        If an unrelated network gives neither, or some that are not finite.
    """
    several = isinstance(net.unrelated, list | tuple)
    of, choices = unrelated_choices(net.layer, net.unrelated_layer, len(run.sides), several=several)
    for position, side in sides.items():
        named = choices[position] if of == "unrelated_layer" else None
        _choose(side, net, named, tried, f" {position}" if len(run.sides) > 1 else "")
    batches: Iterable[Batch | Sequence[object]]
    needs_positions = any(side.needs_positions(unlabeled=False) for side in sides.values())
    if in_order or (needs_positions and is_own_data(data)):
        batches = batch_loader(data, batch_size=_AT_ONCE, shuffle=False, training=False)
    elif needs_positions:
        batches = _by_position(net, data)
    else:
        batches = net.get_iterator(data, training=False)
    answers = {position: RowBuffer() for position in sides}
    targets = RowBuffer()
    for batch in batches:
        y = batch[1]
        targets.add(y.cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y))
        X, positions = run.placement.batch(batch[0]), getattr(batch, "positions", None)
        for position, side in sides.items():
            answer = side(X, positions, unlabeled=False)
            side.frozen.check_finite(answer, "X", positions)
            rows = [_row_of_each(part, side) for part in answer]
            answers[position].add(torch.cat(rows, dim=1).cpu().numpy())
    found = {position: values.array() for position, values in answers.items()}
    return found, targets.array().astype(np.int64 if is_classifier(net) else np.float64)


def _choose(side: Side, net: Net, named: LayerChoice | None, tried: Samples, number: str) -> None:
    """Choose what an unrelated task answers, or else the features that are compared."""
    # What a plain module returns may be an embedding, and no scores of classes.
    as_it_is = isinstance(side.frozen, FrozenNetwork) and side.frozen.is_plain
    try:
        side.choose("output" if as_it_is else "posterior", tried, parameter="layer")
        return
    except ValueError as error:
        reason = error
    if named is not None:
        side.choose(named, tried, parameter="unrelated_layer")
        return
    try:
        side.choose(net.layer, tried, parameter="layer")
    except ValueError as error:
        raise ValueError(
            f"weight='auto' and product_of_experts need answers, which the unrelated network"
            f"{number} does not give: {reason} Name a layer of it as unrelated_layer, whose "
            "features take their place, or set weight to a number and product_of_experts=0."
        ) from error


def _row_of_each(answer: torch.Tensor, side: Side) -> torch.Tensor:
    """Return a row of each sample: thousands of positions would take minutes to learn from."""
    values = answer.to(torch.promote_types(answer.dtype, torch.float32))  # NumPy has no bfloat16
    if isinstance(side.frozen, FrozenNetwork):
        values = spatial_mean(values)
    return values.reshape(len(values), -1)


def _by_position(net: Net, data: IndexedData) -> Iterator[Batch]:
    """Yield the samples of a dataset of the user's in their order."""
    collate = net.get_params_for("iterator_train").get("collate_fn") or default_collate
    for start in range(0, len(data), _AT_ONCE):
        positions = torch.arange(start, min(start + _AT_ONCE, len(data)))
        X, y = collate([data[int(place)] for place in positions])
        yield Batch(X, y, positions=positions)

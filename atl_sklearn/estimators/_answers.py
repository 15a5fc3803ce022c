"""What unrelated tasks say of all training samples, before training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from atl_sklearn.estimators._data import Batch, batch_loader
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._penalty_settings import Samples
from atl_sklearn.unrelated import Side

_AT_ONCE = 256  # samples of which answers are looked up


def answers_of(
    net: Net, run: FitRun, sides: Mapping[int, Side], data: Any, tried: Samples
) -> dict[int, np.ndarray]:
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

    Returns
    -------
    answers : dict of int to ndarray of shape (n_samples, n_answers)
        Probabilities or predictions, in the order of the data.
    """
    for side in sides.values():
        side.choose("posterior", tried, parameter="layer")
    batches: Iterable[Batch | Sequence[object]] = net.get_iterator(data, training=False)
    if any(side.needs_positions(unlabeled=False) for side in sides.values()):
        batches = batch_loader(data, batch_size=_AT_ONCE, shuffle=False, training=False)
    answers: dict[int, list[np.ndarray]] = {position: [] for position in sides}
    for batch in batches:
        X = run.placement.batch(batch[0])
        for position, side in sides.items():
            answer = side(X, getattr(batch, "positions", None), unlabeled=False)
            side.frozen.check_finite(answer, "X")
            answers[position].append(answer[0].flatten(1).cpu().numpy())
    return {position: np.concatenate(found) for position, found in answers.items()}

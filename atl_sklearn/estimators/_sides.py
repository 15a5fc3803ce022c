"""The unrelated sides of a fit, and whether its batches say what these must know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from atl_sklearn.estimators._batching import makes_batches
from atl_sklearn.estimators._data import is_own_data
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._penalty_settings import Samples
from atl_sklearn.estimators._rehearsal import Rehearsal
from atl_sklearn.estimators._side_checks import KNOWN_BY_POSITION
from atl_sklearn.estimators._splits import get_splitter
from atl_sklearn.unrelated import Side, SideMaker


def make_sides(net: Net, run: FitRun, maker: SideMaker, rehearsal: Rehearsal) -> list[Side]:
    """Return what is compared of each source; what is not torch is computed.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    run : FitRun
        Its fit; the sources are fitted.
    maker : SideMaker
        Knows what `fit` was given.
    rehearsal : Rehearsal
        The training data, and their first samples.

    Returns
    -------
    sides : list of Side
        One for each source.

    Raises
    ------
    ValueError
        If one cannot take the data, or the batches do not say which samples they have.
    """
    parameters = list(net.module_.parameters())
    sides = maker.make(
        run.sources,
        device=run.placement.device or parameters[0].device,
        dtype=run.placement.dtype,
        in_training=parameters,
    )
    _check_positions(net, run, sides, rehearsal.data, rehearsal.tried)
    return sides


def _check_positions(
    net: Net, run: FitRun, sides: Sequence[Side], data: Any, tried: Samples
) -> None:
    """Refuse batches that do not say which samples they have, where that must be known."""
    unlabeled = run.data.unlabeled is not None and net.penalty_data in ("auto", "unlabeled")
    stages = {"iterator_train": not unlabeled, "iterator_valid": get_splitter(net) is not None}
    made_by = [
        stage for stage, used in stages.items() if used and not makes_batches(data, net, stage)
    ]
    if not made_by:
        return
    for side in sides:
        if side.needs_positions(unlabeled=False):
            what = "'dataset'" if not is_own_data(data) else " and ".join(map(repr, made_by))
            raise ValueError(
                f"{KNOWN_BY_POSITION}, and batches that {what} makes, with a sampler or a "
                "collate_fn of its own, do not say which samples they have. Leave these out; or "
                "pass a network or an estimator that takes X as 'unrelated'."
            )
        if side.rows:
            with torch.no_grad():  # what is computed of a batch must take it as it is
                side(tried, None, unlabeled=False)

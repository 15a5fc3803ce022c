"""Checks of how the unrelated side goes together with batches, validation data and pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from atl_sklearn._pipelines import has_steps, steps_before
from atl_sklearn._user_warnings import warn_user
from atl_sklearn.estimators._data import is_own_data
from atl_sklearn.estimators._penalty_settings import Samples
from atl_sklearn.estimators._splits import get_splitter
from atl_sklearn.estimators._unlabeled import pipelines_around
from atl_sklearn.unrelated import Side, UnrelatedInputs, is_fitted

_KNOWN_BY_POSITION = (
    "What is unrelated (labels, precomputed, or X_unrelated) is known for the samples of X by "
    "their positions"
)


def check_positions(net: Any, sides: Sequence[Side], data: Any, tried: Samples) -> None:
    """Refuse batches that do not say which samples they have, where that must be known.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Its iterators make the batches.
    sides : sequence of Side
        The unrelated tasks.
    data : torch.utils.data.Dataset
        The training data.
    tried : Tensor of shape (n_few, ...) or mapping of these
        Its first samples.

    Raises
    ------
    ValueError
        If something of the user's makes them.
    """
    unlabeled = net._run.unlabeled is not None and net.penalty_data in ("auto", "unlabeled")
    stages = {"iterator_train": not unlabeled, "iterator_valid": get_splitter(net) is not None}
    made_by = [
        stage for stage, used in stages.items() if used and not net._makes_batches(data, stage)
    ]
    if not made_by:
        return
    for side in sides:
        if side.needs_positions(unlabeled=False):
            what = "'dataset'" if not is_own_data(data) else " and ".join(map(repr, made_by))
            raise ValueError(
                f"{_KNOWN_BY_POSITION}, and batches that {what} makes, with a sampler or a "
                "collate_fn of its own, do not say which samples they have. Leave these out; or "
                "pass a network or an estimator that takes X as 'unrelated'."
            )
        with torch.no_grad():  # what is computed of a batch must take it as it is
            side(tried, None, unlabeled=False)


def check_validation(net: Any) -> None:
    """Refuse validation data other than samples of X, of which nothing unrelated is known.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        That is being fitted on such data.

    Raises
    ------
    ValueError
        If what is unrelated is known of the samples of X alone.
    """
    penalty = net._run.penalty if net._run is not None else None
    if penalty is not None and any(s.needs_positions(unlabeled=False) for s in penalty.sides):
        raise ValueError(
            f"{_KNOWN_BY_POSITION}, and not for validation data that 'train_split' brings from "
            "elsewhere. Let it split X: train_split=0.2, say."
        )


def check_steps_twice(net: Any, sources: Sequence[Any], inputs: UnrelatedInputs) -> None:
    """Warn of an unrelated Pipeline whose steps have been applied to X before.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        That is being fitted, perhaps by a Pipeline.
    sources : sequence
        What is unrelated.
    inputs : UnrelatedInputs
        What `fit` was given for it.
    """
    # What this fit fits is given the same as before.
    sources = [source for source in sources if has_steps(source) and is_fitted(source)]
    if inputs.X_unrelated is not None or not sources:
        return
    around = {type(s) for pipeline in pipelines_around(net) for s in steps_before(pipeline)}
    twice = {type(s).__name__ for source in sources for s in steps_before(source)
             if type(s) in around}  # fmt: skip
    if twice:
        warn_user(
            f"The unrelated Pipeline and the one around {type(net).__name__} both have "
            f"{', '.join(sorted(twice))}: X is transformed twice before it reaches the unrelated "
            "network. If that was not meant, pass the last step alone, unrelated=pipeline[-1], or "
            "the data that the unrelated Pipeline was fitted on as X_unrelated."
        )

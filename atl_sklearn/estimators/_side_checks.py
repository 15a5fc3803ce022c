"""Checks of how the unrelated side goes together with validation data and pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.pipeline import Pipeline

from atl_sklearn._pipelines import has_steps, steps_before
from atl_sklearn._user_warnings import warn_user
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._unlabeled import pipelines_around
from atl_sklearn.unrelated import Side, UnrelatedInputs, is_fitted

KNOWN_BY_POSITION = (
    "What is unrelated (labels, precomputed, or X_unrelated) is known for the samples of X by "
    "their positions"
)


def check_validation(sides: Sequence[Side]) -> None:
    """Refuse validation data that are not samples of X, where the unrelated side must know them.

    Parameters
    ----------
    sides : sequence of Side
        The unrelated tasks.

    Raises
    ------
    ValueError
        If what is unrelated is known of the samples of X alone.
    """
    if any(side.needs_positions(unlabeled=False) for side in sides):
        raise ValueError(
            f"{KNOWN_BY_POSITION}, and not for validation data that 'train_split' brings from "
            "elsewhere. Let it split X: train_split=0.2, say."
        )


def check_steps_twice(net: Net, sources: Sequence[Any], inputs: UnrelatedInputs) -> None:
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
    around = {kind for pipeline in pipelines_around(net) for kind in _kinds_of_steps(pipeline)}
    both = around.intersection(kind for source in sources for kind in _kinds_of_steps(source))
    twice = {kind.__name__ for kind in both}
    if twice:
        warn_user(
            f"The unrelated Pipeline and the one around {type(net).__name__} both have "
            f"{', '.join(sorted(twice))}: X is transformed twice before it reaches the unrelated "
            "network. If that was not meant, pass the last step alone, unrelated=pipeline[-1], or "
            "the data that the unrelated Pipeline was fitted on as X_unrelated."
        )


def _kinds_of_steps(pipeline: object) -> set[type]:
    """Return the classes of the steps before the last one, also within nested pipelines."""
    kinds: set[type] = set()
    for step in steps_before(pipeline):
        whole = step.steps if isinstance(step, Pipeline) else [("", step)]
        for _, part in whole:
            kinds |= _kinds_of_steps(part) | (set() if isinstance(part, Pipeline) else {type(part)})
    return kinds

"""From a fit that ended to its summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from atl_sklearn.estimators._choice import given_targets, given_weights
from atl_sklearn.estimators._convergence import judge_convergence, judge_penalty
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._penalty import PenaltyRun
from atl_sklearn.estimators._penalty_making import compared_data
from atl_sklearn.estimators._summary import ComparisonSummary, FitSummary
from atl_sklearn.modules import Standardize
from atl_sklearn.unrelated import source_name

_SCALE = (
    ", or scale X (sklearn.preprocessing.StandardScaler, or atl_sklearn.audio.Standardizer for "
    "spectrograms)"
)
_AUTOMATIC = "automatic"


def _ends(rows: Sequence[dict[str, Any]], name: str) -> tuple[float, float] | None:
    """Return a column's first and last entry, or None without any."""
    found = [row[name] for row in rows if name in row]
    return (found[0], found[-1]) if found else None


def _changed_by(penalty: PenaltyRun, epoch: int) -> str:
    """Return why the weights of an epoch are not those that were given or chosen."""
    found = ["by its schedule"] if penalty.factor(epoch) != penalty.scale else []
    found += ["beside the product of experts"] if penalty.scale != 1 else []
    return ", ".join(found)


def _comparisons(net: Net, run: FitRun, rows: Sequence[dict[str, Any]]) -> list[ComparisonSummary]:
    if run.penalty is None:
        return []
    sources = run.sources
    given = given_weights(net.weight, len(run.sources))
    targets = given_targets(net.target_similarity, len(sources))
    scores = run.unrelated_scores or [None] * len(sources)
    changed_by = _changed_by(run.penalty, len(net.history) - 1)
    found = []
    for name, (position, layer) in zip(run.penalty.names, run.penalty.places, strict=True):
        ends = _ends(rows, f"train_{name}")
        weights = _ends(rows, run.penalty.weight_names[position])
        if ends is None or weights is None:
            continue
        weight_from = "as given"
        if given[position] == "auto":
            weight_from = _AUTOMATIC
        target = targets[position]
        if target is not None:
            weight_from = f"for target_similarity={target:.3g}"
        found.append(
            ComparisonSummary(
                unrelated=source_name(sources[position])
                + (f" {position}" if len(sources) > 1 else ""),
                unrelated_score=scores[position],
                layer=layer,
                first=ends[0],
                last=ends[1],
                weight=weights[1],
                weight_from=weight_from,
                chosen_weight=run.penalty.weights[position],
                changed_by=changed_by,
            )
        )
    return found


def _why_plain(net: Net, run: FitRun) -> str:
    if run.penalty is not None:
        return "" if len(net.history) > run.begun else "there were no epochs"
    if not run.sources:
        return "there is no unrelated task"
    automatic = "auto" in given_weights(net.weight, len(run.sources))
    nothing = "the nuisance says too little of the target, so weight='auto' is 0"
    return nothing if automatic else "the weight is 0"


def summarise(net: Net, run: FitRun, *, interrupted: bool, judged: bool) -> FitSummary:
    """Return what happened in a fit.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator; the run is still there.
    run : FitRun
        The run that ended.
    interrupted : bool
        Whether the user ended the training.
    judged : bool
        Whether the training was to come to an end, as that of `fit` is.

    Returns
    -------
    summary : FitSummary
        Its warnings are those that `fit` gives.
    """
    rows = net.history.to_list()[run.begun :]
    ended_by = "interruption" if interrupted else "max_epochs"
    if run.ended_by_callback:
        ended_by = "callback"
    comparisons = _comparisons(net, run, rows)
    losses = _ends(rows, "train_loss")
    warnings: list[str] = []
    converged = None
    if judged and ended_by == "max_epochs" and rows:
        why = judge_convergence(run.losses, run.rates)
        converged = not why
        name = type(net).__name__
        if why:
            scaled = any(isinstance(layer, Standardize) for layer in net.module_.modules())
            warnings.append(
                f"{name} is far from converged after {len(rows)} epochs: {why}. Raise max_epochs, "
                f"lower batch_size, or try another lr{'' if scaled else _SCALE}."
            )
        if losses is not None:
            careful = compared_data(net, run) == "train"
            for found in comparisons:
                if careful and found.weight_from == _AUTOMATIC:
                    continue  # it is not meant to make the two independent
                texts = judge_penalty(
                    f"The penalty on similarity to {found.unrelated} at {found.layer!r}",
                    found.first, found.last, found.weight, losses,
                )  # fmt: skip
                warnings += [texts] if texts else []
        what = net._judge_predictions(run)
        warnings += [what] if what else []
    if run.penalty is not None and net.target_similarity is not None:
        warnings += run.penalty.unmet_targets()
    return FitSummary(
        estimator=type(net).__name__,
        n_epochs=len(rows),
        max_epochs=run.max_epochs,
        ended_by=ended_by,
        converged=converged,
        train_loss=losses,
        valid_loss=_ends(rows, "valid_loss"),
        comparisons=tuple(comparisons),
        why_plain=_why_plain(net, run),
        product_of_experts=net.product_of_experts_,
        warnings=tuple(warnings),
    )

"""Before any training: does the unrelated task give the target away, and what to do then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import _num_samples

from atl_sklearn._pipelines import as_innermost_sees
from atl_sklearn._validation import refuse_value
from atl_sklearn.estimators import automatic_strength, automatic_weight, confounding, explain
from atl_sklearn.inspection._arguments import check_count
from atl_sklearn.inspection._labels import Groups, check_length, make_groups
from atl_sklearn.inspection._resampling import Resamples, interval_of
from atl_sklearn.inspection._streaming import choose_all, read_activations, rows_of
from atl_sklearn.unrelated import as_tensors, freeze_network, has_network

_OWNER = "confounding_report"
_NOTHING = 0.02  # a share of the target below which there is nothing to lean on
_BEYOND = 0.2  # how much more than the labels features may say of the target
_BATCH = 96  # `penalty_batch_size`
_FEW = 5  # contradicting samples for each class


@dataclass(frozen=True)
class ConfoundingReport:
    """How far a nuisance gives the target away, and what to do.

    Attributes
    ----------
    share, low, high : float
        The share of the target's variance that the nuisance explains, and its interval.
    posterior_share : float or None
        The share that the unrelated network's answers explain; None without a network, and with one
        that gives no answers.
    feature_share : float or None
        The share that its features explain.
    n_samples : int
        How many samples there are.
    n_contradicting : int
        How many samples have a target and a nuisance that meet more rarely than if the two were
        independent.
    n_classes : int
        How many classes the target has; numbers count as four quarters.
    n_unlabeled : int
        How many samples without labels there are.
    weight, product_of_experts : float
        What ``"auto"`` would choose with an unrelated network that knows the nuisance.
    recommendation : tuple of str
        What to do: sentences that name parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.inspection import confounding_report
    >>> word = np.arange(60) % 3
    >>> confounding_report(word, np.arange(60) // 30).share
    0.0
    """

    share: float
    low: float
    high: float
    posterior_share: float | None
    feature_share: float | None
    n_samples: int
    n_contradicting: int
    n_classes: int
    n_unlabeled: int
    weight: float
    product_of_experts: float
    recommendation: tuple[str, ...]

    def _lines(self) -> list[str]:
        lines = [
            f"The nuisance explains {self.share:.3f} [{self.low:.3f}, {self.high:.3f}] of "
            f"the target; {self.n_contradicting} of {self.n_samples} samples contradict it."
        ]
        if self.posterior_share is not None:
            lines.append(
                f"The unrelated network's answers explain {self.posterior_share:.3f} of it, its "
                f"features {self.feature_share:.3f}."
            )
        elif self.feature_share is not None:
            lines.append(
                f"The unrelated network's features explain {self.feature_share:.3f} of it."
            )
        return lines

    def __repr__(self) -> str:
        return "\n".join([*self._lines(), *(f"- {text}" for text in self.recommendation)])

    def _repr_html_(self) -> str:
        from html import escape

        items = "".join(f"<li>{escape(text)}</li>" for text in self.recommendation)
        return f"<p>{escape(' '.join(self._lines()))}</p><ul>{items}</ul>"


def _target(y: np.ndarray, groups: Groups) -> np.ndarray:
    return y.astype(np.float64) if groups.continuous else groups.codes


def _network_shares(
    unrelated: object,
    X: ArrayLike | None,
    target: np.ndarray,
    layer: str | int | Sequence[str | int] | None,
    batch_size: int,
) -> tuple[float | None, float]:
    """Return what the answers, if there are any, and the features say of the target."""
    frozen = freeze_network(unrelated)
    few = as_tensors(frozen.network, as_innermost_sees(unrelated, rows_of(X, slice(0, 2))))[:2]
    everything = np.arange(len(target))

    def share_of_chosen() -> float:
        (values,) = read_activations((unrelated,), frozen, X, everything, batch_size=batch_size)
        return confounding(values, target)

    choose_all(frozen, few, layer)
    of_features = share_of_chosen()
    try:
        choose_all(frozen, few, "posterior")
    except ValueError:  # it returns several tensors, or none with an axis of samples
        return None, of_features
    return share_of_chosen(), of_features


def _recommended(report: ConfoundingReport) -> tuple[str, ...]:
    share, high = report.share, report.high
    if share < _NOTHING and high < 5 * _NOTHING:
        return (
            "The target is not confounded with this nuisance: a plain network will do "
            "(unrelated=None). The default would hardly change it.",
        )
    enough = 2 * _BATCH
    on_unlabeled = report.n_unlabeled >= enough
    texts = []
    if on_unlabeled:
        texts.append(
            f"Pass the {report.n_unlabeled} samples without labels as X_unlabeled, with "
            "unrelated=..., if target and nuisance are independent there."
        )
    else:
        texts.append(
            f"Gather at least {enough} samples without labels, in which target and nuisance are "
            "independent, and pass them as X_unlabeled: that gains most. There are "
            f"{report.n_unlabeled}."
        )
    texts.append(
        f"The defaults, weight='auto' and product_of_experts='auto', are {report.weight:g} and "
        f"{report.product_of_experts:.2g} here."
    )
    few = _FEW * report.n_classes
    if not on_unlabeled and report.n_contradicting < few:
        texts.append(
            f"Only {report.n_contradicting} samples contradict the nuisance, fewer than {_FEW} for "
            "each class: a larger weight on the training data also forbids much of what the "
            "network has to learn."
        )
    if report.posterior_share is not None and (report.feature_share or 0) > share + _BEYOND:
        texts.append(
            f"The frozen features say more of the target ({report.feature_share:.2f}) than the "
            f"nuisance does ({share:.2f}): a penalty on them forbids some of what the network has "
            "to learn. Compare with the answers, unrelated_layer='posterior', or with the "
            "directions of its own task, unrelated_layer='task'."
        )
    return tuple(texts)


def confounding_report(
    y: ArrayLike,
    y_unrelated: ArrayLike,
    *,
    X: ArrayLike | None = None,
    unrelated: object = None,
    X_unlabeled: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    layer: str | int = "last",
    n_resamples: int = 200,
    confidence: float = 0.95,
    batch_size: int = 128,
    random_state: int = 0,
) -> ConfoundingReport:
    """Say, before any training, whether you need anti-transfer, and which.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The target of the training data.
    y_unrelated : array-like of shape (n_samples,)
        The nuisance of the same samples.
    X : array-like of shape (n_samples, ...) or None, default=None
        The samples, if you pass `unrelated`.
    unrelated : fitted estimator, torch.nn.Module or None, default=None
        A network that knows the nuisance and takes X.
    X_unlabeled : array-like of shape (n_unlabeled, ...) or None, default=None
        Samples without labels, if you have any; they are counted.
    groups : array-like of shape (n_samples,) or None, default=None
        Groups of samples; the interval resamples whole groups.
    layer : str or int, default="last"
        The layer of `unrelated` that a penalty would see.
    n_resamples : int, default=200
        Resamples for the interval.
    confidence : float, default=0.95
        Coverage of the interval.
    batch_size : int, default=128
        Samples that run through `unrelated` at a time.
    random_state : int, default=0
        Determines the resamples.

    Returns
    -------
    report : ConfoundingReport
        The numbers, and what to do.

    Raises
    ------
    ValueError
        If there is one label only, a label of a single sample, or `unrelated` without X.

    Notes
    -----
    The share is how much of the target's variance ridge regression on the nuisance explains in
    left-out samples. Below 0.02 there is nothing to lean on. 192 unlabeled samples, two batches of
    the penalty, count as enough, and so do 5 contradicting samples for each class.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.inspection import confounding_report
    >>> speaker = np.repeat([0, 1], 50)
    >>> word = speaker.copy()
    >>> word[[0, 99]] = 1, 0  # all but two samples go along with the speaker
    >>> confounding_report(word, speaker, n_resamples=20)  # doctest: +ELLIPSIS
    The nuisance explains 0.9... of the target; 2 of 100 samples contradict it.
    - Gather at least 192 samples without labels, ... There are 0.
    - The defaults, weight='auto' and product_of_experts='auto', are 0.3 and 1 here.
    - Only 2 samples contradict the nuisance, fewer than 5 for each class: ...
    """
    for name, value, least in (
        ("n_resamples", n_resamples, 1), ("batch_size", batch_size, 1),
        ("random_state", random_state, 0),
    ):  # fmt: skip
        check_count(_OWNER, name, value, least)
    n_samples = _num_samples(y)
    labels = make_groups(_OWNER, "y_unrelated", y_unrelated, n_samples)
    classes = make_groups(_OWNER, "y", y, n_samples)
    clusters = None
    if groups is not None:
        given = check_length(_OWNER, "groups", groups, n_samples)
        clusters = np.unique(given, return_inverse=True)[1]
    if unrelated is not None and (X is None or not has_network(unrelated)):
        must = "None, or a fitted network together with X"
        raise refuse_value(_OWNER, "unrelated", must, unrelated)
    if X is not None and _num_samples(X) != n_samples:
        raise ValueError(
            f"X of {_OWNER} must have a row for each of the {n_samples} samples of y. Got "
            f"{_num_samples(X)}."
        )
    target = _target(np.asarray(classes.labels), classes)
    answers = (
        labels.labels.astype(float)[:, None]
        if labels.continuous
        else np.eye(len(labels.names))[labels.codes]
    )
    resamples = Resamples(clusters, n_samples, n_resamples, seed=random_state)
    share, low, high = interval_of(
        resamples.statistics(lambda weight: confounding(answers, target, weight)), confidence
    )
    table = np.zeros((len(classes.names), len(labels.names)))
    np.add.at(table, (classes.codes, labels.codes), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n_samples
    rare = (table < expected)[classes.codes, labels.codes]
    posterior_share = feature_share = None
    if unrelated is not None:
        posterior_share, feature_share = _network_shares(unrelated, X, target, layer, batch_size)
    n_unlabeled = 0 if X_unlabeled is None else int(_num_samples(X_unlabeled))
    seen = n_unlabeled > 0
    n_classes = None if classes.continuous else len(classes.names)
    explained = explain(answers, target, n_classes=n_classes)
    found = ConfoundingReport(
        share=share,
        low=low,
        high=high,
        posterior_share=posterior_share,
        feature_share=feature_share,
        n_samples=n_samples,
        n_contradicting=int(rare.sum()),
        n_classes=len(classes.names),
        n_unlabeled=n_unlabeled,
        weight=automatic_weight(explained, on_unlabeled=seen),
        product_of_experts=automatic_strength(explained, on_unlabeled=seen),
        recommendation=(),
    )
    return replace(found, recommendation=_recommended(found))

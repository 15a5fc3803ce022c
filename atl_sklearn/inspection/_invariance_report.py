"""From fitted estimators and data that they have not seen to a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import _num_samples

from atl_sklearn._validation import refuse_value, shown
from atl_sklearn.inspection._arguments import check_arguments, check_unseen
from atl_sklearn.inspection._estimators import choose_samples, named_estimators
from atl_sklearn.inspection._group_scores import Drawn, calibrations, confusions, draw_scores
from atl_sklearn.inspection._labels import Groups, check_length, make_groups
from atl_sklearn.inspection._measure import Measure
from atl_sklearn.inspection._metric_frames import FrameScores, split_frames
from atl_sklearn.inspection._probed_network import ProbedNetwork
from atl_sklearn.inspection._probing import (
    PROBES,
    ProbeSettings,
    chance,
    default_scoring,
    make_splits,
    probe_features,
)
from atl_sklearn.inspection._report import InvarianceReport
from atl_sklearn.inspection._resampling import Resamples, interval_of
from atl_sklearn.inspection._streaming import read_predictions
from atl_sklearn.inspection._unrelated_side import find_sides, read_side, similarity_of
from atl_sklearn.unrelated import has_network

_OWNER = "invariance_report"


def _measured(
    name: str, drawn: Drawn, confidence: float, first: Drawn | None
) -> tuple[list[Measure], list[Measure]]:
    """Return the measures, and their differences to those of the first estimator."""
    found, differences = [], []
    for (part, place, how), values in drawn.items():
        found.append(Measure(name, part, place, how, *interval_of(values, confidence)))
        key = (part, place, how)
        if part == "worst_group_score" and first is not None:
            # The worst group may be another one for each estimator.
            key = next(known for known in first if known[0] == part)
        if first is not None and key in first:
            ends = interval_of(values - first[key], confidence)
            differences.append(Measure(name, part, place, how, *ends))
    return found, differences


def invariance_report(
    estimators: object,
    X: ArrayLike,
    y: ArrayLike | None,
    y_unrelated: ArrayLike,
    *,
    X_train: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    unrelated: object = None,
    layers: Sequence[str | int] | str | int | None = None,
    probes: Sequence[str] = PROBES,
    probe_scoring: str | None = None,
    cv: int = 5,
    n_probed: int = 2000,
    metric: str = "debiased_cka",
    n_resamples: int = 500,
    confidence: float = 0.95,
    batch_size: int = 128,
    random_state: int = 0,
) -> InvarianceReport:
    """Measure how invariant networks are: for whom they fail, and what a probe can read from them.

    Parameters
    ----------
    estimators : fitted estimator, MetricFrame, or dict of these by name
        Classifiers or regressors, also in pipelines, or searches; such as ``{"plain": ...,
        "anti-transfer": ...}``. Differences are to the first. An estimator without a network is
        scored, not probed. For a rival you can also pass fairlearn's ``MetricFrame`` of its
        predictions, with accuracy or R2 by the labels in `y_unrelated`. These come last and have no
        differences, because those need paired predictions.
    X : array-like of shape (n_samples, ...)
        Data that were not used in fitting. They are read a batch at a time.
    y : array-like of shape (n_samples,) or None
        The target; None leaves the scores of the task out.
    y_unrelated : array-like of shape (n_samples,)
        The nuisance: the groups that are scored, and what probes read. Numbers are scored in four
        quarters if they are not all whole. Whole numbers are labels, also as floats: of ages in
        years pass bins, or add 0.5.
    X_train : array-like of shape (n_train, ...) or None, default=None
        The data of `fit`. If you pass them, samples of X that are among them are refused.
    groups : array-like of shape (n_samples,) or None, default=None
        Groups of samples, such as recordings of a session. The folds of the probes keep them
        together, and intervals resample whole groups.
    unrelated : fitted estimator, torch.nn.Module or None, default=None
        What layers are compared with; None for the unrelated network of the first estimator that
        has one.
    layers : str, int, list of these or None, default=None
        Layers to probe, as the estimators take them; None for all convolutions and linear layers,
        with their nonlinearities.
    probes : list of {"linear", "nonlinear"}, default=("linear", "nonlinear")
        "linear": linear discriminants, or for numbers ridge regression. "nonlinear": the same on
        radial functions of the features.
    probe_scoring : {"balanced_accuracy", "roc_auc", "r2"} or None, default=None
        None for the balanced accuracy, or R2 for numbers.
    cv : int, default=5
        Folds of the probes.
    n_probed : int, default=2000
        How many samples probes and similarities see at most. They are drawn at random, with the
        shares of the labels in X.
    metric : str, default="debiased_cka"
        Similarity of the layers to the unrelated network's.
    n_resamples : int, default=500
        Resamples for the intervals.
    confidence : float, default=0.95
        Coverage of the intervals.
    batch_size : int, default=128
        Samples that run through the networks at a time.
    random_state : int, default=0
        Determines samples, folds and resamples.

    Returns
    -------
    report : InvarianceReport
        It prints as a table; `to_frame`, `to_json` and `plot` show the rest.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, there is one group only, a group has a single sample, a label is
        rarer than there are folds, the target is constant, or a layer does not exist.
    sklearn.exceptions.NotFittedError
        If an estimator is not fitted.

    Notes
    -----
    Probes see the mean of each channel over positions; of more than 128 features, or of the raw
    input, the first 128 principal components. Compare them with chance, with the raw input, and
    with the same network before training, which are all in the report. Intervals are percentiles of
    bootstrap resamples of the samples. They tell what other samples of this kind would give, not
    what another training would. The interval of the worst group is that of the group that is worst
    in these samples. The positive class of rates is the second one.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.inspection import invariance_report
    >>> X = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    >>> y, speaker = X[:, 0] > 0, np.where(X[:, 1] > 0, "theo", "lucas")
    >>> net = AntiTransferClassifier(max_epochs=10, random_state=0).fit(X[:60], y[:60])
    >>> report = invariance_report({"plain": net}, X[60:], y[60:], speaker[60:], n_resamples=50)
    >>> sorted(set(report.to_frame().part))[:3]
    ['calibration_error', 'demographic_parity_difference', 'equalized_odds_difference']
    """
    others_given, frames = split_frames(estimators)
    named = {} if frames and others_given is None else named_estimators(_OWNER, others_given)
    check_arguments(
        _OWNER, probes=probes, probe_scoring=probe_scoring, cv=cv, n_probed=n_probed,
        metric=metric, n_resamples=n_resamples, confidence=confidence, batch_size=batch_size,
        random_state=random_state,
    )  # fmt: skip
    n_samples = _num_samples(X)
    target = None if y is None else check_length(_OWNER, "y", y, n_samples)
    by_label = make_groups(_OWNER, "y_unrelated", y_unrelated, n_samples)
    clusters = None
    if groups is not None:
        _, clusters = np.unique(check_length(_OWNER, "groups", groups, n_samples),
                                return_inverse=True)  # fmt: skip
    if target is not None and len(np.unique(target)) < 2:
        raise ValueError(
            f"y is constant, {shown(target.tolist()[0])}: no score means anything then. Pass "
            "samples of at least two classes or values."
        )
    if X_train is not None:
        check_unseen(_OWNER, X, X_train, batch_size=batch_size)
    classifies = _classify(named, frames)
    chosen = choose_samples(by_label, n_probed, random_state)
    kept = Groups(
        by_label.codes[chosen], by_label.names, by_label.labels[chosen], by_label.continuous
    )
    scoring = _scoring(probe_scoring, by_label)
    of_probed = None if clusters is None else np.unique(clusters[chosen], return_inverse=True)[1]
    settings = ProbeSettings(
        tuple(probes), scoring, make_splits(kept, of_probed, cv, random_state), random_state
    )
    resamples = Resamples(clusters, n_samples, n_resamples, seed=random_state)
    probed = Resamples(of_probed, len(chosen), n_resamples, seed=random_state)
    sides, left_out = find_sides(named, unrelated)
    others = []
    for side in sides:
        found, reason = read_side(side, X, chosen, batch_size=batch_size)
        left_out += [reason] if reason else []
        others += [] if found is None else [(side.name, found)]

    measures: list[Measure] = []
    differences: list[Measure] = []
    confusion = {}
    first: Drawn | None = None
    classes = _classes(target, named) if classifies and target is not None else None
    for place, (name, estimator) in enumerate(named.items()):
        drawn: Drawn = {}
        calibrated: dict[tuple[str, str, str], float] = {}
        if target is not None:
            said = read_predictions(estimator, X, n_samples, batch_size=batch_size)
            drawn = draw_scores(target, said, by_label, resamples, classes=classes)
            calibrated = calibrations(target, said, by_label, classifies=classifies)
            if classes is not None:
                confusion[name] = confusions(target, said.predictions, classes, by_label)
        activations: dict[str, np.ndarray] = {}
        held_against: Drawn = {}
        if has_network(estimator):
            network = ProbedNetwork(estimator, X, chosen, layers, batch_size)
            activations = network.read()
            for layer, features in activations.items():
                scores = probe_features(features, kept, probed, settings)
                drawn |= {("probe", layer, how): values for how, values in scores.items()}
            if place == 0:
                held_against = network.held_against(kept, probed, settings, left_out)
        else:
            left_out.append(f"probes of {name}: there is no network in it")
        mine, more = _measured(name, drawn, confidence, first)
        measures += mine
        differences += more
        measures += [Measure(name, *key, value) for key, value in calibrated.items()]
        measures += _similarities(name, activations, others, metric)
        measures += [
            Measure(of, "probe", layer, how, *interval_of(values, confidence))
            for (of, layer, how), values in held_against.items()
        ]
        first = drawn if first is None else first
    for name, frame in frames.items():
        found_there, missing = frame.measures(by_label.names, confidence)
        measures += found_there
        left_out += missing
        table = None if classes is None else frame.confusion(by_label.names, len(classes))
        confusion |= {} if table is None else {name: table}
    return InvarianceReport(
        names=(*named, *frames),
        groups=by_label.names,
        classes=() if classes is None else tuple(map(str, classes.tolist())),
        measures=tuple(measures),
        differences=tuple(differences),
        confusion=confusion,
        score_name="accuracy" if classifies else "r2",
        probe_scoring=scoring,
        chance=chance(scoring, by_label),
        n_samples=n_samples,
        n_probed=len(chosen),
        confidence=confidence,
        left_out=tuple(left_out),
    )


def _classify(named: dict[str, BaseEstimator], frames: dict[str, FrameScores]) -> bool:
    """Return whether classifiers are scored; refuse frames of the other kind."""
    kinds = {name: bool(is_classifier(estimator)) for name, estimator in named.items()}
    kinds |= {name: frame.score_name == "accuracy" for name, frame in frames.items()}
    if len(set(kinds.values())) > 1:
        raise ValueError(
            "The estimators and the MetricFrames must be all of classifiers or all of regressors, "
            f"which are scored differently. Got of classifiers: {kinds}. Make a report of each "
            "kind."
        )
    return next(iter(kinds.values()))


def _scoring(asked: str | None, groups: Groups) -> str:
    if asked is None:
        return default_scoring(groups)
    if (asked == "r2") != groups.continuous:
        kind = "numbers" if groups.continuous else "labels"
        must = "'r2'" if groups.continuous else "'balanced_accuracy' or 'roc_auc'"
        raise refuse_value(_OWNER, "probe_scoring", f"{must} where y_unrelated are {kind}", asked)
    return asked


def _classes(target: np.ndarray, named: dict[str, BaseEstimator]) -> np.ndarray:
    known = [np.asarray(e.classes_) for e in named.values() if hasattr(e, "classes_")]
    return np.unique(np.concatenate([target, *known]))


def _similarities(
    name: str, activations: dict[str, np.ndarray], others: list[tuple[str, np.ndarray]], metric: str
) -> list[Measure]:
    return [
        Measure(
            name,
            "similarity",
            layer,
            metric if len(others) == 1 else f"{metric}, {other}",
            similarity_of(features, unrelated, metric),
        )
        for layer, features in activations.items()
        for other, unrelated in others
    ]

"""Probes: how well labels can be read from features, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from atl_sklearn.inspection._labels import Groups
from atl_sklearn.inspection._resampling import Resamples, mean_of_columns, ratio

PROBES = ("linear", "nonlinear")
SCORINGS = ("balanced_accuracy", "roc_auc", "r2")

_MOST_FEATURES = 128
_N_LANDMARKS = 100


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are trained and scored.

    Attributes
    ----------
    probes : tuple of str
        Among :data:`PROBES`.
    scoring : str
        Among :data:`SCORINGS`.
    splits : list of (ndarray, ndarray)
        Training and test samples of each fold.
    seed : int
        For what is drawn at random.
    """

    probes: tuple[str, ...]
    scoring: str
    splits: list[tuple[np.ndarray, np.ndarray]]
    seed: int


def default_scoring(groups: Groups) -> str:
    """Return the score of probes that fits the labels."""
    return "r2" if groups.continuous else "balanced_accuracy"


def chance(scoring: str, groups: Groups) -> float:
    """Return the score of a probe that reads nothing."""
    return {"r2": 0.0, "roc_auc": 0.5}.get(scoring, 1 / len(groups.names))


def make_splits(
    groups: Groups, clusters: np.ndarray | None, cv: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds: with as many of each label, clusters kept together.

    Raises
    ------
    ValueError
        If a label is rarer than there are folds, or lies in fewer clusters.
    """
    labels, owner = groups.codes, "y_unrelated"
    if not groups.continuous:
        counts = np.bincount(labels)
        if clusters is not None:
            pairs = np.unique(np.stack([labels, clusters]), axis=1)
            counts = np.bincount(pairs[0])
        rarest = int(counts.argmin())
        if counts[rarest] < cv:
            of = "samples" if clusters is None else "of `groups`"
            raise ValueError(
                f"The rarest label of {owner}, {groups.names[rarest]!r}, has {counts[rarest]} {of} "
                f"among those that probes see, fewer than the cv={cv} folds. Lower cv, raise "
                "n_probed, leave these samples out"
                + (", or leave out groups." if clusters is not None else ".")
            )
    splitter: BaseEstimator
    if clusters is None:
        splitter = (KFold if groups.continuous else StratifiedKFold)(
            cv, shuffle=True, random_state=seed
        )
    elif groups.continuous:
        splitter = GroupKFold(cv)
    else:
        splitter = StratifiedGroupKFold(cv, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(labels)), labels, clusters))


def _probe(
    kind: str,
    scoring: str,
    n_features: int,
    n_train: int,
    n_classes: int,
    *,
    scale: bool,
    seed: int,
) -> BaseEstimator:
    model: BaseEstimator = (
        RidgeCV(np.logspace(-3, 3, 7))
        if scoring == "r2"
        # In closed form, and as if all classes were equally frequent.
        else LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage="auto", priors=np.full(n_classes, 1 / n_classes)
        )
    )
    scaling = [StandardScaler()] if scale else []
    if kind == "linear":
        return make_pipeline(*scaling, model)
    kernel = Nystroem(
        gamma=1 / max(n_features, 1), n_components=min(_N_LANDMARKS, n_train), random_state=seed
    )
    return make_pipeline(*scaling, kernel, StandardScaler(), model)


def reduced(features: np.ndarray, seed: int) -> np.ndarray:
    """Return at most 128 features: those there are, or their first principal components."""
    features = np.array(features, dtype=np.float64)  # a copy, in which the means are taken off
    most = min(_MOST_FEATURES, len(features) - 1)
    if features.shape[1] <= most:
        return features
    components = PCA(most, copy=False, svd_solver="randomized", random_state=seed)
    found = components.fit_transform(features)
    # One scale for all, so that features of little variance keep little weight.
    found_scaled: np.ndarray = found / max(float(found.std()), np.finfo(float).tiny)
    return found_scaled


def _drawn(
    scoring: str, labels: np.ndarray, said: np.ndarray, n: int, resamples: Resamples
) -> np.ndarray:
    """Return the score of out-of-fold predictions, and that of each resample."""
    if scoring == "r2":
        parts = 1 - (said - labels) ** 2 / np.var(labels)
        sums = resamples.sums(np.stack([parts, np.ones(len(parts))], axis=1))
        return ratio(sums[:, 0], sums[:, 1])
    member = np.eye(n)[labels]
    if scoring == "roc_auc":
        scores = said[:, 1:] if n == 2 else said

        def auc(weight: np.ndarray) -> float:
            found = []
            for column in range(1 if n == 2 else n):
                true = member[:, 1 if n == 2 else column]
                if weight @ true > 0 and weight @ (1 - true) > 0:
                    found.append(roc_auc_score(true, scores[:, column], sample_weight=weight))
            return float(np.mean(found)) if found else float("nan")

        return resamples.statistics(auc)
    right = (said == labels)[:, None] * member
    hits, counts = np.split(resamples.sums(np.hstack([right, member])), 2, axis=1)
    return mean_of_columns(ratio(hits, counts))


def probe_features(
    features: np.ndarray, groups: Groups, resamples: Resamples, settings: ProbeSettings
) -> dict[str, np.ndarray]:
    """Return how well the labels are read from features, by kind of probe.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        What is read from.
    groups : Groups
        The labels.
    resamples : Resamples
        Of these samples.
    settings : ProbeSettings
        How it is done.

    Returns
    -------
    scores : dict of str to ndarray of shape (1 + n_resamples,)
        For each kind of probe the score of the predictions of all folds, and of its resamples.
    """
    n_given = features.shape[1]
    features = reduced(features, settings.seed)
    scale = features.shape[1] == n_given
    labels = groups.labels.astype(float) if settings.scoring == "r2" else groups.codes
    n_train = min(len(train) for train, _ in settings.splits)
    method = "predict_proba" if settings.scoring == "roc_auc" else "predict"
    found = {}
    for kind in settings.probes:
        probe = _probe(
            kind, settings.scoring, features.shape[1], n_train, len(groups.names),
            scale=scale, seed=settings.seed,
        )  # fmt: skip
        said = cross_val_predict(probe, features, labels, cv=settings.splits, method=method)
        found[kind] = _drawn(settings.scoring, labels, said, len(groups.names), resamples)
    return found

"""At which layer, and how much: one network for each layer and weight."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from atl_sklearn._fingerprint import Unidentifiable, fingerprint, named_files
from atl_sklearn._folders import as_folder
from atl_sklearn._partial_files import written_at_once
from atl_sklearn._pipelines import last_step
from atl_sklearn._types import Folds, PathLike
from atl_sklearn._validation import is_number, refuse_value
from atl_sklearn.estimators import AntiTransferEstimator
from atl_sklearn.inspection._fit_arguments import fit_arguments
from atl_sklearn.inspection._invariance_report import invariance_report
from atl_sklearn.inspection._labels import check_length, make_groups
from atl_sklearn.inspection._probing import make_splits
from atl_sklearn.inspection._streaming import rows_of
from atl_sklearn.inspection._study_result import LayerStudy, StudyPoint
from atl_sklearn.unrelated import choose_layers, list_layers

_OWNER = "layer_study"
_PROBE_FOLDS = 3
_NUMBERS = ("score", "worst_group_score", "probe", "n_test")
_Rows = slice | np.ndarray
_Samples = tuple[ArrayLike, ArrayLike, ArrayLike]
_Job = tuple[BaseEstimator, _Rows, _Rows | None]  # what is measured on; None is the test


class _Settings(TypedDict):
    """How the networks are measured, each in the same way."""

    cv: int
    n_resamples: int
    random_state: int


def _check(estimator: BaseEstimator, weights: Sequence[float]) -> str:
    prefix, step = last_step(estimator)
    if not isinstance(step, AntiTransferEstimator):
        must = "an AntiTransferClassifier or AntiTransferRegressor, or a Pipeline that ends in one"
        raise refuse_value(_OWNER, "estimator", must, estimator)
    if step.unrelated is None:
        way_out = "Set unrelated, fitted, or not fitted where y_unrelated is for it."
        raise refuse_value(_OWNER, "estimator", "one with an unrelated task", estimator, way_out)
    if not len(weights) or not all(is_number(w) and w > 0 for w in weights):
        must = "a list of positive numbers (the plain network, weight 0, is always there)"
        raise refuse_value(_OWNER, "weights", must, weights)
    return prefix


@dataclass(frozen=True)
class _Data:
    """What all networks of a study have in common; each takes its rows when its turn comes."""

    X: ArrayLike
    y: np.ndarray
    label: np.ndarray
    X_unlabeled: ArrayLike | None
    test: _Samples | None

    def rows(self, chosen: _Rows | None) -> _Samples:
        """Return data, target and nuisance of some samples; of None those of the test."""
        if chosen is None:
            assert self.test is not None
            return self.test
        return rows_of(self.X, chosen), self.y[chosen], self.label[chosen]


def _fit_and_measure(job: _Job, data: _Data, settings: _Settings) -> dict[str, float]:
    """Return score, worst group and probe of one network."""
    estimator, train, held = job
    X, y, label = data.rows(train)
    fit = fit_arguments(estimator, y_unrelated=label, X_unlabeled=data.X_unlabeled)
    fitted = estimator.fit(X=X, y=y, **fit)
    X, y, label = data.rows(held)
    report = invariance_report(fitted, X, y, label, layers="last", probes=["linear"], **settings)
    found = {name: report.value(name) for name in _NUMBERS[:3]}
    return {**found, "n_test": float(_num_samples(y))}


class _Kept:
    """Results in a folder, found by what they were computed from.

    Parameters
    ----------
    folder : path-like or None
        None keeps nothing.
    data : object
        All data, which are read once. Of files that they name the content counts; if one cannot
        be read, or the data cannot be told from others, nothing is kept.
    estimator : estimator
        Reads these files.
    """

    def __init__(self, folder: PathLike | None, data: object, estimator: BaseEstimator) -> None:
        self._folder = None if folder is None else as_folder(folder)
        self._data = ""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._data = fingerprint(data, named_files(data, estimator=estimator))
        except Unidentifiable:
            self._folder = None

    def path(self, *values: object) -> Path | None:
        """Return the file of a result; None where it cannot be told from others."""
        if self._folder is None:
            return None
        try:
            return self._folder / f"{fingerprint(*values, self._data)}.json"
        except Unidentifiable:
            return None

    @staticmethod
    def read(path: Path | None) -> dict[str, float] | None:
        """Return what is in a file; None where there is none, or a damaged one."""
        try:
            found: Any = None if path is None else json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        whole = isinstance(found, dict) and found.keys() == {*_NUMBERS}
        return found if whole and all(map(is_number, found.values())) else None

    @staticmethod
    def write(path: Path | None, found: dict[str, float]) -> None:
        """Keep a result; it is there as a whole or not at all."""
        if path is not None:
            with written_at_once(path) as partial:
                partial.write_text(json.dumps(found), "utf-8")


def _run(job: _Job, data: _Data, settings: _Settings, path: Path | None) -> dict[str, float]:
    found = _fit_and_measure(job, data, settings)
    _Kept.write(path, found)
    return found


def _layers_of(estimator: BaseEstimator, X: ArrayLike) -> list[str | int]:
    """Return the indices of all layers but the last one, which gives the output."""
    n = _num_samples(X)
    listed = list_layers(estimator, rows_of(X, slice(0, min(n, 32))))
    found: list[str | int] = [layer.index for layer in listed if layer.index is not None]
    return found[:-1] or found


def layer_study(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    y_unrelated: ArrayLike,
    *,
    layers: Sequence[str | int] | None = None,
    weights: Sequence[float] = (0.3, 1.0, 3.0),
    test: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    X_unlabeled: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    cv: Folds = 3,
    folder: PathLike | None = None,
    n_jobs: int | None = None,
    random_state: int = 0,
) -> LayerStudy:
    """Fit a network for each layer and weight, and recommend one of each.

    Parameters
    ----------
    estimator : AntiTransferClassifier, AntiTransferRegressor or Pipeline
        With an `unrelated`. What learns from labels is fitted on `y_unrelated` in each fit, and
        ``"labels"`` are `y_unrelated`.
    X : array-like of shape (n_samples, ...)
        Data.
    y, y_unrelated : array-like of shape (n_samples,)
        The target, and the nuisance.
    layers : list of str or int, or None, default=None
        Layers, as the estimators take them; None for all convolutions and linear layers but the
        output.
    weights : list of float, default=(0.3, 1.0, 3.0)
        Weights; the plain network, with weight 0, is fitted too.
    test : (X, y, y_unrelated) or None, default=None
        Samples to measure on, none of them in X. Best are samples in which target and nuisance are
        independent. None measures on the folds of `cv`.
    X_unlabeled : array-like of shape (n_unlabeled, ...) or None, default=None
        Passed on to `fit`.
    groups : array-like of shape (n_samples,) or None, default=None
        Groups for a `cv` that keeps them together.
    cv : int or splitter, default=3
        Folds; not used with `test`.
    folder : path-like or None, default=None
        Folder that keeps each result, so that the next call with the same estimator and data goes
        on from there. A result is not kept if its content cannot tell it from others.
    n_jobs : int or None, default=None
        Fits at a time, in processes of joblib's backend.
    random_state : int, default=0
        Determines the measurements. The networks use the estimator's own.

    Returns
    -------
    study : LayerStudy
        All results, and the recommended layer and weight.

    Raises
    ------
    ValueError
        If an argument is wrong, or a layer does not exist.

    Notes
    -----
    Of all networks whose score is at most one standard error below the best, the study recommends
    the one from whose last layer a linear probe reads the nuisance least. The standard error is
    that of the mean over the folds. With `test`, it is that of an accuracy on so many samples, and
    0 for a regressor.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.inspection import layer_study
    >>> X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    >>> y, other = (X[:, 0] > 0).astype(int), (X[:, 1] > 0).astype(int)
    >>> unrelated = AntiTransferClassifier(max_epochs=2, random_state=0).fit(X, other)
    >>> net = AntiTransferClassifier(unrelated=unrelated, max_epochs=2, random_state=0)
    >>> study = layer_study(net, X, y, other, layers=["last"], weights=[1], cv=2)
    >>> len(study.points), study.best_weight in (0, 1)
    (2, True)
    """
    prefix = _check(estimator, weights)
    n_samples = _num_samples(X)
    target = check_length(_OWNER, "y", y, n_samples)
    label = make_groups(_OWNER, "y_unrelated", y_unrelated, n_samples).labels
    chosen = _layers_of(estimator, X) if layers is None else list(layers)
    if not chosen:
        raise refuse_value(_OWNER, "layers", "None or at least one layer", layers)
    known = [None if layer == "last" else layer for layer in chosen]
    few = rows_of(X, slice(0, min(n_samples, 32)))
    listed = list_layers(estimator, few)
    for layer in known:
        if layer is not None:
            choose_layers(layer, listed, parameter="layers")
    if test is None:
        X, target, label, groups = indexable(X, target, label, groups)
        splitter = check_cv(cv, target, classifier=is_classifier(estimator))
        parts: list[tuple[_Rows, _Rows | None]]
        parts = list(splitter.split(np.zeros(n_samples), target, groups))
    else:
        parts = [(slice(None), None)]
    data = _Data(X, target, label, X_unlabeled, test)
    for _, held in parts:  # or it would be known after the first fit
        held_label = label[held] if test is None else test[2]
        n_held = _num_samples(held_label)
        make_splits(make_groups(_OWNER, "y_unrelated", held_label, n_held), None, _PROBE_FOLDS, 0)
    names = [(None, 0.0), *((layer, float(w)) for layer in chosen for w in weights)]
    jobs: list[_Job] = []
    for layer, weight in names:
        # The plain network is plain in all.
        besides = {"layer": layer} if weight else {"product_of_experts": 0.0}
        changed = {prefix + name: value for name, value in {"weight": weight, **besides}.items()}
        jobs += [(clone(estimator).set_params(**changed), *part) for part in parts]
    settings: _Settings = {"cv": _PROBE_FOLDS, "n_resamples": 1, "random_state": random_state}
    kept = _Kept(folder, (X, target, label, X_unlabeled, test), estimator)
    paths = [kept.path(*job, settings) for job in jobs]
    results = [_Kept.read(path) for path in paths]
    missing = [at for at, found in enumerate(results) if found is None]
    made = Parallel(n_jobs=n_jobs)(
        delayed(_run)(jobs[at], data, settings, paths[at]) for at in missing
    )
    for at, found in zip(missing, made, strict=True):
        results[at] = found
    classifies = bool(is_classifier(estimator))
    points = []
    for at, (layer, weight) in enumerate(names):
        of_points = results[at * len(parts) : (at + 1) * len(parts)]
        of_folds = [found for found in of_points if found is not None]
        points.append(_point(layer, weight, of_folds, classifies=classifies))
    return LayerStudy(tuple(points), n_fitted=len(missing), on_folds=test is None)


def _point(
    layer: str | int | None, weight: float, folds: list[dict[str, float]], *, classifies: bool
) -> StudyPoint:
    means = {name: float(np.mean([fold[name] for fold in folds])) for name in _NUMBERS[:3]}
    score, n = means["score"], sum(fold["n_test"] for fold in folds)
    if len(folds) > 1:
        error = float(np.std([f["score"] for f in folds], ddof=1) / np.sqrt(len(folds)))
    else:
        error = float(np.sqrt(max(score * (1 - score), 0) / n)) if classifies else 0.0
    return StudyPoint(layer=layer, weight=weight, standard_error=error, **means)

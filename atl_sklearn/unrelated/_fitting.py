"""Fitting the unrelated estimators that are not fitted, and measuring what they learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import _safe_indexing
from skorch.utils import is_dataset

from atl_sklearn._fingerprint import Unidentifiable, fingerprint_read
from atl_sklearn._pipelines import innermost
from atl_sklearn._types import Memory
from atl_sklearn._user_warnings import warn_user
from atl_sklearn._version import __version__
from atl_sklearn.persistence import CannotSaveError
from atl_sklearn.unrelated._memory import KeptFit, folder_in, get_memory
from atl_sklearn.unrelated._sources import has_network

_HELD_OUT = 0.2  # of the samples, for measuring what was learnt
_FEWEST = 10  # samples with which anything can be measured
_N_PERMUTATIONS = 200
# Above this p-value a network counts as knowing nothing. Few samples are held out, so that even a
# network that knows something does not get far below it. From fewer than `_FEWEST_HELD_OUT` nothing
# can be told.
_AT_CHANCE = 0.2
_FEWEST_HELD_OUT = 10


@dataclass
class FittedSource:
    """An unrelated estimator that was fitted in `fit`.

    Attributes
    ----------
    estimator : estimator
        Fitted on all samples.
    score : float or None
        The score, on samples held out, of the same estimator fitted on the others; None where
        there are too few samples or the estimator has no score.
    p_value : float
        How often its predictions agree as well with shuffled labels; 0 where that is not known.
    n_held_out : int
        Number of samples held out.
    """

    estimator: BaseEstimator
    score: float | None = None
    p_value: float = 0.0
    n_held_out: int = 0


def _rows(X: Any, index: np.ndarray) -> object:
    if is_dataset(X):
        return torch.utils.data.Subset(X, index.tolist())
    if isinstance(X, Mapping):
        return {key: _safe_indexing(value, index) for key, value in X.items()}
    return _safe_indexing(X, index)


def _split(labels: np.ndarray, *, classes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return positions to fit on and positions to hold out."""
    if classes:
        _, counts = np.unique(labels, return_counts=True)
        if counts.min() >= 2 and len(counts) <= _HELD_OUT * len(labels):
            splitter = StratifiedShuffleSplit(1, test_size=_HELD_OUT, random_state=0)
            return next(splitter.split(labels, labels))
    return next(ShuffleSplit(1, test_size=_HELD_OUT, random_state=0).split(labels))


def _agreement(
    predicted: np.ndarray, labels: np.ndarray, *, classes: bool
) -> Callable[[np.ndarray], float]:
    """Return a function of an order of the labels: how well predictions agree with them in it.

    It ranks orders as balanced accuracy and R2 do. What is the same for all orders is computed
    once, which the functions of scikit-learn cannot.
    """
    if not classes:
        targets = np.asarray(labels, dtype=np.float64).reshape(len(labels), -1)
        guesses = np.asarray(predicted, dtype=np.float64).reshape(targets.shape)
        spread = ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        return lambda order: -float((((targets[order] - guesses) ** 2).sum(axis=0) * scale).sum())
    _, codes = np.unique(np.concatenate([labels, np.ravel(predicted)]), return_inverse=True)
    truth, guess = codes[: len(labels)], codes[len(labels) :]
    counts = np.bincount(truth)
    held_out = counts > 0

    def recall(order: np.ndarray) -> float:
        moved = truth[order]
        hits = np.bincount(moved[moved == guess], minlength=len(counts))
        return float(np.mean(hits[held_out] / counts[held_out]))

    return recall


def _chance(predicted: np.ndarray, labels: np.ndarray, *, classes: bool) -> float:
    """Return how often predictions agree as well with shuffled labels: a permutation test."""
    agreement = _agreement(predicted, labels, classes=classes)
    rng, n = np.random.RandomState(0), len(labels)
    observed = agreement(np.arange(n))
    reached = sum(agreement(rng.permutation(n)) >= observed for _ in range(_N_PERMUTATIONS))
    return (1 + reached) / (1 + _N_PERMUTATIONS)


def _fitted(source: BaseEstimator, X: object, labels: np.ndarray | None) -> BaseEstimator:
    """Return a fitted clone; errors say what was given to a user's estimator within `fit`."""
    try:
        return clone(source).fit(X) if labels is None else clone(source).fit(X, labels)
    except (TypeError, ValueError) as error:
        if has_network(source):  # they name their parameters
            raise
        shape = getattr(X, "shape", None)
        of = type(X).__name__ if shape is None else f"shape {tuple(shape)}"
        raise ValueError(
            f"The unrelated {type(innermost(source)).__name__} cannot be fitted on the data, of "
            f"{of}: {str(error).rstrip('.')}. It is given X as fit was; let a step before it "
            "bring X to the form that it takes, or pass data of its own as X_unrelated."
        ) from error


def fit_source(source: BaseEstimator, X: object, labels: np.ndarray | None) -> FittedSource:
    """Fit one unrelated estimator, and another one for the score on samples held out.

    Parameters
    ----------
    source : estimator
        Not fitted; cloned.
    X : array, mapping or Dataset of n_samples
        The training data.
    labels : ndarray of shape (n_samples,) or None
        What the estimator learns; None for one that needs no labels, of which there is no score.

    Returns
    -------
    fitted : FittedSource
        The estimator and what it learnt.
    """
    found = FittedSource(_fitted(source, X, labels))
    measured = all(hasattr(found.estimator, name) for name in ("predict", "score"))
    if labels is None or len(labels) < _FEWEST or not measured:
        return found
    classes = is_classifier(source)
    learn, held_out = _split(labels, classes=classes)
    if classes and len(np.unique(labels[learn])) < 2:
        return found
    judged = _fitted(source, _rows(X, learn), labels[learn])
    rest = _rows(X, held_out)
    predicted = np.asarray(judged.predict(rest))
    found.score = float(judged.score(rest, labels[held_out]))
    found.p_value = _chance(predicted, labels[held_out], classes=classes)
    found.n_held_out = len(held_out)
    return found


def _key(source: BaseEstimator, X: object, labels: np.ndarray | None) -> str:
    """Return what determines a fit, as a string."""
    if is_dataset(X):
        raise Unidentifiable("the samples of a torch Dataset may change")
    versions = __version__, torch.__version__, sklearn.__version__
    what = {"unrelated": clone(source), "X": X, "y": labels, "versions": versions}
    return fingerprint_read(what, X, estimator=source)


def fit_sources(
    sources: list[object],
    X: object,
    columns: Mapping[int, np.ndarray | None],
    memory: Memory = None,
    *,
    views: Mapping[int, object] | None = None,
    report: Callable[[str], object] | None = None,
) -> tuple[list[object], list[float | None]]:
    """Fit clones of those of `sources` that are not fitted.

    Parameters
    ----------
    sources : list
        What :func:`~atl_sklearn.unrelated._sources.as_sources` returned.
    X : array, mapping or Dataset of n_samples
        The training data; of a cross-validation, those of the fold.
    columns : dict of int to array of shape (n_samples,)
        What :func:`~atl_sklearn.unrelated._labels.label_columns` returned.
    memory : None, str, path or joblib.Memory, default=None
        Where fits are kept by the estimator's class and parameters, data and labels. What is there
        is not fitted again. A fit is not kept if it cannot be told faithfully from others, as on a
        torch Dataset, whose samples may change, or if no file can hold it. Nothing in the files is
        run, and they name nothing but what `sources` are made of.
    views : mapping of int to object, default=None
        Data that some of `sources` are fitted on instead of `X`, by their positions.
    report : callable, default=None
        Told in a sentence what is not kept, and why.

    Returns
    -------
    fitted : list
        `sources`, with fitted clones in the place of the unfitted.
    scores : list of float or None
        Scores on samples held out; None for those that were fitted before.

    Warns
    -----
    UserWarning
        If an estimator did not learn its labels: there is nothing to avoid then. If a file in
        `memory` cannot be used or written; the estimator is fitted then.
    """
    folder = get_memory(memory)
    fitted: list[object] = list(sources)
    scores: list[float | None] = [None] * len(sources)
    for position, labels in columns.items():
        source = sources[position]
        data = (views or {}).get(position, X)
        found, why = None, ""
        kept: KeptFit | None = None
        if folder is not None:
            where = folder_in(folder, "fits")
            try:
                kept = KeptFit(where, _key(source, data, labels), clone(source))
            except (CannotSaveError, Unidentifiable) as error:
                why = str(error)
            else:
                found = kept.load()
        if found is None:
            found = fit_source(source, data, labels)
            if kept is not None:
                why = kept.save(found)
        if why and report is not None:
            report(f"The fit of {type(source).__name__} is not kept in 'memory': {why}")
        fitted[position], scores[position] = found.estimator, found.score
        if found.p_value > _AT_CHANCE and found.n_held_out >= _FEWEST_HELD_OUT:
            of = f"unrelated[{position}]" if len(sources) > 1 else "unrelated"
            warn_user(
                f"The {of!r} estimator did not learn y_unrelated: fitted on four fifths of the "
                f"samples it has a score of {found.score:.3f} on the other {found.n_held_out}, "
                f"which is at chance (shuffled labels reach it in {found.p_value:.0%} of the "
                "cases). There is nothing to avoid then, and the penalty is noise. "
                "Train it longer, on more samples or other features, or leave it out."
            )
    return fitted, scores

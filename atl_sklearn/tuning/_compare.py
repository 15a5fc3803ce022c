"""A paired comparison of estimators on the same folds and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import _num_samples

from atl_sklearn._validation import check_no_missing, refuse_value
from atl_sklearn.estimators import set_seeds
from atl_sklearn.tuning._checks import check_run, is_count, is_one_of, is_real, listed_names
from atl_sklearn.tuning._comparison import Comparison
from atl_sklearn.tuning._evaluation import Data
from atl_sklearn.tuning._folds import (
    as_splitter,
    check_not_split,
    check_views,
    label_codes,
    make_folds,
)
from atl_sklearn.tuning._intervals import INTERVALS, paired_interval


def _named(estimators: Any) -> dict[str, Any]:
    if not isinstance(estimators, Mapping):
        several = listed_names("compare", "estimators", estimators)
        classes = [type(estimator).__name__ for estimator in several]
        # Numbered where a class comes again, as make_pipeline does.
        names = [
            f"{name}-{classes[: place + 1].count(name)}" if classes.count(name) > 1 else name
            for place, name in enumerate(classes)
        ]
        estimators = dict(zip(names, several, strict=True))
    if len(estimators) < 2:
        raise ValueError(
            "The 'estimators' parameter must be a dict of at least two estimators by name, or a "
            f"list of two or more. Got {sorted(estimators)}."
        )
    for name, estimator in estimators.items():
        if not isinstance(estimator, BaseEstimator):
            raise TypeError(
                f"The 'estimators' parameter must hold estimators. Got {estimator!r} for {name!r}."
            )
    return dict(estimators)


def _repeated(cv: Any, repeat: int, seed: int, *, classifier: bool, groups: Any) -> Any:
    """Return the splitter of a repetition: another shuffle, where it can be shuffled."""
    if isinstance(cv, int | np.integer):
        if groups is not None:
            return cv
        kind = StratifiedKFold if classifier else KFold
        return kind(cv, shuffle=True, random_state=seed)
    if repeat and hasattr(cv, "random_state"):
        cv = clone(cv, safe=False)
        cv.random_state = seed
    return cv


def _score(estimator: Any, data: Data, train: Any, test: Any, seed: int, scoring: Any) -> float:
    fitted = data.take(train).fit(set_seeds(estimator, seed, all_of_them=True))
    held_out = data.take(test)
    return float(check_scoring(fitted, scoring=scoring)(fitted, held_out.X, held_out.y))


def compare(
    estimators: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    y_unrelated: Any = None,
    X_unlabeled: Any = None,
    sample_weight: Any = None,
    X_unrelated: Any = None,
    Z_unrelated: Any = None,
    X_unrelated_unlabeled: Any = None,
    Z_unlabeled: Any = None,
    cv: Any = None,
    n_repeats: int = 1,
    scoring: Any = None,
    interval: str = "corrected_t",
    confidence: float = 0.95,
    n_jobs: int | None = None,
    random_state: Any = 0,
) -> Comparison:
    """Compare estimators on the same folds with the same seeds.

    Searches are compared by nesting them: what they choose is scored on samples that they have
    not seen.

    Parameters
    ----------
    estimators : dict of str to estimator, or list
        At least two, such as the plain network first, anti-transfer, and any other of
        scikit-learn's. Differences are to the first. In a list they are named by their classes,
        with numbers (``Ridge-1``, ``Ridge-2``) where one comes again.
    X, y : array-like of shape (n_samples, ...)
        Data and targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Groups that the folds keep together; searches keep them together within, too.
    y_unrelated : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
        Labels of the unrelated tasks, for the estimators that are fitted on them.
    X_unlabeled : array-like of shape (n_unlabeled, ...) or None, default=None
        Unlabeled data, for the estimators that take them; never split.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights, for the estimators that take them.
    X_unrelated, Z_unrelated : array-like of shape (n_samples, ...) or None, default=None
        What the unrelated side is given, for the estimators that take it; split with X.
    X_unrelated_unlabeled, Z_unlabeled : array-like of shape (n_unlabeled, ...), default=None
        The same of the unlabeled data; never split.
    cv : int, splitter, iterable or None, default=None
        Folds; None for 5. Numbers are shuffled, stratified for classifiers, or keep groups
        together.
    n_repeats : int, default=1
        How often all is repeated, with other seeds and, where folds can be shuffled, others.
    scoring : str, callable or None, default=None
        The score; None for the estimators' own.
    interval : {"corrected_t", "bootstrap"}, default="corrected_t"
        ``"corrected_t"`` allows for the overlap of training sets [1]_; ``"bootstrap"`` resamples
        the folds as if they were independent, and is narrower.
    confidence : float, default=0.95
        Coverage of the intervals.
    n_jobs : int or None, default=None
        Number of fits at a time, in processes of joblib's backend.
    random_state : int, RandomState instance or None, default=0
        Determines the folds and the ``random_state`` of all estimators and their parts, which
        is the same for all within a fold.

    Returns
    -------
    comparison : Comparison
        Scores, differences and intervals; printed it is a table, and `to_frame` and `plot` show
        them.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; nothing was fitted then.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52,
       2003.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.tuning import compare
    >>> X, y = make_classification(n_samples=300, n_features=5, random_state=0)
    >>> nuisance = (X[:, 0] > 0).astype(int)
    >>> net = AntiTransferClassifier(max_epochs=20, lr=0.02)
    >>> anti = AntiTransferClassifier(unrelated=net, max_epochs=10)
    >>> plain = AntiTransferClassifier(max_epochs=10)
    >>> found = compare({"plain": plain, "anti-transfer": anti}, X, y, y_unrelated=nuisance, cv=2)
    >>> found.names
    ('plain', 'anti-transfer')
    """
    named = _named(estimators)
    if not is_one_of(interval, INTERVALS):
        raise refuse_value("compare", "interval", f"one of {list(INTERVALS)}", interval)
    if not is_count(n_repeats):
        raise refuse_value("compare", "n_repeats", "an int in [1, inf)", n_repeats)
    if not is_real(confidence) or not 0 < confidence < 1:
        raise refuse_value("compare", "confidence", "a float in (0, 1)", confidence)
    check_run("compare", n_jobs=n_jobs, random_state=random_state, scoring=scoring)
    n_samples = _num_samples(X)
    check_no_missing(y, "y")
    check_no_missing(sample_weight, "sample_weight")
    for name, labels in (("groups", groups), ("y_unrelated", y_unrelated)):
        if labels is not None:
            label_codes(labels, n_samples, name)
    X, y, groups, y_unrelated, sample_weight = indexable(X, y, groups, y_unrelated, sample_weight)
    data = Data(
        X, y, groups, y_unrelated, sample_weight, X_unlabeled,
        X_unrelated, Z_unrelated, X_unrelated_unlabeled, Z_unlabeled,
    )  # fmt: skip
    check_views(data, n_samples)
    first = next(iter(named.values()))
    classifier = is_classifier(first)
    rng = check_random_state(random_state)
    cv = as_splitter(cv, n_samples)  # a list, as an iterable is gone after the first repetition
    folds, seeds = [], []
    for repeat in range(n_repeats):
        seed = int(rng.randint(np.iinfo(np.int32).max))
        splitter = _repeated(cv, repeat, seed, classifier=classifier, groups=groups)
        folds.append(make_folds(splitter, X, y, groups, classifier=classifier))
        seeds.append(rng.randint(np.iinfo(np.int32).max, size=len(folds[-1])).tolist())
    check_not_split(X_unlabeled, n_samples, [fold for repeat in folds for fold in repeat])
    scores = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_score)(clone(estimator), data, train, test, seed, scoring)
        for estimator in named.values()
        for repeat, of_repeat in zip(folds, seeds, strict=True)
        for (train, test), seed in zip(repeat, of_repeat, strict=True)
    )
    table = np.array(scores).reshape(len(named), n_repeats, -1)
    train, test = folds[0][0]
    names = tuple(named)
    differences = {
        name: paired_interval(
            (table[place] - table[0]).ravel(),
            method=interval,
            test_ratio=len(test) / len(train),
            confidence=confidence,
        )
        for place, name in enumerate(names)
        if place
    }
    return Comparison(names, table, differences, interval)

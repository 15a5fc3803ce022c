"""A paired comparison of estimators on the same folds and seeds, as a table and a drawing."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from atl_sklearn._types import Folds, Scoring, Seed, Views
from atl_sklearn._validation import is_integer, is_real, refuse_value
from atl_sklearn.estimators import set_seeds
from atl_sklearn.tuning._checks import check_run, is_one_of, listed_names
from atl_sklearn.tuning._evaluation import Data
from atl_sklearn.tuning._folds import (
    Splitter,
    as_splitter,
    check_not_split,
    make_folds,
)
from atl_sklearn.tuning._intervals import INTERVALS, PairedInterval, paired_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# What may be compared; in a list they are named by their classes.
Estimators: TypeAlias = Mapping[str, BaseEstimator] | Iterable[BaseEstimator]
_COLUMNS = ("estimator", "mean", "std", "difference", "interval", "won : lost")


@dataclass(frozen=True)
class Comparison:
    """Scores of several estimators on the same folds.

    Attributes
    ----------
    names : tuple of str
        The estimators; differences are to the first.
    scores : ndarray of shape (n_estimators, n_repeats, n_folds)
        Scores on the test folds.
    differences : dict of str to PairedInterval
        For each estimator except the first, its gain over the first, with an interval.
    interval : {"corrected_t", "bootstrap"}
        How the intervals were computed.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from atl_sklearn.tuning import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> estimators = {"dummy": DummyClassifier(), "logistic": LogisticRegression(max_iter=500)}
    >>> found = compare(estimators, X, y, cv=5, n_repeats=2)
    >>> found.scores.shape
    (2, 2, 5)
    >>> found.differences["logistic"].wins
    10
    >>> found  # doctest: +ELLIPSIS
    Comparison on 5 folds in 2 repetitions; differences to dummy with 95 % intervals (corrected_t)
    estimator   mean    std  difference          interval    won : lost
    dummy      0.333  0.000
    logistic   0.9...      +0.6...  [+0...]  10 : 0 of 10
    """

    names: tuple[str, ...]
    scores: np.ndarray
    differences: dict[str, PairedInterval]
    interval: str

    def __repr__(self) -> str:
        rows = [_COLUMNS, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        def line(cells: Sequence[str], tag: str) -> str:
            return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)

        rows = "".join(f"<tr>{line(row, 'td')}</tr>" for row in self._rows())
        head = f"<tr>{line(_COLUMNS, 'th')}</tr>"
        return (
            f"<table><caption>{html.escape(self._title())}</caption>"
            f"<thead>{head}</thead><tbody>{rows}</tbody></table>"
        )

    def _title(self) -> str:
        n_repeats, n_folds = self.scores.shape[1:]
        folds = f"{n_folds} fold{'s' if n_folds > 1 else ''}"
        again = f" in {n_repeats} repetitions" if n_repeats > 1 else ""
        confidence = {found.confidence for found in self.differences.values()}
        of = f"{100 * confidence.pop():g} % " if len(confidence) == 1 else ""
        return (
            f"Comparison on {folds}{again}; differences to {self.names[0]} with {of}"
            f"intervals ({self.interval})"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        """Return what the columns have for each estimator, as text."""
        means, stds = self.scores.mean(axis=(1, 2)), self.scores.std(axis=(1, 2))
        largest = float(np.nanmax(np.abs(self.scores), initial=0.0))
        form = ".3f" if 0.1 <= largest < 1000 or largest == 0 else ".3g"
        rows = []
        for name, mean, std in zip(self.names, means, stds, strict=True):
            row = [str(name), f"{mean:{form}}", f"{std:{form}}"]
            found = self.differences.get(name)
            if found is None:
                row += [""] * 3
            else:
                ends = f"[{found.low:+{form}}, {found.high:+{form}}]"
                row += [f"{found.mean:+{form}}", ends if np.isfinite(found.low) else ""]
                row.append(f"{found.wins} : {found.losses} of {found.n_folds}")
            rows.append(tuple(row))
        return rows

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each estimator.

        Returns
        -------
        frame : pandas.DataFrame
            Mean and standard deviation of the scores over all folds; for all but the first
            ``difference``, ``low``, ``high``, ``wins`` and ``losses``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("Comparison.to_frame needs pandas: pip install pandas") from error
        rows = []
        for name, scores in zip(self.names, self.scores, strict=True):
            row = {"mean": scores.mean(), "std": scores.std()}
            if name in self.differences:
                found = self.differences[name]
                row |= {"difference": found.mean, "low": found.low, "high": found.high}
                row |= {"wins": found.wins, "losses": found.losses, "n_folds": found.n_folds}
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index(self.names, name="estimator"))

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
        """Draw the differences to the first estimator, with their intervals and all folds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.
        **kwargs : dict
            Passed on to ``Axes.errorbar``.

        Returns
        -------
        ax : matplotlib.axes.Axes
            The drawing.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from atl_sklearn.inspection import ComparisonDisplay

        return ComparisonDisplay.from_comparison(self).plot(ax=ax, **kwargs).ax_


def _named(estimators: Estimators) -> dict[str, BaseEstimator]:
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


def _repeated(
    cv: Splitter, repeat: int, seed: int, *, classifier: bool, groups: ArrayLike | None
) -> Splitter:
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


def _score(
    estimator: BaseEstimator,
    data: Data,
    train: np.ndarray,
    test: np.ndarray,
    seed: int,
    scoring: Scoring,
) -> float:
    fitted = data.take(train).fit(set_seeds(estimator, seed, all_of_them=True))
    held_out = data.take(test)
    return float(check_scoring(fitted, scoring=scoring)(fitted, held_out.X, held_out.y))


def compare(
    estimators: Estimators,
    X: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    y_unrelated: ArrayLike | None = None,
    X_unlabeled: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    X_unrelated: Views | None = None,
    Z_unrelated: Views | None = None,
    X_unrelated_unlabeled: Views | None = None,
    Z_unlabeled: Views | None = None,
    cv: Folds = None,
    n_repeats: int = 1,
    scoring: Scoring = None,
    interval: str = "corrected_t",
    confidence: float = 0.95,
    n_jobs: int | None = None,
    random_state: Seed = 0,
) -> Comparison:
    """Compare estimators on the same folds, with the same seeds.

    You can compare searches too. They are nested: what they choose is scored on samples that they
    have not seen.

    Parameters
    ----------
    estimators : dict of str to estimator, or list
        At least two, such as the plain network first, then anti-transfer, then any other estimator
        of scikit-learn's. Differences are to the first. In a list they are named by their classes,
        with numbers (``Ridge-1``, ``Ridge-2``) for repeated ones.
    X, y : array-like of shape (n_samples, ...)
        Data and targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Groups that the folds keep together; so do the inner folds of searches.
    y_unrelated : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
        Labels of the nuisance, for the estimators that are fitted on them.
    X_unlabeled : array-like of shape (n_unlabeled, ...) or None, default=None
        Unlabeled data, for the estimators that take them; never split.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights, for the estimators that take them.
    X_unrelated, Z_unrelated : array-like of shape (n_samples, ...) or None, default=None
        What unrelated networks see, for the estimators that take it; split with X.
    X_unrelated_unlabeled, Z_unlabeled : array-like of shape (n_unlabeled, ...), default=None
        The same of the unlabeled data; never split.
    cv : int, splitter, iterable or None, default=None
        Folds; None for 5. A number shuffles, stratifies for classifiers, and keeps groups together.
    n_repeats : int, default=1
        How often to repeat everything, with other seeds and, if the folds can be shuffled, other
        folds.
    scoring : str, callable or None, default=None
        The score; None for the estimators' own.
    interval : {"corrected_t", "bootstrap"}, default="corrected_t"
        ``"corrected_t"`` allows for the overlap of training sets [1]_. ``"bootstrap"`` resamples
        the folds as if they were independent, and is narrower.
    confidence : float, default=0.95
        Coverage of the intervals.
    n_jobs : int or None, default=None
        Number of parallel fits, in processes of joblib's backend.
    random_state : int, RandomState instance or None, default=0
        Determines the folds and the ``random_state`` of all estimators and their parts; within a
        fold, all get the same.

    Returns
    -------
    comparison : Comparison
        Scores, differences and intervals. It prints as a table; `to_frame` and `plot` show it too.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; nothing was fitted.

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
    if not is_integer(n_repeats, 1):
        raise refuse_value("compare", "n_repeats", "an int in [1, inf)", n_repeats)
    if not is_real(confidence) or not 0 < confidence < 1:
        raise refuse_value("compare", "confidence", "a float in (0, 1)", confidence)
    check_run("compare", n_jobs=n_jobs, random_state=random_state, scoring=scoring)
    data = Data(
        X, y, groups, y_unrelated, sample_weight, X_unlabeled,
        X_unrelated, Z_unrelated, X_unrelated_unlabeled, Z_unlabeled,
    ).checked()  # fmt: skip
    n_samples = _num_samples(data.X)
    first = next(iter(named.values()))
    classifier = is_classifier(first)
    rng = check_random_state(random_state)
    cv = as_splitter(cv, n_samples)  # a list, as an iterable is gone after the first repetition
    folds, seeds = [], []
    for repeat in range(n_repeats):
        seed = int(rng.randint(np.iinfo(np.int32).max))
        splitter = _repeated(cv, repeat, seed, classifier=classifier, groups=groups)
        folds.append(make_folds(splitter, data.X, data.y, data.groups, classifier=classifier))
        seeds.append(rng.randint(np.iinfo(np.int32).max, size=len(folds[-1])).tolist())
    check_not_split(X_unlabeled, n_samples, [fold for repeat in folds for fold in repeat])
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_score)(clone(estimator), data, train, test, seed, scoring)
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

"""One candidate on all folds, which may end early."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
import optuna
from numpy.typing import ArrayLike
from optuna.trial import Trial
from sklearn.base import BaseEstimator, clone
from sklearn.utils import indexable
from sklearn.utils.validation import _num_samples

from atl_sklearn._types import Params, Views
from atl_sklearn._validation import check_no_missing
from atl_sklearn.estimators import set_seeds
from atl_sklearn.inspection import fit_arguments
from atl_sklearn.tuning._folds import Fold, check_views, label_codes, take_rows
from atl_sklearn.tuning._objectives import Measured, Objective
from atl_sklearn.tuning._pruning import HeldOutValue, TrialPruning
from atl_sklearn.tuning._target import find_network
from atl_sklearn.tuning._workers import noted_interrupts

_INDEXABLE = ("X", "y", "groups", "y_unrelated", "sample_weight")
_VIEWS = ("X_unrelated", "Z_unrelated")


@dataclass(frozen=True)
class Data:
    """What a search or a comparison was given.

    Attributes
    ----------
    X, y : array-like of shape (n_samples, ...)
        Data and targets.
    groups, y_unrelated, sample_weight : array-like of shape (n_samples, ...) or None
        Split with X.
    X_unlabeled : array-like of shape (n_unlabeled, ...) or None
        Never split.
    X_unrelated, Z_unrelated : array-like of shape (n_samples, ...), lists, mappings or None
        Split with X.
    X_unrelated_unlabeled, Z_unlabeled : array-like of shape (n_unlabeled, ...) or None
        Never split.
    """

    X: ArrayLike
    y: ArrayLike | None
    groups: ArrayLike | None = None
    y_unrelated: ArrayLike | None = None
    sample_weight: ArrayLike | None = None
    X_unlabeled: ArrayLike | None = None
    X_unrelated: Views | None = None
    Z_unrelated: Views | None = None
    X_unrelated_unlabeled: Views | None = None
    Z_unlabeled: Views | None = None

    def checked(self) -> Data:
        """Return the same as what can be split, after checks of the labels.

        Raises
        ------
        ValueError
            If some are missing, or there are not as many as samples.
        """
        n_samples = _num_samples(self.X)
        check_no_missing(self.y, "y")
        check_no_missing(self.sample_weight, "sample_weight")
        for name in ("groups", "y_unrelated"):
            if getattr(self, name) is not None:
                label_codes(getattr(self, name), n_samples, name)
        split = indexable(*(getattr(self, name) for name in _INDEXABLE))
        check_views(self, n_samples)
        return replace(self, **dict(zip(_INDEXABLE, split, strict=True)))

    def take(self, index: np.ndarray) -> Data:
        """Return some of the samples, and all of the unlabeled data."""
        given = {name: getattr(self, name) for name in (*_INDEXABLE, *_VIEWS)}
        n_samples = _num_samples(self.X)
        split = {n: take_rows(x, index, n_samples) for n, x in given.items() if x is not None}
        return replace(self, **split)

    def fit(self, estimator: BaseEstimator) -> BaseEstimator:
        """Fit an estimator on these data, with those of the arguments that it takes.

        Raises
        ------
        KeyboardInterrupt
            If the user interrupted it, though its `fit` took that for the end of the training.
        """
        given = {name: value for name, value in vars(self).items() if name not in ("X", "y")}
        with noted_interrupts() as noted:
            fitted = estimator.fit(self.X, self.y, **fit_arguments(estimator, **given))
        if noted:
            raise KeyboardInterrupt
        return fitted


@dataclass
class Evaluation:
    """How candidates of one search are measured.

    Attributes
    ----------
    estimator : estimator
        Cloned for each fold.
    data : Data
        All samples.
    folds : list of (ndarray, ndarray)
        Training and test positions.
    objective : Objective
        What is measured.
    seeds : list of int
        For each fold, the seed of what has no ``random_state`` of its own, so that candidates
        differ in nothing else.
    steps_per_fold : int
        Steps of a trial for each fold: the largest number of epochs.
    prunes : bool
        Whether trials may end early.
    fixed : dict
        Parameters that are set besides a candidate's.
    """

    estimator: BaseEstimator
    data: Data
    folds: list[Fold]
    objective: Objective
    seeds: list[int]
    steps_per_fold: int
    prunes: bool
    fixed: Params = field(default_factory=dict)

    def candidate(self, params: Params, seed: int) -> BaseEstimator:
        """Return an unfitted estimator with a candidate's parameters."""
        estimator = clone(self.estimator).set_params(**params)
        return set_seeds(estimator, seed).set_params(**self.fixed)

    def refit(self, params: Params) -> BaseEstimator:
        """Return a candidate fitted on all data; its seed comes of those of the folds."""
        seed = int(np.random.SeedSequence(self.seeds).generate_state(1)[0])
        return self.data.fit(self.candidate(params, seed))

    def run(self, params: Params, trial: Trial) -> list[Measured]:
        """Fit and measure a candidate on each fold.

        Parameters
        ----------
        params : dict
            The candidate.
        trial : optuna.trial.Trial
            Is told of each epoch and fold, and may be pruned; its attribute ``folds`` has what
            was measured so far.

        Returns
        -------
        folds : list of dict
            What the objective measured, and ``fit_time`` and ``score_time`` in seconds.

        Raises
        ------
        optuna.TrialPruned
            If the trial is to be pruned.
        KeyboardInterrupt
            If the user interrupted a training.
        """
        done: list[Measured] = []
        for position, (train, test) in enumerate(self.folds):
            estimator = self.candidate(params, self.seeds[position])
            held_out = self.data.take(test)
            by_epoch = self.prunes and self._watch(estimator, trial, position, held_out, test, done)
            start = time.perf_counter()
            self.data.take(train).fit(estimator)
            fitted = time.perf_counter()
            found = self.objective.score(estimator, held_out.X, held_out.y, test)
            found["fit_time"] = fitted - start
            found["score_time"] = time.perf_counter() - fitted
            done.append(found)
            trial.set_user_attr("folds", done)
            if self.prunes and position + 1 < len(self.folds):
                if not by_epoch:
                    step = (position + 1) * self.steps_per_fold - 1
                    trial.report(self.objective.values(done)[0], step)
                if trial.should_prune():
                    raise optuna.TrialPruned
        return done

    def _watch(
        self,
        estimator: BaseEstimator,
        trial: Trial,
        position: int,
        held_out: Data,
        test: np.ndarray,
        done: list[Measured],
    ) -> bool:
        """Add the callback that reports each epoch; False where callbacks are disabled."""
        prefix, network = find_network(estimator)
        callbacks = network.callbacks
        if isinstance(callbacks, str):
            return False

        def value(view: BaseEstimator, X: ArrayLike) -> float:
            return self.objective.values([*done, self.objective.score(view, X, held_out.y, test)])[
                0
            ]

        pruning = TrialPruning(
            trial, HeldOutValue(estimator, held_out.X, value), position * self.steps_per_fold
        )
        named = [*(callbacks or []), ("trial_pruning", pruning)]
        estimator.set_params(**{f"{prefix}callbacks": named})
        return True

"""The search estimator."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import replace
from typing import Self

import joblib
import numpy as np
import optuna
from numpy.typing import ArrayLike
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._types import Folds, Scoring, Seed, Views
from atl_sklearn.estimators import check_pipeline
from atl_sklearn.tuning._database_url import as_url
from atl_sklearn.tuning._evaluation import Data
from atl_sklearn.tuning._intervals import paired_interval
from atl_sklearn.tuning._request import check_parameters, check_storage, make_job
from atl_sklearn.tuning._results import (
    Table,
    choose,
    listed,
    make_table,
    pareto_front,
    split_scores,
)
from atl_sklearn.tuning._storages import (
    Storage,
    close_storage,
    kept_with,
    open_storage,
    reopen_study,
)
from atl_sklearn.tuning._study import (
    Job,
    kept_study,
    open_study,
    quiet,
    work,
    work_in_processes,
)
from atl_sklearn.tuning._watching import TrialsProgress

_FOR_EVER = 1e12  # seconds


def _refitted_has(name: str) -> Callable[[AntiTransferSearchCV], bool]:
    def check(search: AntiTransferSearchCV) -> bool:
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return check


class AntiTransferSearchCV(DocumentationLink, MetaEstimatorMixin, BaseEstimator):
    """Search with Optuna for the anti-transfer that helps most, and say whether any does.

    The first trial is always the plain network, ``weight=0`` and ``product_of_experts=0``.
    ``gain_`` says what the best trial gains over it, with an interval over the folds.

    Parameters
    ----------
    estimator : AntiTransferClassifier, AntiTransferRegressor or Pipeline that ends in one
        What to tune. Its `unrelated` is fitted already, or it is fitted on ``y_unrelated`` in each
        fold: once for each fold and not for each trial (in a temporary folder, unless the estimator
        has a ``memory``).
    param_distributions : dict of str to optuna distribution or None, default=None
        What to search, with 0 among the weights, and 0 or "auto" among the values of
        ``product_of_experts``, if it is searched; None for :func:`anti_transfer_distributions`.
        Without a weight, 0 and the estimator's own are searched, which must be the same for all
        unrelated tasks.
    objective : {"accuracy", "worst_group", "trade_off"}, default="accuracy"
        What to maximise. ``"accuracy"``: the mean `scoring` over the folds. ``"worst_group"``: the
        score of the group for which it is lowest, over all folds; numbers that are not whole are
        grouped by quarter, as in ``invariance_report``. ``"trade_off"`` has two
        objectives: a high mean score, and a low score of a probe that reads the labels of
        `group_by` from the network's activations; ``pareto_`` has the front.
    scoring : str, callable or None, default=None
        The score; None for the estimator's own: accuracy, or R2 of a regressor.
    group_by : {"auto", "groups", "y_unrelated"}, default="auto"
        Which labels are the groups, or what the probe reads. ``"auto"`` takes ``groups`` for the
        worst group and ``y_unrelated`` for the trade-off, if you pass them, otherwise the others.
    cv : int, splitter, iterable or None, default=None
        Folds; None for 5. A number is stratified for classifiers, and keeps groups together if
        `fit` gets any.
    n_trials : int, default=30
        Number of trials of the study, including those of other processes and of earlier runs.
    timeout : float or None, default=None
        Seconds after which no trial starts; the plain network is tried in any case.
    sampler : optuna.samplers.BaseSampler or None, default=None
        None for TPE, whose draws depend on `random_state` and the trial's number, so that an
        interrupted search goes on as it would have.
    pruner : "auto", optuna.pruners.BasePruner or None, default="auto"
        Ends bad trials early. It learns the score so far after each epoch and fold. ``"auto"`` ends
        those below the median, after 5 trials and a third of the first fold's epochs. The plain
        network is never pruned, and neither is anything in the trade-off.
    storage : None, str, path-like or optuna.storages.BaseStorage, default=None
        Where to keep the study. None keeps it in memory, a folder in a journal. The URL of a
        database (``sqlite:///file``, ``postgresql+psycopg://...``) is shown, and pickled with a
        fitted search, without its password. Searches with the same storage and study share the
        work: each trial runs once, and the trial of a process that was killed runs again.
    study_name : str or None, default=None
        None makes a name from estimator, data, folds, space and objective.
    resume : bool, default=True
        Whether to go on with a study that exists; False refuses it.
    refit : bool, "best", "one_standard_error" or callable, default=True
        Which candidate to fit on all data. ``"best"`` (True) takes the highest score.
        ``"one_standard_error"`` takes, of all within one standard error of it, the smallest weight,
        or in the trade-off the lowest probe. A callable takes ``cv_results_`` and returns the
        index. False fits none.
    error_score : "raise" or np.nan, default="raise"
        What happens if a fit fails: the search ends, or the trial has no score. If the plain
        network fails, the search always ends.
    n_jobs : int or None, default=None
        Number of processes that work on the study, in joblib's backend. With Dask or Ray as backend
        they may run on other machines, if these see the storage.
    random_state : int, RandomState instance or None, default=None
        Determines the trials, and the seeds of all that has no ``random_state`` of its own. They
        are the same for all candidates and in the last fit.
    progress_bar : bool, default=False
        Whether to show how many trials are done, including those of other processes and of earlier
        runs: by a bar on a terminal or in a notebook, otherwise by lines of text.

    Attributes
    ----------
    cv_results_ : dict of str to array
        A row for each trial, as in ``sklearn.model_selection.GridSearchCV``; also ``trial``,
        its number, and ``state``: complete, pruned or fail. In the trade-off
        ``mean_test_probe`` and so on.
    best_index_ : int
        The row of the chosen candidate.
    best_params_ : dict
        Its parameters.
    best_score_ : float
        Its score, as maximised.
    best_estimator_ : estimator
        Fitted with them on all data, unless `refit` is False.
    baseline_score_ : float
        The score of the plain network.
    gain_ : PairedInterval
        Difference of the folds' scores, chosen candidate minus plain network, with the 95 %
        interval of the corrected resampled t-test. It is optimistic, because it is that of the best
        of many on the same folds. An outer cross-validation or :func:`compare` is not.
    pareto_ : tuple of ParetoPoint or None
        In the trade-off, the candidates that no other one beats in both objectives, best score
        first.
    study_ : optuna.study.Study
        The study. If it is in a folder or a database, it stays there when you pickle the search,
        and is opened again when you ask for it.
    scorer_ : callable
        The score.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds that the last fit took.
    classes_ : ndarray of shape (n_classes,)
        The labels, of a classifier.
    n_features_in_ : int
        Length of the first axis of a sample of X.

    See Also
    --------
    compare : Estimators on the same folds, searches among them.
    anti_transfer_distributions : The default search space.
    sklearn.model_selection.GridSearchCV : For a few candidates.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.tuning import AntiTransferSearchCV
    >>> X, y = make_classification(n_samples=120, random_state=0)
    >>> unrelated = AntiTransferClassifier(max_epochs=5, random_state=0).fit(X, X[:, 0] > 0)
    >>> net = AntiTransferClassifier(unrelated=unrelated, max_epochs=5, random_state=0)
    >>> search = AntiTransferSearchCV(net, n_trials=4, cv=2, random_state=0).fit(X, y)
    >>> search.cv_results_["param_weight"][0]
    0.0
    >>> search.best_score_ >= search.baseline_score_
    True
    """

    # With metadata routing enabled nothing has to be requested, as of the estimators.
    __metadata_request__fit = {  # noqa: RUF012 - never changed
        "X_unlabeled": True,
        "X_unrelated": True,
        "X_unrelated_unlabeled": True,
        "Z_unlabeled": True,
        "Z_unrelated": True,
        "groups": True,
        "y_unrelated": True,
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        param_distributions: Mapping[str, BaseDistribution] | None = None,
        *,
        objective: str = "accuracy",
        scoring: Scoring = None,
        group_by: str = "auto",
        cv: Folds = None,
        n_trials: int = 30,
        timeout: float | None = None,
        sampler: BaseSampler | None = None,
        pruner: BasePruner | str | None = "auto",
        storage: Storage = None,
        study_name: str | None = None,
        resume: bool = True,
        refit: bool | str | Callable[[Table], int] = True,
        error_score: str | float = "raise",
        n_jobs: int | None = None,
        random_state: Seed = None,
        progress_bar: bool = False,
    ) -> None:
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.objective = objective
        self.scoring = scoring
        self.group_by = group_by
        self.cv = cv
        self.n_trials = n_trials
        self.timeout = timeout
        self.sampler = sampler
        self.pruner = pruner
        self.storage = storage
        self.study_name = study_name
        self.resume = resume
        self.refit = refit
        self.error_score = error_score
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress_bar = progress_bar

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        y_unrelated: ArrayLike | None = None,
        X_unlabeled: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        X_unrelated: Views | None = None,
        Z_unrelated: Views | None = None,
        X_unrelated_unlabeled: Views | None = None,
        Z_unlabeled: Views | None = None,
    ) -> Self:
        """Search, and fit the chosen candidate on all data.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), list or DataFrame
            Data as `estimator` takes them.
        y : array-like of shape (n_samples,), default=None
            Targets; needed.
        groups : array-like of shape (n_samples,) or None, default=None
            Groups that the folds keep together, and among which the worst is looked for.
        y_unrelated : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
            Labels of the nuisance: for an `unrelated` that is not fitted, for the worst group, or
            for the probe.
        X_unlabeled : array-like of shape (n_unlabeled, ...) or torch Dataset, default=None
            Unlabeled data, whole for each fit.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights in fits; the score is not weighted.
        X_unrelated, Z_unrelated : array-like of shape (n_samples, ...) or None, default=None
            What unrelated networks see, as in `fit` of the estimator; split with X.
        X_unrelated_unlabeled, Z_unlabeled : array-like of shape (n_unlabeled, ...), default=None
            The same of the unlabeled data, whole for each fit.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data are wrong, or the storage has another study of that name; no
            trial was run.
        """
        if X_unlabeled is not None:
            check_pipeline(self)
        check_parameters(self)
        n_jobs = joblib.effective_n_jobs(self.n_jobs)
        check_storage(self, n_jobs)
        deadline = None if self.timeout is None else time.time() + min(self.timeout, _FOR_EVER)
        data = Data(
            X, y, groups, y_unrelated, sample_weight, X_unlabeled,
            X_unrelated, Z_unrelated, X_unrelated_unlabeled, Z_unlabeled,
        )  # fmt: skip
        job = make_job(self, data, deadline)
        temporary = n_jobs > 1 and self.storage is None
        folder: AbstractContextManager[Storage] = nullcontext(self.storage)
        if temporary:  # what threads still write after an interrupt does not matter
            folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with folder as place:
            storage = open_storage(place)
            try:
                job = replace(job, storage=place)
                study = open_study(job, storage, resume=self.resume)
                self._work(job, study, n_jobs)
                self._conclude(job, kept_study(study) if temporary else study)
            finally:
                if storage is not self.storage:
                    close_storage(storage)
        return self

    def _work(self, job: Job, study: optuna.Study, n_jobs: int) -> None:
        progress = TrialsProgress(study, job.n_trials) if self.progress_bar else None
        try:
            if n_jobs > 1:
                work_in_processes(job, study, n_jobs, progress)
            else:
                work(job, study, progress)
        except KeyboardInterrupt as interrupt:
            n_made = len(listed(study))
            interrupt.add_note(
                f"The trials made before, {n_made} of {job.n_trials}, are "
                + (
                    "lost, as storage=None keeps them in memory only. With a folder as 'storage' "
                    "the same call would go on with them."
                    if self.storage is None
                    else f"in the study {study.study_name!r}; the same call goes on with them."
                )
            )
            raise
        finally:
            if progress is not None:
                progress.close()

    def _conclude(self, job: Job, study: optuna.Study) -> None:
        trials = listed(study)
        n_splits = len(job.evaluation.folds)
        probes = self.objective == "trade_off"
        table = make_table(trials, sorted({*job.space, *job.baseline}), n_splits, probes=probes)
        if not np.isfinite(table["mean_test_score"]).any():
            raise ValueError(
                f"No trial ended with a score: {len(trials)} trials, timeout={self.timeout}. "
                "Allow more time."
            )
        rule = "best" if isinstance(self.refit, bool) else self.refit
        best = choose(table, rule, job.weight)
        plain = job.canonical(job.baseline)
        baseline = next(
            (row for row, params in enumerate(table["params"]) if job.canonical(params) == plain
             and np.isfinite(table["mean_test_score"][row])), None
        )  # fmt: skip
        self.cv_results_ = table
        self.best_index_ = best
        self.best_params_ = table["params"][best]
        self.best_score_ = float(table["mean_test_score"][best])
        self.n_splits_ = n_splits
        self.scorer_ = job.evaluation.objective.scorer
        self._study, self._study_name = study, study.study_name
        self.pareto_ = pareto_front(table) if probes else None
        self.baseline_score_, self.gain_ = np.nan, None
        if baseline is not None:
            self.baseline_score_ = float(table["mean_test_score"][baseline])
            train, test = job.evaluation.folds[0]
            self.gain_ = paired_interval(
                split_scores(table, best) - split_scores(table, baseline),
                test_ratio=len(test) / len(train),
            )
        for name in ("best_estimator_", "refit_time_"):
            self.__dict__.pop(name, None)
        if self.refit is not False:
            start = time.perf_counter()
            self.best_estimator_ = job.evaluation.refit(self.best_params_)
            self.refit_time_ = time.perf_counter() - start

    @property
    def storage(self) -> Storage:
        """Where the study is kept; the URL of a database is shown without its password."""
        return self.__dict__["storage"]

    @storage.setter
    def storage(self, storage: Storage) -> None:
        self.__dict__["storage"] = as_url(storage)

    @property
    def study_(self) -> optuna.Study:
        """The study; of a search that was pickled it is looked up in the storage."""
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} is not fitted, and has no study yet.")
        if self._study is None:
            try:
                with quiet():
                    self._study = reopen_study(self.storage, self._study_name)
            except Exception as error:  # whatever databases raise
                raise AttributeError(
                    f"The study {self._study_name!r} stayed in its storage when the search was "
                    f"pickled, and cannot be opened there: {str(error).rstrip('.')}. Predictions "
                    "do not need it. "
                    f"The storage is {self.storage!r}; say where it is now with "
                    "set_params(storage=...). Passwords are not pickled: pass the URL with its "
                    "password, or set the variable of the database's driver, such as PGPASSWORD."
                ) from error
        return self._study

    def __getstate__(self) -> dict[str, object]:
        return kept_with(dict(super().__getstate__()))

    def _refitted(self) -> BaseEstimator:
        check_is_fitted(self, "cv_results_")
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                f"{type(self).__name__} was made with refit=False, so it has no estimator. Set "
                "refit=True, or fit one with best_params_."
            )
        return self.best_estimator_

    @available_if(_refitted_has("predict"))
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict with the chosen candidate.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Data.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predictions.
        """
        return self._refitted().predict(X)

    @available_if(_refitted_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the probabilities of the classes by the chosen candidate.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Data.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._refitted().predict_proba(X)

    @available_if(_refitted_has("predict_log_proba"))
    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Data.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._refitted().predict_log_proba(X)

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Return the score of the chosen candidate.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Data.
        y : array-like of shape (n_samples,), default=None
            Targets.

        Returns
        -------
        score : float
            By `scoring`.
        """
        return float(self.scorer_(self._refitted(), X, y))

    @property
    def classes_(self) -> np.ndarray:
        """The labels, of a classifier."""
        return self._refitted().classes_

    @property
    def n_features_in_(self) -> int:
        """Length of the first axis of a sample of X."""
        try:
            return self._refitted().n_features_in_
        except (AttributeError, ValueError) as error:  # NotFittedError is both
            raise AttributeError(f"{type(self).__name__} has no n_features_in_: {error}") from error

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "cv_results_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.estimator_type = of_estimator.estimator_type
        tags.classifier_tags = deepcopy(of_estimator.classifier_tags)
        tags.regressor_tags = deepcopy(of_estimator.regressor_tags)
        tags.target_tags = deepcopy(of_estimator.target_tags)
        tags.input_tags = deepcopy(of_estimator.input_tags)
        return tags

"""The study of a search: what it was made for, and its trials one after the other."""

from __future__ import annotations

import json
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, distribution_to_json
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sklearn.exceptions import FitFailedWarning
from sklearn.utils.parallel import Parallel, delayed

from atl_sklearn._types import Params
from atl_sklearn._validation import is_number, is_real
from atl_sklearn.tuning._evaluation import Evaluation
from atl_sklearn.tuning._storages import Storage, close_storage, is_shared, open_storage
from atl_sklearn.tuning._watching import TrialsProgress
from atl_sklearn.tuning._workers import (
    claim,
    end_run,
    enlist,
    frozen,
    give_up,
    heartbeat,
    identity,
    is_over,
    leave,
    left_to,
    release_lost,
)

_PURPOSE = "made_for"  # the study's attribute
ALONE = "of one search alone:"  # stands for what nothing tells from others
_WAIT = 10.0  # seconds for another process to say what its study is for
_PARTS = {
    "space": "with another search space",
    "estimator": "for another estimator",
    "data": "for other data or folds",
    "objective": "with another objective",
}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from printing a line for each study; its verbosity comes back afterwards."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


class SeededByTrial(BaseSampler):
    """A TPE sampler whose draws depend on the seed and the number of the trial only.

    A study that is interrupted goes on as it would have, and two processes do not draw the same.

    Parameters
    ----------
    seed : int
        Of the study.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._of: tuple[int, BaseSampler] | None = None

    def _sampler(self, trial: FrozenTrial) -> BaseSampler:
        if self._of is None or self._of[0] != trial.number:
            seed = int(np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0])
            self._of = trial.number, TPESampler(seed=seed)
        return self._of[1]

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what the sampler of the trial does; see Optuna."""
        return self._sampler(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, object]:
        """Return what the sampler of the trial does; see Optuna."""
        return self._sampler(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> object:
        """Return what the sampler of the trial does; see Optuna."""
        sampler = self._sampler(trial)
        return sampler.sample_independent(study, trial, param_name, param_distribution)


@dataclass
class Job:
    """All that a process needs to work on a study.

    Attributes
    ----------
    evaluation : Evaluation
        How a candidate is measured.
    space : dict of str to BaseDistribution
        What is searched.
    baseline : dict
        The parameters of the first trial, the plain network. Those that are not in the space are of
        this trial alone.
    weight : str or None
        Name of the weight's parameter, if it is searched.
    purpose : dict of str to str
        What the study is for; another study of that name is refused.
    study_name : str
        Name of the study.
    storage : None, str, path-like or optuna.storages.BaseStorage
        Where it is.
    sampler, pruner : Optuna's
        Choose parameters, and what ends early.
    n_trials : int
        Trials of all processes together.
    deadline : float or None
        Time after which no trial is begun.
    raises : bool
        Whether a fit that fails ends the search.
    remembers : str or None
        Name of the ``memory`` parameter that is to be a temporary folder.
    run : str or None
        What tells this search from others on the same study, to end all of its workers.
    """

    evaluation: Evaluation
    space: dict[str, BaseDistribution]
    baseline: Params
    weight: str | None
    purpose: dict[str, str]
    study_name: str
    storage: Storage
    sampler: BaseSampler
    pruner: BasePruner
    n_trials: int
    deadline: float | None
    raises: bool
    remembers: str | None = None
    run: str | None = None

    def canonical(self, params: Params) -> str:
        """Return what two candidates that are the same network have in common."""
        prefix = "" if self.weight is None else self.weight.removesuffix("weight")
        weight = None if self.weight is None else params.get(self.weight)
        experts = f"{prefix}product_of_experts"
        if is_real(weight) and params.get(experts) == "auto":  # which adds nothing then
            params = {**params, experts: 0.0}
        if weight == 0:
            ours = {prefix + n for n in ("layer", "metric", "aggregation", "weight_schedule")}
            params = {name: value for name, value in params.items() if name not in ours}
        same = {name: _as_number(value) for name, value in params.items()}
        return json.dumps(same, sort_keys=True, default=str)


def _as_number(value: object) -> object:
    """Return a value; of whole numbers the int, so that 0, 0.0 and NumPy's are one."""
    return int(value) if is_number(value) and float(value).is_integer() else value


def of_first_trial(
    space: dict[str, BaseDistribution], baseline: Params
) -> dict[str, BaseDistribution]:
    """Return what the first trial has besides the space, each with one value."""
    names = baseline.keys() - space.keys()
    return {name: CategoricalDistribution((baseline[name],)) for name in names}


def space_text(space: dict[str, BaseDistribution]) -> str:
    """Return a search space as text, the same for the same space."""
    return json.dumps({name: distribution_to_json(space[name]) for name in sorted(space)})


def _begin(study: Study, job: Job) -> Study:
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(job.baseline)
    study.set_user_attr("seeds", job.evaluation.seeds)
    study.set_user_attr(_PURPOSE, job.purpose)
    return study


def open_study(job: Job, storage: BaseStorage, *, resume: bool = True) -> Study:
    """Make the study, or load it if it is there and was made for the same.

    Parameters
    ----------
    job : Job
        What the study is for.
    storage : optuna.storages.BaseStorage
        Opened.
    resume : bool, default=True
        Whether a study that is there is gone on with.

    Returns
    -------
    study : optuna.study.Study
        Its first trial is the baseline.

    Raises
    ------
    ValueError
        If there is a study of that name that was made for something else, or is not to be gone
        on with.
    """
    directions = job.evaluation.objective.directions
    name, sampler, pruner = job.study_name, job.sampler, job.pruner
    with quiet():
        try:
            study = optuna.create_study(
                storage=storage,
                sampler=sampler,
                pruner=pruner,
                study_name=name,
                directions=directions,
            )
        except DuplicatedStudyError:
            study = optuna.load_study(
                study_name=name, storage=storage, sampler=sampler, pruner=pruner
            )
        else:
            return _begin(study, job)
    if not resume:
        raise ValueError(
            f"There is a study {job.study_name!r} in the storage already, and resume=False. Set "
            "resume=True to go on with it, or another study_name."
        )
    until = time.time() + _WAIT
    while (found := study.user_attrs.get(_PURPOSE)) is None and time.time() < until:
        time.sleep(0.05)  # the process that makes it is about to say so
    if found is None and not any(t.datetime_start for t in study.get_trials(deepcopy=False)):
        return _begin(study, job)  # it did not live to say so
    for part, words in _PARTS.items():
        if found is None or found.get(part) != job.purpose[part]:
            words = words if found is not None else "by something else"
            if job.purpose[part].startswith(ALONE):
                words = f"{words}, as far as can be told"
            raise ValueError(
                f"The study {job.study_name!r} in the storage was made {words}. Set another "
                "study_name, or None to make one from the search; or delete the study "
                "(optuna.delete_study)."
            )
    job.evaluation.seeds = study.user_attrs["seeds"]
    return study


def kept_study(study: Study) -> Study:
    """Return a copy of a study in memory, for when its storage is no more."""
    kept = InMemoryStorage()
    with quiet():
        optuna.copy_study(
            from_study_name=study.study_name, from_storage=study._storage, to_storage=kept
        )
        return optuna.load_study(study_name=study.study_name, storage=kept)


def _twin(study: Study, job: Job, trial: FrozenTrial) -> FrozenTrial | None:
    """Return a finished trial of the same network."""
    wanted = job.canonical(trial.params)
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    for other in study.get_trials(deepcopy=False, states=states):
        if other.number != trial.number and job.canonical(other.params) == wanted:
            return other
    return None


def _take_besides(study: Study, job: Job, trial: Trial) -> None:
    """Let the first trial, or one that repeats it, have its values besides the space."""
    fixed = frozen(study, trial).system_attrs.get("fixed_params", {})
    for name in of_first_trial(job.space, job.baseline):
        if name in fixed:
            trial.suggest_categorical(name, (job.baseline[name],))


def _run_trial(study: Study, job: Job, trial: Trial) -> None:
    _take_besides(study, job, trial)
    params = trial.params
    is_baseline = job.canonical(params) == job.canonical(job.baseline)
    twin = _twin(study, job, frozen(study, trial))
    if twin is not None:
        trial.set_user_attr("copy_of", twin.number)
        trial.set_user_attr("folds", twin.user_attrs.get("folds", []))
        told = twin.values if twin.state == TrialState.COMPLETE else None
        study.tell(trial, told, state=twin.state)
        return
    # The baseline is what all others are measured against: it is never ended early.
    evaluation = replace(job.evaluation, prunes=job.evaluation.prunes and not is_baseline)
    try:
        values = evaluation.objective.values(evaluation.run(params, trial))
        if not np.isfinite(values).all():
            raise ValueError(f"the score is not finite: {values}")
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except UpdateFinishedTrialError:
        raise
    except Exception as error:
        trial.set_user_attr("error", f"{type(error).__name__}: {error}")
        study.tell(trial, state=TrialState.FAIL)
        if job.raises or is_baseline:
            raise
        warnings.warn(
            f"Trial {trial.number} with {params} failed and has no score: {error}",
            FitFailedWarning,
            stacklevel=2,
        )
    else:
        study.tell(trial, values)


def work(job: Job, study: Study | None = None, progress: TrialsProgress | None = None) -> None:
    """Make trials until the study has as many as it is to have.

    A trial that is interrupted, or whose process dies, is marked as failed and its parameters are
    put back in the queue, for whoever works on the study next.

    Parameters
    ----------
    job : Job
        What is to be done.
    study : optuna.study.Study or None, default=None
        The study; None to open it, as a process of its own does.
    progress : TrialsProgress or None, default=None
        Is shown after each trial.
    """
    storage = None
    if study is None:
        storage = open_storage(job.storage)
        study = open_study(job, storage)
    shared = is_shared(study._storage)
    folder: AbstractContextManager[str | None] = (
        tempfile.TemporaryDirectory() if job.remembers else nullcontext()
    )
    with folder as path, quiet():
        if job.remembers:
            fixed = {**job.evaluation.fixed, job.remembers: path}
            job = replace(job, evaluation=replace(job.evaluation, fixed=fixed))
        enlist(study)
        while not is_over(study, job.run):
            trial = claim(study, job.space, job.n_trials, job.deadline)
            if trial is None:
                break
            try:
                with heartbeat(trial, shared=shared):
                    _run_trial(study, job, trial)
            except UpdateFinishedTrialError:
                continue  # this process was taken for dead, and another one makes the trial
            except BaseException:
                give_up(study, trial)
                raise
            finally:
                leave(study, trial)
            if progress is not None:
                progress.refresh()
    if storage is not None and storage is not job.storage:
        close_storage(storage)


def _work_for(owner: str, job: Job) -> None:
    with left_to(owner):
        work(job)


def work_in_processes(
    job: Job, study: Study, n_jobs: int, progress: TrialsProgress | None = None
) -> None:
    """Let several processes, of whatever backend joblib has, work on a shared study.

    An interrupt or an error ends all of them. joblib kills its own processes; threads, and
    processes of a cluster, end the trial that they are in.
    """
    run = uuid.uuid4().hex
    job = replace(job, run=run)
    watching: AbstractContextManager[None] = (
        nullcontext() if progress is None else progress.watching()
    )
    try:
        with watching:
            tasks = (delayed(_work_for)(identity(), job) for _ in range(n_jobs))
            Parallel(n_jobs=n_jobs)(tasks)
    except BaseException:
        with suppress(Exception):  # what happened before is to be told
            end_run(study, run)
            release_lost(study)
        raise

"""An interrupt ends a search, keeps what was made, and loses no candidate."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import joblib
import optuna
import pytest
import study_worker
from optuna.trial import TrialState
from optuna_integration import OptunaSearchCV
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.tuning import compare, suggest_anti_transfer
from atl_sklearn.tuning._evaluation import Data
from atl_sklearn.tuning._request import make_job
from atl_sklearn.tuning._storages import open_storage
from atl_sklearn.tuning._study import open_study, work
from atl_sklearn.tuning._workers import end_run, identity, left_to, noted_interrupts

N_TRIALS = 8  # of which the fifth is the first with the weight 1


@pytest.fixture
def file(tmp_path):
    """Return a file; while it is there, networks of weight 1 are interrupted."""
    path = tmp_path / "interrupt"
    path.touch()
    return path


def search(storage, file, **parameters):
    found = study_worker.search(storage, N_TRIALS, **parameters)
    return found.set_params(
        estimator__callbacks=[("interrupting", study_worker.Interrupting(str(file)))]
    )


def trials_of(storage):
    names = optuna.get_all_study_names(open_storage(storage))
    return optuna.load_study(study_name=names[0], storage=open_storage(storage)).get_trials()


def of_state(trials, state):
    return [trial.number for trial in trials if trial.state == state]


def join_others(threads):
    """Wait for the threads that are not among these, and for those that they start meanwhile."""
    until = time.monotonic() + 60
    while (others := set(threading.enumerate()) - threads) and time.monotonic() < until:
        for thread in others:
            with suppress(RuntimeError):  # it is about to start
                thread.join(timeout=1)


@pytest.mark.parametrize(
    "n_jobs",
    [
        pytest.param("serial", id="serial"),
        pytest.param("threading", id="threads"),
        pytest.param("loky", id="processes", marks=pytest.mark.slow),
    ],
)
def test_finished_trials_are_kept_and_the_lost_one_is_repeated(n_jobs, file, tmp_path):
    storage = str(tmp_path / "studies")
    jobs = {} if n_jobs == "serial" else {"n_jobs": 2}
    backend = nullcontext() if n_jobs == "serial" else joblib.parallel_config(n_jobs)
    threads = set(threading.enumerate())
    with backend, pytest.raises(KeyboardInterrupt) as interrupt:
        search(storage, file, **jobs).fit(*study_worker.data())
    if n_jobs == "threading":  # which end the trial that they are in
        join_others(threads)
    (note,) = interrupt.value.__notes__
    assert f"of {N_TRIALS}, are in the study 'anti_transfer_" in note

    before = trials_of(storage)
    lost = of_state(before, TrialState.FAIL)
    kept = [trial for trial in before if trial.state == TrialState.COMPLETE]
    assert of_state(before, TrialState.RUNNING) == []
    assert lost and kept and len(kept) < N_TRIALS
    waiting = [trial for trial in before if trial.state == TrialState.WAITING]
    repeated = {trial.user_attrs["retry_of"] for trial in waiting}
    assert repeated <= set(lost)
    # The plain network comes first. A process that is still at it when the other is interrupted
    # is ended with it, and then the plain network is what is repeated.
    if n_jobs == "loky" and 0 in lost:
        assert 0 in repeated
    else:
        assert kept[0].params["weight"] == 0
    assert waiting and not any("error" in trial.user_attrs for trial in before)

    file.unlink()
    found = search(storage, file).fit(*study_worker.data())
    after = trials_of(storage)
    assert len(of_state(after, TrialState.COMPLETE)) == N_TRIALS
    assert of_state(after, TrialState.FAIL) == lost
    assert of_state(after, TrialState.RUNNING) == []
    assert [after[trial.number].values for trial in kept] == [trial.values for trial in kept]
    assert 1.0 in [params["weight"] for params in found.cv_results_["params"]]


@pytest.mark.slow  # three processes
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_ctrl_c_reaches_all_processes_and_loses_no_candidate(tmp_path):
    """The terminal interrupts the workers too, which must not hold the study's lock then."""
    storage, pipe = str(tmp_path / "studies"), str(tmp_path / "pipe")
    os.mkfifo(pipe)
    folders = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, "-c", "import study_worker, sys; study_worker.interrupted(*sys.argv[1:])",
         storage, pipe],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"},
        start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with open(pipe, "r+b", buffering=0) as found:  # open for both, so that it has no end
            assert found.read(1) + found.read(1) == b"xx"
        os.killpg(process.pid, signal.SIGINT)
        error = process.communicate(timeout=300)[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert "KeyboardInterrupt" in error and "the same call goes on with them" in error
    trials = trials_of(storage)
    assert trials[0].params["weight"] == 0 and trials[0].state == TrialState.COMPLETE
    lost = of_state(trials, TrialState.FAIL)
    waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
    assert len(lost) == len(waiting) == 2
    assert sorted(trial.user_attrs["retry_of"] for trial in waiting) == lost
    assert of_state(trials, TrialState.RUNNING) == []


def test_what_is_in_memory_is_lost_and_that_is_told(file):
    found = search(None, file)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        found.fit(*study_worker.data())
    assert "4 of 8, are lost, as storage=None" in interrupt.value.__notes__[0]
    assert not hasattr(found, "cv_results_")


def test_an_interrupted_search_begins_no_further_trial_in_other_workers(file, tmp_path):
    """As in threads, and on other machines, which go on after joblib has given up."""
    data = study_worker.data()
    job = make_job(search(None, file), Data(*data), None)
    study = open_study(job, open_storage(str(tmp_path / "studies")))
    mine, other = replace(job, run="mine"), replace(job, run="other", n_trials=2)
    end_run(study, "mine")
    work(mine, study)
    assert of_state(study.trials, TrialState.COMPLETE) == []
    work(other, study)
    assert of_state(study.trials, TrialState.COMPLETE) == [0, 1]


class InterruptedRefit(AntiTransferClassifier):
    def fit(self, X, y=None, **params):
        if len(X) == 40:  # all samples
            raise KeyboardInterrupt
        return super().fit(X, y, **params)


def test_the_last_fit_is_interrupted_too(tmp_path):
    found = study_worker.search(str(tmp_path), 2).set_params(refit=True)
    parameters = found.estimator.get_params(deep=False)
    found.estimator = InterruptedRefit(**parameters)
    with pytest.raises(KeyboardInterrupt):
        found.fit(*study_worker.data())
    assert not hasattr(found, "best_estimator_")
    assert len(trials_of(str(tmp_path))) == 2


# ---- comparisons, and the searches of others ----------------------------------------------


class Interrupted(ClassifierMixin, BaseEstimator):
    """Is interrupted."""

    def __init__(self, weight=0):
        self.weight = weight

    def fit(self, X, y):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "backend", [None, "threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_a_comparison_ends(backend, tabular):
    X, y, _ = tabular
    parallel = nullcontext() if backend is None else joblib.parallel_config(backend)
    with parallel, pytest.raises(KeyboardInterrupt):
        compare(
            {"dummy": DummyClassifier(), "mine": Interrupted()}, X, y, cv=3,
            n_jobs=None if backend is None else 2,
        )  # fmt: skip


def plain(file):
    X, y = study_worker.data()
    callbacks = [("interrupting", study_worker.Interrupting(str(file)))]
    unrelated = AntiTransferClassifier(max_epochs=1).fit(X, X[:, 1] > 0)
    return AntiTransferClassifier(unrelated=unrelated, callbacks=callbacks, max_epochs=1), X, y


def test_a_grid_search_ends(file):
    net, X, y = plain(file)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(net, {"weight": [0.0, 1.0, 2.0]}, cv=2).fit(X, y)


def test_a_study_of_ones_own_ends(file):
    net, X, y = plain(file)
    study = optuna.create_study()

    def objective(trial):
        params = suggest_anti_transfer(trial, net, X, weights=[1.0])
        return clone(net).set_params(**params).fit(X, y).score(X, y)

    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective, n_trials=3)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore:.*optuna.terminator.*:FutureWarning")  # of optuna's own import
def test_optunas_search_ends(file):
    net, X, y = plain(file)
    space = {"weight": optuna.distributions.CategoricalDistribution((1.0,))}
    with pytest.raises(KeyboardInterrupt):
        OptunaSearchCV(net, space, cv=2, n_trials=2).fit(X, y)


# ---- progress -----------------------------------------------------------------------------


def shown(text):
    lines = [line for line in text.splitlines() if line.startswith("AntiTransferSearchCV: ")]
    return [line.split()[1] for line in lines]


def test_progress_after_an_interrupt_and_beside_lost_trials(file, tmp_path, capsys):
    storage = str(tmp_path / "studies")
    with pytest.raises(KeyboardInterrupt):
        search(storage, file, progress_bar=True).fit(*study_worker.data())
    assert shown(capsys.readouterr().err) == ["1/8", "2/8", "3/8", "4/8"]
    with pytest.raises(KeyboardInterrupt):
        search(storage, file, progress_bar=True).fit(*study_worker.data())
    assert shown(capsys.readouterr().err) == ["4/8"]
    file.unlink()
    search(storage, file, progress_bar=True).fit(*study_worker.data())
    text = capsys.readouterr().err
    assert shown(text) == ["4/8", "5/8", "6/8", "7/8", "8/8"]
    assert "best score" in text and "\r" not in text
    search(storage, file, progress_bar=True).fit(*study_worker.data())
    assert shown(capsys.readouterr().err) == ["8/8"]
    fewer = search(storage, file, progress_bar=True).set_params(n_trials=6)
    fewer.fit(*study_worker.data())
    assert shown(capsys.readouterr().err) == ["6/6"]


def test_progress_of_several_workers_is_shown_here(tmp_path, capsys):
    with joblib.parallel_config("threading"):
        study_worker.search(str(tmp_path), 4, n_jobs=2, progress_bar=True).fit(*study_worker.data())
    counted = shown(capsys.readouterr().err)
    assert counted[-1] == "4/4"
    assert counted == sorted(set(counted))


def test_workers_leave_interrupts_to_the_process_that_began():
    handler = signal.getsignal(signal.SIGINT)
    with left_to(identity()):  # this one
        assert signal.getsignal(signal.SIGINT) is handler
    with left_to("elsewhere:1:1"):
        signal.raise_signal(signal.SIGINT)
        with noted_interrupts() as noted:
            signal.raise_signal(signal.SIGINT)
        assert noted == []
    assert signal.getsignal(signal.SIGINT) is handler

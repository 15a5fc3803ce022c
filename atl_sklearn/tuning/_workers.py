"""Who works on which trial of a study, and what becomes of the trials of the dead."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

_BEAT = 15.0  # seconds between signs of life
_GRACE = 120.0  # seconds without one after which a worker on another machine is taken for dead
_POLL = 0.2  # seconds between looks at what others do
_ENDED = "ended:"  # the study's attribute, followed by the run that has ended
_WORKER = "worker:"  # the study's attribute, followed by one that works on it, or did
_HERE: set[tuple[int, str, int]] = set()  # the trials that this process is at


def _started(pid: int) -> str:
    """Return when a process started, so that another one with its number is not taken for it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def identity() -> str:
    """Return what tells this process from all others: machine, number and start."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def _lives(worker: str) -> bool:
    pid, started = worker.split(":")[-2:]
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
        return False  # dead, and its parent has not noticed
    return _started(int(pid)) == started


def _can_be_asked(worker: str) -> bool:
    return worker.split(":")[0] == socket.gethostname() and os.name == "posix"


def enlist(study: Study) -> None:
    """Say that this process works on a study, before it begins a trial.

    One that is killed while it begins a trial has not said yet that the trial is its own.
    """
    name = _WORKER + identity()
    if name not in study.user_attrs:
        study.set_user_attr(name, True)


def _all_gone(study: Study) -> bool:
    """Tell whether all that ever worked on a study are gone, and known to be."""
    workers = [name.removeprefix(_WORKER) for name in study.user_attrs if name.startswith(_WORKER)]
    return bool(workers) and all(_can_be_asked(one) and not _lives(one) for one in workers)


def is_dead(trial: FrozenTrial) -> bool:
    """Tell whether the process that runs a trial is gone, or has given no sign of life."""
    worker = trial.user_attrs.get("worker")
    if worker is not None and _can_be_asked(worker):
        if not _lives(worker):
            return True
        # It may be at something else, if the trial's end could not be written. In memory, of
        # which there are no signs of life, there is no other process to ask.
        if "beat" not in trial.user_attrs:
            return False
    since = trial.datetime_start
    begun = time.time() if since is None else since.timestamp()
    return time.time() - float(trial.user_attrs.get("beat", begun)) > _GRACE


def counts(trial: FrozenTrial) -> bool:
    """Tell whether a trial is one of the number asked for; lost and surplus ones are not."""
    return trial.state != TrialState.FAIL or "error" in trial.user_attrs


def release(study: Study, trial: FrozenTrial) -> None:
    """Give up a running trial, and put its parameters back in the queue.

    Of several processes that notice a lost trial, one does it.
    """
    storage = study._storage
    try:
        storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
    except UpdateFinishedTrialError:
        return
    params = trial.system_attrs.get("fixed_params") or trial.params
    if params:
        study.enqueue_trial(params, user_attrs={"retry_of": trial.number})


def _key(study: Study, number: int) -> tuple[int, str, int]:
    return os.getpid(), study.study_name, number


def leave(study: Study, trial: Trial) -> None:
    """Say that this process is at a trial no more, whether or not its end could be written."""
    _HERE.discard(_key(study, trial.number))


def give_up(study: Study, trial: Trial) -> None:
    """Release a trial whose work has failed.

    If that cannot be written either, as on a full disk, it is done by whoever works on the study
    next: the error that came first is the one to tell.
    """
    leave(study, trial)
    with suppress(Exception):
        release(study, frozen(study, trial))


def release_lost(study: Study) -> None:
    """Give up the trials of processes that are gone, and those that this one is at no more."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = trial.user_attrs.get("worker")
        if worker == identity():
            lost = _key(study, trial.number) not in _HERE
        else:
            lost = is_dead(trial) or (worker is None and _all_gone(study))
        if lost:
            release(study, trial)


def end_run(study: Study, run: str) -> None:
    """Tell the workers of one search to begin no further trial, wherever they are."""
    study.set_user_attr(_ENDED + run, True)


def is_over(study: Study, run: str | None) -> bool:
    """Tell whether a search was ended by an interrupt or an error in another of its workers."""
    return run is not None and _ENDED + run in study.user_attrs


def claim(
    study: Study, space: dict[str, BaseDistribution], n_trials: int, deadline: float | None
) -> Trial | None:
    """Begin the next trial of a study that other processes may work on too.

    Parameters
    ----------
    study : optuna.study.Study
        The study.
    space : dict of str to BaseDistribution
        What the trial's parameters are chosen from.
    n_trials : int
        How many trials all processes make together.
    deadline : float or None
        Time after which no trial is begun but the first.

    Returns
    -------
    trial : optuna.trial.Trial or None
        None when all are done, by whomever; while others run theirs, their end is awaited,
        because those of the dead are to be repeated.
    """
    while True:
        release_lost(study)
        trials = study.get_trials(deepcopy=False)
        late = deadline is not None and time.time() >= deadline
        # The plain network is tried however late it is: without it there is nothing to tell.
        if late and any(counts(t) and t.state != TrialState.WAITING for t in trials):
            return None
        if sum(map(counts, trials)) < n_trials or any(
            trial.state == TrialState.WAITING for trial in trials
        ):
            asked = study.ask(space)
            # Two processes may have asked for the last one: the later number is one too many.
            before = study.get_trials(deepcopy=False)
            if sum(counts(t) for t in before if t.number < asked.number) >= n_trials:
                study.tell(asked, state=TrialState.FAIL)
                continue
            _HERE.add(_key(study, asked.number))
            try:
                asked.set_user_attr("worker", identity())
            except BaseException:
                give_up(study, asked)
                raise
            return asked
        if not any(trial.state == TrialState.RUNNING for trial in trials):
            return None
        time.sleep(_POLL)


@contextmanager
def noted_interrupts() -> Iterator[list[int]]:
    """Note interrupts of the block besides what they do: skorch takes one for a training's end.

    Yields
    ------
    noted : list of int
        Empty as long as there was none. Signals reach the main thread only.
    """
    noted: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or before in (None, signal.SIG_IGN):
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def left_to(owner: str) -> Iterator[None]:
    """Leave interrupts to the process that began the search, if it is another one.

    Ctrl-C reaches all processes of a terminal. Those that would all give back their trials are
    ended meanwhile, with a storage locked.
    """
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or identity() == owner:
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)


@contextmanager
def heartbeat(trial: Trial, *, shared: bool) -> Iterator[None]:
    """Record signs of life while the block runs, for workers on other machines."""
    stopped = threading.Event()

    def beat() -> None:
        while not stopped.wait(_BEAT):
            with suppress(Exception):  # the next one may come through
                trial.set_user_attr("beat", time.time())

    thread = threading.Thread(target=beat, daemon=True)
    if shared:
        trial.set_user_attr("beat", time.time())
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        if shared:
            thread.join()


def frozen(study: Study, trial: Trial) -> FrozenTrial:
    """Return the stored state of a trial."""
    return study._storage.get_trial(trial._trial_id)

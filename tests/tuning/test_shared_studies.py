"""Studies that processes share, are killed in, and go on with: in a folder and in databases."""

import errno
import glob
import importlib.util
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import optuna
import pytest
import study_worker
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState
from sqlalchemy.engine import make_url

from atl_sklearn.tuning._journal import Journal
from atl_sklearn.tuning._storages import close_storage, open_storage
from atl_sklearn.tuning._workers import (
    claim,
    identity,
    is_dead,
    leave,
    release,
    release_lost,
)

HERE = Path(__file__).parent
ONE_TRIAL = study_worker.EPOCHS * study_worker.FOLDS


# ---- storages -----------------------------------------------------------------------------


def _as_postgres(command):
    # The server does not run as root.
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@pytest.fixture(scope="session")
def postgresql():
    """Start a PostgreSQL server of this test run, and return the URL of its database."""
    pytest.importorskip("psycopg", reason="psycopg, of the extra 'distributed', is not installed")
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    initdb = programs[-1] if programs else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # A socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    pg_ctl = str(Path(initdb).with_name("pg_ctl"))
    try:
        if os.geteuid() == 0:
            try:
                shutil.chown(folder, "postgres")
            except LookupError:
                pytest.skip("PostgreSQL does not run as root, and there is no user 'postgres'")
        options = f"-c listen_addresses='' -k {folder}"
        started = None
        for command in (
            [initdb, "-D", f"{folder}/data", "-U", "atl", "--auth=trust", "-N"],
            [pg_ctl, "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start"],
        ):
            started = subprocess.run(
                _as_postgres(command), capture_output=True, text=True, cwd=folder, timeout=120
            )
            if started.returncode:
                pytest.skip(f"PostgreSQL cannot start here: {started.stderr.strip()[-300:]}")
        yield f"postgresql+psycopg://atl@/postgres?host={folder}"
        stop = [pg_ctl, "-D", f"{folder}/data", "-m", "immediate", "stop"]
        subprocess.run(_as_postgres(stop), capture_output=True, cwd=folder, timeout=120)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["folder", "sqlite", "postgresql"])
def storage(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "studies")
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/studies.db"
    return request.getfixturevalue("postgresql")


# ---- processes ----------------------------------------------------------------------------


@pytest.fixture
def start():
    """Return a function that starts a process working on a study; all are ended afterwards."""
    processes = []

    def begin(storage, n_trials, block_at):
        environment = {**os.environ, "BLOCK_AT_EPOCH": str(block_at), "OMP_NUM_THREADS": "1"}
        path = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(path)
        process = subprocess.Popen(
            [sys.executable, "-c", "import study_worker; study_worker.main()", storage,
             str(n_trials)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(process, line):
    found = process.stdout.readline().strip()
    assert found == line, process.communicate()[1]


def trials_of(storage):
    opened = open_storage(storage)
    study = optuna.load_study(study_name=None, storage=opened)
    trials = study.get_trials()
    close_storage(opened)
    return trials


def finished(trials):
    return [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]


@pytest.mark.slow  # two processes
def test_a_killed_process_loses_one_trial_which_another_makes(storage, start):
    """Two processes share a study of 6 trials; one is killed in the middle of its second."""
    killed = start(storage, 6, block_at=ONE_TRIAL + 1)
    wait_for(killed, "blocked")
    other = start(storage, 6, block_at=1)
    wait_for(other, "blocked")
    running = [t for t in trials_of(storage) if t.state == TrialState.RUNNING]
    assert [t.number for t in running] == [1, 2]
    os.kill(killed.pid, signal.SIGKILL)
    other.stdin.write("\n")
    other.stdin.flush()
    wait_for(other, "done")

    trials = trials_of(storage)
    lost = [t for t in trials if t.state == TrialState.FAIL]
    assert [t.number for t in lost] == [1]
    assert len(finished(trials)) == 6
    again = [t for t in trials if t.user_attrs.get("retry_of") == 1]
    assert [t.params for t in again] == [lost[0].params]
    assert trials[0].params["weight"] == 0
    workers = Counter(t.user_attrs["worker"] for t in finished(trials))
    assert sorted(workers.values()) == [1, 5]

    # Later the study goes on, here, with all that was measured before.
    search = study_worker.search(storage, 8).fit(*study_worker.data())
    after = trials_of(storage)
    assert [(t.number, t.params, t.values) for t in after[: len(trials)]] == [
        (t.number, t.params, t.values) for t in trials
    ]
    assert len(finished(after)) == 8
    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["split1_test_score"]).all()
    again = study_worker.search(storage, 8).fit(*study_worker.data())
    assert len(trials_of(storage)) == len(after)
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_claims_race_and_no_trial_is_one_too_many(storage):
    """Four workers at full speed, each with a connection of its own."""
    space = {"x": CategoricalDistribution(("a", "b"))}
    opened = open_storage(storage)
    optuna.create_study(storage=opened, study_name="race")

    def work(position):
        mine = open_storage(storage)
        study = optuna.load_study(study_name="race", storage=mine)
        made = []
        while (trial := claim(study, space, 30, None)) is not None:
            study.tell(trial, 1.0)
            made.append(trial.number)
        close_storage(mine)
        return made

    with ThreadPoolExecutor(4) as pool:
        made = [number for numbers in pool.map(work, range(4)) for number in numbers]
    trials = optuna.load_study(study_name="race", storage=opened).get_trials()
    optuna.delete_study(study_name="race", storage=opened)
    close_storage(opened)
    assert sorted(made) == sorted(t.number for t in finished(trials))
    assert len(made) == len(set(made)) == 30


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_processes_of_one_search_make_every_trial_once(backend, tmp_path):
    with joblib.parallel_config(backend):
        search = study_worker.search(str(tmp_path), 9, n_jobs=2).fit(*study_worker.data())
    trials = trials_of(str(tmp_path))
    assert len(finished(trials)) == 9 == len(search.cv_results_["params"])
    assert all(t.state == TrialState.FAIL for t in trials if t not in finished(trials))
    if backend == "loky":
        assert len({t.user_attrs["worker"] for t in finished(trials)}) <= 2


def test_processes_need_no_storage_of_the_users():
    search = study_worker.search(None, 4, n_jobs=2).fit(*study_worker.data())
    assert len(search.study_.trials) >= 4
    alone = study_worker.search(None, 4).fit(*study_worker.data())
    for row in (0,):  # of the others, the order in which trials end decides what is drawn
        for name in ("split0_test_score", "split1_test_score"):
            assert search.cv_results_[name][row] == alone.cv_results_[name][row]


def test_an_interrupted_search_goes_on_as_it_would_have(tmp_path):
    data = study_worker.data()
    whole = study_worker.search(None, 7).fit(*data).cv_results_
    study_worker.search(str(tmp_path), 3).fit(*data)
    study_worker.search(str(tmp_path), 5).fit(*data)
    parts = study_worker.search(str(tmp_path), 7).fit(*data).cv_results_
    assert parts["params"] == whole["params"]
    np.testing.assert_array_equal(parts["mean_test_score"], whole["mean_test_score"])


class Interrupting(study_worker.Blocking):
    def on_epoch_end(self, net, **kwargs):
        if net.lr != 0.003:  # the first trial's
            signal.raise_signal(signal.SIGINT)


def test_an_interrupt_gives_the_trial_back(tmp_path):
    search = study_worker.search(str(tmp_path), 6)
    search.estimator.callbacks = [("blocking", Interrupting())]
    with pytest.raises(KeyboardInterrupt):
        search.fit(*study_worker.data())
    trials = trials_of(str(tmp_path))
    lost = [t for t in trials if t.state == TrialState.FAIL]
    assert len(lost) == 1
    assert trials[-1].state == TrialState.WAITING
    assert trials[-1].user_attrs["retry_of"] == lost[0].number


class Outlived(study_worker.Blocking):
    """As if this machine had slept: another process took the trial for a dead one's."""

    storage = None

    def on_epoch_end(self, net, **kwargs):
        done = study_worker.EPOCHS_DONE
        done[0] += 1
        if done[0] == ONE_TRIAL + 1:
            opened = open_storage(Outlived.storage)
            study = optuna.load_study(study_name=None, storage=opened)
            release(study, study.get_trials()[-1])


def test_a_trial_that_others_took_over_is_left_to_them(tmp_path, monkeypatch):
    monkeypatch.setattr(study_worker, "EPOCHS_DONE", [0])
    monkeypatch.setattr(Outlived, "storage", str(tmp_path))
    search = study_worker.search(str(tmp_path), 4)
    search.estimator.callbacks = [("blocking", Outlived())]
    search.fit(*study_worker.data())
    trials = trials_of(str(tmp_path))
    assert [t.number for t in trials if t.state == TrialState.FAIL] == [1]
    assert len(finished(trials)) == 4
    assert trials[2].user_attrs["retry_of"] == 1


def test_a_password_is_not_pickled_with_a_fitted_search(postgresql):
    url = postgresql.replace("atl@", "atl:s3cret@")  # which this server does not ask for
    data = study_worker.data()
    search = study_worker.search(url, 2, study_name="kept", refit=True).fit(*data)
    content = pickle.dumps(search)
    assert b"s3cret" not in content and "s3cret" not in repr(search)
    again = pickle.loads(content)
    assert make_url(again.storage) == make_url(postgresql)
    assert again.study_.trials == search.study_.trials
    np.testing.assert_array_equal(again.predict(data[0]), search.predict(data[0]))
    optuna.delete_study(study_name="kept", storage=again.study_._storage)
    for found in (search, again):
        close_storage(found.study_._storage)


# ---- studies that are something else ------------------------------------------------------


def test_a_study_of_something_else_is_refused_before_any_trial(tmp_path):
    X, y = study_worker.data()
    storage = str(tmp_path)
    study_worker.search(storage, 2, study_name="mine").fit(X, y)
    other_space = study_worker.search(storage, 2, study_name="mine")
    other_space.param_distributions = {"weight": CategoricalDistribution((0.0, 9.0))}
    other_net = study_worker.search(storage, 2, study_name="mine")
    other_net.estimator.set_params(max_epochs=1)
    other_score = study_worker.search(storage, 2, study_name="mine", scoring="f1")
    same = study_worker.search(storage, 2, study_name="mine")
    for search, data, message in (
        (other_space, X, "'mine' in the storage was made with another search space"),
        (other_net, X, "was made for another estimator"),
        (other_score, X, "was made with another objective"),
        (same, X + 1, "was made for other data or folds"),
    ):
        with pytest.raises(ValueError, match=message):
            search.fit(data, y)
    with pytest.raises(ValueError, match="'mine' in the storage already, and resume=False"):
        study_worker.search(storage, 2, study_name="mine", resume=False).fit(X, y)
    assert len(trials_of(storage)) == 2
    # Without a name each has its own.
    study_worker.search(storage, 1).fit(X, y)
    study_worker.search(storage, 1).fit(X + 1, y)
    assert len(optuna.get_all_study_names(open_storage(storage))) == 3


def scheduled(storage, schedule, **parameters):
    found = study_worker.search(storage, 1)
    return found.set_params(
        estimator__weight_schedule=schedule, estimator__callbacks=None, **parameters
    )


def test_parameters_that_cannot_be_pickled_do_not_share_a_study(tmp_path):
    X, y = study_worker.data()
    storage = str(tmp_path)
    lambdas = [lambda progress, factor=factor: factor for factor in (1.0, 1.0, 0.5)]
    for lr, schedule, n_studies in (
        (0.001, lambdas[0], 1),
        (0.001, lambdas[1], 1),
        (0.05, lambdas[0], 2),
        (0.05, lambdas[2], 3),
    ):
        search = scheduled(storage, schedule)
        search.estimator.set_params(lr=lr)
        search.param_distributions = {"weight": study_worker.SPACE["weight"]}
        search.fit(X, y)
        assert len(optuna.get_all_study_names(open_storage(storage))) == n_studies


def test_what_cannot_be_told_from_others_has_a_study_of_its_own(tmp_path):
    X, y = study_worker.data()
    storage = str(tmp_path)
    lock = threading.Lock()

    def schedule(progress):
        with lock:
            return 1.0

    for name, n_studies in ((None, 1), (None, 2), ("mine", 3)):
        with pytest.warns(
            UserWarning, match="cannot be resumed.* weight_schedule > closure > lock"
        ):
            scheduled(storage, schedule, study_name=name).fit(X, y)
        assert len(optuna.get_all_study_names(open_storage(storage))) == n_studies
    with (
        pytest.warns(UserWarning, match="cannot be resumed"),
        pytest.raises(
            ValueError, match=r"'mine' .* made for another estimator, as far as can be told"
        ),
    ):
        scheduled(storage, schedule, study_name="mine").fit(X, y)
    scheduled(None, schedule).fit(X, y)  # nobody could share it anyway


def test_a_study_that_is_not_ours_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("atl_sklearn.tuning._study._WAIT", 0.0)
    storage = f"sqlite:///{tmp_path}/other.db"
    opened = open_storage(storage)
    for name in ("mine", "empty"):
        study = optuna.create_study(storage=opened, study_name=name, direction="maximize")
        if name == "mine":
            study.tell(study.ask(), 1.0)
    close_storage(opened)
    # As one whose maker was killed before it said what it is for.
    adopted = study_worker.search(storage, 2, study_name="empty").fit(*study_worker.data())
    assert len(adopted.cv_results_["params"]) == 2
    with pytest.raises(ValueError, match="was made by something else"):
        study_worker.search(storage, 2, study_name="mine").fit(*study_worker.data())


def test_storages_that_cannot_be_opened(tmp_path):
    with pytest.raises(ValueError, match=r"cannot be opened: .*unable to open"):
        open_storage(f"sqlite:///{tmp_path}/no/such/folder.db")
    if importlib.util.find_spec("psycopg2") is not None:
        pytest.skip("the driver is installed")
    with pytest.raises(ImportError, match="needs a driver that is not installed"):
        open_storage("postgresql+psycopg2://x@y/z")


def test_a_line_that_was_not_finished_is_cut_off(tmp_path):
    storage = str(tmp_path)
    study_worker.search(storage, 2).fit(*study_worker.data())
    journal = tmp_path / "studies.log"
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "worker')  # as if its writer had been killed
    search = study_worker.search(storage, 3).fit(*study_worker.data())
    assert len(search.cv_results_["params"]) == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{broken", "Expecting property name"),
        (b"\xff\xfe", "can't decode"),
        (b"[1, 2]", "no record of a study"),
        (b"{}", "no record of a study"),
    ],
)
def test_a_bad_line_is_named(line, reason, tmp_path):
    data = study_worker.data()
    study_worker.search(str(tmp_path), 1).fit(*data)
    journal = tmp_path / "studies.log"
    good = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*good, line + b"\n", good[-1]]))
    before = journal.read_bytes()
    with pytest.raises(ValueError, match=reason) as error:
        study_worker.search(str(tmp_path), 2).fit(*data)
    assert f"Line {len(good) + 1} of the journal {str(journal)!r}" in str(error.value)
    assert f"head -n {len(good)} " in str(error.value)
    assert journal.read_bytes() == before
    journal.write_bytes(b"".join(good))  # the way out
    assert len(study_worker.search(str(tmp_path), 2).fit(*data).cv_results_["params"]) == 2


class Full:
    """A file on a disk that takes so many bytes and no more, until it is freed."""

    room = None

    def __init__(self, file):
        self._file = file

    def write(self, content):
        if Full.room is None:
            return self._file.write(content)
        if not Full.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._file.write(content[: Full.room])
        Full.room -= written
        return written

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 7])
def test_a_full_disk_leaves_no_half_line(room, tmp_path, monkeypatch):
    """What cannot be written whole is not there, and others go on after what is."""
    opened = Journal._opened

    @contextmanager
    def full(self):
        with opened(self) as file:
            yield Full(file)

    monkeypatch.setattr(Journal, "_opened", full)
    monkeypatch.setattr(Full, "room", None)
    storage = open_storage(str(tmp_path))
    study = optuna.create_study(storage=storage, study_name="mine")
    before = (tmp_path / "studies.log").read_bytes()
    Full.room = room
    with pytest.raises(OSError, match="No space left"):
        study.set_user_attr("a", 1)
    assert (tmp_path / "studies.log").read_bytes() == before
    Full.room = None
    study.set_user_attr("b", 2)
    again = optuna.load_study(storage=open_storage(str(tmp_path)), study_name="mine")
    assert again.user_attrs == {"b": 2}


def test_a_writer_goes_on_after_the_line_of_one_that_was_killed(tmp_path):
    storage = open_storage(str(tmp_path))
    study = optuna.create_study(storage=storage, study_name="mine")
    with (tmp_path / "studies.log").open("ab") as file:
        file.write(b'{"op_code": 4, "worker' + b"x" * 5000)
    study.set_user_attr("a", 1)
    again = optuna.load_study(storage=open_storage(str(tmp_path)), study_name="mine")
    assert again.user_attrs == {"a": 1}


class Failing(optuna.storages.InMemoryStorage):
    """A storage that cannot write the ends of trials, or who is at them, while it is full."""

    what = None

    def set_trial_state_values(self, trial_id, state, values=None):
        if Failing.what == "end" and state.is_finished():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().set_trial_state_values(trial_id, state, values)

    def set_trial_user_attr(self, trial_id, key, value):
        if Failing.what == "worker" and key == "worker":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().set_trial_user_attr(trial_id, key, value)


@pytest.mark.parametrize("what", ["end", "worker"])
def test_a_trial_whose_end_could_not_be_written_is_repeated(what, monkeypatch):
    """The process that it was made in still lives, and does not wait for itself."""

    def waits(seconds):
        raise AssertionError("it waits for its own trial")

    monkeypatch.setattr("atl_sklearn.tuning._workers.time.sleep", waits)
    monkeypatch.setattr(Failing, "what", what)
    storage, data = Failing(), study_worker.data()
    with pytest.raises(OSError, match="No space left"):
        study_worker.search(storage, 2, study_name="mine").fit(*data)
    Failing.what = None  # freed
    found = study_worker.search(storage, 2, study_name="mine").fit(*data)
    assert len(found.cv_results_["params"]) == 2
    trials = found.study_.trials
    assert [t.number for t in trials if t.state == TrialState.FAIL] == [0]
    assert not any(t.state == TrialState.RUNNING for t in trials)
    again = [t for t in finished(trials) if t.user_attrs.get("retry_of") == 0]
    assert [t.params["weight"] for t in again] == [0.0]


def test_trials_of_other_threads_are_left_to_them():
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage)
    space = {"x": CategoricalDistribution(("a", "b"))}
    mine = claim(study, space, 5, None)
    release_lost(study)
    assert study.trials[mine.number].state == TrialState.RUNNING
    leave(study, mine)
    release_lost(study)
    assert study.trials[mine.number].state == TrialState.FAIL


KILLED_WHILE_IT_ASKS = """
import os, sys
import optuna
from atl_sklearn.tuning._storages import open_storage
from atl_sklearn.tuning._workers import enlist
study = optuna.load_study(study_name="mine", storage=open_storage(sys.argv[1]))
enlist(study)
study.ask()
os._exit(0)
"""


@pytest.mark.skipif(os.name != "posix", reason="only POSIX tells which processes live")
@pytest.mark.parametrize(
    "other", [None, "elsewhere:1:1", identity()], ids=["nobody", "elsewhere", "here"]
)
def test_a_trial_of_one_that_was_killed_before_it_was_its_own(other, tmp_path):
    study = optuna.create_study(study_name="mine", storage=open_storage(str(tmp_path)))
    study.enqueue_trial({"x": 1})
    if other is not None:  # lives, or may: it may be what has asked
        study.set_user_attr(f"worker:{other}", True)
    subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_ASKS, str(tmp_path)], check=True)
    release_lost(study)
    states = [trial.state for trial in study.get_trials()]
    if other is None:
        assert states == [TrialState.FAIL, TrialState.WAITING]
    else:
        assert states == [TrialState.RUNNING]


def test_who_is_dead(monkeypatch):
    def trial(**attributes):
        return optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=attributes)

    host, pid, started = identity().split(":")
    assert not is_dead(trial(worker=identity()))
    assert is_dead(trial(worker=f"{host}:{pid}:{int(started or 0) + 1}"))  # its number came again
    # It lives, and is at something else: the trial's end could not be written.
    assert not is_dead(trial(worker=identity(), beat=time.time()))
    assert is_dead(trial(worker=identity(), beat=time.time() - 200))
    child = subprocess.Popen([sys.executable, "-c", ""])
    number = child.pid
    child.wait()
    assert is_dead(trial(worker=f"{host}:{number}:1"))
    # On another machine only signs of life count.
    assert not is_dead(trial(worker="elsewhere:1:1", beat=time.time()))
    assert is_dead(trial(worker="elsewhere:1:1", beat=0.0))
    assert not is_dead(trial())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have names on POSIX")
@pytest.mark.parametrize("url", [False, True])
def test_a_pipe_is_no_storage(url, tmp_path):
    """Whoever opened it would wait for ever."""
    os.mkfifo(tmp_path / "studies.log")
    storage = f"sqlite:///{tmp_path}/studies.log" if url else str(tmp_path)
    with pytest.raises(ValueError, match=r"no regular file|cannot be opened"):
        study_worker.search(storage, 1).fit(*study_worker.data())

"""Activations in files when things go wrong: damage, full disks, permissions, kills, neighbours."""

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.unrelated import _activation_files
from atl_sklearn.unrelated._activation_cache import ActivationCache
from atl_sklearn.unrelated._activation_files import load
from atl_sklearn.unrelated._memory import get_memory
from tests.bad_folders import folder_of_another, largest_file, needs_posix, small_disk

N = 300
VALUES = [torch.arange(N * 6.0).reshape(N, 2, 3), torch.arange(N, dtype=torch.int64)]
FEW = [x[:4] for x in VALUES]


def use(folder, cache="memory", on_compute=None, reports=None):
    """Fill a store from a folder, and return the number of samples that were computed."""
    computed = []

    def compute(index):
        if on_compute is not None:
            on_compute(index)
        computed.extend(index)
        return [x[index].clone() for x in VALUES]

    report = None if reports is None else reports.append
    store = ActivationCache(N, 0, cache=cache, report=report)
    store.fill(Path(folder), FEW, compute)
    for start in range(0, N, 100):
        index = list(range(start, start + 100))
        for found, x in zip(store.get(index, lambda: compute(index)), VALUES, strict=True):  # noqa: B023
            assert torch.equal(found, x[index])
    store.close()
    return len(computed)


def entries(folder):
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize("cache", ["memory", "mapped"])
def test_what_is_kept_is_found(tmp_path, cache):
    assert use(tmp_path / "a" / "key", cache) == N
    assert use(tmp_path / "a" / "key", cache) == 0
    assert entries(tmp_path / "a") == ["key"]
    assert entries(tmp_path / "a" / "key") == ["0.npy", "1.npy", "checksums.json"]
    np.testing.assert_array_equal(np.load(tmp_path / "a" / "key" / "0.npy"), VALUES[0].numpy())


# ---- damage -------------------------------------------------------------------------------


def check_damage(folder, damage, cache="memory"):
    use(folder)
    damage(folder)
    with pytest.warns(UserWarning, match=r"kept in .* are damaged .*computed anew") as told:
        assert use(folder, cache) == N
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert use(folder, cache) == 0


@pytest.mark.parametrize("cache", ["memory", "mapped"])
def test_any_byte_that_flips_is_noticed(tmp_path, cache):
    rng = np.random.default_rng(0)
    names = ["0.npy", "1.npy", "checksums.json"]
    for i in range(20):

        def flip(folder, name=names[i % 3]):
            content = bytearray((folder / name).read_bytes())
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
            (folder / name).write_bytes(content)

        check_damage(tmp_path / "key", flip, cache)


def rewrite(name, change):
    def damage(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        rewrite("0.npy", lambda content: b""),
        rewrite("0.npy", lambda content: content[:100]),
        rewrite("0.npy", lambda content: content[:-1]),
        rewrite("0.npy", lambda content: content + b"x"),
        rewrite("checksums.json", lambda content: b""),
        rewrite("checksums.json", lambda content: b"\xff\xfe"),
        rewrite("checksums.json", lambda content: b"[" * 10_000),
        rewrite("checksums.json", lambda content: b"3"),
        lambda folder: (folder / "1.npy").unlink(),
        lambda folder: (folder / "checksums.json").unlink(),
        lambda folder: shutil.copy(folder / "1.npy", folder / "0.npy"),
        lambda folder: (shutil.rmtree(folder), folder.mkdir()),
        lambda folder: (shutil.rmtree(folder), folder.write_text("a file")),
    ],
)
def test_what_is_damaged_or_missing_is_computed_anew(tmp_path, damage):
    check_damage(tmp_path / "key", damage)


def test_a_whole_entry_that_is_gone_is_no_damage(tmp_path):
    use(tmp_path / "key")
    shutil.rmtree(tmp_path / "key")
    assert use(tmp_path / "key") == N


class Harm:
    def __reduce__(self):
        return os.mkdir, (os.environ["HARM"],)


def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch):
    """Whoever can write to the folder can make the checksums right too."""
    monkeypatch.setenv("HARM", str(tmp_path / "done"))
    from atl_sklearn.unrelated import _activation_files

    def harm(folder):
        np.save(folder / "0.npy", np.array([Harm()], object), allow_pickle=True)
        checksums = _activation_files._checksums(folder, 2)
        (folder / "checksums.json").write_text(json.dumps(checksums))

    check_damage(tmp_path / "key", harm)
    assert not (tmp_path / "done").exists()


def test_a_fit_is_the_same_after_damage(unrelated_and_data, tmp_path):
    unrelated, X, y = unrelated_and_data
    params = {"unrelated": unrelated, "weight": 1.0, "memory": tmp_path, "max_epochs": 2}
    params["random_state"] = 0
    expected = AntiTransferClassifier(**params).fit(X, y).predict_proba(X)
    file = next(tmp_path.rglob("activations/*/0.npy"))
    content = bytearray(file.read_bytes())
    content[-2] ^= 64
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="damaged"):
        found = AntiTransferClassifier(**params).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def unrelated_and_data():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 5)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    net = AntiTransferClassifier(max_epochs=2, random_state=0)
    return net.fit(X, X[:, 1] > 0), X, y


# ---- disks and permissions ----------------------------------------------------------------

CANNOT = r"cannot be kept in the 'memory' folder .*{}.* complete without it"


@needs_posix
def test_a_full_disk_is_done_without(tmp_path):
    with largest_file(1000):
        with pytest.warns(UserWarning, match=CANNOT.format("too large")) as told:
            assert use(tmp_path / "key") == N
        assert len(told) == 1
    assert entries(tmp_path) == []
    assert use(tmp_path / "key") == N
    assert use(tmp_path / "key") == 0


@needs_posix
@pytest.mark.parametrize("kept", [False, True])
def test_a_full_disk_for_maps_is_done_without(tmp_path, monkeypatch, kept):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    reports = []
    with largest_file(1000), pytest.warns(UserWarning) as told:
        if kept:
            use(tmp_path / "key", "mapped", reports=reports)
        else:
            store = ActivationCache(N, 0, cache="mapped", report=reports.append)
            for _ in range(2):
                found = store.get([0, 1], lambda: [x[:2].clone() for x in VALUES])
                assert torch.equal(found[0], VALUES[0][:2])
            assert store.where == "live"
    messages = [str(one.message) for one in told]
    assert len(messages) == 1 + kept
    assert "cannot be kept in files" in messages[-1] and "TMPDIR" in messages[-1]
    assert "computed in every step (there is no place for them)" in reports[-1]
    assert entries(tmp_path) == []


def test_space_is_asked_for_before_anything_is_computed(tmp_path, monkeypatch):
    if not hasattr(os, "posix_fallocate"):
        pytest.skip("space is reserved by writing here")

    def full(handle, start, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    computed_first = []

    def on_compute(index):
        computed_first.append(entries(tmp_path))

    with pytest.warns(UserWarning, match=CANNOT.format("No space left")):
        use(tmp_path / "key", on_compute=on_compute)
    assert computed_first == [[]] * 3  # by the batches of the fit alone


FULL = """
import sys, tempfile, warnings
import numpy as np
from atl_sklearn import AntiTransferClassifier

folder, cache, memory = sys.argv[1], sys.argv[2], sys.argv[3] == "memory"
X = np.random.RandomState(0).normal(size=(3000, 5)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
params = {"max_epochs": 2, "random_state": 0, "module__hidden_layer_sizes": (300, 8)}
unrelated = AntiTransferClassifier(**params).fit(X, X[:, 1] > 0)
params |= {"unrelated": unrelated, "weight": 1.0, "penalty_every": 1}
params |= {"layer": 0, "aggregation": "none", "metric": "cosine"}
expected = AntiTransferClassifier(cache="live", **params).fit(X, y).predict_proba(X)
tempfile.tempdir = folder
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    net = AntiTransferClassifier(cache=cache, memory=folder if memory else None, **params)
    found = net.fit(X, y).predict_proba(X)
assert np.allclose(found, expected, rtol=1e-3, atol=1e-4)
print(sum("cannot be kept" in str(one.message) for one in told))
"""


@needs_posix
@pytest.mark.slow  # each is a process, which a bus error would end
@pytest.mark.parametrize(
    ("cache", "where", "n_told"),
    [("mapped", "none", 1), ("memory", "memory", 1), ("mapped", "memory", 2)],
)
def test_a_full_disk_does_not_end_the_process(cache, where, n_told):
    with small_disk(2**20) as folder:
        command = [sys.executable, "-W", "ignore", "-c", FULL, str(folder), cache, where]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        assert int(done.stdout) == n_told
        assert not list(folder.rglob("*.npy"))


@needs_posix
def test_what_may_only_be_read_is_read():
    with folder_of_another(lambda folder: use(folder / "key")) as folder:
        assert use(folder / "key") == 0  # without a warning
        assert use(folder / "key", "mapped") == 0
        with pytest.warns(UserWarning, match=CANNOT.format("Permission denied")) as told:
            assert use(folder / "another") == N
        assert len(told) == 1
        with pytest.warns(UserWarning, match=CANNOT.format("Permission denied")):
            assert use(folder / "deeper" / "another") == N
        assert entries(folder) == ["key"]


@needs_posix
def test_a_memory_that_cannot_be_made(unrelated_and_data):
    unrelated, X, y = unrelated_and_data
    params = {"unrelated": unrelated, "weight": 1.0, "max_epochs": 1, "random_state": 0}
    expected = AntiTransferClassifier(**params).fit(X, y).predict_proba(X)
    with folder_of_another(lambda folder: None) as folder:
        net = AntiTransferClassifier(memory=folder / "new", **params)
        with pytest.warns(UserWarning, match=r"'memory' folder .*new' cannot be made") as told:
            found = net.fit(X, y).predict_proba(X)
        assert len([one for one in told if "memory" in str(one.message)]) == 1
        assert get_memory(folder / "new") is None
    np.testing.assert_array_equal(found, expected)


@needs_posix
def test_a_memory_that_may_only_be_read(unrelated_and_data):
    known, X, y = unrelated_and_data
    nuisance = (X[:, 1] > 0).astype(int)
    unfitted = AntiTransferClassifier(max_epochs=20, lr=0.02, random_state=0)
    params = {
        "unrelated": [known, unfitted], "weight": 1.0, "max_epochs": 1, "random_state": 0,
    }  # fmt: skip

    def fit(memory, X=X):
        labels = np.column_stack([nuisance, nuisance])
        net = AntiTransferClassifier(memory=memory, **params)
        return net.fit(X, y, y_unrelated=labels).predict_proba(X)

    expected = fit(None)
    with folder_of_another(fit) as folder:
        before = sorted(folder.rglob("*"))
        np.testing.assert_array_equal(fit(folder), expected)  # without a warning
        with pytest.warns(UserWarning, match="memory") as told:
            found = fit(folder, 2 * X)
        np.testing.assert_array_equal(found, fit(None, 2 * X))
        assert len([one for one in told if "Permission denied" in str(one.message)]) == 2
        assert sorted(folder.rglob("*")) == before


@needs_posix
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_and_folders_are_for_whom_the_umask_says(tmp_path, mask):
    before = os.umask(mask)
    try:
        use(tmp_path / "a" / "key")
    finally:
        os.umask(before)
    for path in (tmp_path / "a").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o777 if path.is_dir() else 0o666) & ~mask, path


@pytest.mark.parametrize("cache", ["memory", "mapped"])
def test_a_folder_that_vanishes_while_it_is_written(tmp_path, cache):
    def remove(index):
        if len(index) == 256:
            shutil.rmtree(tmp_path / "all")

    with pytest.warns(UserWarning, match=CANNOT.format("No such file")) as told:
        use(tmp_path / "all" / "key", cache, on_compute=remove)
    assert len(told) == 1
    assert use(tmp_path / "all" / "key", cache) == N


@needs_posix
def test_a_folder_that_vanishes_while_it_is_mapped(tmp_path):
    use(tmp_path / "key")
    found = load(tmp_path / "key", FEW, N, mapped=True)
    shutil.rmtree(tmp_path / "key")
    for x, value in zip(found, VALUES, strict=True):
        assert torch.equal(x, value)


# ---- several at once, and kills -----------------------------------------------------------


def test_several_threads_share_a_folder(tmp_path):
    rng = np.random.default_rng(0)
    removes = rng.random((4, 12)) < 0.3

    def work(worker):
        for remove in removes[worker]:
            if remove:
                try:
                    gone = tmp_path / f"gone{worker}"
                    (tmp_path / "key").rename(gone)
                    shutil.rmtree(gone)
                except FileNotFoundError:
                    pass
            use(tmp_path / "key", "mapped" if worker % 2 else "memory")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    assert set(entries(tmp_path)) <= {"key"}
    use(tmp_path / "key")
    assert use(tmp_path / "key") == 0


def test_a_folder_that_is_replaced_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    folder, replaced = tmp_path / "key", []
    use(folder)

    def replacing(*args, **kwargs):
        if not replaced:
            replaced.append(True)
            shutil.rmtree(folder)
            use(folder)  # file systems like to give it the number of the one that is gone
            raise FileNotFoundError("0.npy")
        return read(*args, **kwargs)

    read = _activation_files._read
    monkeypatch.setattr(_activation_files, "_read", replacing)
    found = load(folder, FEW, N, mapped=False)
    assert all(torch.equal(x, value) for x, value in zip(found, VALUES, strict=True))


# One process that makes others and kills them, so that torch is imported once.
KILLED = """
import itertools, os, shutil, signal, sys, time, traceback
import numpy as np, torch
from pathlib import Path
from atl_sklearn.unrelated._activation_cache import ActivationCache

folder, n_kills, n_processes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
N = 4000
VALUES = [torch.arange(N * 60.0).reshape(N, 60), torch.arange(N, dtype=torch.int64)]

def use(key):
    store = ActivationCache(N, 0, cache="memory")
    store.fill(folder / key, [x[:4] for x in VALUES], lambda index: [x[index] for x in VALUES])
    found = store.get(range(N), lambda: [x.clone() for x in VALUES])  # if others removed it
    assert all(torch.equal(a, b) for a, b in zip(found, VALUES))

def work():
    gone = folder / f"gone{os.getpid()}"
    for i in itertools.count():
        key = folder / f"key{i % 2}"
        try:
            key.rename(gone)
            shutil.rmtree(gone)
        except FileNotFoundError:
            pass
        use(key.name)

rng = np.random.default_rng(0)
seen_left = 0
for _ in range(n_kills):
    children = []
    for _ in range(n_processes):
        child = os.fork()
        if child == 0:
            try:
                work()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        children.append(child)
    ended = []
    for child in children:
        time.sleep(rng.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        ended.append(os.waitpid(child, 0)[1])
    assert all(map(os.WIFSIGNALED, ended))
    seen_left += len(list(folder.glob(".*.partial")))
    for gone in folder.glob("gone*"):
        shutil.rmtree(gone)
    begun = time.monotonic()
    for key in ("key0", "key1", "another"):
        use(key)
    shutil.rmtree(folder / "another")
    assert time.monotonic() - begun < 60
    assert sorted(path.name for path in folder.iterdir()) == ["key0", "key1"]
print(seen_left)
"""


@needs_posix
@pytest.mark.parametrize(
    ("n_kills", "n_processes"),
    [
        (2, 1),
        pytest.param(20, 1, marks=pytest.mark.slow),
        pytest.param(5, 4, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment(tmp_path, n_kills, n_processes):
    """Nothing is torn, which would be warned of; nothing waits; what is left is removed."""
    command = [sys.executable, "-W", "error::UserWarning", "-c", KILLED]
    command += [str(tmp_path), str(n_kills), str(n_processes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    if n_kills > 2:
        assert int(done.stdout) > 0  # some were killed while they wrote

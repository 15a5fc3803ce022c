"""Folders of kept features when things go wrong: full disks, permissions, kills, other users."""

import errno
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from atl_sklearn._partial_files import partial_path
from atl_sklearn.audio import LibrosaFeatures, Standardizer, _batches, _cache, _npy_file
from atl_sklearn.audio._npy_file import NpyFile
from tests.bad_folders import folder_of_another, largest_file, needs_posix

pytestmark = needs_posix
SETTINGS = {"sr": 8000, "duration": 0.3, "n_fft": 256, "n_mels": 8}


@pytest.fixture(scope="module")
def waves():
    return [np.random.default_rng(i).normal(0, 0.1, 3000).astype(np.float32) for i in range(12)]


@pytest.fixture(scope="module")
def expected(waves):
    return LibrosaFeatures(**SETTINGS).fit_transform(waves)


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def files_of(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_and_folders_are_for_whom_the_umask_says(waves, tmp_path, mask):
    before = os.umask(mask)
    try:
        X = LibrosaFeatures(
            **SETTINGS, memory=tmp_path / "a" / "memory", memory_map=tmp_path / "a" / "maps"
        ).fit_transform(waves)
        Standardizer(memory_map=tmp_path / "a" / "b").fit_transform(X)
    finally:
        os.umask(before)
    found = list((tmp_path / "a").rglob("*"))
    assert len(found) > 16
    for path in found:
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~mask, path


def test_a_full_disk_is_told_before_anything_is_computed(waves, expected, tmp_path, monkeypatch):
    features = LibrosaFeatures(**SETTINGS, memory_map=tmp_path / "maps")
    with monkeypatch.context() as patch:
        patch.setattr(_batches, "read_clip", None)
        with (
            largest_file(1000),
            pytest.raises(OSError, match=r"'memory_map' folder .* MB") as error,
        ):
            features.fit_transform(waves)
    assert f"shape {expected.shape}" in str(error.value) and "another disk" in str(error.value)
    assert list((tmp_path / "maps").iterdir()) == []
    same(features.transform(waves), expected)
    with largest_file(1000), pytest.raises(OSError, match="'memory_map' folder"):
        Standardizer(memory_map=tmp_path / "maps").fit_transform(expected)


def test_a_disk_that_is_really_full(waves, expected, tmp_path):
    """In a file system of 8 kB, for which it takes root."""
    command = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(tmp_path)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(OSError, match="No space left on device") as error:
            LibrosaFeatures(**SETTINGS, memory_map=tmp_path / "maps").fit_transform(waves)
        assert error.value.errno == errno.ENOSPC
        assert files_of(tmp_path) == []
        features = LibrosaFeatures(**SETTINGS, memory=tmp_path / "memory")
        for _ in range(2):
            with pytest.warns(UserWarning, match="could not be kept .*No space left on device"):
                same(features.fit_transform(waves), expected)
        assert not [path for path in files_of(tmp_path) if path.suffix == ".partial"]
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@pytest.mark.parametrize("has_fallocate", [True, False])
def test_the_space_of_a_map_is_taken_at_once(has_fallocate, tmp_path, monkeypatch):
    if not has_fallocate:
        monkeypatch.delattr(_npy_file.os, "posix_fallocate", raising=False)
    with NpyFile(tmp_path, (1000, 300), np.float32) as file:
        (path,) = tmp_path.iterdir()
        assert path.stat().st_blocks * 512 >= 1_200_000
        file.write(0, np.ones((400, 300), np.float32))
        file.write(400, np.full((600, 300), 2, np.float32))
        found = file.finish("a.npy")
    assert found.shape == (1000, 300)
    assert found[399, 299] == 1 and found[400, 0] == 2 and found[-1, -1] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
    assert not found.flags.writeable


def test_a_cache_on_a_full_disk_is_done_without(waves, expected, tmp_path):
    features = LibrosaFeatures(**SETTINGS, memory=tmp_path)
    with largest_file(100), pytest.warns(UserWarning, match="could not be kept .*too large"):
        found = features.fit_transform(waves)
    same(found, expected)
    assert files_of(tmp_path) == []
    same(features.transform(waves), expected)
    assert len([path for path in files_of(tmp_path) if path.suffix == ".npy"]) == 12


def test_a_cache_that_may_only_be_read_is_read(waves, expected):
    features = LibrosaFeatures(**SETTINGS)
    with folder_of_another(
        lambda at: clone(features).set_params(memory=at).fit_transform(waves[:6])
    ) as at:
        before = sorted(at.rglob("*"))
        features.set_params(memory=at)
        same(features.fit_transform(waves[:6]), expected[:6])  # without a warning
        with pytest.warns(UserWarning, match=r"could not be kept .*Permission denied.*complete"):
            same(features.fit_transform(waves), expected)
        with pytest.raises(PermissionError, match=r"'memory_map' folder .*Permission denied"):
            LibrosaFeatures(**SETTINGS, memory_map=at).fit_transform(waves)
        assert sorted(at.rglob("*")) == before


def vanishing(folder, monkeypatch, at):
    """Remove a folder when a clip is read."""
    original = _batches.read_clip
    seen = []

    def read(clip, *arguments):
        seen.append(clip)
        if len(seen) == at:
            shutil.rmtree(folder)
        return original(clip, *arguments)

    monkeypatch.setattr(_batches, "read_clip", read)


def test_folders_that_vanish(waves, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(_batches, "_BATCH_CLIPS", 3)
    vanishing(tmp_path / "memory", monkeypatch, at=8)
    features = LibrosaFeatures(**SETTINGS, memory=tmp_path / "memory")
    same(features.fit_transform(waves), expected)
    same(features.transform(waves), expected)
    assert len([path for path in files_of(tmp_path) if path.suffix == ".npy"]) == 12

    vanishing(tmp_path / "maps", monkeypatch, at=8)
    features = LibrosaFeatures(**SETTINGS, memory_map=tmp_path / "maps")
    with pytest.raises(FileNotFoundError, match=r"'memory_map' folder .* was removed while"):
        features.fit_transform(waves)
    same(features.fit_transform(waves), expected)


def test_what_killed_processes_left_is_removed(waves, expected, tmp_path, monkeypatch):
    features = LibrosaFeatures(**SETTINGS, memory=tmp_path / "memory", memory_map=tmp_path / "maps")
    features.fit_transform(waves)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    place = _cache.folder_of(tmp_path / "memory") / "partial"
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process.pid)
        left = [partial_path(place / "a.npy"), partial_path(tmp_path / "maps" / "features.npy")]
    others = [partial_path(path) for path in left]  # of processes that live
    for path in left + others:
        path.write_bytes(b"x")
    same(features.transform(waves), expected)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


@pytest.mark.slow  # processes that are killed
def test_killed_at_any_moment(waves, expected, tmp_path):
    """Two at a time write to the same folders, and both are killed."""
    program = (
        "import itertools, pickle, shutil, sys\n"
        "from atl_sklearn.audio import LibrosaFeatures\n"
        "settings, waves, folder = pickle.load(open(sys.argv[1], 'rb'))\n"
        "features = LibrosaFeatures(**settings, memory=folder + '/memory', "
        "memory_map=folder + '/maps')\n"
        "features.fit_transform(waves)\n"
        "print('begun', flush=True)\n"
        "for round in itertools.count():\n"
        "    shutil.rmtree(folder + '/memory', ignore_errors=True)\n"
        "    features.transform(waves)\n"
    )
    with open(tmp_path / "given", "wb") as file:
        pickle.dump((SETTINGS, waves, str(tmp_path / "kept")), file)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    features = LibrosaFeatures(
        **SETTINGS, memory=tmp_path / "kept" / "memory", memory_map=tmp_path / "kept" / "maps"
    )
    rng = np.random.default_rng(0)
    for _ in range(3):
        command = [sys.executable, "-c", program, str(tmp_path / "given")]
        processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(2)
        ]
        for process in processes:
            assert process.stdout.readline() == b"begun\n"
        for process in processes:
            threading.Event().wait(rng.uniform(0, 0.1))
            process.kill()
            process.communicate()
        for path in files_of(tmp_path / "kept" / "memory"):
            if path.suffix == ".npy":
                assert _cache.from_bytes(path.read_bytes(), np.empty_like(expected[0]))
        same(features.transform(waves), expected)
        assert not [path for path in files_of(tmp_path / "kept") if path.suffix == ".partial"]

"""What is left of files in the making."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atl_sklearn import _partial_files
from atl_sklearn._partial_files import partial_path, remove_left_over

posix = pytest.mark.skipif(os.name != "posix", reason="processes are asked for by POSIX")


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@posix
def test_what_the_dead_left_is_removed(tmp_path, monkeypatch):
    mine = partial_path(tmp_path / "a.npy")
    mine.write_text("in the making")
    (tmp_path / "a.npy").write_text("whole")
    (tmp_path / ".other.partial").write_text("of somebody else")
    pid = dead_process()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: pid)
        file, folder, link = (partial_path(tmp_path / name) for name in ("b.npy", "c", "d"))
    file.touch()
    folder.mkdir()
    (folder / "x").touch()
    link.symlink_to(tmp_path)
    remove_left_over(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, "a.npy", ".other.partial"}


def test_of_other_machines_only_what_is_old_is_removed(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_partial_files.socket, "gethostname", lambda: "elsewhere")
        new, old = (partial_path(tmp_path / name) for name in "ab")
    for path in (new, old):
        path.touch()
    os.utime(old, (0, 0))
    remove_left_over(tmp_path)
    assert list(tmp_path.iterdir()) == [new]


def test_a_folder_that_is_not_there(tmp_path):
    remove_left_over(tmp_path / "none")
    remove_left_over(Path(__file__))


def test_names_are_all_different(tmp_path):
    names = {partial_path(tmp_path / "a") for _ in range(100)}
    assert len(names) == 100
    assert {path.parent for path in names} == {tmp_path}

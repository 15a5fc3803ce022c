"""Disks that are full and folders that are somebody else's, for the tests of what is kept there."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

try:
    import resource
except ImportError:  # as on Windows
    resource = None

NOBODY = 65534
needs_posix = pytest.mark.skipif(resource is None, reason="files and users as POSIX has them")


@contextmanager
def largest_file(n_bytes):
    """Let no file become larger: the system says so as it does of a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def folder_of_another(fill):
    """Give a folder that was filled and cannot be written to, and be a user who cannot."""
    folder = Path(tempfile.mkdtemp())
    nobody = NOBODY if os.geteuid() == 0 else None
    try:
        fill(folder)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        if nobody:
            os.seteuid(nobody)
        try:
            yield folder
        finally:
            if nobody:
                os.seteuid(0)
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        shutil.rmtree(folder)


@contextmanager
def small_disk(n_bytes):
    """Give the folder of a disk of that size; skip the test where none can be made."""
    folder = tempfile.mkdtemp()
    command = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes},mode=1777", "tmpfs", folder]
    try:
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    finally:
        os.rmdir(folder)

"""Damaged files neither crash, nor hang, nor become features that are not finite."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import atl_sklearn

PROGRAM = Path(__file__).with_name("fuzzing.py")


@pytest.mark.parametrize(
    ("n_files", "seed"), [(60, 0), pytest.param(2000, 1, marks=pytest.mark.slow)]
)
def test_damaged_files(tmp_path, n_files, seed):
    path = [str(Path(atl_sklearn.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), str(n_files), str(seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,  # a hang; the run itself takes a minute on an idle machine
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"},
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"at file {lines[-1:]}: {done.stderr[-2000:]}"
    outcomes = json.loads(lines[-1])["outcomes"]
    assert sum(outcomes.values()) == n_files
    assert outcomes["refused"] > n_files / 3
    assert outcomes["read"] > n_files / 5

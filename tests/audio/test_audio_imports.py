"""Slow libraries are imported on first use."""

import subprocess
import sys
from pathlib import Path

import atl_sklearn.audio

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
import atl_sklearn.audio, atl_sklearn.datasets
names = {"librosa", "soundfile", "soxr", "pooch", "requests", "matplotlib", "numba", "torch"}
print(sorted(names & set(sys.modules)))
for part in (atl_sklearn.audio, atl_sklearn.datasets):
    assert part.__all__ == sorted(part.__all__)
    assert all(hasattr(part, name) for name in part.__all__)
"""


def test_import_is_lazy():
    folder = str(Path(atl_sklearn.audio.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", CODE, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"

"""What importing the package loads: no torch before it is needed, and nothing slow beside it."""

import subprocess
import sys
from pathlib import Path

import atl_sklearn

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
import atl_sklearn
print(sorted({"torch", "skorch", "sklearn", "numpy"} & set(sys.modules)))
from atl_sklearn import AntiTransferClassifier
slow = {"sklearn.cluster", "sklearn.linear_model", "librosa", "matplotlib", "numba", "optuna"}
print(sorted(slow & set(sys.modules)))
"""


def test_import_is_lazy():
    folder = str(Path(atl_sklearn.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", CODE, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["[]", "[]", ""]

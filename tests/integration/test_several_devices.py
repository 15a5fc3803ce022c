"""Training in several processes, by skorch's AccelerateMixin."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atl_sklearn import AntiTransferClassifier

EXAMPLE = Path(__file__).parents[2] / "examples" / "several_devices.py"


def test_a_step_without_the_penalty_is_noticed():
    class Plain(AntiTransferClassifier):
        def train_step_single(self, batch, **fit_params):
            step = super().train_step_single(batch, **fit_params)
            return {"loss": step["loss"], "y_pred": step["y_pred"]}

    X = np.random.RandomState(0).normal(size=(20, 3))
    with pytest.raises(TypeError, match=r"must return the 'objective' .* AccelerateMixin"):
        Plain(max_epochs=1).fit(X, X[:, 0] > 0)


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2])
def test_the_example(n_processes):
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    command = [sys.executable, EXAMPLE, "--processes", str(n_processes), "--epochs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"{n_processes} processes, weight {weight}" for weight in (0, 2)
    ]

"""The recipes for contributors run as they stand, each in an interpreter of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"
RECIPES = dict(
    re.findall(r"^## Add an? ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE.read_text("utf-8"),
               re.DOTALL | re.MULTILINE)
)  # fmt: skip


def test_the_recipes_are_there_and_short():
    assert set(RECIPES) == {"metric", "aggregation", "source", "feature of audio", "display"}
    for code in RECIPES.values():
        assert len([line for line in code.splitlines() if line.strip()]) < 30
        assert "assert" in code


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs(name):
    if name == "display":
        pytest.importorskip("matplotlib")
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RECIPES[name]],
        capture_output=True, text=True, timeout=300, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

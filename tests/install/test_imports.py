"""What `import atl_sklearn` loads, and what works without the extras.

They look at interpreters of their own: in this one everything is loaded.
"""

import json
import os
import subprocess
import sys
import textwrap
from importlib.metadata import version

import pytest

import atl_sklearn

# Slow to import, or not there without an extra.
HEAVY = ["librosa", "matplotlib", "numba", "optuna", "pandas", "pooch", "soundfile", "soxr"]

# As if the packages were not installed: no finder finds them, and `find_spec` says None.
BLOCK = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] in {names}:
            return None
        return self.finder.find_spec(fullname, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""

FIT = """
import numpy as np
import atl_sklearn.modules, atl_sklearn.similarity, atl_sklearn.unrelated
from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor

X = np.random.default_rng(0).normal(size=(24, 6)).astype("float32")
y = np.arange(24) % 2
settings = {"max_epochs": 1, "verbose": 0, "random_state": 0}
unrelated = AntiTransferClassifier(**settings).fit(X, np.arange(24) % 3)
words = AntiTransferClassifier(unrelated=unrelated, weight=1.0, **settings).fit(X, y)
assert words.predict(X).shape == (24,)
levels = AntiTransferRegressor(unrelated=unrelated, weight=1.0, **settings).fit(X, y * 1.0)
assert levels.predict(X).shape == (24,)
images = np.random.default_rng(0).normal(size=(8, 9, 7)).astype("float32")
assert AntiTransferClassifier(**settings).fit(images, y[:8]).predict(images).shape == (8,)
"""


def run(code):
    """Run `code` in a new interpreter and return what it prints."""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(*statements):
    code = "\n".join([*statements, "import json, sys", "print(json.dumps(sorted(sys.modules)))"])
    return set(json.loads(run(code).splitlines()[-1]))


@pytest.fixture(scope="module")
def of_skorch():
    return loaded_by("import skorch")


@pytest.fixture(scope="module")
def added_modules(of_skorch):
    return loaded_by("import atl_sklearn") - of_skorch


def test_import_loads_nothing_heavy_that_skorch_does_not(added_modules):
    assert "atl_sklearn" in added_modules
    assert added_modules & set(HEAVY) == set()


def test_import_alone_loads_nothing():
    assert loaded_by("import atl_sklearn") & {"torch", "skorch", "sklearn", "numpy"} == set()


def test_the_classifier_loads_nothing_that_it_may_not_need(of_skorch):
    slow = {*HEAVY, "sklearn.cluster", "sklearn.linear_model"}
    added = loaded_by("from atl_sklearn import AntiTransferClassifier") - of_skorch
    assert added & slow == set()


def test_import_adds_no_other_package(added_modules):
    # A module of a package that skorch has loaded already costs next to nothing.
    tops = {name.split(".")[0] for name in added_modules if name.split(".")[0] in added_modules}
    foreign = tops - set(sys.stdlib_module_names) - {"atl_sklearn"}
    assert {name for name in foreign if not name.startswith("_")} == set()


def test_all_but_audio_and_plots_imports_and_fits_without_the_slow_packages():
    missing = {*HEAVY, "IPython", "optuna_integration"}
    run(BLOCK.format(names=missing) + FIT)


def test_the_block_blocks():
    code = BLOCK.format(names={"matplotlib"}) + textwrap.dedent(
        """
        import importlib.util

        assert importlib.util.find_spec("matplotlib") is None
        assert importlib.util.find_spec("numpy") is not None
        try:
            import matplotlib.pyplot
        except ModuleNotFoundError as error:
            assert error.name == "matplotlib"
        else:
            raise AssertionError("matplotlib was imported")
        """
    )
    run(code)


def test_version_is_the_installed_one():
    assert atl_sklearn.__version__ == version("atl_sklearn")

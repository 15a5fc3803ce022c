"""What all tests share."""

import gc
import importlib
import os
import signal
import sys
from pathlib import Path

# Before anything imports matplotlib.
os.environ["MPLBACKEND"] = "Agg"
# Before anything imports NumPy, and for the programs that tests start: the processes of a run share
# the cores, and threads that wait for one take it from those they wait for.
os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("ATL_SKLEARN_TEST_THREADS", "1"))

import numpy as np
import pytest
import sklearn
import torch

# A shell has its background processes ignore Ctrl-C, which some tests send to themselves.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The networks here are small: threads would only wait for each other, and differ in rounding.
# That rounding makes no difference is tested with more, which .ci/run asks for.
torch.set_num_threads(int(os.environ.get("ATL_SKLEARN_TEST_THREADS", "1")))


def pytest_addoption(parser):
    """Let the command line name the device of the tests that run on any."""
    parser.addoption(
        "--device", default="cpu", choices=["cpu", "cuda"], help="of tests that run on any device"
    )


def pytest_configure(config):
    """Prepare a run: librosa's compiled functions, the devices seen, and a warning of Python 3.13.

    One process compiles what librosa keeps in numba's cache, before several run tests: processes
    that compile these at once may leave a cache that kills whoever reads it later (numba's issue
    10128).
    """
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        for name in ("util.utils", "core.audio", "core.pitch"):
            importlib.import_module(f"librosa.{name}")
    if config.option.device == "cpu":
        # Estimators take a GPU where they see one; what is compared bit for bit is of the CPU.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if sys.version_info >= (3, 13):
        # Said where the last one to look at a study goes, whose connection is Optuna's.
        leaked = "ignore:unclosed database in <sqlite3:ResourceWarning"
        config.addinivalue_line("filterwarnings", leaked)


def seed_generators():
    # Not torch.manual_seed, which asks for devices that are not there too, and keeps each question.
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(0)
    np.random.seed(0)  # noqa: NPY002 - scikit-learn's checks draw from the global generator


def pytest_collectstart(collector):
    """Let networks that a file makes while it is imported depend on nothing before it."""
    seed_generators()


@pytest.fixture(autouse=True)
def seeded_generators():
    """Start each test from the same global generators, whatever ran before it."""
    seed_generators()


@pytest.fixture(autouse=True)
def settings_of_sklearn():
    """Leave scikit-learn's settings as they were, whatever a page or an example sets."""
    with sklearn.config_context():
        yield


@pytest.fixture
def no_collector():
    """Leave what refers to itself where it is."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def device(request):
    """Return the device that the command line names; the CPU if it names none."""
    name = request.config.option.device
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU: torch.cuda.is_available() is False")
    return name


def _folder(variable, holds):
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set; it names the folder that holds {holds}")
    folder = Path(value)
    if not folder.is_dir():
        # Not a reason to skip: whoever sets the variable expects the tests to run.
        pytest.fail(f"{variable} is {value!r}, which is not a folder")
    return folder


@pytest.fixture(scope="session")
def reference_folder():
    """Return the folder of recorded values of the published loss."""
    return _folder("ATL_SKLEARN_REFERENCE", "recorded values of the published loss")


@pytest.fixture(scope="session")
def data_folder():
    """Return the folder of real recordings."""
    return _folder("ATL_SKLEARN_DATA", "fsdd.zip, real recordings of spoken digits")


# ---- of the tests of tuning, here because there can be one conftest.py below this one ----------


@pytest.fixture(scope="session")
def tabular():
    """Return X of shape (90, 6), a target and a nuisance that agrees with it in 4 of 5 samples."""
    rng = np.random.RandomState(0)
    target = rng.randint(2, size=90)
    nuisance = np.where(rng.rand(90) < 0.8, target, 1 - target)
    X = rng.normal(size=(90, 6)).astype(np.float32)
    X[:, 0] += 1.5 * target
    X[:, 1] += 3 * nuisance
    return X, target, nuisance


@pytest.fixture(scope="session")
def unrelated(tabular):
    """Return a network that knows the nuisance."""
    from atl_sklearn import AntiTransferClassifier

    X, _, nuisance = tabular
    return AntiTransferClassifier(max_epochs=20, random_state=0).fit(X, nuisance)


@pytest.fixture
def net(unrelated):
    """Return a small network to tune."""
    from atl_sklearn import AntiTransferClassifier

    return AntiTransferClassifier(
        unrelated=unrelated, max_epochs=3, random_state=0, module__hidden_layer_sizes=(8, 6)
    )


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Give the user a home of their own; nothing may be left in the current folder."""
    own, here = tmp_path / "home", tmp_path / "here"
    own.mkdir()
    here.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(own))
    monkeypatch.chdir(here)
    yield own
    assert list(here.iterdir()) == []

"""A pytest plugin: skorch's own tests, with this package's classes in place of skorch's.

The classes have skorch's defaults, since its tests rely on these. What fails on purpose is in
``expected.py`` with its reason; such a test that passes is a failure too.
"""

import os

# Before numba, matplotlib and torch look.
os.environ["MPLBACKEND"] = "Agg"

import numpy as np
import pytest
import skorch
import torch
from skorch.dataset import ValidSplit

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from tests.skorch_suite.expected import EXPECTED_FAILURES, LEFT_OUT, RETURN_SCORES

_DEFAULTS = {
    "batch_size": 128,
    "device": "cpu",
    "lr": 0.01,
    "lr_schedule": "constant",
    "max_epochs": 10,
    "max_grad_norm": None,
    "optimizer": torch.optim.SGD,
    "train_split": ValidSplit(5),
    "verbose": 2,  # a line for each epoch, which skorch calls 1
    "weight_decay": 0.0,
}
_CRITERIA = {
    AntiTransferClassifier: torch.nn.NLLLoss,
    AntiTransferRegressor: torch.nn.MSELoss,
}


class BinaryClassifier(AntiTransferClassifier):
    """What skorch has a class of its own for, and this package a criterion."""

    def __init__(self, module, *, criterion=torch.nn.BCEWithLogitsLoss, threshold=0.5, **kwargs):
        self.threshold = threshold  # read by the tests alone
        super().__init__(module, criterion=criterion, **kwargs)


def pytest_configure():
    torch.set_num_threads(1)
    for cls, criterion in _CRITERIA.items():
        defaults = cls.__init__.__kwdefaults__
        changed = {**_DEFAULTS, "criterion": criterion}
        assert changed.keys() <= defaults.keys()
        defaults.update(changed)
    replaced = {
        "NeuralNetBinaryClassifier": BinaryClassifier,
        "NeuralNetClassifier": AntiTransferClassifier,
        "NeuralNetRegressor": AntiTransferRegressor,
    }
    for name, cls in replaced.items():
        assert hasattr(skorch, name)
        setattr(skorch, name, cls)
    # Its other classes know themselves by these names, and are the base of those here.
    skorch.classifier.NeuralNetBinaryClassifier = BinaryClassifier


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    # skorch seeds too, but after the fixtures of a module, which train networks.
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - from which a network without random_state draws its seed
    scores = item.nodeid.startswith(tuple(RETURN_SCORES))
    of_classes = torch.nn.CrossEntropyLoss if scores else torch.nn.NLLLoss
    AntiTransferClassifier.__init__.__kwdefaults__["criterion"] = of_classes


def _known_as(nodeid):
    """Return the names under which a test may be listed: itself, all its parameters, its class."""
    return nodeid, nodeid.partition("[")[0], nodeid.rpartition("::")[0]


def pytest_collection_modifyitems(config, items):
    reasons = {name: reason for reason, names in EXPECTED_FAILURES.items() for name in names}
    left_out = tuple(name for names in LEFT_OUT.values() for name in names)
    dropped = [item for item in items if item.nodeid.startswith(left_out)]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if not item.nodeid.startswith(left_out)]
    found = set()
    for item in items:
        name = next((name for name in _known_as(item.nodeid) if name in reasons), None)
        if name is not None:
            item.add_marker(pytest.mark.xfail(reason=reasons[name], strict=True))
            found.add(name)
    named = [*left_out, *RETURN_SCORES]
    nodes = [item.nodeid for item in [*items, *dropped]]
    found.update(name for name in named if any(node.startswith(name) for node in nodes))
    unknown = {*reasons, *named} - found
    if unknown and config.getoption("whole_suite"):
        raise pytest.UsageError(f"expected.py names tests that are not there: {sorted(unknown)}")


def pytest_addoption(parser):
    parser.addoption("--whole-suite", action="store_true", help="every listed test must be there")

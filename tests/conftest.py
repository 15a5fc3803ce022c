"""What all tests share."""

import os
from pathlib import Path

# Before anything imports matplotlib.
os.environ["MPLBACKEND"] = "Agg"

import numpy as np
import pytest
import torch

# The networks here are small: threads would only wait for each other, and differ in rounding.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded_generators():
    """Start each test from the same global generators, whatever ran before it."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - scikit-learn's checks draw from the global generator


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

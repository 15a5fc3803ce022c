"""Run skorch's own tests with this package's classes: ``python -m tests.skorch_suite``.

Arguments are handed on to pytest: ``python -m tests.skorch_suite -n 0 -k test_clone``.
"""

import os
import sys
import tempfile
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path

import pytest

FILES = (
    "callbacks",
    "test_classifier.py",
    "test_dataset.py",
    "test_doctor.py",
    "test_helper.py",
    "test_history.py",
    "test_net.py",
    "test_regressor.py",
    "test_scoring.py",
)


def main(arguments):
    """Return pytest's exit status."""
    folder = Path(find_spec("skorch").origin).parent / "tests"
    # skorch's tests are not written for this package's settings.
    settings = ["-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    own = ["-p", "tests.skorch_suite.plugin", "-W", "ignore", "-n", "auto", "--dist", "loadscope"]
    tests = [str(folder / name) for name in FILES]
    # They write where they run.
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        return pytest.main([*settings, *own, "-q", "--whole-suite", *arguments, *tests])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

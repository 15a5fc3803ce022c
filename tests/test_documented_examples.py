"""The examples on the pages of the documentation run, and give what they say."""

import doctest
import warnings
from pathlib import Path

import pytest

PAGES = ("augmentation.rst", "unrelated.rst")


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_a_page(page):
    path = Path(__file__).parent.parent / "docs" / page
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*far from converged.*")
        warnings.filterwarnings("ignore", ".* predicts .*")
        found = doctest.testfile(str(path), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0

"""The page of the documentation says what happens."""

import doctest
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "inspection.rst"


@pytest.mark.slow
def test_the_examples_of_the_page_run():
    pytest.importorskip("matplotlib")
    found = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 15
    assert found.failed == 0

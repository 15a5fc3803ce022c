"""The examples on the pages of the documentation run, and give what they say."""

import doctest
import re
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
SLOW = {"getting_started.rst"}  # it compares networks on five folds
ELSEWHERE = {"guide/inspection.rst"}  # tests/inspection/test_page.py


def pages():
    """Return the pages with examples by name, the slow ones marked."""
    names = [path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*.rst"))]
    made = ("_build", "generated", "examples")
    return [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in names
        if name.split("/")[0] not in made and name not in ELSEWHERE
        and re.search(r"^ *>>> ", (DOCS / name).read_text("utf-8"), re.MULTILINE)
    ]  # fmt: skip


def test_there_are_pages_with_examples():
    assert {"guide/unrelated.rst", "guide/confounded.rst", "guide/pytorch.rst"} <= set(pages()[1:])


@pytest.mark.parametrize("page", pages())
def test_examples_of_a_page(page):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*far from converged.*")
        warnings.filterwarnings("ignore", ".* predicts .*")
        found = doctest.testfile(
            str(DOCS / page), module_relative=False, encoding="utf-8",
        )  # fmt: skip
    assert found.attempted > 4
    assert found.failed == 0

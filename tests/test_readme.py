"""The main example of the README, as it stands there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_main_example_runs_and_gains():
    text = README.read_text()
    code = re.search(r"## Use\n\n```python\n(.*?)```", text, re.DOTALL).group(1)
    names = {}
    exec(compile(code, str(README), "exec"), names)
    X_test, test = names["X_test"], names["test"]
    plain, timbre = (names[name].score(X_test, test.timbre) for name in ("plain", "timbre"))
    assert timbre > plain + 0.2
    claimed = [float(value) for value in re.findall(r"prints about (0\.\d+) and (0\.\d+)", text)[0]]
    assert claimed == pytest.approx([plain, timbre], abs=0.1)


def test_the_gains_it_promises_are_those_of_the_evidence():
    definitions = (README.parent / "docs" / "evidence" / "ranges.rst").read_text()
    ranges = dict(re.findall(r"\|range: (.*?)\| replace:: (.*)", definitions))
    text = " ".join(README.read_text().split())
    alone = ranges["default-train, speech, notes and images"]
    assert f"{alone} points of speech, notes and pictures on the training data alone" in text
    assert f"(`X_unlabeled`): {ranges['default, confounded']} points" in text

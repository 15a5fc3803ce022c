"""The gallery: every script has its place, text between the code, and a figure.

That they run is what the build of the documentation shows.
"""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("plot_*.py"))


def extension(name):
    """Return a module of docs/_ext."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_script_has_its_place_in_the_order():
    assert sorted(extension("gallery_order").ORDER) == [path.name for path in SCRIPTS]


def test_what_does_not_run_is_left_out_by_name(monkeypatch):
    needs = extension("gallery_needs")
    assert {f"plot_{name}.py" for name in needs.NEEDS} <= {path.name for path in SCRIPTS}
    there = dict.fromkeys(needs.NEEDS, lambda: True)
    monkeypatch.setattr(needs, "NEEDS", {**there, "pretrained_pitch": lambda: False})
    pattern, left_out = needs.runs()
    assert left_out == ["pretrained_pitch"]
    runs = [path.name for path in SCRIPTS if re.search(pattern, path.as_posix())]
    assert runs == [path.name for path in SCRIPTS if path.name != "plot_pretrained_pitch.py"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_has_text_between_the_code_and_a_figure(path):
    text = path.read_text("utf-8")
    assert len(re.findall(r"^# %%\n# .+\n# --+$", text, re.MULTILINE)) >= 2
    assert re.search(r"plt\.subplots|\.plot\(", text)


def test_titles_differ():
    titles = [
        re.match(r'"""\n?(.+)\n=+\n', path.read_text("utf-8")).group(1)
        for path in sorted((ROOT / "examples").glob("*.py"))
        if path.name != "__init__.py"
    ]
    assert len(set(titles)) == len(titles)

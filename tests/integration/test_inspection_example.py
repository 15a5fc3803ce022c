"""The example that draws everything."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_all_drawings_are_saved(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("inspection_example", FOLDER / "inspection.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.draw(module.load_notes(), str(tmp_path), max_epochs=2)
    sys.modules.pop("quickstart", None)
    assert len(list(tmp_path.glob("*.png"))) == 13

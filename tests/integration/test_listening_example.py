"""The example with players of what features keep."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

PATH = Path(__file__).parents[2] / "examples" / "listening.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("listening", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(example):
    return example.sounds(example.load_notes(), n_iter=4)


def test_fewer_bands_are_farther_from_the_recording(example, found):
    assert len(found) == 2 * len(example.KINDS)
    mean = {k: np.mean([s.distance for s in found if s.kind == k]) for k in example.KINDS}
    assert mean["the recording"] == 0
    assert 0 < mean["magnitudes of the spectrum"] < mean["log-mel, 80 bands"]
    assert mean["log-mel, 80 bands"] < mean["log-mel, 20 bands"]


def test_the_page_has_a_player_for_each_sound(example, found, tmp_path):
    page = Path(example.write_page(found, str(tmp_path)))
    names = re.findall(r'<audio controls src="([^"]+)"', page.read_text("utf-8"))
    assert len(names) == len(set(names)) == len(found)
    for name, sound in zip(names, found, strict=True):
        wave, rate = soundfile.read(tmp_path / name)
        assert rate == example.SR and len(wave) == len(sound.wave)
        assert np.abs(wave).max() == pytest.approx(0.9, abs=1e-3)


def test_notebooks_show_players(example, monkeypatch, capsys):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    monkeypatch.setattr(example, "KINDS", dict(list(example.KINDS.items())[:2]))
    example.players(example.load_notes())
    assert len(shown) == 4 and all("<audio" in player._repr_html_() for player in shown)
    assert capsys.readouterr().out.count("dB from the recording") == 4

"""Pages of measurements: what they keep, which aims they speak of, and on which machine."""

import json
import os
import re
import time

import numpy as np
import pytest

import atl_sklearn
from benchmarks import machine
from benchmarks.machine import BUSY, Load, load_per_core, remark
from benchmarks.pages import Aim, Page, table, write

TITLES = {"first": "The first", "second": "The second"}


def _aims(rows):
    return [Aim(row["what"], 1.1, "at most", row["value"]) for row in rows]


PAGE = Page("one", TITLES, {"first": _aims, "second": _aims})


def _read(folder):
    return json.loads((folder / "one.json").read_text())


@pytest.mark.parametrize(
    ("limit", "how", "value", "shown"),
    [
        (1.1, "at most", 1.1004, "1.1004"),
        (1.1, "at most", 1.0996, "1.10"),
        (1.1, "at most", 1.1, "1.10"),
        (1.1, "at most", 1.109, "1.11"),
        (1.1, "at most", float(np.nextafter(1.1, 2)), "1.1000000000000003"),
        (3.0, "at least", 2.9996, "2.9996"),
        (3.0, "at least", 3.0004, "3.00"),
        (0.5, "at most", 0.50004, "0.50004"),
        (60, "at most", 60.0, "60.00"),
        (400, "at most", 400.4, "400.4"),
    ],
)
def test_the_digits_tell_why_an_aim_is_missed(limit, how, value, shown):
    aim = Aim("", limit, how, value)
    assert aim.shown() == shown
    assert aim.allows(float(shown)) == aim.allows(value)


def test_a_page_shows_the_digits_and_the_file_the_value(tmp_path):
    rows = [{"what": "a", "value": 1.1004}]
    text = write(PAGE, {"first": rows}, {"device": "CPU"}, tmp_path)
    page = (tmp_path / "one.rst").read_text()
    assert "   * - a\n     - at most 1.1\n     - 1.1004\n     - no\n" in page
    assert "Measured on: device CPU." in page
    assert "1.1004" in text
    aim = {"aim": "a", "limit": "at most 1.1", "measured": 1.1004, "met": False}
    assert _read(tmp_path)["aims"] == [aim]


def test_a_section_is_replaced_whole_and_others_stay(tmp_path):
    old = [{"what": name, "value": 1.2} for name in "ab"]
    write(PAGE, {"first": old, "second": old}, {"clock": "wall"}, tmp_path)
    new = [{"what": "b", "value": 1.0}]
    write(PAGE, {"first": new}, {"clock": "cpu"}, tmp_path)
    kept = _read(tmp_path)
    assert (kept["first"], kept["second"]) == (new, old)
    assert kept["machines"] == {"first": {"clock": "cpu"}, "second": {"clock": "wall"}}
    assert [aim["met"] for aim in kept["aims"]] == [True, False, False]
    before = (tmp_path / "one.rst").read_text()
    write(PAGE, {}, {}, tmp_path)  # draws it anew
    assert (tmp_path / "one.rst").read_text() == before


def test_what_a_page_has_no_section_for_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no section \\['third'\\]"):
        write(PAGE, {"third": []}, {}, tmp_path)


def test_a_page_without_aims(tmp_path):
    write(Page("one", TITLES), {"first": [{"a": 1}, {"b": 2}]}, {}, tmp_path)
    page = (tmp_path / "one.rst").read_text()
    assert page.startswith("The first\n~~~~~~~~~\n")
    assert table([{"a": 1}, {"b": 2}]) + "\n" in page
    assert "   * - 1\n     -\n" in page


def test_a_busy_machine_says_so_in_the_tables(tmp_path):
    quiet = {"load per core before": 0.2, "load per core after": BUSY}
    write(PAGE, {"first": [{"what": "a", "value": 1.0}]}, quiet, tmp_path)
    busy = {"load per core before": 0.2, "load per core at most": 1.54, "load per core after": 1.0}
    text = write(PAGE, {"second": [{"what": "b", "value": 1.0}]}, busy, tmp_path)
    kept = _read(tmp_path)
    assert [row.get("busy") for row in kept["aims"]] == [None, "load 1.54 per core"]
    assert "busy" not in kept["first"][0]
    assert "load 1.54 per core" in text


def test_an_unknown_load_is_no_load(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "getloadavg", raising=False)
    with Load() as load:
        pass
    assert set(load.found.values()) == {None}
    assert remark(load.found) == {}
    text = write(PAGE, {"first": [{"what": "a", "value": 1.0}]}, load.found, tmp_path)
    assert "load per core at most unknown" in text
    assert "NaN" not in (tmp_path / "one.json").read_text()
    with pytest.raises(ValueError, match="JSON"):
        write(PAGE, {"first": [{"what": "a", "value": float("nan")}]}, {}, tmp_path)
    assert _read(tmp_path)["first"] == [{"what": "a", "value": 1.0}]


def test_the_largest_load_is_that_in_between(monkeypatch):
    loads = iter([0.5, 6.02, 1.0, *[0.1] * 10_000])
    monkeypatch.setattr(os, "getloadavg", lambda: (next(loads), 0.0, 0.0), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(machine, "_SECONDS", 0.001)
    with Load() as load:
        end = time.monotonic() + 60
        while len(load._seen) < 4 and time.monotonic() < end:
            time.sleep(0.001)
    before, largest, after = load.found.values()
    assert (before, largest, after) == (0.25, 3.01, 0.05)
    assert remark(load.found) == {"busy": "load 3.01 per core"}
    monkeypatch.setattr(os, "getloadavg", lambda: (3.0, 0.0, 0.0), raising=False)
    assert load_per_core() == 1.5


def test_what_is_said_of_a_machine():
    said = machine.machine("librosa")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", said["date"])
    assert said["atl_sklearn"] == atl_sklearn.__version__
    assert {"processor", "torch", "skorch", "librosa"} <= set(said)
    assert all(said.values())
    assert json.loads(json.dumps(said)) == said

"""The benchmark of imports."""

from benchmarks import import_time
from benchmarks.import_time import BASE, CLASSIFIER, PACKAGE, PAGE, imports, measure


def test_an_import_is_timed_in_an_interpreter_of_its_own():
    seconds, has_torch = measure("import json")
    assert seconds > 0
    assert not has_torch
    # stands for torch, which takes seconds
    assert measure("import sys; sys.modules['torch'] = sys")[1]


def test_the_package_alone_does_without_torch():
    assert not measure(PACKAGE)[1]


def test_rows_and_aims(monkeypatch):
    times = {PACKAGE: [9, 0.1, 0.2, 0.31], BASE: [9, 1.0, 2.0, 5.0], CLASSIFIER: [9, 1.5, 2.2, 5.1]}
    asked = []

    def given(statement):
        asked.append(statement)
        return times[statement].pop(0), statement != BASE

    monkeypatch.setattr(import_time, "measure", given)
    rows = imports(3)
    assert asked == [PACKAGE, BASE, CLASSIFIER] * 4
    assert [row["s"] for row in rows] == [0.2, 2.0, 2.2]
    assert (rows[0]["from s"], rows[0]["to s"]) == (0.1, 0.31)
    met = [aim.allows(aim.value) for aim, _ in PAGE.aims_of({"imports": rows})]
    assert met == [True, False, True]
    assert round(rows[2]["beyond skorch s"], 9) == 0.2

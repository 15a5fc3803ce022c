"""The alarm rings where the default gains little, hides little or chooses something else."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.evidence import alarm
from benchmarks.evidence.alarm import BOUNDS, FOLDS, judge
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.runs import append_run, read_runs


def made_up_runs(protocol, **worse):
    """Return runs a little above the bounds; `worse` changes those of a method."""
    plain = {"method": "plain", "accuracy": 0.4, "probe": 0.9, "weight": 0.0,
             "product_of_experts": 0.0}  # fmt: skip
    runs = []
    for fold in FOLDS:
        runs.append({**plain, "fold": fold})
        for name, bound in BOUNDS[protocol].items():
            run = {**plain, "fold": fold, "method": name,
                   "accuracy": 0.4 + bound.gain / 100 + 0.001,
                   "probe": 0.9 - bound.hidden / 100 - 0.001,
                   "weight": bound.weight, "product_of_experts": bound.product[1]}  # fmt: skip
            runs.append({**run, **worse.get(name.replace("-", "_"), {})})
    return runs


@pytest.mark.parametrize("protocol", BOUNDS)
class TestJudge:
    def test_it_is_quiet(self, protocol, capsys):
        assert judge(protocol, made_up_runs(protocol)) == []
        assert capsys.readouterr().out.count("mean gain") == 2

    @pytest.mark.parametrize("name", ["default", "default-train"])
    @pytest.mark.parametrize(
        ("worse", "what"),
        [
            ({"accuracy": 0.43}, "a mean gain of +3.0 is less than"),
            ({"accuracy": np.nan}, "a mean gain of +nan is less than"),
            ({"probe": 0.88}, "the probe reads 2.0 points less, not"),
            ({"weight": 0.7}, "on fold 22 the rule chose a weight of 0.7"),
            ({"product_of_experts": 0.5}, "on fold 20 the rule chose a weight of"),
        ],
    )
    def test_it_rings(self, protocol, name, worse, what):
        wrong = judge(protocol, made_up_runs(protocol, **{name.replace("-", "_"): worse}))
        assert len(wrong) in (1, len(FOLDS))
        assert all(line.startswith(f"{protocol}, {name}: ") for line in wrong)
        assert any(what in line for line in wrong)

    def test_a_run_that_is_missing_is_an_error(self, protocol):
        with pytest.raises(KeyError):
            judge(protocol, made_up_runs(protocol)[:-1])

    def test_the_bounds_are_below_the_stored_runs_by_a_margin(self, protocol):
        runs = read_runs(Path(__file__).parents[2] / "docs" / "evidence" / "runs.jsonl")
        value = {name: METHODS[name].values[0] for name in METHODS}
        found = {
            (run["method"], run["fold"], run["seed"]): run
            for run in runs
            if run["protocol"] == protocol and run["value"] == value[run["method"]]
        }
        for name, bound in BOUNDS[protocol].items():
            ours = {key[1:]: run for key, run in found.items() if key[0] == name}
            pairs = [(run, found["plain", *key]) for key, run in ours.items()]
            assert len(pairs) >= 15
            for least, measure, sign in ((bound.gain, "accuracy", 1), (bound.hidden, "probe", -1)):
                gained = np.array([sign * 100 * (a[measure] - b[measure]) for a, b in pairs])
                error = gained.std(ddof=1) / np.sqrt(len(FOLDS))
                assert 0 < least < gained.mean() - 2.5 * error
                assert least > gained.mean() - 4 * error
            assert {run["weight"] for run, _ in pairs} == {bound.weight}
            assert all(
                bound.product[0] <= run["product_of_experts"] <= bound.product[1]
                for run, _ in pairs
            )


@pytest.mark.parametrize("rings", [False, True])
def test_the_command(monkeypatch, capsys, rings):
    ran = []

    def run_all(path, protocols, methods, **options):
        (protocol,) = protocols
        ran.append((protocol, tuple(methods)))
        assert options == {"folds": FOLDS, "n_seeds": 1, "tune": False}
        worse = {"default": {"weight": 0.3}} if rings else {}
        for run in made_up_runs(protocol, **worse):
            append_run(path, run)

    monkeypatch.setattr(alarm, "run_all", run_all)
    monkeypatch.delenv("ATL_SKLEARN_DATA", raising=False)
    assert alarm.main() == int(rings)
    printed = capsys.readouterr().out
    assert "fsdd-96: skipped" in printed
    assert ("the rule chose" in printed) == rings
    assert ran == [("digits-background", ("plain", "default", "default-train"))]


def test_it_trains_the_default():
    for bounds in BOUNDS.values():
        assert all(METHODS[name].values == ("auto",) for name in bounds)

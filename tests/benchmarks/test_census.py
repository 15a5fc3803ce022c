"""Income and sex on a made-up table, the gaps between groups, and the lines over the weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evidence.folds import Clips
from tests.slow import all_but_slow

pytest.importorskip("concept_erasure", reason="concept_erasure is not installed")
pytest.importorskip("fairlearn", reason="fairlearn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import pandas as pd

from benchmarks.evidence import census
from benchmarks.evidence.method import Fitted, fit_unrelated, network_of
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import PROTOCOLS
from benchmarks.evidence.rows import summarise
from benchmarks.evidence.runs import gaps, measure, read_runs, run_all
from benchmarks.evidence.tables import tables
from benchmarks.evidence.trade_off import draw_trade_off, trade_offs

SIZES = (300, 100, 80, 60, 60)


@pytest.fixture
def table(monkeypatch):
    rng = np.random.RandomState(0)
    sex, age = rng.randint(2, size=1000), rng.uniform(20, 60, size=1000)
    income = (age / 20 + sex + rng.normal(size=1000) > 3).astype(int)
    names = np.array(["Female", "Male"], dtype=object)[sex]
    relationship = np.where(sex == 1, "Husband", "Wife").astype(object)
    relationship[rng.uniform(size=1000) < 0.3] = np.nan
    data = pd.DataFrame({"age": age, "sex": names, "relationship": relationship})
    monkeypatch.setattr(census, "_adult", lambda: (data, income, sex))


@pytest.mark.parametrize(("with_sex", "n_columns"), [(False, 4), (True, 6)])
def test_columns(table, with_sex, n_columns):
    fold = census.adult(0, sex_is_a_column=with_sex, sizes=SIZES, n_probe=100)
    assert fold.train.X.shape == (300, n_columns)
    assert fold.test.X.shape == (400, n_columns)
    assert len(fold.probe.X) == 100
    np.testing.assert_allclose(fold.train.X.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(fold.train.X.std(axis=0), 1, rtol=1e-4)
    tells = [len(np.unique(c)) == 2 and abs(np.corrcoef(c, fold.train.nuisance)[0, 1]) > 0.999
             for c in fold.train.X.T]  # fmt: skip
    assert any(tells) == with_sex
    other = census.adult(1, sizes=SIZES, n_probe=100)
    assert not np.array_equal(other.train.target, fold.train.target)


def test_parts_share_no_row(table):
    fold = census.adult(2, sizes=SIZES, n_probe=100)
    parts = (
        fold.train,
        fold.unrelated,
        fold.unlabeled,
        fold.valid,
        fold.valid_like_test,
        fold.test,
    )
    age = np.concatenate([part.X[:, -1] for part in parts])
    assert len(np.unique(age)) == 1000


@pytest.mark.parametrize("with_sex", [False, True])
@pytest.mark.parametrize(
    "name",
    all_but_slow(
        ["plain", "product", "reversal-labels", "decision", "decision-train"], "plain", "decision"
    ),
)
def test_runs_have_gaps(table, name, with_sex):
    fold = census.adult(0, sex_is_a_column=with_sex, sizes=SIZES, n_probe=100)
    fold = replace(fold, max_epochs=2, unrelated_epochs=3)
    assert METHODS[name].applies_to(fold)
    unrelated = fit_unrelated(fold, 0)
    found = measure(METHODS[name].build(fold, unrelated, 0, METHODS[name].values[0]), fold)
    assert 0 <= found["selection_gap"] <= 1
    assert 0 <= found["tpr_gap"] <= 1


@pytest.mark.parametrize("name", ["decision", "decision-train"])
def test_decisions_are_compared_as_the_guide_has_it(table, name, monkeypatch):
    made = []

    def recorded(fold, seed, **params):
        made.append(params)
        return network_of(fold, seed, **params)

    monkeypatch.setattr("benchmarks.evidence.methods_ours.network_of", recorded)
    fold = replace(census.adult(0, sizes=SIZES, n_probe=100), max_epochs=1, unrelated_epochs=1)
    unrelated = fit_unrelated(fold, 0)
    METHODS[name].build(fold, unrelated, 0, METHODS[name].values[0])
    assert made == [
        {
            "unrelated": unrelated,
            "layer": "posterior",
            "unrelated_layer": "posterior",
            "target_similarity": 0.2,
        }
    ]


def test_the_whole_protocol_with_the_column_runs(table, monkeypatch, tmp_path):
    make, n_folds = PROTOCOLS["adult-with-sex"]
    assert n_folds == 5

    def small(index):
        fold = make(index, sizes=SIZES, n_probe=100)
        return replace(fold, max_epochs=1, unrelated_epochs=1)

    monkeypatch.setitem(PROTOCOLS, "adult-with-sex", (small, n_folds))
    path = tmp_path / "runs.jsonl"
    run_all(path, ["adult-with-sex"], ["plain"], folds=[4], n_seeds=1, n_jobs=1, tune=False)
    (run,) = read_runs(path)
    assert (run["protocol"], run["fold"]) == ("adult-with-sex", 4)
    assert "tpr_gap" in run


def test_gaps():
    target, nuisance = np.array([1, 1, 0, 0, 1, 1, 1, 0]), np.repeat([0, 1], 4)
    predicted = np.array([1, 0, 0, 0, 1, 1, 1, 1])
    found = gaps(predicted, Clips(np.zeros((8, 1)), target, nuisance))
    assert found == {"selection_gap": pytest.approx(0.75), "tpr_gap": pytest.approx(0.5)}


def test_targets_of_more_classes_have_none(table):
    fold = census.adult(0, sizes=SIZES, n_probe=100)
    for part in (fold.test, fold.valid, fold.valid_like_test):
        part.target[:] = np.arange(len(part.target)) % 3
    model = Fitted(lambda X: np.zeros(len(X), dtype=int), lambda X: X)
    assert "tpr_gap" not in measure(model, fold)


def made_up_runs(*, folds=2, methods=("plain", "cross", "erasure")):
    runs = []
    for fold in range(folds):
        for name in methods:
            for value in METHODS[name].values:
                size = 0.0 if value == "auto" else value
                runs.append({"protocol": "adult", "fold": fold, "method": name, "seed": 0,
                             "value": value, "accuracy": 0.8 + 0.01 * fold - 0.01 * size,
                             "worst_group": 0.7, "probe": 0.6, "valid": 0.5,
                             "valid_like_test": 0.5, "selection_gap": 0.2 / (1 + size),
                             "tpr_gap": 0.1})  # fmt: skip
    return runs


def test_lines_go_from_the_plain_network_over_the_weights():
    lines = trade_offs(made_up_runs(), "adult")
    assert list(lines) == ["plain", "erasure", "cross"]
    assert [point["value"] for point in lines["cross"]] == [0, 0.3, 1.0, 3.0]
    assert lines["cross"][0] == lines["plain"][0]
    assert lines["cross"][2] == {
        "value": 1.0, "accuracy": pytest.approx(0.795), "selection_gap": pytest.approx(0.1),
        "tpr_gap": pytest.approx(0.1),
    }  # fmt: skip


def test_less_of_a_target_is_more_of_its_method():
    runs = made_up_runs(methods=("plain", "decision", "exponentiated-gradient"))
    lines = trade_offs(runs, "adult")
    assert [point["value"] for point in lines["decision"]] == [0, 0.3, 0.2, 0.1]
    assert [point["value"] for point in lines["exponentiated-gradient"]] == [0.1, 0.05, 0.01]


def test_every_method_that_ran_has_its_line():
    lines = trade_offs(made_up_runs(methods=tuple(METHODS)), "adult")
    assert lines.keys() == METHODS.keys()


def test_every_method_of_the_stored_runs_has_its_line():
    runs = read_runs(Path(__file__).parents[2] / "docs" / "evidence" / "runs.jsonl")
    ran = {run["method"] for run in runs if run["protocol"] == "adult"}
    assert {"plain", "default", "default-train"} <= ran
    assert trade_offs(runs, "adult").keys() == ran


def test_methods_that_did_not_run_everywhere_have_no_line():
    runs = [r for r in made_up_runs() if (r["method"], r["fold"], r["value"]) != ("cross", 1, 3.0)]
    assert list(trade_offs(runs, "adult")) == ["plain", "erasure"]
    assert trade_offs(runs, "table") == {}
    assert trade_offs([r for r in runs if r["method"] != "plain"], "adult") == {}


def test_report_of_gaps(tmp_path):
    runs = made_up_runs()
    row = next(r for r in summarise(runs) if (r.method, r.rule) == ("cross", "untuned"))
    assert row.selection_gap == pytest.approx(0.1)
    assert row.tpr_gap == pytest.approx(0.1)
    text = tables(summarise(runs))
    lines = text.splitlines()
    start = lines.index(f"   * - {METHODS['cross'].title}")
    assert lines[start + 5 : start + 8] == ["     - 0.600", "     - 0.100", "     - 0.100"]
    assert ".. image:: adult-trade-off.png" in text
    assert draw_trade_off("adult", runs, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    before = [{k: v for k, v in run.items() if not k.endswith("_gap")} for run in runs]
    assert not draw_trade_off("adult", before, tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()
    assert summarise(before)[0].tpr_gap is None
    assert "gap" not in tables(summarise(before))

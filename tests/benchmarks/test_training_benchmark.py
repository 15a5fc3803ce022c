"""The benchmark of training measures what it says."""

import json
import os

import numpy as np
import pytest
import torch

from atl_sklearn import AntiTransferClassifier, activation_similarity
from benchmarks.training.aims import aims
from benchmarks.training.load import BUSY, load_per_core, remark
from benchmarks.training.measuring import exponent, in_turns, median_ratio, peak_memory
from benchmarks.training.report import TITLES, table, write
from benchmarks.training.sections import CASES, SECTIONS, is_small
from benchmarks.training.steps import NETWORKS, Steps, published_similarity
from benchmarks.training.tables import beside_sklearn, setup_seconds, small_sets
from benchmarks.training.uses import scaling, uses

CPU = torch.device("cpu")


def test_turns_are_taken_by_all():
    calls = []
    functions = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    times = in_turns(functions, repetitions=4, device=CPU, shortest=1e-9)
    assert {len(values) for values in times.values()} == {4}
    assert "".join(calls[-12:]) == "abcbcacababc"  # after warming up
    assert median_ratio([2.0, 9.0, 4.0], [1.0, 3.0, 2.0]) == 2.0


def test_the_memory_of_a_step():
    def needs_two_at_once():
        a = torch.zeros(1000, 256)
        b = a + 1
        del a
        return b + 1

    assert peak_memory(needs_two_at_once, CPU) == pytest.approx(2 * 4 * 256_000, rel=1e-3)


def test_the_published_formula_is_that_of_the_package():
    a, b = torch.randn(4, 3, 5, 2), torch.randn(4, 3, 5, 2)
    ours = activation_similarity(a, b, metric="squared_cosine", aggregation="batch_gram")
    torch.testing.assert_close(published_similarity(a, b), ours)


@pytest.mark.parametrize("form", ["plain", "cached", "live", "published"])
def test_each_form_trains(form):
    steps = Steps(NETWORKS["MLP"], "last", 8, device=CPU)
    before = [parameter.clone() for parameter in steps.network.parameters()]
    getattr(steps, form)()
    assert any(
        not torch.equal(one, other)
        for one, other in zip(before, steps.network.parameters(), strict=True)
    )


def test_cached_and_live_are_the_same_step():
    found = []
    for form in ("cached", "live"):
        steps = Steps(NETWORKS["ConvNet"], "last", 4, device=CPU)
        torch.manual_seed(0)
        steps.network.load_state_dict(NETWORKS["ConvNet"].make().state_dict())
        for _ in range(3):
            getattr(steps, form)()
        found.append([parameter.detach().clone() for parameter in steps.network.parameters()])
    # Statistics of BatchNorm differ by what was run before.
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_all_sizes_and_layers_are_there():
    assert {size for _, _, size in CASES} == {16, 64, 256}
    assert {layer for name, layer, _ in CASES if name == "VGG"} == {"first", "middle", "last"}
    assert is_small("MLP", "last", 256)
    assert not is_small("VGG", "last", 256)


def test_the_report(tmp_path):
    rows = [
        {"network": "VGG", "layer": layer, "batch": 16, "cached": cached, "live": 1.3}
        for layer, cached in (("first", 1.2), ("last", 1.11))
    ]
    rows[1] |= {"published": 5.0, "published / live": 4.0, "published / cached": 4.5}
    rows[1] |= {"live MiB": 4.0, "cached MiB": 3.0, "published MiB": 7.0}
    results = {
        "steps": rows,
        "fits": [
            {"network": "MLP", "batch": 32, "skorch / fit": 1.9},
            {"network": "ConvNet", "fit / by hand": 1.0},
        ],
        "uses": [
            {"network": "MLP", "use": "embeddings", "/ plain": 1.7},
            {"network": "ConvNet", "use": "embeddings", "/ plain": 1.7},
            {"network": "ConvNet", "use": "unlabeled data, every step", "/ plain": 4.0},
        ],
        "tables": [{"table": "Adult", "batch": 32, "fit / MLPClassifier": 2.0}],
        "small": [{"fit": "plain", "fit - by hand ms": 50.0, "set-up ms": 11.0}],
        "searches": [{"search": "with memory", "/ plain": 1.05}],
    }
    met = {row["aim"]: row["met"] for row in aims(results)}
    assert met == {
        "VGG: cached step, middle and last layers": False,
        "VGG: cached step, any layer": True,
        "VGG: live step": True,
        "VGG, last layer, batch 16: published / live step": True,
        "VGG, last layer, batch 16: memory of live / published": False,
        "VGG, last layer, batch 16: published / cached step": True,
        "VGG, last layer, batch 16: memory of cached / published": True,
        "MLP, batch 32: stock skorch / fit": False,
        "ConvNet: fit / loop by hand": True,
        "MLP, embeddings: fit / plain": False,
        "ConvNet, embeddings: fit / plain": True,
        "Adult, batch 32: fit / MLPClassifier": False,
        "Small set, plain: fit - loop by hand, ms": True,
        "Small set, plain: set-up, ms": False,
        "Grid with memory / plain": True,
    }
    text = write(results, {"device": "CPU"}, tmp_path, "training-cpu")
    assert "VGG: cached step, any layer" in text
    assert json.loads((tmp_path / "training-cpu.json").read_text())["steps"] == rows
    assert (
        "   * - VGG: live step\n     - at most 1.4\n     - 1.30\n     - yes"
        in (tmp_path / "training-cpu.rst").read_text()
    )
    assert "     -\n" in table(rows) + "\n"


def test_sections_that_are_not_measured_anew_stay(tmp_path):
    fits = [{"network": "ConvNet", "fit / by hand": 1.2}]
    searches = [{"search": "with memory", "/ plain": 1.05}]
    write({"fits": fits, "searches": searches}, {"clock": "wall"}, tmp_path, "one")
    fits = [{"network": "ConvNet", "fit / by hand": 1.0}]
    write({"fits": fits}, {"clock": "cpu"}, tmp_path, "one")
    kept = json.loads((tmp_path / "one.json").read_text())
    assert (kept["fits"], kept["searches"]) == (fits, searches)
    assert kept["machines"] == {"fits": {"clock": "cpu"}, "searches": {"clock": "wall"}}
    assert [aim["met"] for aim in kept["aims"]] == [True, True]


def test_every_section_has_a_title():
    assert set(SECTIONS) == set(TITLES)


def test_a_busy_machine_says_so_in_the_tables(tmp_path, monkeypatch):
    quiet = {"load per core before": 0.2, "load per core after": BUSY}
    busy = {"load per core before": 0.2, "load per core after": 4.0}
    write({"fits": [{"network": "ConvNet", "fit / by hand": 1.0}]}, quiet, tmp_path, "one")
    searches = [{"search": "with memory", "/ plain": 1.05}]
    text = write({"searches": searches}, busy, tmp_path, "one")
    kept = json.loads((tmp_path / "one.json").read_text())
    assert [row.get("busy") for row in kept["aims"]] == [None, "load 4.0 per core"]
    assert "busy" not in kept["fits"][0]
    assert kept["searches"][0]["busy"] in text
    monkeypatch.setattr(os, "getloadavg", lambda: (6.0, 0.0, 0.0), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert load_per_core() == 3.0
    monkeypatch.delattr(os, "getloadavg")
    assert np.isnan(load_per_core())
    assert remark({"load per core before": np.nan, "load per core after": np.nan}) == {}


def test_the_exponent_of_growth():
    assert exponent([1, 2, 4], [3.0, 12.0, 48.0]) == pytest.approx(2)


HOW = {"repetitions": 1, "clock": iter(range(10**6)).__next__}
learns_nothing = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:.*did not learn.*:UserWarning"
)


@learns_nothing
def test_every_recommended_use_is_measured():
    sizes = {"shape": (6,), "n_samples": 40, "n_unlabeled": 30}
    rows = uses(CPU, **HOW, cases=[("MLP", sizes, {"batch_size": 20, "max_epochs": 1})])
    assert [row["use"] for row in rows] == [
        "training batches",
        "training batches, every step",
        "unlabeled data",
        "unlabeled data, every step",
        "embeddings",
        "embeddings, unlabeled data",
        "explaining away",
        "several unrelated tasks",
    ]
    assert all(row["/ plain"] > 0 for row in rows)


@learns_nothing
def test_fits_as_more_is_compared():
    growing = {"unlabeled samples": [20, 40], "unrelated tasks": [1, 2]}
    rows = scaling(CPU, **HOW, growing=growing, shape=(6,), n_samples=30)
    assert [row["more"] for row in rows] == ["unlabeled samples", "unrelated tasks"]
    assert all(len(row["fit s"]) == 2 and np.isfinite(row["^"]) for row in rows)


@learns_nothing
def test_a_table_beside_scikit_learn():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)).astype(np.float32), rng.integers(3, size=60)
    row = beside_sklearn(X, y, 20, device=CPU, **HOW)
    assert (row["rows"], row["columns"], row["batch"]) == (60, 4, 20)
    assert row["fit / MLPClassifier"] > 0


@learns_nothing
def test_small_sets_with_and_without_a_penalty():
    rows = small_sets(CPU, **HOW, max_epochs=1)
    assert [(row["fit"], row["rows"], row["epochs"]) for row in rows] == [
        ("plain", 150, 1),
        ("penalty", 150, 1),
    ]
    assert all(row["set-up ms"] > 0 for row in rows)


@learns_nothing
def test_set_up_ends_with_the_first_batch():
    clock = iter([0.0, 1.0, 10.0, 12.0, 20.0, 23.0, 30.0, 34.0]).__next__
    X, y = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1])

    def fit(first):
        AntiTransferClassifier(max_epochs=2, batch_size=2, callbacks=[first]).fit(X, y)

    assert setup_seconds(fit, clock, 3) == 3.0

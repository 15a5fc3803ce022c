"""The benchmark of training measures what it says."""

import json

import numpy as np
import pytest
import torch

from atl_sklearn import AntiTransferClassifier, activation_similarity
from atl_sklearn.unrelated import FrozenNetwork
from benchmarks.pages import write
from benchmarks.training import tables
from benchmarks.training.aims import AIMS
from benchmarks.training.measuring import exponent, in_turns, median_ratio, peak_memory
from benchmarks.training.report import TITLES, training_page
from benchmarks.training.sections import CASES, SECTIONS, is_small
from benchmarks.training.steps import NETWORKS, Steps, published_similarity
from benchmarks.training.tables import beside_sklearn, setup_seconds, small_sets
from benchmarks.training.uses import USES, Data, fits_of, scaling, uses

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
    rows.append({"network": "MLP", "layer": "last", "batch": 16, "cached": 1.55, "live": 1.61})
    results = {
        "steps": rows,
        "fits": [
            {"network": "MLP", "batch": 32, "skorch / fit": 1.9},
            {"network": "ConvNet", "fit / by hand": 1.0},
        ],
        "uses": [
            {"network": "MLP", "use": "embeddings", "/ plain": 1.7},
            {"network": "coloured digits MLP", "use": "default, unlabeled data", "/ plain": 1.5},
            {"network": "ConvNet", "use": "embeddings", "/ plain": 1.7},
            {"network": "ConvNet", "use": "unlabeled data, every step", "/ plain": 4.0},
        ],
        "tables": [{"table": "Adult", "batch": 32, "fit / MLPClassifier": 2.0}],
        "small": [{"fit": "plain", "fit - by hand ms": 50.0, "set-up ms": 11.0}],
        "searches": [{"search": "with memory", "/ plain": 1.05}],
    }
    page = training_page("cpu", 1)
    text = write(page, results, {"device": "CPU"}, tmp_path)
    kept = json.loads((tmp_path / "training-cpu.json").read_text())
    assert {row["aim"]: row["met"] for row in kept["aims"]} == {
        "VGG: cached step, middle and last layers": False,
        "VGG: cached step, any layer": True,
        "VGG: live step": True,
        "MLP: cached step, middle and last layers": True,
        "MLP: live step": False,
        "VGG, last layer, batch 16: published / live step": True,
        "VGG, last layer, batch 16: memory of live / published": False,
        "VGG, last layer, batch 16: published / cached step": True,
        "VGG, last layer, batch 16: memory of cached / published": True,
        "MLP, batch 32: stock skorch / fit": False,
        "ConvNet: fit / loop by hand": True,
        "MLP, embeddings: fit / plain": False,
        "coloured digits MLP, default, unlabeled data: fit / plain": True,
        "ConvNet, embeddings: fit / plain": True,
        "Adult, batch 32: fit / MLPClassifier": False,
        "Small set, plain: fit - loop by hand, ms": True,
        "Small set, plain: set-up, ms": False,
        "Grid with memory / plain": True,
    }
    assert "VGG: cached step, any layer" in text
    assert kept["steps"] == rows
    assert (
        "   * - VGG: live step\n     - at most 1.4\n     - 1.30\n     - yes"
        in (tmp_path / "training-cpu.rst").read_text()
    )


def test_threads_have_pages_of_their_own():
    pages = [training_page(*case).name for case in (("cpu", 1), ("cpu", 2), ("cuda", 2))]
    assert pages == ["training-cpu", "training-cpu-2-threads", "training-cuda"]


def test_every_section_has_a_title():
    assert set(SECTIONS) == set(TITLES)


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
        "default, unlabeled data",
        "default, training data alone",
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
@pytest.mark.parametrize("data", ["unlabeled data", "training data alone"])
def test_the_default_has_something_to_avoid(data):
    """Without a weight, a fit with an unrelated network costs no more than a plain one."""
    settings = {"batch_size": 100, "max_epochs": 10, "random_state": 0}
    functions = fits_of(Data.make((6,), n_samples=800, n_unlabeled=200), settings)
    net = functions[f"default, {data}"]()
    assert net.weight_ > 0
    assert net.product_of_experts_ > 0


def test_all_cases_have_limits():
    rows = [{"network": name, "use": "default", "/ plain": 1.0} for name, _, _ in USES]
    assert len(list(AIMS["uses"](rows))) == len(USES) == 4
    rows = [{"network": name, "layer": "last", "cached": 1, "live": 1} for name in NETWORKS]
    assert len(list(AIMS["steps"](rows))) == 2 * len(NETWORKS)


@learns_nothing
def test_fits_as_more_is_compared(monkeypatch):
    n_seen, at, compute = [], [], FrozenNetwork.__call__

    def counted(self, X):
        n_seen.append(len(X))
        return compute(self, X)

    def clock():
        at.append(sum(n_seen))
        return HOW["clock"]()

    monkeypatch.setattr(FrozenNetwork, "__call__", counted)
    growing = {"unlabeled samples": [40, 400], "unrelated tasks": [1, 2]}
    rows = scaling(CPU, 1, clock, growing=growing, shape=(6,), n_samples=30)
    assert [row["more"] for row in rows] == ["unlabeled samples", "unrelated tasks"]
    assert all(len(row["fit s"]) == 2 and np.isfinite(row["^"]) for row in rows)
    few, many = [added for added in np.diff(at) if added][:2]
    assert 40 <= few < 80  # each sample once, and a few that are tried out
    assert 400 <= many < 440


@learns_nothing
def test_a_table_beside_scikit_learn():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)).astype(np.float32), rng.integers(3, size=60)
    row = beside_sklearn(X, y, 20, device=CPU, **HOW)
    assert (row["rows"], row["columns"], row["batch"]) == (60, 4, 20)
    assert row["fit / MLPClassifier"] > 0


@learns_nothing
def test_small_sets_with_and_without_a_penalty(monkeypatch):
    given = []

    def make(**params):
        given.append(params)
        return AntiTransferClassifier(**params)

    monkeypatch.setattr(tables, "AntiTransferClassifier", make)
    rows = small_sets(CPU, **HOW, max_epochs=1)
    assert [(row["fit"], row["rows"], row["epochs"]) for row in rows] == [
        ("plain", 150, 1),
        ("penalty", 150, 1),
        ("penalty, with memory", 150, 1),
    ]
    assert all(row["set-up ms"] > 0 for row in rows)
    # The last fits are those with memory, and share a folder.
    assert len({params["memory"] for params in given[-4:]}) == 1
    assert sum("memory" in params for params in given) < sum(
        "unrelated" in params for params in given
    )


@learns_nothing
def test_set_up_ends_with_the_first_batch():
    clock = iter([0.0, 1.0, 10.0, 12.0, 20.0, 23.0, 30.0, 34.0]).__next__
    X, y = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1])

    def fit(first):
        AntiTransferClassifier(max_epochs=2, batch_size=2, callbacks=[first]).fit(X, y)

    assert setup_seconds(fit, clock, 3) == 3.0

"""The benchmark of training measures what it says."""

import json

import pytest
import torch

from atl_sklearn import activation_similarity
from benchmarks.training.measuring import in_turns, median_ratio, peak_memory
from benchmarks.training.report import aims, table, write
from benchmarks.training.sections import CASES, is_small
from benchmarks.training.steps import NETWORKS, Steps, published_similarity

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

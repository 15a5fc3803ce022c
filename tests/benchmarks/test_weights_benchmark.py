"""The benchmark of weights measures what it says."""

import numpy as np
import pytest

from benchmarks import weights
from benchmarks.evidence.folds import Clips, Fold, standardised
from benchmarks.evidence.runs import read_runs


def small(index):
    rng = np.random.RandomState(index)

    def part(size):
        target = rng.randint(2, size=size)
        nuisance = np.where(rng.rand(size) < 0.8, target, 1 - target)
        X = rng.normal(size=(size, 5))
        X[:, 0] += target
        X[:, 1] += 2 * nuisance
        return Clips(X, target, nuisance)

    names = ("train", "unrelated", "unlabeled", "valid", "valid_like_test", "test", "probe")
    parts = {name: part(61 if name == "unlabeled" else 60) for name in names}
    return standardised(Fold(max_epochs=1, unrelated_epochs=1, **parts))


@pytest.mark.slow
def test_runs_are_made_once_and_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "DATA", {"adult": small})
    weights._prepared.cache_clear()
    path = tmp_path / "runs.jsonl"
    for _ in range(2):
        weights.run_all(path, ["adult"], 2, weights=[0.0, 1.0], targets=[0.1])
    runs = read_runs(path)
    weights._prepared.cache_clear()
    assert len(runs) == 2 * (3 + 2)
    plain = [run for run in runs if (run["form"], run["value"]) == ("weight", 0.0)]
    assert [run["weight"] for run in plain] == [0.0, 0.0]
    followed = [run for run in runs if run["form"] == "target_similarity"]
    assert all(run["weight"] != 1.0 and run["similarity"] is not None for run in followed)
    weights.write_report(path)
    text = (tmp_path / "adult.rst").read_text()
    assert "``target_similarity=0.1``" in text
    assert text.count("plain network") == 1
    assert (tmp_path / "trade-off.png").stat().st_size > 1000
    row = weights.summarise(runs)[0]
    assert row["accuracy"] == pytest.approx(np.mean([run["accuracy"] for run in plain]))


def test_gaps():
    test = Clips(np.zeros((6, 1)), np.array([1, 1, 0, 1, 1, 0]), np.array([1, 1, 1, 0, 0, 0]))
    found = weights.gaps(np.array([1, 1, 0, 1, 0, 0]), test)
    assert found == pytest.approx({"selection_gap": 1 / 3, "recall_gap": 1 / 2})


def test_the_census(data_folder):
    fold = weights.adult(0)
    assert fold.train.X.shape[0] == 4000
    assert abs(fold.train.X.mean()) < 1e-3
    assert 0.2 < fold.test.target.mean() < 0.3
    assert 0.6 < fold.test.nuisance.mean() < 0.72

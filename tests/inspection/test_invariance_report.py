import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.inspection import InvarianceReport, invariance_report
from atl_sklearn.inspection._group_scores import calibration_error
from atl_sklearn.inspection._labels import make_groups
from atl_sklearn.inspection._probing import ProbeSettings, make_splits, probe_features
from atl_sklearn.inspection._resampling import Resamples, interval_of, ratio
from atl_sklearn.inspection._untrained import untrained_copy

QUICK = {"n_resamples": 20, "cv": 2, "probes": ["linear"]}


@pytest.fixture(scope="module")
def data(tabular):
    X, target, nuisance = tabular
    return X, target, np.array(["no", "yes"])[nuisance]


@pytest.fixture(scope="module")
def nets(tabular, unrelated):
    X, target, _ = tabular
    settings = {"max_epochs": 2, "random_state": 0, "module__hidden_layer_sizes": (8, 6)}
    plain = AntiTransferClassifier(**settings)
    anti = AntiTransferClassifier(unrelated=unrelated, **settings)
    return {"plain": plain.fit(X, target), "anti-transfer": anti.fit(X, target)}


@pytest.fixture(scope="module")
def report(nets, data):
    return invariance_report(nets, *data, **QUICK)


def test_scores_and_rates_by_group_are_those_of_numpy(report, nets, data):
    X, y, group = data
    for name, net in nets.items():
        said = net.predict(X)
        by_group = {g: np.mean((said == y)[group == g]) for g in ("no", "yes")}
        rates = {g: said[group == g].mean() for g in by_group}
        hits = {g: said[(group == g) & (y == 1)].mean() for g in by_group}
        alarms = {g: said[(group == g) & (y == 0)].mean() for g in by_group}
        for g in by_group:
            assert report.value("score", estimator=name, place=g) == pytest.approx(by_group[g])
            found = report.value("true_positive_rate", estimator=name, place=g)
            assert found == pytest.approx(hits[g])
        both = {"score": by_group, "rate": rates, "hit": hits, "alarm": alarms}
        gaps = {n: abs(d["no"] - d["yes"]) for n, d in both.items()}
        assert report.value("score", estimator=name) == pytest.approx(np.mean(said == y))
        assert report.value("group_gap", estimator=name) == pytest.approx(gaps["score"])
        worst = report.value("worst_group_score", estimator=name)
        assert worst == pytest.approx(min(by_group.values()))
        parity = report.value("demographic_parity_difference", estimator=name)
        assert parity == pytest.approx(gaps["rate"])
        odds = report.value("equalized_odds_difference", estimator=name)
        assert odds == pytest.approx(max(gaps["hit"], gaps["alarm"]))
        table = report.confusion[name]
        assert table.sum() == len(y)
        assert table[1, 0, 1] == np.sum((group == "yes") & (y == 0) & (said == 1))


def test_every_layer_is_probed_and_compared(report):
    layers = {m.place for m in report.measures if m.part == "similarity"}
    assert layers == {"hidden.0.activation", "hidden.1.activation", "head"}
    for name in ("plain", "anti-transfer", "untrained network"):
        probed = [m.place for m in report.measures if m.part == "probe" and m.estimator == name]
        assert set(probed) == layers
    assert report.value("probe", estimator="raw input") > report.chance
    assert report.left_out == ()


def test_intervals_hold_the_value_and_none_is_there_for_the_same_network(nets, data):
    same = {"one": nets["plain"], "two": nets["plain"]}
    found = invariance_report(same, *data, **QUICK)
    for m in found.measures:
        assert not np.isfinite(m.low) or m.low - 0.2 <= m.value <= m.high + 0.2
    assert {(m.value, m.low, m.high) for m in found.differences} == {(0.0, 0.0, 0.0)}


@pytest.mark.parametrize("low, high", [(2019, 2021), (1.6e9, 1.6e9 + 0.5), (-1e-9, 1e-9), (0, 90)])
def test_quarters_of_numbers_have_names_of_their_own(nets, data, low, high):
    X, y, _ = data
    found = invariance_report(
        nets["plain"], X, y, np.linspace(low, high, 90) + 1e-3 * (high - low), layers="head",
        **QUICK,
    )  # fmt: skip
    assert len(set(found.groups)) == 4
    places = [m.place for m in found.measures if m.part == "score"]
    assert places == ["", *found.groups]


def test_quarters_have_no_more_digits_than_they_need():
    def names(labels):
        return make_groups("f", "y", labels, len(labels)).names

    short = names(np.linspace(0, 1, 9) + 0.0001)
    assert short == ("0.0001 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 to 1")
    years = names(np.linspace(2019.1, 2023.1, 9))
    assert years == ("2019 to 2020", "2020 to 2021", "2021 to 2022", "2022 to 2023")


@pytest.mark.parametrize("dtype", [int, float])
def test_whole_numbers_are_labels_and_the_error_says_what_to_do(nets, data, dtype):
    X, y, _ = data
    ages = np.arange(18, 108).astype(dtype)
    with pytest.raises(ValueError, match=r"single sample.* Whole numbers are labels.*add 0\.5"):
        invariance_report(nets, X, y, ages, **QUICK)
    assert len(invariance_report(nets["plain"], X, y, ages + 0.5, **QUICK).groups) == 4
    with pytest.raises(ValueError, match=r"give them a label in common\.$"):
        invariance_report(nets, X, y, ages.astype(str), **QUICK)


def test_an_empty_label_is_a_group_and_not_all_samples(nets, data):
    X, y, group = data
    named = invariance_report(nets, *data, **QUICK)
    empty = invariance_report(nets, X, y, np.where(group == "no", "", group), **QUICK)
    assert empty.groups == ("(empty)", "yes")
    assert len(empty.measures) == len(named.measures)
    for mine, other in zip(empty.measures, named.measures, strict=True):
        assert mine.place == ("(empty)" if other.place == "no" else other.place)
        np.testing.assert_allclose(mine.value, other.value, err_msg=mine.part)
    assert make_groups("f", "y", ["", "(empty)"] * 2, 4).names == ("((empty))", "(empty)")


def test_differences_are_paired(report):
    (score,) = [m for m in report.differences if m.part == "score" and not m.place]
    plain = report.value("score")
    assert score.value == pytest.approx(report.value("score", estimator="anti-transfer") - plain)
    assert score.low <= score.value <= score.high


def test_clusters_are_drawn_together():
    values = np.repeat(np.random.default_rng(0).normal(size=10), 20)[:, None]
    clusters = np.repeat(np.arange(10), 20)
    spread = []
    for by in (None, clusters):
        sums = Resamples(by, 200, 200, seed=0).sums(np.hstack([values, np.ones((200, 1))]))
        _, low, high = interval_of(ratio(sums[:, 0], sums[:, 1]), 0.95)
        spread.append(high - low)
    assert spread[1] > 2.5 * spread[0]  # the root of 20 is 4.5


def test_statistics_see_the_draws_that_sums_see():
    resamples = Resamples(np.array([0, 0, 1, 2]), 4, 5, seed=1)
    values = np.array([1.0, 2.0, 4.0, 8.0])
    np.testing.assert_allclose(
        resamples.statistics(lambda weight: weight @ values), resamples.sums(values[:, None])[:, 0]
    )


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "roc_auc"])
def test_the_nonlinear_probe_reads_what_a_linear_one_cannot(scoring):
    X = np.random.default_rng(0).normal(size=(200, 2))
    groups = make_groups("f", "y", (X[:, 0] * X[:, 1] > 0).astype(int), 200)
    settings = ProbeSettings(
        ("linear", "nonlinear"), scoring, make_splits(groups, None, 2, 0), seed=0
    )
    found = probe_features(X, groups, Resamples(None, 200, 10, seed=0), settings)
    assert found["linear"][0] < 0.65 < 0.8 < found["nonlinear"][0]
    assert found["linear"].shape == (11,)


def test_probes_of_numbers_of_many_features_and_of_nothing():
    X = np.random.default_rng(0).normal(size=(160, 300))
    X[:, 0] *= 30
    groups = make_groups("f", "y", X[:, 0], 160)
    assert groups.continuous and len(groups.names) == 4
    settings = ProbeSettings(("linear",), "r2", make_splits(groups, None, 2, 0), seed=0)
    resamples = Resamples(None, 160, 5, seed=0)
    assert probe_features(X, groups, resamples, settings)["linear"][0] > 0.9
    dead = probe_features(np.zeros((160, 3)), groups, resamples, settings)
    assert abs(dead["linear"][0]) < 0.2
    classes = make_groups("f", "y", np.arange(160) % 2, 160)
    settings = ProbeSettings(
        ("linear", "nonlinear"), "balanced_accuracy", make_splits(classes, None, 2, 0), seed=0
    )
    for score in probe_features(np.zeros((160, 3)), classes, resamples, settings).values():
        assert score[0] == 0.5


def test_calibration_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), size=50)
    right = rng.integers(2, size=50).astype(float)
    expected = 0.0
    for low in np.arange(10) / 10:
        inside = (p.max(axis=1) >= low) & (p.max(axis=1) < low + 0.1)
        if inside.any():
            expected += inside.mean() * abs(p.max(axis=1)[inside].mean() - right[inside].mean())
    assert calibration_error(p, right) == pytest.approx(expected)


class Counted(TransformerMixin, BaseEstimator):
    """Remembers how many samples it was given at most."""

    most = 0

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        Counted.most = max(Counted.most, len(X))
        return X


def test_data_are_read_a_batch_at_a_time_and_batches_make_no_difference(nets, data):
    pipeline = make_pipeline(Counted(), nets["anti-transfer"])
    pipeline[0].fit(None)
    Counted.most = 0
    found = invariance_report(pipeline, *data, batch_size=7, **QUICK)
    assert Counted.most == 7
    whole = invariance_report(nets["anti-transfer"], *data, batch_size=1000, **QUICK)
    for a, b in zip(found.measures, whole.measures, strict=True):
        assert a.row == b.row
        # One sample more or less may change sides by the last digit of a probe.
        assert a.value == pytest.approx(b.value, abs=0.03)


@pytest.mark.slow
def test_50000_clips_need_less_than_one_and_a_half_gigabytes(tmp_path):
    code = textwrap.dedent(
        f"""
        import numpy as np, torch
        from atl_sklearn import AntiTransferClassifier
        from atl_sklearn.inspection import invariance_report
        from benchmarks.peak_memory import peak_mb

        torch.set_num_threads(1)
        shape = (50_000, 1, 64, 64)
        X = np.memmap({str(tmp_path / "X")!r}, np.float32, "w+", shape=shape)
        group = np.arange(len(X)) % 3
        for start in range(0, len(X), 1000):
            X[start : start + 1000] = np.random.default_rng(start).normal(size=(1000, 1, 1, 1))
        settings = {{"module__channels": (4, 4), "module__pool_after": (0, 1)}}
        net = AntiTransferClassifier(max_epochs=1, random_state=0, **settings)
        net.fit(X[:200], group[:200])
        invariance_report(net, X, group, group, n_resamples=20, n_probed=1000)
        print(peak_mb())
        """
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=1200,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) * 2**20 < 1.5e9


def test_json_keeps_everything(report):
    text = report.to_json()
    json.loads(text, parse_constant=pytest.fail)  # no NaN, which other programs do not read
    again = InvarianceReport.from_json(text)
    assert again.to_json() == text
    assert repr(again) == repr(report)
    np.testing.assert_array_equal(again.confusion["plain"], report.confusion["plain"])
    with pytest.raises(ValueError, match="no JSON that InvarianceReport"):
        InvarianceReport.from_json("{}")


def test_tables(report):
    text = repr(report)
    assert "worst group" in text and "linear probe at head" in text
    assert "<table>" in report._repr_html_() and "anti-transfer" in report._repr_html_()
    frame = report.to_frame("probe")
    assert set(frame.part) == {"probe"} and len(frame) == 10
    assert set(report.to_frame("score", differences=True).estimator) == {"anti-transfer"}
    with pytest.raises(ValueError, match=r"'part' parameter .* Did you mean 'probe'"):
        report.to_frame("probes")
    with pytest.raises(ValueError, match=r"has no 'scor' of 'plain'. Did you mean 'score'"):
        report.value("scor")


def test_what_is_not_asked_for_or_has_no_network(nets, data):
    X, y, group = data
    rival = LogisticRegression().fit(X, y)
    found = invariance_report({"rival": rival, "plain": nets["plain"]}, X, y, group, **QUICK)
    assert found.left_out == ("probes of rival: there is no network in it",)
    assert found.value("score", estimator="rival") == pytest.approx(rival.score(X, y))
    probes = invariance_report(nets["plain"], X, None, group, layers=["head"], **QUICK)
    assert {m.part for m in probes.measures} == {"probe"}
    own = untrained_copy(nn.Sequential(nn.Linear(2, 2), Own()), 0)
    assert own is None


class Twice(nn.Module):
    """Uses one nonlinearity after two layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.relu = nn.Linear(6, 4), nn.Linear(4, 4), nn.ReLU()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.relu(self.second(self.relu(self.first(x)))))


def test_a_module_that_runs_twice_is_two_layers(data):
    X, y, group = data
    net = AntiTransferClassifier(Twice, max_epochs=1, random_state=0).fit(X, y)
    found = invariance_report(net, X, None, group, **QUICK)
    layers = [m.place for m in found.measures if m.estimator == "AntiTransferClassifier"]
    assert layers == ["relu (run 1)", "relu (run 2)", "head"]


class Own(nn.Module):
    """Does not say how it draws its weights."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.weight


def test_a_regressor_is_scored_by_its_share_of_the_variance(data):
    X, _, group = data
    net = AntiTransferRegressor(max_epochs=2, random_state=0).fit(X, X[:, 0])
    found = invariance_report(net, X, X[:, 0], group, layers="last", **QUICK)
    assert found.score_name == "r2" and found.confusion == {}
    assert found.value("score") == pytest.approx(net.score(X, X[:, 0]), abs=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"y_unrelated": ["a"] * 90}, ValueError, "one label only, 'a'"),
        ({"y_unrelated": ["a"] + ["b"] * 89}, ValueError, "groups of a single sample.*'a'"),
        ({"y_unrelated": ["a"] * 2 + ["b"] * 88, "cv": 3}, ValueError, "rarest label.*2 samples"),
        ({"y_unrelated": np.zeros((90, 2))}, ValueError, r"shape \(90,\).*one report each"),
        ({"y_unrelated": [None] * 90}, ValueError, "y_unrelated has missing values"),
        ({"y": np.zeros(90)}, ValueError, "y is constant, 0.0"),
        ({"y": np.zeros(5)}, ValueError, "'y' parameter"),
        ({"layers": ["nope"]}, ValueError, "Layer 'nope' .*not found"),
        ({"layers": [9]}, ValueError, "layers=9 is out of range"),
        ({"probes": ["linear", "deep"]}, ValueError, "'probes' parameter"),
        ({"probe_scoring": "r2"}, ValueError, "'balanced_accuracy' or 'roc_auc' where"),
        ({"metric": "cosine"}, ValueError, "'metric' parameter .*'cka'"),
        ({"cv": 1}, ValueError, r"'cv' parameter .* int in \[2"),
        ({"confidence": 1.0}, ValueError, "'confidence' parameter"),
        ({"groups": [0] * 45 + [1] * 45, "cv": 3}, ValueError, "2 of `groups`"),
        ({"estimators": AntiTransferClassifier()}, NotFittedError, "not fitted"),
        ({"estimators": {}}, ValueError, "at least one fitted"),
        ({"estimators": "plain"}, TypeError, "fitted classifier or regressor"),
        ({"estimators": nn.Linear(6, 2)}, TypeError, "fitted classifier or regressor"),
    ],
)
def test_what_cannot_be_is_refused(nets, data, change, error, match):
    X, y, group = data
    given = {"estimators": nets["plain"], "X": X, "y": y, "y_unrelated": group, **QUICK, **change}
    with pytest.raises(error, match=match):
        invariance_report(**given)


def test_samples_that_were_used_in_fitting_are_refused(nets, data):
    X, y, group = data
    with pytest.raises(ValueError, match=r"2 of the 50 samples .* positions 0, 1:"):
        invariance_report(nets, X[40:], y[40:], group[40:], X_train=X[:42], **QUICK)
    found = invariance_report(nets["plain"], X, y, group, X_train=X + 1, layers="head", **QUICK)
    assert found.n_samples == 90

"""The measurement itself: folds, comparators, resuming, and the arithmetic of the report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import extract_activations
from atl_sklearn.modules import MLP
from tests.slow import all_but_slow

pytest.importorskip("concept_erasure", reason="concept_erasure is not installed")
pytest.importorskip("fairlearn", reason="fairlearn is not installed")

from benchmarks.evidence.coverage import coverage
from benchmarks.evidence.folds import PARTS, Clips, Fold
from benchmarks.evidence.forms import comparisons, forms
from benchmarks.evidence.method import network
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import (
    ON_TRAINING_SAMPLES,
    PROTOCOLS,
    TITLES,
    digit_images,
    table,
)
from benchmarks.evidence.ranges import ranges
from benchmarks.evidence.rivals.erased_features import ErasedFeatures
from benchmarks.evidence.rivals.gradient_reversal import GradientReversal
from benchmarks.evidence.rivals.initialised_from import initialised_from
from benchmarks.evidence.rows import complete, interval, summarise
from benchmarks.evidence.runs import (
    FailedRuns,
    FoldRuns,
    n_processes,
    read_runs,
    run_all,
    select,
)
from benchmarks.evidence.tables import (
    OVERVIEW,
    WEIGHTS,
    accuracies,
    by_value,
    choice,
    needs,
    overview,
    substitutions,
    tables,
)


class TestFolds:
    @pytest.mark.parametrize("make", [digit_images, table])
    def test_parts_share_no_sample(self, make):
        fold = make(0)
        parts = [getattr(fold, name) for name in PARTS if name != "probe"]
        rows = np.concatenate([p.X.reshape(len(p.X), -1) for p in parts if p is not None])
        if make is table:  # images of other backgrounds may coincide
            assert len(np.unique(rows, axis=0)) == len(rows)
        assert np.isfinite(rows).all()

    def test_the_nuisance_gives_the_digit_away_in_training_only(self):
        def agreement(part, fold):
            own = [np.bincount(fold.train.nuisance[fold.train.target == d]).argmax()
                   for d in range(10)]  # fmt: skip
            return np.mean(np.array(own)[part.target] == part.nuisance)

        for nuisance, chance in (("background", 0.2), ("rotation", 0.25)):
            fold = digit_images(1, nuisance)
            assert agreement(fold.train, fold) > 0.92
            assert agreement(fold.valid, fold) > 0.9
            for part in (fold.test, fold.unlabeled, fold.valid_like_test, fold.balanced):
                assert agreement(part, fold) == pytest.approx(chance, abs=0.1)

    @pytest.mark.parametrize("protocol", ["digits-background", "digits-rotation", "table"])
    def test_the_unrelated_network_has_samples_of_its_own(self, protocol):
        assert not PROTOCOLS[protocol][0](0).reads_training_nuisance
        assert protocol not in ON_TRAINING_SAMPLES

    @pytest.mark.slow
    @pytest.mark.parametrize("protocol", ["fsdd-96", "fsdd-96-same-clips", "fsdd-60"])
    def test_same_clips(self, data_folder, protocol):
        fold = PROTOCOLS[protocol][0](0)
        assert fold.reads_training_nuisance == (protocol == "fsdd-96-same-clips")
        assert (protocol in ON_TRAINING_SAMPLES) == fold.reads_training_nuisance
        assert fold.nuisance == "speaker"

    @pytest.mark.slow
    def test_speech(self, data_folder):
        make, n_folds = PROTOCOLS["fsdd-96"]
        assert n_folds == 5
        fold = make(3)
        agree = [np.bincount(fold.train.nuisance[fold.train.target == d]).max() for d in range(10)]
        assert agree == [24] * 10
        assert len(fold.test.X) == 480
        assert len(fold.unlabeled.X) == 240
        new = PROTOCOLS["fsdd-new-speaker"][0](2)
        assert 2 not in new.train.nuisance
        assert set(new.test.nuisance) == {2}
        assert 2 not in new.unlabeled.nuisance
        assert 2 in new.unlabeled_wide.nuisance

    def test_every_protocol_has_a_title(self):
        assert TITLES.keys() == PROTOCOLS.keys()


def small_fold():
    rng = np.random.RandomState(0)

    def part(n, share):
        target = rng.randint(2, size=n)
        nuisance = np.where(rng.uniform(size=n) < share, target, rng.randint(2, size=n))
        X = rng.normal(size=(n, 4)).astype(np.float32)
        X[:, 0] += target
        X[:, 1] += 4 * nuisance
        return Clips(X, target, nuisance)

    sizes = {"train": 100, "unrelated": 100, "unlabeled": 90, "valid": 60, "valid_like_test": 60,
             "test": 200, "probe": 200}  # fmt: skip
    shares = {"train": 0.9, "valid": 0.9}
    return Fold(**{name: part(n, shares.get(name, 0.0)) for name, n in sizes.items()})


class TestComparators:
    def test_gradient_reversal_hides_the_nuisance(self):
        fold = small_fold()

        def fit(weight):
            reversal = GradientReversal(
                fold.unlabeled.X, fold.unlabeled.nuisance, "hidden.1.activation", weight
            )
            net = AntiTransferClassifier(callbacks=[("r", reversal)], random_state=0)
            return net.set_params(max_epochs=20).fit(fold.train.X, fold.train.target)

        plain = AntiTransferClassifier(random_state=0, max_epochs=20)
        plain.fit(fold.train.X, fold.train.target)
        none, some = fit(0.0), fit(1.0)
        for ours, theirs in zip(none.module_.parameters(), plain.module_.parameters(), strict=True):
            assert torch.equal(ours, theirs)
        assert some.score(fold.test.X, fold.test.target) > plain.score(
            fold.test.X, fold.test.target
        )

    def test_erasure_leaves_nothing_linear(self):
        fold = small_fold()
        net = AntiTransferClassifier(random_state=0, max_epochs=5)
        net.fit(fold.train.X, fold.train.target)
        erased = ErasedFeatures(net, "hidden.1.activation", 1.0).fit(fold)
        features = erased.features(fold.unlabeled.X)
        nuisance = fold.unlabeled.nuisance
        means = [features[nuisance == k].mean(axis=0) for k in (0, 1)]
        np.testing.assert_allclose(means[0], means[1], atol=1e-6)
        raw = extract_activations(net, fold.unlabeled.X, layer="hidden.1.activation")
        assert np.abs(raw[nuisance == 0].mean(0) - raw[nuisance == 1].mean(0)).max() > 0.1
        assert erased.predict(fold.test.X).shape == (200,)

    def test_initialised_from(self):
        fold = small_fold()
        unrelated = AntiTransferClassifier(random_state=0, max_epochs=1)
        unrelated.fit(fold.unrelated.X, fold.unrelated.nuisance)
        module = MLP(input_shape=(4,), n_outputs=3)
        made = initialised_from(unrelated, module)
        weights = unrelated.module_.state_dict()
        for name, value in made.state_dict().items():
            same = name in weights and torch.equal(value, weights[name])
            assert same == (not name.startswith("head."))


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    """Return the runs of a fold in which networks train for one epoch."""

    def make(index):
        return replace(digit_images(index), max_epochs=1, unrelated_epochs=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROTOCOLS, "digits-background", (make, 5))
        yield FoldRuns("digits-background", 7, tmp_path_factory.mktemp("runs") / "runs.jsonl")


class TestRuns:
    @pytest.mark.slow
    def test_nothing_is_run_twice(self, tmp_path, monkeypatch):
        path = tmp_path / "runs.jsonl"
        run_all(path, ["table"], ["plain", "cross"], folds=[0], n_seeds=2, n_jobs=1)
        runs = read_runs(path)
        keys = [(r["method"], r["seed"], r["value"]) for r in runs]
        assert len(set(keys)) == len(keys)
        for name in ("plain", "cross"):
            assert {k[2] for k in keys if k[0] == name and k[1] == 0} == set(METHODS[name].values)
            assert (name, 1, METHODS[name].values[0]) in keys

        def refuse(*args, **kwargs):
            raise AssertionError("run again")

        monkeypatch.setattr("benchmarks.evidence.runs.measure", refuse)
        run_all(path, ["table"], ["plain", "cross"], folds=[0], n_seeds=2, n_jobs=1)
        assert read_runs(path) == runs

    def test_what_the_tables_say_of_the_unrelated_network_is_held(self, tmp_path, monkeypatch):
        def make(index):
            fold = table(index)
            return replace(fold, unrelated=fold.train)

        monkeypatch.setitem(PROTOCOLS, "table", (make, 5))
        with pytest.raises(ValueError, match="must name 'table' exactly if"):
            FoldRuns("table", 0, tmp_path / "runs.jsonl").run_method("plain", 1)

    def test_an_interrupted_line_is_run_again(self, tmp_path):
        path = tmp_path / "runs.jsonl"
        run_all(path, ["table"], ["plain"], folds=[0], n_seeds=1, n_jobs=1, tune=False)
        whole = path.read_text()
        path.write_text(whole + whole[:30])
        assert len(read_runs(path)) == 1
        found = FoldRuns("table", 0, path).run("plain", 1, 1e-4)
        runs = read_runs(path)
        assert len(runs) == 2
        assert runs[1] == found

    def test_a_run_that_fails_is_named_and_others_go_on(self, tmp_path, monkeypatch):
        path = tmp_path / "runs.jsonl"

        def build(fold, unrelated, seed, value):
            if seed == 1:
                raise RuntimeError("no such device")
            return METHODS["plain"].build(replace(fold, max_epochs=1), unrelated, seed, 1e-4)

        def make(index):
            if index == 3:
                raise OSError("no data")
            return replace(table(index), max_epochs=1, unrelated_epochs=1)

        monkeypatch.setitem(METHODS, "cross", replace(METHODS["cross"], build=build))
        monkeypatch.setitem(PROTOCOLS, "table", (make, 5))
        methods = ["plain", "cross", "group-weights"]
        options = {"folds": [3, 0], "n_seeds": 2, "n_jobs": 1, "tune": False}
        with pytest.raises(FailedRuns) as failed:
            run_all(path, ["table"], methods, **options)
        assert str(failed.value).splitlines() == [
            "2 failed:",
            "table fold 3, plain: OSError: no data",
            "table fold 0, cross seed 1 value 1.0: RuntimeError: no such device",
        ]
        found = [(run["fold"], run["method"], run["seed"]) for run in read_runs(path)]
        assert found == [
            *((0, "plain", seed) for seed in (0, 1)),
            (0, "cross", 0),
            *((0, "group-weights", seed) for seed in (0, 1)),
        ]

    @pytest.mark.parametrize("fails", [True, False])
    def test_the_command_fails_after_its_report(self, tmp_path, monkeypatch, capsys, fails):
        pytest.importorskip("matplotlib")
        from benchmarks.evidence import __main__ as command

        def run_all(path, *args, **kwargs):
            path.write_text("")
            if fails:
                raise FailedRuns(["table fold 0, cross: OSError: no data"])

        monkeypatch.setattr(command, "run_all", run_all)
        monkeypatch.setattr("sys.argv", ["evidence", "--runs", str(tmp_path / "runs.jsonl")])
        monkeypatch.setattr(command, "write_report", lambda path, folder: [])
        assert command.main() == int(fails)
        assert ("table fold 0, cross: OSError" in capsys.readouterr().err) == fails

    def test_there_is_one_process_on_a_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert n_processes(3) == 3
        assert n_processes(None) >= 1
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert n_processes(3) == n_processes(None) == 1

    @pytest.mark.slow
    def test_the_same_run_has_the_same_result(self, tmp_path):
        found = [
            FoldRuns("table", 1, tmp_path / name).run("default", 0, "auto") for name in ("a", "b")
        ]
        for run in found:
            del run["seconds"]
        assert found[0] == found[1]

    # In one epoch it does not.
    @pytest.mark.filterwarnings("ignore:The 'unrelated' estimator did not learn:UserWarning")
    @pytest.mark.parametrize("name", all_but_slow(METHODS, "plain", "cross"))
    def test_every_method_runs(self, brief, name):
        brief.run_method(name, 1, tune=False)
        found = [run for run in read_runs(brief.path) if run["method"] == name]
        if METHODS[name].applies_to(brief._prepare()):
            assert 0 <= found[0]["accuracy"] <= 1
        else:
            assert not found


def made_up_runs(gains, *, method="cross", valid=0.5):
    """Return runs of two methods on folds, with gains in points for each fold and seed."""
    runs = []
    for fold, of_fold in enumerate(gains):
        for seed, gain in enumerate(of_fold):
            for name, accuracy in [("plain", 0.5), (method, 0.5 + gain / 100)]:
                value = METHODS[name].values[0]
                runs.append({"protocol": "table", "fold": fold, "method": name, "seed": seed,
                             "value": value, "accuracy": accuracy, "worst_group": 0.4,
                             "probe": 0.6, "valid": 0.5, "valid_like_test": 0.5})  # fmt: skip
        for name in ("plain", method):
            for value in METHODS[name].values[1:]:
                runs.append({**runs[-1], "method": name, "seed": 0, "value": value,
                             "valid": 0.0, "valid_like_test": 0.0})  # fmt: skip
    return runs


class TestReport:
    def test_paired_differences(self):
        rows = summarise(made_up_runs([[1, 3], [5, 7], [-2, 0]]))
        row = next(r for r in rows if r.method == "cross" and r.rule == "untuned")
        means = np.array([2, 6, -1.0])
        assert row.gain == pytest.approx(means.mean())
        expected = stats.ttest_1samp(means, 0).confidence_interval(0.95)
        assert (row.low, row.high) == pytest.approx((expected.low, expected.high))
        assert (row.wins, row.losses, row.n_folds, row.n_runs) == (4, 1, 3, 6)
        assert row.accuracy == pytest.approx(0.5 + means.mean() / 100)

    def test_selection_may_choose_the_plain_network(self):
        runs = made_up_runs([[4, 4]])
        for run in runs:
            if run["method"] == "cross":
                run["valid"], run["valid_like_test"] = 0.4, 0.6
        rows = {r.rule: r for r in summarise(runs) if r.method == "cross"}
        assert rows["valid"].gain == 0
        assert rows["valid"].values == {"0": 1}
        assert rows["valid_like_test"].gain == pytest.approx(4)
        assert rows["valid_like_test"].values == {"1.0": 1}

    def test_runs_without_a_counterpart_are_left_out(self):
        runs = [r for r in made_up_runs([[1, 1], [2, 4], [8, 8]])
                if (r["method"], r["fold"], r["seed"]) != ("plain", 1, 1)
                and (r["method"], r["fold"]) != ("cross", 2)]  # fmt: skip
        row = next(r for r in summarise(runs) if r.method == "cross" and r.rule == "untuned")
        assert (row.n_folds, row.n_runs) == (2, 3)
        assert row.gain == pytest.approx(1.5)

    def test_untuned_methods_need_no_other_value(self):
        runs = [r for r in made_up_runs([[1], [2]]) if r["value"] in (1.0, 1e-4)]
        assert {r.rule for r in summarise(runs)} == {"untuned"}

    def test_what_did_not_run_on_all_folds_is_not_shown(self):
        runs = made_up_runs([[1], [2], [3]])
        rows = summarise(runs)
        assert complete(rows) == rows
        rows = summarise([r for r in runs if (r["method"], r["fold"]) != ("cross", 1)])
        assert {r.n_folds for r in rows if r.method == "cross"} == {2}
        assert {r.method for r in complete(rows)} == {"plain"}

    def test_interval_of_one_fold_is_infinite(self):
        assert interval(np.array([1.0])) == (-np.inf, np.inf)

    def test_select_prefers_the_first_of_equals(self):
        assert select([{"valid": 1, "a": 0}, {"valid": 1, "a": 1}], "valid")["a"] == 0

    def test_overview(self):
        runs = made_up_runs([[1, 3], [5, 7]], method="default")
        lines = overview(summarise(runs), OVERVIEW).splitlines()
        row = lines.index(f"   * - {TITLES['table']}")
        assert lines[row + 1 : row + 3] == ["     - 0.500", "     - +4.0 [-21.4, 29.4]"]
        assert not any("fsdd" in line or "-0.0" in line for line in lines)

    def test_overview_of_weights(self):
        runs = made_up_runs([[4, 4], [6, 6]])
        for run in runs:
            if run["method"] == "cross":
                run["valid"], run["valid_like_test"] = 0.4, 0.6
        lines = overview(summarise(runs), WEIGHTS).splitlines()
        row = lines.index(f"   * - {TITLES['table']}")
        gain = "     - +5.0 [-7.7, 17.7]"
        assert lines[row + 2 : row + 6] == ["     -", gain, "     - +0.0 [0.0, 0.0]", gain]

    def test_accuracies_beside_rivals(self):
        runs = made_up_runs([[1, 3], [5, 7]], method="default")
        table = accuracies(summarise(runs), {"t": "table", "w": "arabic-90"})
        plain, default = METHODS["plain"], METHODS["default"]
        assert table.splitlines()[3:] == [
            *("   * - method", "     - needs", "     - t", "     - w"),
            *(f"   * - {plain.title}", f"     - {plain.needs}", "     - .500", "     -"),
            *(f"   * - {default.title}", f"     - {default.needs}", "     - .540", "     -"),
        ]

    def test_coverage_counts_protocols(self):
        runs = made_up_runs([[1, 2, 3], [4, 5, 6]], method="default")
        runs += [{**run, "protocol": "arabic-90"} for run in runs if run["seed"] == 0]
        runs = [
            r for r in runs if (r["method"], r["protocol"], r["fold"]) != ("default", "table", 1)
        ]
        lines = coverage(summarise(runs)).splitlines()
        plain, default = (lines.index(f"   * - {METHODS[m].title}") for m in ("plain", "default"))
        assert lines[plain + 1 : plain + 4] == ["     - 1", "     - 1", "     -"]
        assert lines[default + 1 : default + 4] == ["     -", "     - 1", "     - 1"]

    def test_needs_are_those_of_the_protocol(self):
        """Fitted on the training samples, the unrelated network reads their nuisance."""
        there, here = "biased-mnist-999", "fsdd-96"
        assert needs("default-train", here) == "unrelated network"
        assert needs("default-train", there) == "nuisance of the training data"
        assert needs("default", there) == "nuisance of the training data, unlabeled data"
        assert needs("cross", here, there) == (
            "unrelated network, unlabeled data or nuisance of the training data, unlabeled data"
        )
        for name in ("plain", "reversal-labels", "learning-from-failure", "speaker-groups"):
            assert needs(name, there) == needs(name, here, there) == METHODS[name].needs
        runs = [
            {**run, "protocol": protocol}
            for run in made_up_runs([[1], [2]], method="default-train")
            for protocol in ("table", "coloured-mnist-1")
        ]
        lines = tables(summarise(runs)).splitlines()
        places = [i for i, line in enumerate(lines) if METHODS["default-train"].title in line]
        assert [lines[i + 1] for i in places] == [
            "     - unrelated network",
            "     - nuisance of the training data",
        ]
        table = accuracies(summarise(runs), {"c": "coloured-mnist-1", "w": "arabic-90"})
        assert "     - nuisance of the training data\n" in table
        assert "unrelated network" not in table

    def test_a_gain_of_nothing_has_no_sign_of_its_own(self):
        runs = made_up_runs([[-0.01], [-0.01]], method="default")
        assert "+0.0 [0.0, 0.0]" in overview(summarise(runs), OVERVIEW)

    @pytest.mark.parametrize("seed", range(20))
    def test_labels_are_spread_as_little_as_it_takes(self, seed):
        pytest.importorskip("matplotlib")
        from benchmarks.evidence.figures import spread

        rng = np.random.RandomState(seed)
        places, gap = rng.uniform(size=rng.randint(2, 12)), rng.uniform(0.01, 0.3)
        found = spread(places, gap)
        order = np.argsort(places)
        assert (np.diff(found[order]) >= gap - 1e-12).all()
        start = places[order[0]] + gap * np.arange(len(places))
        limits = {"type": "ineq", "fun": lambda x: np.diff(x) - gap}
        best = optimize.minimize(
            lambda x: ((x - places[order]) ** 2).sum(), start, constraints=limits, tol=1e-12
        )
        np.testing.assert_allclose(found[order], best.x, atol=1e-4)
        np.testing.assert_allclose(spread(found, gap), found)

    def test_the_choice_beside_the_best_form(self):
        runs = [
            run
            for name, gains in [
                ("default", [[3], [4]]),
                ("cross", [[5], [6]]),
                ("cka", [[4], [4]]),
                ("cross-augmented", [[9], [9]]),  # of other samples
                ("reversal-labels", [[9], [9]]),  # no form of ours
                ("default-train", [[1], [2]]),
            ]
            for run in made_up_runs(gains, method=name)
        ]
        lines = choice(complete(summarise(runs))).splitlines()
        # Nothing but the default ran on the training data alone.
        assert sum(line.startswith("   * -") for line in lines) == 2
        assert lines[-4:] == [
            "     - unlabeled",
            "     - +3.5 [-2.9, 9.9]",
            f"     - {METHODS['cross'].title}",
            "     - +5.5 [-0.9, 11.9]",
        ]

    def test_accuracy_by_value(self):
        values = METHODS["product-part"].values
        of = {"method": "product-part", "seed": 0}
        runs = [
            {**of, "protocol": protocol, "fold": fold, "value": value, "accuracy": value / 2 + fold}
            for protocol, folds in (("fsdd-96", 2), ("notes-96", 1))
            for fold in range(folds)
            for value in values
        ]
        runs.append({**runs[0], "seed": 1, "accuracy": 0.0})
        # A fold on which one of the values is missing does not count.
        runs += [{**run, "fold": 5, "accuracy": 0.0} for run in runs[1 : len(values)]]
        lines = by_value(runs, "product-part").splitlines()
        assert sum(line.startswith("   * -") for line in lines) == 3
        start = lines.index(f"   * - {TITLES['fsdd-96']} (2)")
        cells = [line.removeprefix("     - ") for line in lines[start + 1 : start + 6]]
        assert cells == [".500", ".625", ".750", ".875", "1.000"]

    def test_files(self, tmp_path):
        pytest.importorskip("matplotlib")
        from benchmarks.evidence.report import write_report

        path = tmp_path / "runs.jsonl"
        runs = made_up_runs([[1, 3], [5, 7]])
        path.write_text("".join(json.dumps(run) + "\n" for run in runs))
        rows = write_report(path, tmp_path)
        assert len(json.loads((tmp_path / "summary.json").read_text())) == len(rows)
        assert (tmp_path / "tables.rst").read_text() == tables(rows)
        for name, columns in (("overview", OVERVIEW), ("weights", WEIGHTS)):
            assert (tmp_path / f"{name}.rst").read_text() == overview(rows, columns)
        assert "+4.0 [" in tables(rows)
        named = (tmp_path / "substitutions.rst").read_text()
        assert named == substitutions(rows)
        gain = next(r for r in rows if (r.method, r.rule) == ("cross", "untuned"))
        assert f"|points: cross, table| replace:: {gain.gain:+.1f}\n" in named
        assert f"|gain: cross, table| replace:: {gain.gain:+.1f} [{gain.low:.1f}" in named
        assert "|accuracy: plain, table| replace:: .500\n" in named
        assert "gain: plain" not in named
        assert (tmp_path / "forms.rst").read_text() == forms(runs, {})
        assert (tmp_path / "comparisons.rst").read_text() == comparisons(rows)
        assert (tmp_path / "ranges.rst").read_text() == ranges(rows)
        shares = {"table": {"share": 0.25, "against": 2.0}}
        (tmp_path / "shares.json").write_text(json.dumps(shares))
        product = {**runs[0], "method": "product", "value": 1.0, "accuracy": 0.6}
        path.write_text(path.read_text() + json.dumps(product) + "\n")
        write_report(path, tmp_path)
        assert "     - 0.25, 2\n     - +10.0 (1)\n" in (tmp_path / "forms.rst").read_text()
        for name in ("table.png", "overview.png"):
            assert (tmp_path / name).stat().st_size > 1000


def test_the_networks_of_the_evidence_are_what_the_constructor_makes():
    """A recipe of the benchmark's own would be evidence for something that nobody gets."""
    assert repr(network(7, 3)) == repr(AntiTransferClassifier(max_epochs=7, random_state=3))


def test_a_penalty_of_a_weight_that_is_given_is_computed_in_every_step():
    default = AntiTransferClassifier().penalty_every
    assert default == "auto"
    unrelated = network(1, 0)
    assert network(1, 0, unrelated=unrelated, weight=0.3).penalty_every == 1
    assert network(1, 0, unrelated=unrelated, weight=0.3, penalty_every=2).penalty_every == 2
    for params in ({}, {"weight": "auto"}):
        assert network(1, 0, unrelated=unrelated, **params).penalty_every == default
    assert network(1, 0, weight=0.3).penalty_every == default  # there is no penalty


@pytest.mark.parametrize(
    "name", ["plain", "default", "labels", "cross", "cross-train", "reversal-labels"]
)
def test_the_methods_set_nothing_but_what_they_are(name, monkeypatch):
    made = []

    def recorded(epochs, seed, **params):
        made.append(params)
        return network(epochs, seed, **params)

    for module in ("method", "methods_ours", "methods_rivals"):  # network_of calls the first
        monkeypatch.setattr(f"benchmarks.evidence.{module}.network", recorded)
    fold = replace(table(0), max_epochs=1)
    unrelated = network(1, 0).fit(fold.unrelated.X, fold.unrelated.nuisance)
    METHODS[name].build(fold, unrelated, 0, METHODS[name].values[0])
    (params,) = made
    assert params.keys() <= {"unrelated", "weight", "callbacks", "weight_decay"}
    default = AntiTransferClassifier().weight_decay
    assert params.get("weight_decay", default) == default

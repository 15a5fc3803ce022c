"""The tables of forms, the ranges over protocols, and what the rule reads."""

import json
from dataclasses import replace

import numpy as np
import pytest

from atl_sklearn import AntiTransferClassifier
from benchmarks.evidence import shares
from benchmarks.evidence.forms import FORMS, PROTOCOLS_OF_RULE, comparisons, forms
from benchmarks.evidence.method import fit_unrelated
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import PROTOCOLS, TITLES, table
from benchmarks.evidence.ranges import FAMILIES, ranges
from benchmarks.evidence.rows import Row
from benchmarks.evidence.shares import read_shares, share_of, write_shares


def cells_of(text):
    """Return the rows of a list-table, each as a list of its cells."""
    rows = text.partition("\n\n")[2].rstrip("\n").split("   * - ")[1:]
    return [[cell.strip() for cell in row.split("\n     -")] for row in rows]


def row_of(protocol, method, gain, *, probe=0.5, rule="untuned"):
    return Row(protocol, method, rule, 5, 5, 0.5, 0.4, probe, gain, gain - 1, gain + 1, 3, 2, {})


def run_of(method, value, fold, accuracy, *, protocol="table", seed=0):
    return {"protocol": protocol, "method": method, "value": value, "fold": fold, "seed": seed,
            "accuracy": accuracy}  # fmt: skip


class TestForms:
    def test_forms_are_values_of_their_methods(self):
        assert all(value in METHODS[name].values for name, value in FORMS.values())
        assert set(PROTOCOLS_OF_RULE) <= PROTOCOLS.keys()

    def test_gains_are_paired(self):
        runs = [run_of("plain", 1e-4, fold, 0.5 + fold / 10) for fold in range(3)]
        runs += [
            run_of("product", 1.0, 0, 0.52),
            run_of("product", 1.0, 2, 0.76),
            run_of("product", 0.5, 1, 0.99),  # another value
            run_of("product", 1.0, 1, 0.99, seed=1),  # another seed
            run_of("cross-fourth", 1.0, 1, 0.57),
            run_of("cross-fourth", 1.0, 7, 0.99),  # no plain network there
            run_of("product", 1.0, 0, 0.99, protocol="fsdd-96"),
        ]
        head, row = cells_of(forms(runs, {"table": {"share": 0.557, "against": 4.6}}))
        assert head == ["data", "share, against", *FORMS]
        found = dict(zip(head, row, strict=True))
        assert found.pop("data") == TITLES["table"]
        assert found.pop("share, against") == "0.56, 5"
        assert found.pop("product") == "+4.0 (2)"
        assert found.pop("unlabeled, penalty 1") == "-3.0 (1)"
        assert set(found.values()) == {""}

    def test_what_was_not_measured_is_blank(self):
        runs = [run_of("plain", 1e-4, 0, 0.5), run_of("product", 1.0, 0, 0.6)]
        _, row = cells_of(forms(runs, {}))
        assert row[1:3] == ["", "+10.0 (1)"]


class TestComparisons:
    def test_the_best_comes_first(self):
        rows = [
            row_of("fsdd-96", "cross-train", 10.0, probe=0.62),
            row_of("fsdd-96", "cross", 25.5, probe=0.2),
            row_of("fsdd-96", "cka", 20.0),
            row_of("fsdd-96", "cka", 90.0, rule="valid"),
            row_of("notes-96", "ridge", 90.0),
            *(row_of("fsdd-96", name, 90.0) for name in
              ("plain", "reversal-labels", "default", "product-cross", "published-gram", "random",
               "speaker-groups", "cross-fourth", "cross-posterior-fourth")),
        ]  # fmt: skip
        assert cells_of(comparisons(rows)) == [
            ["comparison", "gain", "probe"],
            ["cross-correlation", "+25.5 [24.5, 26.5]", ".20"],
            ["CKA", "+20.0 [19.0, 21.0]", ".50"],
            ["cross-correlation, training batches", "+10.0 [9.0, 11.0]", ".62"],
        ]

    def test_no_two_have_the_same_title(self):
        rows = [row_of("fsdd-96", name, 1.0) for name in METHODS]
        titles = [cells[0] for cells in cells_of(comparisons(rows))]
        assert len(titles) > 15
        assert len(set(titles)) == len(titles)


class TestRanges:
    def test_whole_points_over_the_protocols(self):
        gains = {"fsdd-80": 5.7, "fsdd-90": 17.9, "fsdd-96": 25.5, "fsdd-96-same-clips": 16.0,
                 "fsdd-100": 34.0, "notes-96": 45.4, "digits-background": 28.0}  # fmt: skip
        rows = [row_of(protocol, "default", gain) for protocol, gain in gains.items()]
        rows += [row_of(protocol, "default", 99.0, rule="valid") for protocol in gains]
        rows += [row_of("fsdd-new-speaker", "default-train", -0.2)]
        rows += [row_of("arabic-new-speaker", "default-train", 0.3)]
        rows += [row_of(f"fsdd-120-snr{snr}", "default", gain)
                 for snr, gain in ((20, 0.6), (10, 2.3), (0, -1.2))]  # fmt: skip
        # Of the images one is missing, and of the others some.
        assert ranges(rows).splitlines() == [
            ".. |range: default, speech| replace:: 6 to 34",
            ".. |range: default, notes| replace:: 45",
            ".. |range: default, noise| replace:: -1 to 2",
            ".. |range: default-train, new speakers| replace:: 0",
        ]

    def test_families_are_of_protocols(self):
        for protocols in FAMILIES.values():
            assert set(protocols) <= PROTOCOLS.keys()
            assert len(set(protocols)) == len(protocols)
        assert not set(FAMILIES["confounded"]) & set(FAMILIES["little to avoid"])


class TestShares:
    def test_they_are_what_the_default_chooses_by(self, monkeypatch):
        """Where less than 0.6 is explained, the product is as strong as the share of that."""

        def make(index):
            return replace(table(index), max_epochs=0, unrelated_epochs=5)

        monkeypatch.setitem(PROTOCOLS, "table", (make, 5))
        found = share_of("table", 1)
        fold = make(1)
        net = AntiTransferClassifier(unrelated=fit_unrelated(fold, 1), max_epochs=0)
        net.fit(fold.train.X, fold.train.target)
        assert 0.1 < found["share"] < 0.6
        assert net.product_of_experts_ == pytest.approx(found["share"] / 0.6)
        assert 0 < found["against"] < len(fold.train.X) / 2

    def test_a_file_keeps_what_it_has(self, tmp_path, monkeypatch):
        path = tmp_path / "shares.json"
        assert read_shares(path) == {}
        measured = {
            "table": {"share": 0.5, "against": 3.0},
            "fsdd-96": {"share": 0.6, "against": 1},
        }
        path.write_text(json.dumps({"fsdd-96": measured["fsdd-96"]}))
        monkeypatch.setattr(shares, "share_of", measured.get)
        write_shares(path, ["table"])
        assert read_shares(path) == measured

    def test_shares_are_of_the_answers(self):
        """Answers that say all of the target explain it, and speak against none."""
        target = np.tile([0, 1], 50)
        known = shares.explain(np.eye(2)[target], target, n_classes=2)
        assert known.share > 0.9
        assert known.n_contradicting == 0

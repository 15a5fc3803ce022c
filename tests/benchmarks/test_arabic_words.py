"""The protocols with Arabic words, on made-up features of all its recordings."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.evidence import arabic_words, encoder
from benchmarks.evidence.folds import PARTS
from benchmarks.evidence.method import of_net
from benchmarks.evidence.methods import METHODS
from tests.slow import all_but_slow


@pytest.fixture(autouse=True)
def words(monkeypatch):
    word, speaker, take = (
        grid.ravel() for grid in np.meshgrid(range(20), range(30), range(1, 7), indexing="ij")
    )
    X = np.stack([word, speaker, take], axis=1)[:, :, np.newaxis].astype(float)
    paths = np.array([f"{w}_{s}_{t}" for w, s, t in zip(word, speaker, take, strict=True)])
    made = {"X": X, "word": word, "speaker": speaker, "take": take, "paths": paths}
    monkeypatch.setattr(arabic_words, "_words", lambda: made)
    return made


def sizes(fold):
    return {name: len(part.X) for name in PARTS if (part := getattr(fold, name)) is not None}


def test_new_speakers():
    tested = []
    for index in range(5):
        fold = arabic_words.arabic_new_speaker(index)
        groups = [set(p.nuisance) for p in (fold.train, fold.valid_like_test, fold.test)]
        assert [len(group) for group in groups] == [20, 4, 6]
        assert len(set.union(*groups)) == 30
        for part in (fold.unrelated, fold.unlabeled, fold.valid, fold.probe):
            assert set(part.nuisance) == groups[0]
        assert set(fold.unlabeled_wide.nuisance) == groups[0] | groups[2]
        parts = ("train", "unrelated", "unlabeled", "valid", "valid_like_test", "test", "probe")
        paths = np.concatenate([getattr(fold, name).paths for name in parts])
        assert len(np.unique(paths)) == len(paths)
        assert sizes(fold) == {
            "train": 600, "unrelated": 800, "unlabeled": 200, "unlabeled_wide": 320, "valid": 400,
            "valid_like_test": 400, "test": 600, "probe": 400,
        }  # fmt: skip
        assert set(np.bincount(fold.train.target)) == {30}
        tested += groups[2]
    assert sorted(tested) == list(range(30))


@pytest.mark.parametrize(("confounding", "own"), [(0.96, 480), (0.9, 450)])
@pytest.mark.parametrize("target", ["word", "speaker"])
def test_groups_of_words_and_speakers_go_along(confounding, own, target):
    fold = arabic_words.arabic_confounded(1, confounding, target=target)

    def labels(part):
        pair = (part.target, part.nuisance)
        return pair if target == "word" else pair[::-1]

    together = np.zeros((20, 30))
    np.add.at(together, labels(fold.train), 1)
    assert (together.sum(axis=1) == 25).all()
    # The unrelated network sees no word by a speaker of its group, so that it tells the groups.
    apart = np.ones((20, 30), dtype=bool)
    apart[labels(fold.unrelated)] = False
    assert (apart.sum(axis=0) == 4).all()
    assert (apart.sum(axis=1) == 6).all()
    assert together[apart].sum() == own
    assert (together[apart] > 0).sum() > 115  # all of them, but for few

    for part in (fold.test, fold.probe):
        assert len({*zip(part.target, part.nuisance, strict=True)}) == 600
    assert set(np.bincount(labels(fold.unlabeled)[1])) == {8}
    is_own = apart[labels(fold.valid)]
    assert fold.valid.weight[is_own].sum() == pytest.approx(confounding)
    assert fold.valid.weight[~is_own].sum() == pytest.approx(1 - confounding)
    assert sizes(fold) == {
        "train": 500, "unrelated": 960, "unlabeled": 240, "valid": 360, "valid_like_test": 360,
        "test": 600, "probe": 600, "balanced": 500,
    }  # fmt: skip
    parts = [fold.train, fold.unlabeled, fold.valid, fold.test]
    paths = np.concatenate([part.paths for part in parts])
    assert len(np.unique(paths)) == len(paths)
    assert not set(fold.train.paths) & set(fold.unrelated.paths)
    assert np.mean(apart[labels(fold.balanced)]) == pytest.approx(0.2, abs=0.07)


def test_who_speaks_is_the_nuisance_or_the_target(monkeypatch):
    """A speaker encoder stands in for the labels of a nuisance, not for those of the target."""
    monkeypatch.setattr(encoder, "is_there", lambda: True)
    folds = {
        "new speakers": arabic_words.arabic_new_speaker(0),
        "words": arabic_words.arabic_confounded(0),
        "speakers": arabic_words.arabic_confounded(0, target="speaker"),
    }
    assert {name: fold.nuisance for name, fold in folds.items()} == {
        "new speakers": "speaker", "words": "speaker", "speakers": "word",
    }  # fmt: skip
    applies = {
        name: [of for of, fold in folds.items() if METHODS[name].applies_to(fold)]
        for name in ("speaker-groups", "cross-wide")
    }
    assert applies == {
        "speaker-groups": ["new speakers", "words"], "cross-wide": ["new speakers"],
    }  # fmt: skip
    monkeypatch.setattr(encoder, "is_there", lambda: False)
    assert not METHODS["speaker-groups"].applies_to(folds["words"])


# Made-up features say nothing of the speaker.
@pytest.mark.filterwarnings("ignore:The 'unrelated' estimator did not learn:UserWarning")
@pytest.mark.parametrize("make", [arabic_words.arabic_new_speaker, arabic_words.arabic_confounded])
@pytest.mark.parametrize(
    "name", all_but_slow(["labels", "fitted-along", "fitted-along-train"], "labels")
)
def test_methods_that_read_the_nuisance_of_the_training_data(words, make, name):
    words["X"] = np.random.RandomState(0).normal(size=(len(words["word"]), 12, 10))
    fold = replace(make(0), max_epochs=1, unrelated_epochs=1)
    method = METHODS[name]
    assert method.applies_to(fold)
    assert method.reads_nuisance
    fitted = []

    def recorded(net):
        fitted.append(net)
        return of_net(net)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.evidence.methods_ours.of_net", recorded)
        model = method.build(fold, None, 0, method.values[0])  # needs no network that is there
    assert fitted[0].weight_ is not None
    assert model.predict(fold.test.X).shape == (600,)
    # Where the unrelated network reads the training samples anyway, that is the default.
    same = replace(fold, unrelated=fold.train)
    assert method.applies_to(same) == (name == "labels")


def test_the_task_is_the_other_one():
    forth = arabic_words.arabic_confounded(2)
    back = arabic_words.arabic_confounded(2, target="speaker")
    for name in sizes(forth):
        np.testing.assert_array_equal(getattr(forth, name).target, getattr(back, name).nuisance)
        np.testing.assert_array_equal(getattr(forth, name).paths, getattr(back, name).paths)
    assert len(np.unique(back.train.target)) == 30

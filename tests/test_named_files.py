"""Of data that name files, what is in the files counts wherever results are kept."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from atl_sklearn import AntiTransferClassifier
from atl_sklearn._fingerprint import (
    Unidentifiable,
    _named_files,
    fingerprint,
    fingerprint_read,
    named_files,
)
from atl_sklearn.audio import AddBackground, AddReverberation, LibrosaFeatures, Segment
from atl_sklearn.estimators._fit_identity import identify_fit
from atl_sklearn.inspection import layer_study
from atl_sklearn.tuning import AntiTransferSearchCV

N = 40
Y = np.arange(N) % 2
NUISANCE = np.arange(N) // 2 % 2


def read(names):
    return np.stack([np.loadtxt(name) for name in names]).astype(np.float32)


def write(folder, *, seed):
    """Write a file for each sample; return their names."""
    rng = np.random.RandomState(seed)
    paths = [folder / f"{at}.txt" for at in range(N)]
    for path, y in zip(paths, Y, strict=True):
        np.savetxt(path, rng.normal(size=3) + 2 * seed * y)
    return [str(path) for path in paths]


def reader(last):
    return make_pipeline(FunctionTransformer(read), last)


def quick(**params):
    return AntiTransferClassifier(
        max_epochs=2, random_state=0, module__hidden_layer_sizes=(4, 3), **params
    )


KNOWN = quick().fit(np.eye(4, 3, dtype=np.float32), [0, 1, 0, 1])


class TestWhatIsFound:
    @pytest.mark.parametrize(
        "form",
        [
            list,
            tuple,
            np.array,
            lambda names: np.array(names, object),
            pd.Series,
            lambda names: pd.Series(names, dtype="category"),
            lambda names: pd.DataFrame({"path": names, "level": np.arange(len(names))}),
            lambda names: {"path": names},
            lambda names: [(name, 8000) for name in names],
            lambda names: [Segment(name, start=1.0) for name in names],
        ],
    )
    def test_in_all_forms_of_data(self, tmp_path, form):
        names = write(tmp_path, seed=0)
        assert sorted(named_files(form(names), None, 3, "no file")) == sorted(names)

    def test_paths(self, tmp_path):
        names = write(tmp_path, seed=0)
        assert sorted(named_files([tmp_path / "0.txt", str(tmp_path)])) == names[:1]

    def test_nothing_in_numbers(self):
        assert (
            named_files(np.zeros(3), [0.5, None], pd.DataFrame({"a": [1.0]}), "\0", "x" * 9999)
            == {}
        )

    def test_under_the_root_of_a_step(self, tmp_path):
        write(tmp_path, seed=0)
        pipeline = make_pipeline(LibrosaFeatures(root=tmp_path), LogisticRegression())
        assert named_files(["1.txt"]) == {}
        for estimator in (pipeline, quick(unrelated=[pipeline])):
            assert list(named_files(["1.txt"], estimator=estimator)) == [str(tmp_path / "1.txt")]

    def test_what_cannot_be_read_is_refused(self, tmp_path, monkeypatch):
        def no(path):
            raise PermissionError("not yours")

        names = write(tmp_path, seed=0)
        monkeypatch.setattr(_named_files, "fingerprint_file", no)
        with pytest.raises(Unidentifiable, match=r"0\.txt' cannot be read \(not yours\)"):
            fingerprint_read(1, names, estimator=None)


class Broken:
    def get_params(self, deep=True):
        raise RuntimeError("none here")


def test_estimators_that_do_not_say_where_they_look():
    with pytest.raises(Unidentifiable, match="get_params of Broken fails: none here"):
        named_files("a.wav", estimator=[("step", Broken())])


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: AddBackground(folder),
        lambda folder: AddBackground([str(folder / "sub" / "a.wav")]),
        lambda folder: AddReverberation(responses=str(folder)),
        lambda folder: quick(unrelated=str(folder / "sub" / "a.wav")),
    ],
)
def test_parameters_that_name_files(tmp_path, make):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.wav").write_bytes(b"one")
    before = fingerprint(make(tmp_path))
    assert fingerprint(make(tmp_path)) == before
    (tmp_path / "sub" / "a.wav").write_bytes(b"two")
    assert fingerprint(make(tmp_path)) != before


class TestResultsThatAreKept:
    @pytest.mark.filterwarnings("ignore:The 'unrelated' estimator did not learn")
    def test_fits_of_unrelated_estimators(self, tmp_path):
        scores = []
        for seed in (0, 5, 0):
            names = write(tmp_path, seed=seed)
            net = quick(
                unrelated=reader(LogisticRegression()), memory=tmp_path / "memory", weight=1
            )
            X = np.random.RandomState(1).normal(size=(N, 3)).astype(np.float32)
            net.fit(X, NUISANCE, y_unrelated=Y, X_unrelated=names)
            scores.append(net.unrelated_score_)
        assert scores[0] == scores[2] < scores[1]
        assert len(list((tmp_path / "memory").rglob("fits/*"))) == 2

    def test_layer_studies(self, tmp_path):
        fitted = []
        for seed in (0, 1, 0):
            names = write(tmp_path, seed=seed)
            study = layer_study(
                reader(quick(unrelated=KNOWN)), names, Y, NUISANCE, layers=["last"], weights=[1],
                cv=2, folder=tmp_path / "kept",
            )  # fmt: skip
            fitted.append(study.n_fitted)
        assert fitted == [4, 4, 0]

    def test_searches(self, tmp_path):
        studies = []
        for seed in (0, 1, 0):
            names = write(tmp_path, seed=seed)
            search = AntiTransferSearchCV(
                reader(quick(unrelated=KNOWN)), n_trials=1, cv=2, random_state=0,
                storage=tmp_path / "studies",
            )  # fmt: skip
            search.fit(names, Y)
            studies.append(search.study_.study_name)
        assert studies[0] == studies[2] != studies[1]

    def test_fits_that_are_resumed(self, tmp_path):
        names = write(tmp_path, seed=0)
        net = quick(unrelated=reader(LogisticRegression()))
        first = identify_fit(net, {"X_unrelated": names})
        assert identify_fit(net, {"X_unrelated": names}) == first
        write(tmp_path, seed=1)
        again = identify_fit(net, {"X_unrelated": names})
        assert [name for name in first if first[name] != again[name]] == ["X_unrelated"]

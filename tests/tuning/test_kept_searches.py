"""Searches that were fitted over a storage: what of it is shown, and what is pickled."""

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import optuna
import pytest
import study_worker
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from atl_sklearn.tuning import AntiTransferSearchCV
from atl_sklearn.tuning._database_url import DatabaseUrl, shown_url, without_password
from atl_sklearn.tuning._storages import close_storage, kept_with, open_storage

SECRET = "s3cr@t"
URL = "postgresql+psycopg://me:s3cr%40t@localhost:1/none?password=other9&a=b"


def fitted(storage):
    return study_worker.search(storage, 2).set_params(refit=True).fit(*study_worker.data())


def place_of(kind, folder):
    """Return a storage, and the file that its study is in."""
    if kind == "folder":
        return str(folder / "studies"), folder / "studies" / "studies.log"
    url = f"sqlite:///{folder}/studies.db"
    return (url if kind == "url" else optuna.storages.RDBStorage(url)), folder / "studies.db"


@pytest.mark.parametrize("kind", ["folder", "url", "object"])
def test_a_fitted_search_predicts_without_its_storage(kind, tmp_path):
    X, _ = study_worker.data()
    storage, file = place_of(kind, tmp_path)
    search = fitted(storage)
    trials = search.study_.trials
    content = pickle.dumps(search)

    again = pickle.loads(content)
    assert again.study_.trials == trials  # which is where it was
    assert again.study_.study_name == search.study_.study_name
    close_storage(again.study_._storage)

    moved = tmp_path / "elsewhere"
    moved.mkdir()
    file.rename(moved / file.name)
    gone = pickle.loads(content)
    np.testing.assert_array_equal(gone.predict_proba(X), search.predict_proba(X))
    assert gone.best_params_ == search.best_params_
    assert len(gone.cv_results_["params"]) == 2
    with pytest.raises(AttributeError, match=r"stayed in its storage .* cannot be opened there"):
        gone.study_  # noqa: B018
    assert not hasattr(gone, "study_")
    assert not file.exists()  # nothing was made in its place

    there = moved if kind == "folder" else f"sqlite:///{moved}/studies.db"
    assert gone.set_params(storage=there).study_.trials == trials
    close_storage(gone.study_._storage)


def test_a_folder_of_the_home_is_there_and_not_here(home):
    search = fitted("~/studies")
    assert (home / "studies" / "studies.log").is_file()
    trials = search.study_.trials
    again = pickle.loads(pickle.dumps(search))
    assert again.study_.trials == trials


def test_another_study_is_not_taken_for_it(tmp_path):
    search = pickle.loads(pickle.dumps(fitted(str(tmp_path / "mine"))))
    study_worker.search(str(tmp_path / "other"), 1, study_name="other").fit(*study_worker.data())
    with pytest.raises(AttributeError, match="the study is not"):
        search.set_params(storage=tmp_path / "other").study_  # noqa: B018


def test_a_study_in_memory_travels():
    search = fitted(None)
    assert pickle.loads(pickle.dumps(search)).study_.trials == search.study_.trials
    with pytest.raises(AttributeError, match="not fitted, and has no study yet"):
        clone(search).study_  # noqa: B018


def test_passwords_are_not_shown():
    search = study_worker.search(URL, 1)
    around = make_pipeline(StandardScaler(), search)
    for text in (repr(search), str(search), repr(around), estimator_html_repr(around)):
        assert "s3cr" not in text
        assert "other9" not in text
    assert "me:***@localhost" in repr(search)
    assert search.storage == URL == search.get_params()["storage"]
    assert clone(search).storage == URL
    # Processes that are to work on the study get it.
    assert pickle.loads(pickle.dumps(search)).storage == URL


@pytest.mark.parametrize(
    "url",
    [
        URL,
        URL.replace("+psycopg", "+nothing"),
        URL.replace("postgresql", "oracle"),
        URL.replace(":1/", ":one/"),
        "mysql://me:s3cr@t@localhost/none",
    ],
)
def test_errors_have_no_password(url):
    if importlib.util.find_spec("psycopg") is None and url == URL:
        pytest.skip("psycopg is not installed")
    with pytest.raises((ValueError, ImportError)) as error:
        study_worker.search(url, 1).fit(*study_worker.data())
    told, texts = error.value, []
    while told is not None:
        texts.append(repr(told))
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
    assert "s3cr" not in texts[0] and "other9" not in texts[0]
    assert SECRET not in "".join(texts) and "s3cr%40t" not in "".join(texts)
    assert "***" in texts[0]


@pytest.mark.parametrize("as_object", [False, True])
def test_a_fitted_search_is_pickled_without_the_password(as_object, tmp_path, monkeypatch):
    """As its study is in a database: here one that needs no password."""
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/studies.db")
    storage = DatabaseUrl(URL)
    if as_object:
        storage = open_storage(f"sqlite:///{tmp_path}/other.db")
        storage.url = URL
    given = {"_study": study, "storage": storage}
    assert kept_with(given) == given  # it is not fitted
    state = kept_with({**given, "cv_results_": {}})
    assert state["_study"] is None
    assert state["storage"] == "postgresql+psycopg://me@localhost:1/none?a=b"
    # Nor when the place was said again after that, with a password.
    content = pickle.dumps([state, kept_with({**state, "storage": DatabaseUrl(URL)})])
    assert b"s3cr" not in content and b"other9" not in content


def test_a_url_that_is_wrong_has_no_password_either():
    wrong = "postgresql://me:s3cr@t@host:port/name"
    assert shown_url(wrong) == "postgresql://me:***@host:port/name"
    assert without_password(wrong) == "postgresql://me:***@host:port/name"
    assert repr(DatabaseUrl("sqlite:///studies.db")) == "'sqlite:///studies.db'"


def test_a_folder_that_is_no_url(tmp_path):
    search = AntiTransferSearchCV(None, storage=Path(tmp_path))
    assert search.storage is search.get_params()["storage"] == tmp_path

"""The folder of fetched data."""

from pathlib import Path

import pytest

from atl_sklearn.datasets import fetch_fsdd, get_data_home


def test_default_and_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("ATL_SKLEARN_DATA_HOME", raising=False)
    assert Path(get_data_home()) == tmp_path / "atl_sklearn_data"
    assert (tmp_path / "atl_sklearn_data").is_dir()
    monkeypatch.setenv("ATL_SKLEARN_DATA_HOME", "~/deep/data")
    assert Path(get_data_home()) == tmp_path / "deep" / "data"
    assert Path(get_data_home("~/other")) == tmp_path / "other"


def test_relative_paths_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Path(get_data_home("data")) == tmp_path / "data"
    assert get_data_home(Path("data")) == get_data_home("data")


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(FileExistsError):
        get_data_home(tmp_path / "data")


@pytest.mark.parametrize("data_home", [3, b"x", "", ["a"]])
def test_what_is_no_path(data_home):
    with pytest.raises(ValueError, match="'data_home' parameter of get_data_home must be the path"):
        get_data_home(data_home)
    with pytest.raises(ValueError, match="'data_home' parameter of fetch_fsdd must be the path"):
        fetch_fsdd(data_home=data_home, download_if_missing=False)


@pytest.mark.parametrize("name", ["download_if_missing", "return_X_y"])
def test_flags_are_flags(name, tmp_path):
    given = {"data_home": tmp_path, "download_if_missing": False, name: "no"}
    with pytest.raises(ValueError, match=f"'{name}' parameter of fetch_fsdd must be True or False"):
        fetch_fsdd(**given)

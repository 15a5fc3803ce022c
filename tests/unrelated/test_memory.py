"""The parameter memory in its three forms."""

from pathlib import Path

import joblib
import pytest
from sklearn.base import clone

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.unrelated._memory import get_memory


def test_a_folder_is_a_memory(tmp_path):
    for memory in (tmp_path / "new", str(tmp_path / "new"), joblib.Memory(tmp_path / "new")):
        assert str(get_memory(memory).location) == str(tmp_path / "new")


def test_a_folder_of_the_home_is_there_and_not_here(home, tabular):
    for memory in ("~/kept", Path("~/kept")):
        assert str(get_memory(memory).location) == str(home / "kept")
    X, y, nuisance = tabular
    net = AntiTransferClassifier(max_epochs=1, random_state=0)
    net.set_params(unrelated=clone(net), memory="~/fits").fit(X, y, y_unrelated=nuisance)
    assert list((home / "fits").rglob("*.safetensors"))


def test_nothing_is_kept_without_a_folder():
    assert get_memory(None) is None
    assert get_memory(joblib.Memory(None)) is None


def test_what_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for memory in (tmp_path / "file", "", 1, joblib.Memory):
        with pytest.raises(ValueError, match="'memory' parameter must be None, a folder"):
            get_memory(memory)


def test_a_clone_has_the_same_folder(tmp_path):
    for memory in (tmp_path, joblib.Memory(tmp_path)):
        net = clone(AntiTransferClassifier(memory=memory))
        assert str(get_memory(net.memory).location) == str(tmp_path)

"""Samples of which a few are read at a time."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csc_matrix
from skorch.helper import SliceDict

from atl_sklearn.unrelated._rows import ArrayRows, OneHotRows, check_finite_rows, n_rows

VALUES = np.arange(24.0).reshape(6, 4)
INDEX = np.array([4, 0, 4])


def as_map(values, tmp_path):
    np.save(tmp_path / "z.npy", values)
    return np.load(tmp_path / "z.npy", mmap_mode="r")


FORMS = {
    "array": lambda values, _: values,
    "map": as_map,
    "list": lambda values, _: values.tolist(),
    "tensor": lambda values, _: torch.tensor(values, requires_grad=True),
    "sparse": lambda values, _: csc_matrix(values),
    "frame": lambda values, _: pd.DataFrame(values),
    "frame of several types": lambda values, _: pd.DataFrame(values).astype({1: object}),
    "backwards": lambda values, _: values[::-1][::-1],
    "columns first": lambda values, _: np.asfortranarray(values),
    "big-endian": lambda values, _: values.astype(">f8"),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_every_form(form, tmp_path):
    rows = ArrayRows(FORMS[form](VALUES, tmp_path))
    assert len(rows) == 6
    found = rows.take(INDEX)
    assert found.is_floating_point() and not found.requires_grad
    torch.testing.assert_close(found.double(), torch.from_numpy(VALUES[INDEX]))


@pytest.mark.parametrize("dtype", ["i8", "u2", "u4", "?", "i1"])
def test_integers_become_floats_unless_they_are_embedded(dtype):
    values = np.array([[0, 1], [1, 0]]).astype(dtype)
    index = np.array([1])
    assert ArrayRows(values).take(index).tolist() == [[1.0, 0.0]]
    assert ArrayRows(values).take(index).dtype == torch.float32
    assert not ArrayRows(values, keeps_integers=True).take(index).is_floating_point()


@pytest.mark.parametrize("kind", [dict, SliceDict])
def test_mappings(kind):
    rows = ArrayRows(kind(a=VALUES, b=VALUES[:, 0]))
    found = rows.take(np.array([1, 2]))
    assert len(rows) == 6
    assert {name: tuple(x.shape) for name, x in found.items()} == {"a": (2, 4), "b": (2,)}


def test_a_map_is_never_read_as_a_whole(tmp_path, monkeypatch):
    values = as_map(VALUES, tmp_path)
    read = []
    taken = np.memmap.__getitem__

    def spy(self, index):
        found = taken(self, index)
        read.append(np.size(found))
        return found

    monkeypatch.setattr(np.memmap, "__getitem__", spy)
    rows = ArrayRows(values)
    assert isinstance(rows.values, np.memmap)
    check_finite_rows(rows.values, "Z")
    rows.take(np.array([2]))
    assert read[-1] == 4  # one row


def test_numbers_that_are_not_finite_are_found_in_parts(monkeypatch):
    monkeypatch.setattr("atl_sklearn.unrelated._rows._NUMBERS_AT_ONCE", 8)  # two rows
    values = VALUES.copy()
    check_finite_rows(values, "Z")
    values[[1, 4], 2] = np.nan, np.inf
    for form in (values, torch.from_numpy(values), csc_matrix(values).tocsr()):
        with pytest.raises(ValueError, match=r"Z has NaN .* 2 of 6 samples, at positions 1, 4\. "):
            check_finite_rows(form, "Z")


@pytest.mark.parametrize("values", [["a", "b"], np.array([1j]), [[1], [1, 2]], [None, 1.0]])
def test_what_has_no_numbers_is_refused(values):
    with pytest.raises(ValueError):
        ArrayRows(values)


def test_classes_are_columns():
    rows = OneHotRows(np.array([2, 0, 1]), 4)
    assert len(rows) == 3
    assert rows.take(np.array([0, 1])).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("values", [3, "abc", None, np.float64(1.0)])
def test_what_has_no_rows(values):
    with pytest.raises(TypeError, match="array-like"):
        n_rows(values)
    with pytest.raises(ValueError, match=r"different|samples"):
        n_rows({"a": [1], "b": [1, 2]})

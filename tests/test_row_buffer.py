"""Batches in one array."""

import numpy as np
import pytest

from atl_sklearn._row_buffer import RowBuffer


def filled(*batches, n_rows=0):
    rows = RowBuffer(n_rows)
    for batch in batches:
        rows.add(np.asarray(batch))
    return rows.array()


@pytest.mark.parametrize("n_rows", [0, 1, 7, 3000], ids="{} expected".format)
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)], ids=str)
def test_it_holds_what_concatenation_does(n_rows, shape):
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(n, *shape)).astype("float32") for n in (5, 1, 0, 1500, 700)]
    found = filled(*batches, n_rows=n_rows)
    np.testing.assert_array_equal(found, np.concatenate(batches))
    assert found.dtype == np.float32
    assert found.base is None  # what was not needed is given back


@pytest.mark.parametrize(
    "batches",
    [([1, 2], [0.5]), (["a"], ["a long one", "b"]), ([None, 1], ["b"])],
    ids=["numbers", "texts", "objects"],
)
def test_a_type_that_does_not_fit_changes_that_of_all(batches):
    found, expected = filled(*batches), np.concatenate([np.asarray(b) for b in batches])
    assert found.dtype == expected.dtype
    assert found.tolist() == expected.tolist()


def test_rows_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"rows of one shape. Got \(1,\) after \(3,\)"):
        filled(np.zeros((2, 3)), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="at least one batch"):
        RowBuffer().array()

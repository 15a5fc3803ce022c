"""Sparse data, which become dense a few rows at a time and never as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse


def sliceable(X: Any) -> Any:
    """Return sparse data in a form of which rows can be taken; other data as they are."""
    return X.tocsr() if issparse(X) else X


def dense_rows(X: Any, index: slice | np.ndarray) -> Any:
    """Return some rows of sparse data as an array, of other data as their indexing does.

    Parameters
    ----------
    X : sparse matrix or array of shape (n_samples, n_features), or other data
        The data.
    index : slice or ndarray of int
        Which rows.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_features), or what `X` gives
        The rows.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from atl_sklearn.unrelated._sparse import dense_rows, sliceable
    >>> dense_rows(sliceable(csr_array([[1, 0, 0], [0, 1, 0]])), slice(1, 2))
    array([[0, 1, 0]])
    """
    rows = X[index]
    return rows.toarray() if issparse(rows) else rows

"""Rows that come batch by batch, in one array."""

from __future__ import annotations

import numpy as np


class RowBuffer:
    """One array that grows while batches are added.

    A list of the batches would take twice the memory while it is joined. And on Linux its small
    arrays would lie between the large ones that each forward frees, whose memory the C library
    then cannot use again: of 50,000 images that took hundreds of megabytes.

    Parameters
    ----------
    n_rows : int, default=0
        How many rows will come, if that is known.

    Examples
    --------
    >>> from atl_sklearn._row_buffer import RowBuffer
    >>> rows = RowBuffer()
    >>> for batch in ([[1, 2]], [[3, 4], [5, 6]]):
    ...     rows.add(np.array(batch))
    >>> rows.array().tolist()
    [[1, 2], [3, 4], [5, 6]]
    """

    def __init__(self, n_rows: int = 0) -> None:
        self._room = n_rows
        self._rows: np.ndarray | None = None
        self._n = 0

    def add(self, batch: np.ndarray) -> None:
        """Copy rows behind those that are there.

        Parameters
        ----------
        batch : ndarray of shape (n_rows, ...)
            As ``numpy.concatenate`` takes them: a type that does not fit changes that of all.

        Raises
        ------
        ValueError
            If its rows have another shape than those that are there.
        """
        batch = np.asarray(batch)
        if self._rows is None:
            self._rows = np.empty((max(self._room, len(batch)), *batch.shape[1:]), batch.dtype)
        if batch.shape[1:] != self._rows.shape[1:]:
            raise ValueError(
                f"All batches must have rows of one shape. Got {batch.shape[1:]} after "
                f"{self._rows.shape[1:]}."
            )
        end = self._n + len(batch)
        dtype = np.result_type(self._rows, batch)
        if end > len(self._rows) or dtype != self._rows.dtype:
            room = len(self._rows) if end <= len(self._rows) else max(end, 2 * len(self._rows))
            grown = np.empty((room, *batch.shape[1:]), dtype)
            grown[: self._n] = self._rows[: self._n]
            self._rows = grown
        self._rows[self._n : end] = batch
        self._n = end

    def array(self) -> np.ndarray:
        """Return all rows; nothing can be added afterwards.

        Raises
        ------
        ValueError
            If there was no batch.
        """
        if self._rows is None:
            raise ValueError("There must be at least one batch.")
        rows, self._rows = self._rows, None
        if len(rows) > self._n:
            rows.resize((self._n, *rows.shape[1:]), refcheck=False)  # gives the rest back
        return rows

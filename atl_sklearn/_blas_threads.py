"""One thread of BLAS where several would wait for each other longer than they compute."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

# Multiplications in a product of matrices from which several threads gain more than they wait.
_SMALL = 5e7


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")  # of the libraries that are loaded


class _OneThread:
    """Keeps BLAS at one thread as long as a thread of Python asks for it.

    The number of threads belongs to the process: the first one that asks lowers it, and the last
    one restores what the first one found.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_asking = 0
        self._limit: Any = None

    def begin(self) -> None:
        with self._lock:
            if not self._n_asking:
                self._limit = _blas().limit(limits=1)
            self._n_asking += 1

    def end(self) -> None:
        with self._lock:
            self._n_asking -= 1
            if not self._n_asking:
                self._limit.restore_original_limits()


_ONE_THREAD = _OneThread()


@contextmanager
def threads_for(n_multiplications: float) -> Iterator[None]:
    """Let a block use one thread of BLAS if its products of matrices are small.

    A solver that multiplies small matrices in each of its steps waits for the threads in each of
    them. Beside other processes, as those of a search are, it waits until all have a core.

    Parameters
    ----------
    n_multiplications : float
        In the largest product of the block.

    Returns
    -------
    limit : context manager
        Afterwards there are as many threads as before.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn._blas_threads import threads_for
    >>> with threads_for(3 * 3 * 3):
    ...     _ = np.eye(3) @ np.eye(3)
    """
    if n_multiplications > _SMALL:
        yield
        return
    _ONE_THREAD.begin()
    try:
        yield
    finally:
        _ONE_THREAD.end()

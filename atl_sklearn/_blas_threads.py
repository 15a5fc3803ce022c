"""One thread of BLAS where several would wait for each other longer than they compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

# Multiplications in a product of matrices from which several threads gain more than they wait.
_SMALL = 5e7


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through the libraries that are loaded


def threads_for(n_multiplications: float) -> AbstractContextManager[object]:
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
    small = n_multiplications <= _SMALL
    return _controller().limit(limits=1, user_api="blas") if small else nullcontext()

"""Random numbers of the data makers, never numpy's global generator."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from atl_sklearn._types import Seed


def get_generator(random_state: Seed) -> np.random.RandomState:
    """Return the generator that `random_state` stands for.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        As in scikit-learn, but None gives a new generator with a seed of its own instead of
        numpy's global one.

    Returns
    -------
    generator : numpy.random.RandomState
        The generator; an instance is returned as it is.

    Raises
    ------
    ValueError
        If `random_state` cannot seed a generator.
    """
    return np.random.RandomState() if random_state is None else check_random_state(random_state)

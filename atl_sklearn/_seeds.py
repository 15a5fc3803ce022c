"""What `random_state` may be."""

from __future__ import annotations

import numpy as np

from atl_sklearn._validation import is_integer

LARGEST_SEED = 2**32 - 1
SEED = f"None, an int in [0, {LARGEST_SEED}], or a numpy.random.RandomState"


def is_seed(value: object) -> bool:
    """Tell whether scikit-learn makes a generator of a value.

    Parameters
    ----------
    value : object
        A parameter `random_state`.

    Returns
    -------
    is_seed : bool
        True for what `SEED` says in words.

    Examples
    --------
    >>> from atl_sklearn._seeds import is_seed
    >>> is_seed(0), is_seed(-1)
    (True, False)
    """
    if value is None or value is np.random or isinstance(value, np.random.RandomState):
        return True
    return is_integer(value) and 0 <= value <= LARGEST_SEED

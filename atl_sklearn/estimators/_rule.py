"""The rule of the automatic choice: how much of which form, from three numbers."""

from __future__ import annotations

import numpy as np

# Of the target's variance, from which on an unrelated task gives it away.
_CONFOUNDED = 0.1
# By whether the penalty sees unlabeled data, and whether the unrelated task gives the target away.
# On training batches, in which the two go along, a penalty forbids some of what is to be learnt.
_WEIGHTS = {(True, True): 1.0, (True, False): 0.3, (False, True): 0.3, (False, False): 0.0}
# Samples of each class that the unrelated task leaves unexplained, from which on a network learns
# from them what unlabeled data alone would not teach it.
_ENOUGH = 20
_QUARTERS = 4  # numbers count as so many classes


def automatic_weight(share: float, *, on_unlabeled: bool) -> float:
    """Return the weight of a penalty.

    Parameters
    ----------
    share : float
        Of the target's variance, what the unrelated task explains; see :func:`confounding`.
    on_unlabeled : bool
        Whether the penalty sees unlabeled data.
    """
    return _WEIGHTS[on_unlabeled, share >= _CONFOUNDED]


def automatic_strength(share: float, y: np.ndarray, *, on_unlabeled: bool) -> float:
    """Return the strength of the product of experts.

    Parameters
    ----------
    share : float
        Of the target's variance, what all unrelated tasks together explain.
    y : ndarray of shape (n_samples, ...)
        The target; integers are classes.
    on_unlabeled : bool
        Whether there is a penalty that sees unlabeled data.
    """
    n_classes = len(np.unique(y)) if np.issubdtype(y.dtype, np.integer) else _QUARTERS
    unexplained = (1 - share) * len(y) / n_classes
    return 1.0 if not on_unlabeled or unexplained >= _ENOUGH else 0.0

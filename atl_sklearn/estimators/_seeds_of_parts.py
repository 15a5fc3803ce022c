"""Seeds of an estimator and of all its parts: one rule for searches and for fits."""

from __future__ import annotations

from typing import Any

from atl_sklearn.unrelated import is_fitted


def set_seeds(estimator: Any, seed: int, *, all_of_them: bool = False) -> Any:
    """Set the ``random_state`` of an estimator and its parts, those of a list too.

    Parameters
    ----------
    estimator : estimator
        Changed in place. What is fitted in it stays as it is.
    seed : int
        The seed.
    all_of_them : bool, default=False
        Whether those that have a seed of their own get this one as well.

    Returns
    -------
    estimator : estimator
        The same object.

    Examples
    --------
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.estimators._seeds_of_parts import set_seeds
    >>> several = [AntiTransferClassifier(), AntiTransferClassifier(random_state=0)]
    >>> net = set_seeds(AntiTransferClassifier(unrelated=several), 7)
    >>> net.random_state, [part.random_state for part in net.unrelated]
    (7, [7, 0])
    """
    params = estimator.get_params()
    names = [
        name
        for name, value in params.items()
        if name.rpartition("__")[2] == "random_state" and (all_of_them or value is None)
    ]
    estimator.set_params(**dict.fromkeys(names, seed))
    for name, value in params.items():
        # Estimators have no parameters of what is in a list.
        if name.rpartition("__")[2] == "unrelated" and isinstance(value, list | tuple):
            for part in value:
                if not is_fitted(part):
                    set_seeds(part, seed, all_of_them=all_of_them)
    return estimator

"""Weights of the classes in the task loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.utils import compute_sample_weight

from atl_sklearn._validation import is_number, refuse
from atl_sklearn.estimators._net import ClassifierNet


def check_class_weight(net: ClassifierNet) -> None:
    """Check ``class_weight`` as far as it can be without the classes; it is not None."""
    given = net.class_weight
    if isinstance(given, str) and given == "balanced":
        return
    is_dict = isinstance(given, Mapping)
    if not is_dict or not all(is_number(weight) and weight >= 0 for weight in given.values()):
        must = "None, 'balanced' or a dict from class to weight, each a float in [0, inf)"
        raise refuse(net, "class_weight", must)


def weights_by_class(net: ClassifierNet, y: object, classes: np.ndarray) -> np.ndarray:
    """Return the weight of each sample by its class.

    Parameters
    ----------
    net : AntiTransferClassifier
        The estimator, its ``class_weight`` not None.
    y : array of shape (n_samples,)
        Labels as they were given.
    classes : ndarray of shape (n_classes,)
        All labels that there are.

    Returns
    -------
    weight : ndarray of shape (n_samples,)
        1 for classes that a dict leaves out.

    Raises
    ------
    ValueError
        If a dict names a class that there is not, or all classes have the weight 0.
    """
    given = net.class_weight
    if isinstance(given, str):
        return compute_sample_weight(given, y)
    known = classes.tolist()
    unknown = [label for label in given if label not in known]
    if unknown:
        must = f"a dict whose keys are among the classes {known}"
        raise refuse(net, "class_weight", must, f"{unknown} are not.")
    weights = np.array([float(given.get(label, 1)) for label in known])
    if not weights.any():
        raise refuse(net, "class_weight", "above 0 for one of the classes")
    return weights[[known.index(label) for label in np.asarray(y).tolist()]]

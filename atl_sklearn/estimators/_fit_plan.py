"""What a fit will do, found out before anything of the estimator is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from atl_sklearn._validation import check_no_missing
from atl_sklearn.estimators._input_checks import TrainingData, check_training_data
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._parameters import check_classes, check_parameters
from atl_sklearn.unrelated import as_sources, label_columns


@dataclass(frozen=True)
class FitCall:
    """What the user called.

    Attributes
    ----------
    X, y, sample_weight, y_unrelated, X_unlabeled : object
        Arguments of `fit`, as they were given.
    params : dict
        Its further arguments.
    method : {"fit", "partial_fit"}
        Which it was.
    classes : array-like or None, default=None
        The classes that a first call of partial_fit names.
    """

    X: object
    y: object
    sample_weight: object
    y_unrelated: object
    X_unlabeled: object
    params: dict[str, Any]
    method: str
    classes: ArrayLike | None = None


@dataclass(frozen=True)
class FitPlan:
    """What a fit will do.

    Attributes
    ----------
    continues : bool
        Whether it goes on with the network that is there.
    data : TrainingData
        What it learns from.
    sources : list of estimator or torch.nn.Module
        What it avoids.
    labels : dict of int to array
        For each of the sources that is fitted first, by position, its labels.
    keeps_sources : bool
        Whether the sources are those of an earlier fit, with their scores.
    """

    continues: bool
    data: TrainingData
    sources: list[object]
    labels: dict[int, np.ndarray]
    keeps_sources: bool


def plan_fit(net: Net, call: FitCall) -> FitPlan:
    """Check parameters and data, and return what is to be done with them.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        It learns the shape of X, and what there is in y.
    call : FitCall
        What the user called.

    Returns
    -------
    plan : FitPlan
        Everything that can be known without a network.

    Raises
    ------
    TypeError, ValueError
        If a parameter, or something in the data, is not what it must be.
    """
    if call.classes is None:
        net.__dict__.pop("_declared_classes", None)
    else:
        net.__dict__["_declared_classes"] = call.classes
    check_no_missing(call.params.get("groups"), "groups")
    check_parameters(net)
    if call.classes is not None:
        check_classes(net, call.classes)
    wants_more = call.method == "partial_fit" or net.warm_start
    continues = bool(net.initialized_ and wants_more and not net._module_changed)
    data = check_training_data(
        net,
        call.X,
        call.y,
        call.sample_weight,
        call.X_unlabeled,
        # A first partial_fit may follow initialize(), which knows nothing of the data.
        reset=not (continues and hasattr(net, "n_outputs_")),
    )
    same = continues and vars(net).get("_unrelated_given") is net.unrelated
    if same and getattr(net, "unrelated_", None) is not None and call.y_unrelated is None:
        return FitPlan(continues, data, as_sources(net.unrelated_), {}, keeps_sources=True)
    sources = as_sources(net.unrelated)
    labels = label_columns(sources, call.y_unrelated, n_samples=len(data.y))
    return FitPlan(continues, data, sources, labels, keeps_sources=False)

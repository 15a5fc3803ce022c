"""What a fit will do, found out before anything of the estimator is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from atl_sklearn._validation import check_no_missing, is_number, refuse_value
from atl_sklearn.estimators._input_checks import TrainingData, as_array, check_training_data
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._parameters import check_classes, check_lengths, check_parameters
from atl_sklearn.estimators._side_checks import check_steps_twice
from atl_sklearn.unrelated import SideMaker, UnrelatedInputs, as_sources, plan_tasks


@dataclass(frozen=True)
class FitCall:
    """What the user called.

    Attributes
    ----------
    X, y, sample_weight, X_unlabeled : object
        Arguments of `fit`, as they were given.
    inputs : UnrelatedInputs
        Those for the unrelated side.
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
    X_unlabeled: object
    inputs: UnrelatedInputs
    params: dict[str, Any]
    method: str
    classes: ArrayLike | None = None

    def epochs_of(self, net: Net) -> int:
        """Return how many epochs are trained: as many as the call says, or the estimator."""
        epochs = self.params.get("epochs")
        if epochs is None:
            return net.max_epochs
        if not is_number(epochs, Integral) or epochs < 0:
            owner = f"{type(net).__name__}.{self.method}"
            raise refuse_value(owner, "epochs", "None or an int in [0, inf)", epochs)
        return int(epochs)

    @property
    def passed_on(self) -> dict[str, Any]:
        """The further arguments that are the network's or those of ``train_split``."""
        return {name: value for name, value in self.params.items() if name != "epochs"}


@dataclass(frozen=True)
class FitPlan:
    """What a fit will do.

    Attributes
    ----------
    continues : bool
        Whether it goes on with the network that is there.
    max_epochs : int
        How many epochs it trains.
    data : TrainingData
        What it learns from.
    sources : list of estimator, torch.nn.Module or str
        What it avoids.
    labels : dict of int to (array or None)
        For each of the sources that is fitted first, by position, its labels, if it needs any.
    sides : SideMaker
        Makes what is compared of the sources when these are fitted.
    keeps_sources : bool
        Whether the sources are those of an earlier fit, with their scores.
    """

    continues: bool
    max_epochs: int
    data: TrainingData
    sources: list[object]
    labels: dict[int, np.ndarray | None]
    sides: SideMaker
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
    epochs = call.epochs_of(net)
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
    keeps = same and getattr(net, "unrelated_", None) is not None
    keeps = keeps and call.inputs.y_unrelated is None
    tasks = plan_tasks(
        as_sources(net.unrelated_ if keeps else net.unrelated),
        call.inputs,
        several=isinstance(net.unrelated, list | tuple),
        n_samples=len(data.y),
        n_unlabeled=None if data.unlabeled is None else len(data.unlabeled),
        penalty_data=net.penalty_data,
    )
    check_lengths(net, len(tasks.sources))
    check_steps_twice(net, tasks.sources, call.inputs)
    if not tasks.has_unlabeled:
        data = replace(data, unlabeled=None)
    sees_unlabeled = data.unlabeled is not None and net.penalty_data != "train"
    unlabeled = as_array(call.X_unlabeled) if sees_unlabeled else None
    sides = SideMaker(call.inputs, as_array(call.X), unlabeled, tasks.rows)
    return FitPlan(continues, epochs, data, tasks.sources, tasks.labels, sides, keeps_sources=keeps)

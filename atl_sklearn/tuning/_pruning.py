"""Pruning by epoch: a callback that survives cloning."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from numpy.typing import ArrayLike
from optuna.trial import Trial
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback

from atl_sklearn._pipelines import as_innermost_sees
from atl_sklearn._validation import is_integer, refuse_value
from atl_sklearn.estimators import AntiTransferEstimator, end_for_good


class TrialPruning(Callback):
    """Report each epoch to a trial, and end the training if the trial is pruned.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The trial. Clones of the callback, and of an estimator that has it, report to the same
        one.
    monitor : str or callable, default="valid_loss"
        What to report: a column of the network's history (``valid_loss`` needs a ``train_split``),
        or a function of the network.
    first_step : int, default=0
        Step of the first epoch. With several folds, pass the step at which this fold begins.

    Raises
    ------
    optuna.TrialPruned
        During training, if the study's pruner decides so.
    ValueError
        If a parameter is wrong, or the history has no such column.

    Examples
    --------
    >>> import optuna
    >>> from sklearn.base import clone
    >>> from sklearn.datasets import make_classification
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.tuning import TrialPruning
    >>> X, y = make_classification(random_state=0)
    >>> trial = optuna.create_study().ask()
    >>> pruning = TrialPruning(trial, monitor="train_loss")
    >>> net = AntiTransferClassifier(callbacks=[("pruning", pruning)], max_epochs=3)
    >>> _ = clone(net).fit(X, y)
    >>> len(trial.study.trials[0].intermediate_values)
    3
    """

    def __init__(
        self,
        trial: Trial,
        monitor: str | Callable[[AntiTransferEstimator], float] = "valid_loss",
        first_step: int = 0,
    ) -> None:
        self.trial = trial
        self.monitor = monitor
        self.first_step = first_step

    def __sklearn_clone__(self) -> TrialPruning:
        # A copy of the trial would be another one, which the study knows nothing of.
        return type(self)(self.trial, self.monitor, self.first_step)

    def __deepcopy__(self, memo: object) -> TrialPruning:
        return self.__sklearn_clone__()

    def state_dict(self) -> dict[str, object]:
        """Return an empty dict: a fit that goes on after a kill belongs to another trial.

        Returns
        -------
        state : dict
            Empty.
        """
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take what :meth:`state_dict` returned.

        Parameters
        ----------
        state : dict
            Empty.
        """

    def on_train_begin(self, net: AntiTransferEstimator, *args: object, **kwargs: object) -> None:
        """Check the parameters."""
        owner = type(self).__name__
        trial, monitor = self.trial, self.monitor
        if isinstance(trial, type) or not (
            hasattr(trial, "report") and hasattr(trial, "should_prune")
        ):
            raise refuse_value(owner, "trial", "an Optuna trial", trial)
        if not (isinstance(monitor, str) or callable(monitor)) or isinstance(monitor, type):
            must = "a column of the network's history or a function of the network"
            raise refuse_value(owner, "monitor", must, monitor)
        if not is_integer(self.first_step, 0):
            raise refuse_value(owner, "first_step", "an int in [0, inf)", self.first_step)

    def on_epoch_end(self, net: AntiTransferEstimator, **kwargs: object) -> None:
        """Report, and end the training if the trial is to be pruned."""
        if callable(self.monitor):
            value = self.monitor(net)
        else:
            try:
                value = net.history[-1][self.monitor]
            except KeyError:
                columns = sorted(name for name in net.history[-1] if name != "batches")
                raise ValueError(
                    f"The 'monitor' parameter of TrialPruning must be a function or one of "
                    f"{columns}, the columns of the network's history. Got {self.monitor!r} "
                    "instead. valid_loss needs a train_split."
                ) from None
        step = int(self.first_step) + len(net.history) - 1
        self.trial.report(float(value), step)
        if self.trial.should_prune():
            end_for_good(net)
            raise optuna.TrialPruned(f"pruned at step {step}")


class HeldOutValue:
    """What a network in training is worth on the validation fold, as its score after the fit.

    Parameters
    ----------
    estimator : estimator
        What is being fitted: the network, or a pipeline, whose other steps are fitted by the
        time that the network trains.
    X : array-like of shape (n_samples, ...)
        The validation fold.
    value : callable
        From estimator and data, as its last step sees them, to a number.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        X: ArrayLike,
        value: Callable[[BaseEstimator, ArrayLike], float],
    ) -> None:
        self._estimator: BaseEstimator | None = estimator
        self._X = X
        self._value = value

    def __call__(self, net: AntiTransferEstimator) -> float:
        if self._estimator is not None:
            self._X = as_innermost_sees(self._estimator, self._X)
            # It has this as a callback: together they would keep the data after the fit.
            self._estimator = None
        return self._value(as_fitted(net), self._X)


def as_fitted(net: AntiTransferEstimator) -> AntiTransferEstimator:
    """Return a view of a network in training that predicts as it will when it is fitted.

    It shares the weights. During training a classifier speaks of classes by number.
    """
    view = object.__new__(type(net))
    state = {name: value for name, value in vars(net).items() if name != "_run"}
    view.__dict__.update(state, _completed=True)
    return view

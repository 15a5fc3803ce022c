"""The skorch net behind classifier and regressor: its hooks, each handed on to a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from skorch.callbacks import Callback
from skorch.exceptions import SkorchTrainingImpossibleError
from skorch.utils import is_dataset

from atl_sklearn._validation import refuse, shown
from atl_sklearn.estimators._batching import make_iterator, own_dataset, split_datasets
from atl_sklearn.estimators._data import IndexedData
from atl_sklearn.estimators._diagram import visual_block
from atl_sklearn.estimators._fit_plan import FitCall
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._fitting import fit
from atl_sklearn.estimators._history import EpochTable, PenaltyHistory
from atl_sklearn.estimators._making import (
    make_module,
    make_network,
    naming_parameter,
    optimizer_arguments,
    waits_for_sizes,
)
from atl_sklearn.estimators._names import check_gradients, get_optimizer
from atl_sklearn.estimators._placement import HALF_PRECISIONS, Placement, autocast, in_single
from atl_sklearn.estimators._sklearn_net import SklearnNet
from atl_sklearn.estimators._steps import Step, Steps
from atl_sklearn.estimators._wrapped import hooks_guarded
from atl_sklearn.unrelated import UnrelatedInputs

# What `fit` takes besides what any other takes.
OWN_ARGUMENTS = (
    "X_unlabeled",
    "X_unrelated",
    "X_unrelated_unlabeled",
    "Z_unlabeled",
    "Z_unrelated",
    "y_unrelated",
)


class AntiTransferEstimator(SklearnNet):
    """What classifier and regressor share.

    Its methods are those that scikit-learn or skorch call, and that a subclass may override. The
    parts do the work: ``_fitting`` runs a fit, ``_steps`` makes a step, ``_batching`` makes batches
    of data, and so on. During a fit, ``_run`` has its state.
    """

    # With metadata routing enabled nothing has to be requested: these arguments have no meaning
    # for any other estimator, so that there is no doubt about whom they are for. Weights are
    # requested as everywhere in scikit-learn, since a Pipeline may mean them for other steps.
    __metadata_request__fit = dict.fromkeys(OWN_ARGUMENTS, True)
    __metadata_request__partial_fit = dict.fromkeys(OWN_ARGUMENTS, True)

    def _sk_visual_block_(self) -> object:
        return visual_block(self)

    # Arguments of validate_data for y.
    _target_checks: dict[str, object] = {}  # noqa: RUF012 - never changed

    # What differs between classes and numbers.

    def _check_target(self, y: object) -> None:
        """Check the shape of y as the user gave it, before anything else looks at it."""

    def _encode_targets(self, y: object, *, reset: bool) -> np.ndarray:
        raise NotImplementedError  # pragma: no cover

    def _with_encoded_labels(self, dataset: object) -> object:
        """Return a user's Dataset with its targets as the criterion takes them."""
        return dataset

    def _task_weight(self, y: object, sample_weight: np.ndarray | None) -> np.ndarray | None:
        """Return the weights of the samples in the task loss; `y` as the user gave it."""
        return sample_weight

    def _check_output(self, output: object) -> None:
        """Check what the network returns for a few samples."""

    def _scaling_of_named(self) -> dict[str, bool]:
        """Return which scaling layers a network has that is known by name."""
        return {"standardize": True}

    def _judge_predictions(self, run: FitRun) -> str:
        """Return what is wrong with what the network predicts, as a sentence; or nothing."""
        return ""

    # What is made before training.

    def initialize(self) -> Self:
        """Make network, criterion, optimizer and callbacks; `fit` does it by itself.

        Returns
        -------
        self : object
            The estimator, initialised but not fitted. A network that is made to the shape of X is
            made where this becomes known, in `fit` or :meth:`load_params`.
        """
        self.__dict__.pop("_completed", None)
        if waits_for_sizes(self):
            return self
        with self._stream().active(self.device):
            return super().initialize()

    def _make_parts(self) -> None:
        super().initialize()
        if "module_" not in vars(self):
            raise TypeError(
                f"{type(self).__name__}.initialize_module must set module_, the network that "
                "predicts and is compared; others can be set beside it."
            )
        if hasattr(self, "_initialize_accelerator"):  # of skorch's AccelerateMixin
            self._initialize_accelerator()

    def initialize_module(self) -> Self:
        """Make the network; it is told the sizes of X and y where it asks for them by name."""
        self.module_: Any = make_module(self)
        return self

    def _make_network(self, X: object) -> torch.nn.Module:
        """Return a network as `fit` would make it for X, of an estimator that is not fitted."""
        return make_network(self, X)

    def initialize_criterion(self, *args: object, **kwargs: object) -> Self:
        """Make the loss of the task; an instance is copied, as that of a network is. See skorch.

        Parameters
        ----------
        *args, **kwargs : object
            Passed on to skorch.

        Returns
        -------
        self : object
            The estimator.
        """
        with naming_parameter(self, "criterion", "cannot be made"):
            super().initialize_criterion(*args, **kwargs)
        if vars(self).get("criterion_") is self.criterion:
            self.criterion_: Any = deepcopy(self.criterion)
        return self

    def initialize_optimizer(self, *args: object, **kwargs: object) -> Self:
        """Make the optimizer, which may be known by name; see skorch.

        Parameters
        ----------
        *args, **kwargs : object
            Passed on to skorch.

        Returns
        -------
        self : object
            The estimator.
        """
        name = self.optimizer
        kind = get_optimizer(name)
        kind = getattr(kind, "func", kind)  # of a partial
        if isinstance(kind, type) and issubclass(kind, torch.optim.LBFGS):
            # It views each parameter as a flat vector, which needs one order of memory.
            self.module_.to(memory_format=torch.contiguous_format)
        with naming_parameter(self, "optimizer", "cannot be made for this network"):
            try:
                self.__dict__["optimizer"] = get_optimizer(name)
                super().initialize_optimizer(*args, **kwargs)
            finally:
                self.__dict__["optimizer"] = name
        if not hasattr(self.optimizer_, "zero_grad"):
            raise refuse(
                self, "optimizer", "what makes an optimizer", f"It made {shown(self.optimizer_)}."
            )
        check_gradients(self)
        return self

    def get_params_for_optimizer(
        self, prefix: str, named_parameters: Iterable[tuple[str, torch.nn.Parameter]]
    ) -> tuple[list[object], dict[str, object]]:
        """Return the arguments of an optimizer; see skorch.

        torch's fused form, which makes one step of all parameters at once, is chosen where
        there is one and no other form is asked for.

        Parameters
        ----------
        prefix : str
            Which optimizer.
        named_parameters : iterable of (str, Parameter)
            What it trains.

        Returns
        -------
        args : list
            Groups of parameters.
        kwargs : dict
            Other arguments.
        """
        named_parameters = list(named_parameters)
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        return args, optimizer_arguments(self, prefix, named_parameters, kwargs)

    # Data.

    def check_data(self, X: object, y: object = None) -> None:
        """Do nothing: the data are checked before, where skorch would look at them again."""

    def get_dataset(self, X: object, y: np.ndarray | None = None) -> torch.utils.data.Dataset:
        """Return the dataset that is trained on or predicted; see skorch.

        Parameters
        ----------
        X : array, mapping or Dataset
            The data.
        y : array or None, default=None
            The targets.

        Returns
        -------
        dataset : torch.utils.data.Dataset
            Arrays are sliced a batch at a time.
        """
        if self._run is None and self._completed and hasattr(self, "n_outputs_"):
            if y is not None:
                y = self._encode_targets(y, reset=False)
            elif is_dataset(X):
                X = self._with_encoded_labels(X)
        own = own_dataset(self, self._run, X, y)
        return super().get_dataset(X, y) if own is None else own

    def get_split_datasets(
        self, X: object, y: np.ndarray | None = None, **fit_params: object
    ) -> tuple[IndexedData, IndexedData | None]:
        """Return the datasets for training and validation; see skorch.

        Parameters
        ----------
        X : array, mapping or Dataset
            The data.
        y : array
            The encoded targets.
        **fit_params : dict
            Passed on to ``train_split``.

        Returns
        -------
        dataset_train, dataset_valid : torch.utils.data.Dataset
            The second is None without ``train_split``.
        """
        return split_datasets(self, self._run, X, y, fit_params)

    def get_iterator(self, dataset: IndexedData, training: bool = False) -> Iterable[object]:
        """Return the iterator over the batches of a dataset; see skorch.

        Parameters
        ----------
        dataset : torch.utils.data.Dataset
            The data.
        training : bool, default=False
            Whether they are trained on: ``iterator_train`` is used, and shuffles unless
            ``iterator_train__shuffle`` says otherwise.

        Returns
        -------
        iterator : iterable
            Of batches.
        """
        return make_iterator(self, self._run, dataset, training=training)

    def _placement(self) -> Placement:
        run = self._run
        return Placement.of(self.device, self.precision) if run is None else run.placement

    def infer(self, x: object, **fit_params: object) -> Any:
        """Run the network on a batch; see skorch.

        Parameters
        ----------
        x : array, Tensor or mapping of these
            The batch.
        **fit_params : dict
            Passed on to the network.

        Returns
        -------
        y_pred : Tensor
            What the network returns.
        """
        if self.compile:
            with hooks_guarded():
                return self._infer(x, **fit_params)
        return self._infer(x, **fit_params)

    def _infer(self, x: object, **fit_params: object) -> Any:
        if self._run is not None:
            fit_params = self._run.forward_params
        place = self._placement()
        x = place.batch(x)
        if self.precision in HALF_PRECISIONS:
            with autocast(self.precision, place.device, self.module_):
                return in_single(super().infer(x, **fit_params))
        if isinstance(x, torch.Tensor):
            return self.module_(x, **fit_params)
        return super().infer(x, **fit_params)

    # Steps, epochs and events.

    @property
    def _steps(self) -> Steps:
        return Steps(self, None) if self._run is None else self._run.steps

    def train_step_single(self, batch: object, **fit_params: object) -> Step:
        """Compute losses and gradients of one batch; see skorch.

        Parameters
        ----------
        batch : Batch
            The batch.
        **fit_params : dict
            Passed on to the network.

        Returns
        -------
        step : dict
            ``loss``, the task loss; ``objective``, what is minimised; and ``y_pred``.
        """
        self._steps.set_training()
        step = self._steps.losses(batch, training=True, **fit_params)
        self._backward(self._steps.scaled(step["objective"]))
        return step

    def _backward(self, objective: torch.Tensor) -> None:
        objective.backward()

    def train_step(self, batch: object, **fit_params: object) -> Step:
        """Make one step of the optimizer, which minimises the objective; see skorch.

        Parameters
        ----------
        batch : Batch
            The batch.
        **fit_params : dict
            Passed on to the network.

        Returns
        -------
        step : dict
            As :meth:`train_step_single` returns it.
        """
        return self._steps.optimize(batch, **fit_params)

    def validation_step(self, batch: object, **fit_params: object) -> Step:
        """Compute the losses of one validation batch; see skorch.

        Parameters
        ----------
        batch : Batch
            The batch.
        **fit_params : dict
            Passed on to the network.

        Returns
        -------
        step : dict
            ``loss``, the task loss, and ``y_pred``.
        """
        self._set_training(False)
        with torch.no_grad():
            step = self._steps.losses(batch, training=False, **fit_params)
        return {"loss": step["loss"], "y_pred": step["y_pred"]}

    def run_single_epoch(
        self,
        iterator: Iterable[object] | None,
        training: bool,
        prefix: str,
        step_fn: Callable[..., Step],
        **fit_params: object,
    ) -> None:
        """Go through all batches once; see skorch.

        Parameters
        ----------
        iterator : iterable or None
            The batches; None for nothing to do.
        training : bool
            Whether the network is trained.
        prefix : str
            ``"train"`` or ``"valid"``, for the history.
        step_fn : callable
            Makes the step of one batch.
        **fit_params : dict
            Passed on to `step_fn`.
        """
        if self._run is None or iterator is None or not training:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            return
        step_fn = self._steps.begin_epoch(iterator, step_fn)
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        self._steps.end_epoch()

    def notify(self, method_name: str, **kwargs: object) -> None:
        """Call the callbacks; see skorch.

        Parameters
        ----------
        method_name : str
            The event, such as ``"on_batch_end"``.
        **kwargs : dict
            Passed on.
        """
        try:
            super().notify(method_name, **kwargs)
            if method_name == "on_epoch_end" and self._run is not None and self._run.checkpoints:
                self._run.checkpoints.keep(self)
        except KeyboardInterrupt:
            # How skorch's callbacks end a training.
            if self._run is not None:
                self._run.ended_by_callback = not self._run.watch.seen
            raise

    def on_epoch_begin(self, net: object, *args: object, **kwargs: object) -> None:
        """Begin an epoch, in a resumed fit from where it was interrupted; see skorch."""
        if self._run is not None and self._run.checkpoints is not None:
            self._run.checkpoints.go_on(self)
        super().on_epoch_begin(net, *args, **kwargs)

    def on_epoch_end(self, net: object, *args: object, **kwargs: object) -> None:
        """Keep the weights if they are finite; end the training if they are not."""
        super().on_epoch_end(net, *args, **kwargs)
        if self._run is not None:
            if not self._run.weights.keep():
                self._steps.stop_for("weights of the network")
            self._run.finished = len(self.history)

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        # skorch prints last, whatever the order
        known = dict(super()._default_callbacks)
        return [*{**known, "print_log": EpochTable(), "penalty": PenaltyHistory()}.items()]

    # Fitting.

    def check_training_readiness(self) -> None:
        """Refuse to train what was trimmed for prediction; see skorch."""
        try:
            super().check_training_readiness()
        except SkorchTrainingImpossibleError as error:
            raise SkorchTrainingImpossibleError(
                f"{error}: its optimizer and callbacks are gone. Its parameters are there: fit "
                "sklearn.base.clone(estimator) instead."
            ) from None

    def fit_loop(
        self, X: object, y: object = None, epochs: int | None = None, **fit_params: Any
    ) -> Self:
        """Train for some more epochs; the same as :meth:`partial_fit`. See skorch.

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Class labels or targets, as in `fit`.
        epochs : int or None, default=None
            How many epochs; None for `max_epochs`.
        **fit_params : dict
            Further arguments of :meth:`partial_fit`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        if self._run is None:
            fit_params.pop("_routing_method", None)
            return self.partial_fit(X, y, epochs=epochs, **fit_params)
        return super().fit_loop(X, y, epochs=epochs, **fit_params)

    def fit(
        self,
        X: object,
        y: object = None,
        *,
        sample_weight: object = None,
        y_unrelated: object = None,
        X_unrelated: object = None,
        Z_unrelated: object = None,
        X_unlabeled: object = None,
        X_unrelated_unlabeled: object = None,
        Z_unlabeled: object = None,
        **fit_params: object,
    ) -> Self:
        """Train the network on (X, y).

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Training data with 2 to 4 axes. Arrays are cast to `precision`; sparse matrices
            become dense a batch at a time; mappings and datasets are taken as skorch takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Class labels, strings or numbers; for a regressor, its targets. May be None if a Dataset
            holds it.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples in the task loss and in the penalty.
        y_unrelated : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
            Labels of the nuisance, a column for each unrelated task. An unfitted `unrelated` is
            fitted on them; ``unrelated="labels"`` compares with them, and takes floats as numbers
            and anything else as classes. Cross-validation splits them with X. A Pipeline hands them
            on, like the other arguments here, after
            ``sklearn.set_config(enable_metadata_routing=True)``.
        X_unrelated : array-like of shape (n_samples, ...), mapping of these or None, default=None
            What unrelated networks and estimators see instead of X, in any shape and type that they
            take: waveforms, token ids, names of files for a Pipeline that reads them. A mapping has
            an entry for each argument of a network's ``forward``. Integers stay integers, for
            networks that embed them. A Pipeline does not transform it.
        Z_unrelated : array-like of shape (n_samples, ...), list or mapping of these, default=None
            What ``unrelated="precomputed"`` compares with; several arrays are several tasks.
            Memory-mapped arrays are read a batch at a time. Cross-validation splits arrays, and
            several of them in a ``skorch.helper.SliceDict``, not in a list.
        X_unlabeled : array-like of shape (n_unlabeled, ...), mapping or torch Dataset, default=None
            Data like X without labels, which only the penalty sees; see `penalty_data`. It must not
            have as many samples as X, because cross-validation would then split it. Of the items of
            a Dataset, the first element is used. A Pipeline transforms it if you make it with
            ``transform_input=["X_unlabeled"]`` and enable metadata routing.
        X_unrelated_unlabeled : array-like of shape (n_unlabeled, ...) or mapping, default=None
            `X_unrelated` of the unlabeled data.
        Z_unlabeled : array-like of shape (n_unlabeled, ...), list or mapping, default=None
            `Z_unrelated` of the unlabeled data, or their labels: an entry for each unrelated task
            that is precomputed or labels. For labels alone you may leave it out; then the training
            batches are compared.
        **fit_params : dict
            Passed on to the network's ``forward`` and to ``train_split``; except ``epochs``, an int
            that replaces `max_epochs` in this call.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter, X, y or a weight is wrong; nothing was trained.
        NonFiniteLossError
            If a loss or the weights became NaN or infinite; `module_` has the last finite ones.
        """
        inputs = UnrelatedInputs(
            y_unrelated, X_unrelated, Z_unrelated, X_unrelated_unlabeled, Z_unlabeled
        )
        fit(self, FitCall(X, y, sample_weight, X_unlabeled, inputs, fit_params, "fit"))
        return self

    def partial_fit(
        self,
        X: object,
        y: object = None,
        classes: ArrayLike | None = None,
        *,
        sample_weight: object = None,
        y_unrelated: object = None,
        X_unrelated: object = None,
        Z_unrelated: object = None,
        X_unlabeled: object = None,
        X_unrelated_unlabeled: object = None,
        Z_unlabeled: object = None,
        **fit_params: object,
    ) -> Self:
        """Train for `max_epochs` more epochs, from where the last call ended.

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Class labels, strings or numbers; for a regressor, its targets. May be None if a Dataset
            holds it.
        classes : array-like of shape (n_classes,), default=None
            All classes that any call will bring; only the first call reads it. A regressor does
            not.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples in the task loss and in the penalty.
        y_unrelated : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
            Labels of the nuisance; needed in the first call, as in `fit`, and in each call with
            ``unrelated="labels"``.
        X_unrelated : array-like of shape (n_samples, ...), mapping of these or None, default=None
            What unrelated networks and estimators see instead of X, as in `fit`.
        Z_unrelated : array-like of shape (n_samples, ...), list or mapping of these, default=None
            What ``unrelated="precomputed"`` compares with, as in `fit`.
        X_unlabeled : array-like of shape (n_unlabeled, ...), mapping or torch Dataset, default=None
            Unlabeled data, as in `fit`; needed in each call that uses them.
        X_unrelated_unlabeled : array-like of shape (n_unlabeled, ...) or mapping, default=None
            `X_unrelated` of the unlabeled data.
        Z_unlabeled : array-like of shape (n_unlabeled, ...), list or mapping, default=None
            `Z_unrelated` of the unlabeled data, or their labels.
        **fit_params : dict
            Passed on to the network's ``forward`` and to ``train_split``; ``epochs`` as in `fit`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        classes = classes if is_classifier(self) else None
        inputs = UnrelatedInputs(
            y_unrelated, X_unrelated, Z_unrelated, X_unrelated_unlabeled, Z_unlabeled
        )
        call = FitCall(X, y, sample_weight, X_unlabeled, inputs, fit_params, "partial_fit", classes)
        fit(self, call)
        return self

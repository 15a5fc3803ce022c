"""Fitting: from checked data to a trained network."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import GradientNormClipping, LRScheduler

from atl_sklearn._pipelines import innermost
from atl_sklearn._user_warnings import warn_user
from atl_sklearn._validation import check_no_missing, refuse, shown
from atl_sklearn.estimators._automatic_weight import confounding, given_weights
from atl_sklearn.estimators._checkpoints import open_checkpoints
from atl_sklearn.estimators._finiteness import FiniteWeights
from atl_sklearn.estimators._fit_run import FitRun, unwrapped
from atl_sklearn.estimators._frozen_side import network_label
from atl_sklearn.estimators._inputs import accepted, as_array
from atl_sklearn.estimators._learning_rate import LearningRate, get_lr_schedule
from atl_sklearn.estimators._names import (
    check_gradients,
    get_optimizer,
    sparse_weights,
    with_arguments,
)
from atl_sklearn.estimators._outcome import summarise
from atl_sklearn.estimators._outputs import takes_one_score
from atl_sklearn.estimators._parameters import check_classes, check_parameters
from atl_sklearn.estimators._penalty import PenaltyRun
from atl_sklearn.estimators._penalty_settings import (
    NetworkCalls,
    PenaltySettings,
    unrelated_choices,
)
from atl_sklearn.estimators._precision import PRECISIONS
from atl_sklearn.estimators._rehearsal import check_forward_params, rehearse
from atl_sklearn.estimators._scales import rescale_layer
from atl_sklearn.estimators._seeding import RandomStream, own_random_numbers, seeded
from atl_sklearn.estimators._splits import get_splitter
from atl_sklearn.estimators._steps import Steps
from atl_sklearn.estimators._unlabeled import check_pipeline, check_unlabeled
from atl_sklearn.modules import get_module
from atl_sklearn.unrelated import (
    FrozenNetwork,
    Trial,
    as_sources,
    copy_network,
    fit_sources,
    get_network,
    get_nonlinearity,
    is_fitted,
    label_columns,
    why_not_trainable,
)

# Newer skorch resolves metadata for the method that the user called.
_ROUTES = "_routing_method" in inspect.signature(NeuralNet.fit_loop).parameters

# State that the next training does not take over.
_OF_ONE_TRAINING = (
    "_random_stream",
    "_penalty_state",
    "history_",
    "_completed",
    "_module_changed",
    "weight_",
)

_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
_OTHER_FORMS = {"fused", "foreach", "capturable", "differentiable"}


class AntiTransferTraining(Steps):
    """The training that classifier and regressor share."""

    # With metadata routing enabled nothing has to be requested: these arguments have no meaning
    # for any other estimator, so that there is no doubt about whom they are for. Weights are
    # requested as everywhere in scikit-learn, since a Pipeline may mean them for other steps.
    __metadata_request__fit = {"X_unlabeled": True, "y_unrelated": True}  # noqa: RUF012
    __metadata_request__partial_fit = {"X_unlabeled": True, "y_unrelated": True}  # noqa: RUF012

    def _stream(self) -> RandomStream:
        """Return the running stream of random numbers, beginning it if there is none."""
        if "_random_stream" not in vars(self):
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            self._random_stream = RandomStream(int(seed))
        return self._random_stream

    def initialize(self) -> Any:
        """Make network, criterion, optimizer and callbacks; `fit` does it by itself.

        Returns
        -------
        self : object
            The estimator, initialised but not fitted. A network that is made to the shape of X is
            made where this becomes known, in `fit` or :meth:`load_params`.
        """
        self.__dict__.pop("_completed", None)
        if self._waits_for_sizes():
            return self
        with self._stream().active(self.device):
            return super().initialize()

    def _waits_for_sizes(self) -> bool:
        """Tell whether the network cannot be made before the sizes of X and y are known."""
        given = self.get_params_for("module")
        sizes = {"input_shape": "input_shape_", "n_outputs": "n_outputs_"}
        unknown = {n for n, of in sizes.items() if n not in given and not hasattr(self, of)}
        if "input_shape" in unknown:
            unknown |= {"n_features_in"} - given.keys()
        if isinstance(self.module, str):
            return bool(unknown & sizes.keys())
        if isinstance(self.module, torch.nn.Module) or not callable(self.module):
            return False
        asked = inspect.signature(self.module).parameters
        needed = {
            n for n, p in asked.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD
        }
        return bool(unknown & needed)

    def initialize_module(self) -> Any:
        """Make the network; it is told the sizes of X and y where it asks for them by name."""
        kwargs = self.get_params_for("module")
        shape = getattr(self, "input_shape_", None)
        module = self.module
        if isinstance(module, str):
            known = kwargs.get("input_shape", shape)
            if known is None:
                raise ValueError(
                    f"module={module!r} is made to the shape of X, which is not known before "
                    "fit. Call fit, or set module__input_shape and module__n_outputs."
                )
            module = get_module(module, (known,) if isinstance(known, int) else tuple(known))
        if isinstance(module, torch.nn.Module):
            # Trained in place it would not be the user's any more.
            self.module_ = self.initialized_instance(copy_network(module), kwargs)
        else:
            sizes = {
                "input_shape": shape,
                "n_features_in": shape[0] if shape else None,
                "n_outputs": getattr(self, "n_outputs_", None),
            }
            asked = inspect.signature(module).parameters
            given = {name: v for name, v in sizes.items() if name in asked and v is not None}
            if isinstance(self.module, str):
                given |= self._scaling_of_named()
            made = module(**{**given, **kwargs})
            if not isinstance(made, torch.nn.Module):
                way_out = f"It made {shown(made)}."
                raise refuse(self, "module", "what makes a torch.nn.Module", way_out)
            self.module_ = made
        reason = why_not_trainable(self.module_)
        if reason:
            way_out = f"It {reason}. It can be the unrelated one."
            raise refuse(self, "module", "a network that can be trained", way_out)
        self.module_ = self.module_.to(PRECISIONS[self.precision])
        return self

    def _scaling_of_named(self) -> dict[str, bool]:
        """Return which layers that scale data a network has that is known by name."""
        return {"standardize": True}

    def _make_network(self, X: Any) -> torch.nn.Module:
        """Return a network as `fit` would make it for X, of an estimator that is not fitted."""
        X = as_array(X)
        self.input_shape_ = tuple((X if hasattr(X, "shape") else np.asarray(X)).shape[1:])
        classes = getattr(self, "classes", None)
        # How many outputs are needed is known from y only; their number changes no name.
        n_outputs = (2 if classes is None else len(classes)) if is_classifier(self) else 1
        self.n_outputs_ = 1 if takes_one_score(self.criterion) and n_outputs == 2 else n_outputs
        with own_random_numbers(0, "cpu"), self._current_init_context("module"):
            self.initialize_module()
        return self.module_

    def initialize_criterion(self, *args: Any, **kwargs: Any) -> Any:
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
        try:
            super().initialize_criterion(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The 'criterion' parameter, {shown(self.criterion)}, cannot be made"
                f"{with_arguments(self, 'criterion')}: {error}"
            ) from error
        if vars(self).get("criterion_") is self.criterion:
            self.criterion_: Any = deepcopy(self.criterion)
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> Any:
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
            # It sees all parameters as one row, which they are in one order of memory only.
            self.module_.to(memory_format=torch.contiguous_format)
        try:
            self.__dict__["optimizer"] = get_optimizer(name)
            super().initialize_optimizer(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The 'optimizer' parameter, {shown(name)}, cannot be made for this network"
                f"{with_arguments(self, 'optimizer')}: {error}"
            ) from error
        finally:
            self.__dict__["optimizer"] = name
        if not hasattr(self.optimizer_, "zero_grad"):
            raise refuse(
                self, "optimizer", "what makes an optimizer", f"It made {shown(self.optimizer_)}."
            )
        check_gradients(self)
        return self

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
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
        if isinstance(kwargs.get("lr"), np.generic):
            kwargs["lr"] = kwargs["lr"].item()
        optimizer = get_optimizer(getattr(self, prefix, None))
        if "weight_decay" in accepted(optimizer, ("weight_decay",)) - kwargs.keys():
            kwargs["weight_decay"] = self.weight_decay
        sparse = sparse_weights(self.module_)
        fits = all(
            parameter.is_floating_point()
            and id(parameter) not in sparse
            and parameter.device.type in ("cpu", "cuda")
            for _, parameter in named_parameters
        )
        if optimizer in _FUSED and fits and not kwargs.keys() & _OTHER_FORMS:
            kwargs["fused"] = True
        return args, kwargs

    def _open_checkpoints(self, data: dict[str, Any], *, method: str, continues: bool) -> None:
        """Find out where the fit was interrupted, if it was; the random numbers are those then."""
        found = open_checkpoints(self, data, method=method, continues=continues)
        if found is None:
            return
        self._run.checkpoints = found
        self._run.exits.callback(found.close)
        if found.state is not None:
            self._stream().seed = found.state["seed"]

    @contextmanager
    def _determined(self, sources: list[Any], labels: dict[int, Any]) -> Iterator[list[Any]]:
        """Let the block fit unrelated estimators that a fit which goes on finds the same again."""
        if self.checkpoint_dir is None:
            yield sources
            return
        seed = self._stream().seed
        with own_random_numbers(seed, self.device):
            yield [seeded(s, seed + at) if at in labels else s for at, s in enumerate(sources)]

    def _begin(self, sources: list[Any], batches: Any, tried: Any, trial: Trial | None) -> None:
        """Make what lives as long as the fit: the penalty and the guard of the weights."""
        self._run.weights = FiniteWeights(self.module_)
        self._run.rescale = rescale_layer(self.module_)
        self._run.begun = self._run.finished = len(self.history)
        if self.precision == "float16":
            self._run.scaler = torch.amp.GradScaler(next(self.module_.parameters()).device.type)
        self._begin_steps()
        checkpoints = self._run.checkpoints
        if checkpoints is not None and checkpoints.done:
            weights = checkpoints.weights
            self.__dict__["_penalty_state"] = checkpoints.state["penalty"]
        else:
            weights = self._resolve_weights(sources, batches, tried)
        several = isinstance(self.unrelated, list | tuple)
        self.__dict__["weight_"] = weights if several else (weights[0] if weights else 0.0)
        if trial is not None and any(weights):
            self._run.penalty = self._make_penalty(sources, weights, batches, tried, trial)
        if checkpoints is not None:
            checkpoints.weights = weights
            checkpoints.check(self)

    def _make_penalty(
        self, sources: list[Any], weights: list[float], batches: Any, tried: Any, trial: Trial
    ) -> PenaltyRun:
        several = isinstance(self.unrelated, list | tuple)
        of_layer, choices = unrelated_choices(
            self.layer, self.unrelated_layer, len(sources), several=several
        )
        unlabeled = self._run.unlabeled if self.penalty_data != "train" else None
        if unlabeled is not None:
            self._place(unlabeled)
        compared = self.penalty_data
        if compared == "auto":
            compared = "train" if unlabeled is None else "unlabeled"
        settings = PenaltySettings(
            metric=self.metric,
            aggregation=self.aggregation,
            layer=self.layer,
            weight_schedule=self.weight_schedule,
            weights=weights,
            target_similarity=self.target_similarity,
            unrelated_layers=choices,
            of_layer=of_layer,
            compares_training=compared in ("train", "both"),
            batch_size=self.penalty_batch_size,
            conditional=self.conditional,
            cache=self.cache,
            cache_size=self.cache_size,
            memory=self.memory,
            precision=self.precision,
            device=self._running_device,
            max_epochs=self.max_epochs,
            seed=self._stream().seed,
            validates=get_splitter(self) is not None,
            keeps_in_order=self.checkpoint_dir is not None,
            verbose=bool(self.verbose),
        )
        own = self._makes_batches(batches)
        return PenaltyRun(
            settings,
            unwrapped(self.module_),
            NetworkCalls(
                self.infer, self._try_out, self._on_device, self._get_predict_nonlinearity()
            ),
            sources,
            tried,
            trial,
            data=batches,
            n_steps=len(self.get_iterator(batches, training=True)) if own else None,
            exits=self._run.exits,
            unlabeled=unlabeled,
            state=self.__dict__.get("_penalty_state"),
        )

    def _begin_steps(self) -> None:
        """Decide who sets the learning rate, and who clips gradients."""
        callbacks = [callback for _, callback in self.callbacks_]
        optimizers = [getattr(self, f"{name}_") for name in self._optimizers]
        scheduler = next((c for c in callbacks if isinstance(c, LRScheduler)), None)
        if scheduler is None and self.lr_schedule != "constant":
            self._run.rate = LearningRate(
                optimizers,
                get_lr_schedule(self.lr_schedule),
                self.max_epochs,
                cycles_momentum=isinstance(self.lr_schedule, str)
                and self.lr_schedule == "one_cycle"
                and "betas" not in self.get_params_for("optimizer"),
            )
            self._run.exits.callback(self._run.rate.restore)
        elif scheduler is not None and self.verbose:
            print(
                f"The callback {type(scheduler).__name__} sets the learning rate; "
                f"lr_schedule={self.lr_schedule!r} is not used."
            )
        clips = any(
            isinstance(c, GradientNormClipping) and c.gradient_clip_value is not None
            for c in callbacks
        )
        # LBFGS compares gradients of several points, which must be what they are.
        if not clips and not any(isinstance(o, torch.optim.LBFGS) for o in optimizers):
            self._run.max_grad_norm = self.max_grad_norm

    def _resolve_weights(self, sources: list[Any], batches: Any, tried: Any) -> list[float]:
        """Return a number for each weight, measuring those that are "auto"."""
        weights = given_weights(self.weight, len(sources))
        if "auto" not in weights:
            return weights
        frozen = {}
        for position, (source, weight) in enumerate(zip(sources, weights, strict=True)):
            if weight == "auto":
                frozen[position] = FrozenNetwork(
                    get_network(source),
                    device=self.device,
                    label=network_label(position, len(sources)),
                    nonlinearity=get_nonlinearity(source),
                )
                frozen[position].choose("posterior", tried)
        answers: dict[int, list[Any]] = {position: [] for position in frozen}
        targets = []
        for X, y in self.get_iterator(batches, training=False):
            targets.append(y.cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y))
            for position, network in frozen.items():
                answer = network(self._on_device(X))
                network.check_finite(answer, "X")
                answers[position].append(answer[0].flatten(1).cpu().numpy())
        return [
            confounding(
                np.concatenate(answers[position]),
                np.concatenate(targets),
                self._run.sample_weight,
            )
            if position in frozen
            else weight
            for position, weight in enumerate(weights)
        ]

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        y_unrelated: Any = None,
        X_unlabeled: Any = None,
        **fit_params: Any,
    ) -> Self:
        """Train the network on (X, y).

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Training data with 2 to 4 axes. Arrays are cast to `precision`; sparse matrices
            become dense a batch at a time; mappings and datasets are taken as skorch takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Class labels, strings or numbers; of a regressor, its targets. May be None where a
            Dataset holds it.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples in the task loss and in the penalty.
        y_unrelated : array-like of shape (n_samples,) or (n_samples, n_unfitted), default=None
            Labels of the unrelated tasks, on which an unfitted `unrelated` is fitted; a column
            for each of several. Cross-validation splits them with X. A Pipeline hands them on
            after ``sklearn.set_config(enable_metadata_routing=True)``.
        X_unlabeled : array-like of shape (n_unlabeled, ...), mapping or torch Dataset, default=None
            Data of the kind and shape of X without labels, which only the penalty sees; see
            `penalty_data`. It must not have as many samples as X, because cross-validation
            would split it then; of a Dataset, the first of each item is used. A Pipeline
            transforms it if it was made with ``transform_input=["X_unlabeled"]`` and metadata
            routing is enabled.
        **fit_params : dict
            Passed on to the network's ``forward`` and to ``train_split``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter, X, y or a weight is not what it must be; nothing was trained then.
        NonFiniteLossError
            If a loss or the weights became NaN or infinite; `module_` has the last finite ones.
        """
        return self._fit(X, y, sample_weight, y_unrelated, X_unlabeled, fit_params, method="fit")

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: Any = None,
        *,
        sample_weight: Any = None,
        y_unrelated: Any = None,
        X_unlabeled: Any = None,
        **fit_params: Any,
    ) -> Self:
        """Train for `max_epochs` more epochs, from where the last call ended.

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Class labels, strings or numbers; of a regressor, its targets. May be None where a
            Dataset holds it.
        classes : array-like of shape (n_classes,), default=None
            All classes that any call will bring; read in the first call only, and not by a
            regressor.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples in the task loss and in the penalty.
        y_unrelated : array-like of shape (n_samples,) or (n_samples, n_unfitted), default=None
            Labels of the unrelated tasks; needed in the first call, as in `fit`.
        X_unlabeled : array-like of shape (n_unlabeled, ...), mapping or torch Dataset, default=None
            Unlabeled data, as in `fit`; needed in each call that uses them.
        **fit_params : dict
            Passed on to the network's ``forward`` and to ``train_split``.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(
            X,
            y,
            sample_weight,
            y_unrelated,
            X_unlabeled,
            fit_params,
            method="partial_fit",
            classes=classes if is_classifier(self) else None,
        )

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        y_unrelated: Any,
        X_unlabeled: Any,
        fit_params: dict[str, Any],
        *,
        method: str,
        classes: Any = None,
    ) -> Any:
        self.check_training_readiness()
        if X_unlabeled is not None:
            check_pipeline(self)
        wants_more = method == "partial_fit" or self.warm_start
        continues = self.initialized_ and wants_more and not self._module_changed
        before = dict(vars(self))
        try:
            if classes is None:
                self.__dict__.pop("_declared_classes", None)
            else:
                self.__dict__["_declared_classes"] = classes
            check_no_missing(fit_params.get("groups"), "groups")
            X, y, sources, labels = self._prepare(
                X, y, sample_weight, y_unrelated, X_unlabeled, continues=continues
            )
            if not continues:
                # Popped, and not cleared, for the case that this fit fails before training.
                for name in _OF_ONE_TRAINING:
                    self.__dict__.pop(name, None)
            self._open_checkpoints(
                {
                    "X": X, "y": y, "classes": vars(self).get("classes_inferred_"),
                    "sample_weight": sample_weight, "y_unrelated": y_unrelated,
                    "X_unlabeled": X_unlabeled, "fit_params": fit_params,
                },
                method=method, continues=continues,
            )  # fmt: skip
            with self._stream().active(self.device):
                if not continues:
                    super().initialize()
                    if hasattr(self, "_initialize_accelerator"):  # of skorch's AccelerateMixin
                        self._initialize_accelerator()
                self._run.forward_params = check_forward_params(self, fit_params)
                compares = any(given_weights(self.weight, len(sources)))
                data, *tried = rehearse(self, X, y, compares=compares)
            if labels and compares:
                if self.verbose:
                    names = ", ".join(type(innermost(sources[at])).__name__ for at in labels)
                    print(f"Fitting what is unrelated on y_unrelated, and its score: {names}")
                report = print if self.verbose else None
                with self._determined(sources, labels) as determined:
                    sources, scores = fit_sources(determined, X, labels, self.memory, report=report)
                self._run.unrelated_scores = scores
            with self._stream().active(self.device):
                self._begin(sources, data, *tried)
        except BaseException:
            self._forget_run()
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        run = self._run
        route = {"_routing_method": method} if _ROUTES else {}
        try:
            with run.watch, self._stream().active(self.device):
                interrupt = self._train(X, y, **route, **fit_params)
                learnt = interrupt is None or run.finished > run.begun
                if learnt and run.penalty is not None:
                    self.__dict__["_penalty_state"] = run.penalty.state()
                    weights = run.penalty.weights
                    several = isinstance(self.unrelated, list | tuple)
                    self.__dict__["weight_"] = weights if several else weights[0]
                if learnt:
                    summary = summarise(
                        self, run, sources, begun=run.begun, interrupted=interrupt is not None,
                        judged=method == "fit",
                    )  # fmt: skip
                if run.checkpoints is not None:
                    run.checkpoints.finished = interrupt is None
        finally:
            self._forget_run()
        if interrupt is not None and not learnt:
            # Nothing was learnt, so that what was there before is what is left.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise interrupt
        self._complete(sources, run.unrelated_scores)
        self.summary_ = summary
        if self.verbose:
            print(*summary.lines(), sep="\n")
        if interrupt is not None:
            raise interrupt
        for text in summary.warnings:
            warn_user(text, ConvergenceWarning)
        return self

    def _forget_run(self) -> None:
        if self._run is not None:
            self._run.exits.close()
            del self._run

    def _train(self, X: Any, y: Any, **fit_params: Any) -> KeyboardInterrupt | None:
        """Train, and return the interruption by the user that ended it, if there was one."""
        interrupt = None
        begun = False
        try:
            self.notify("on_train_begin", X=X, y=y)
            begun = True
            self._run.begun = self._run.finished = len(self.history)  # some may have been loaded
            if self._run.rate is not None:
                self._run.rate.follow_loaded()
            checkpoints = self._run.checkpoints
            if checkpoints is not None:
                checkpoints.check(self)
                fit_params["epochs"] = self.max_epochs - checkpoints.done
            self.fit_loop(X, y, **fit_params)
            if checkpoints is not None:
                checkpoints.go_on(self)  # if there was no epoch left
        except KeyboardInterrupt as error:
            # What has not begun no callback can end, in skorch neither.
            if not (begun and self._run.ended_by_callback):
                interrupt = error
                self._run.weights.go_back()
                del self.history[self._run.finished :]
        self.notify("on_train_end", X=X, y=y)
        return interrupt

    def _judge_predictions(self, run: Any) -> str:
        """Return what is wrong with what the network predicts, as a sentence; or nothing."""
        return ""

    def _complete(self, sources: list[Any], scores: list[float | None] | None) -> None:
        """Set what a fit leaves behind besides the network."""
        several = isinstance(self.unrelated, list | tuple)
        self.__dict__["_unrelated_given"] = self.unrelated
        if scores is not None:
            self.unrelated_score_ = scores if several else (scores[0] if scores else None)
        if not all(map(is_fitted, sources)):  # not needed, so not fitted
            self.unrelated_: Any = None
        elif several:
            self.unrelated_ = sources
        else:
            self.unrelated_ = sources[0] if sources else None
        self._completed = True

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        y_unrelated: Any,
        X_unlabeled: Any,
        *,
        continues: bool,
    ) -> tuple[Any, Any, list[Any], dict[int, Any]]:
        """Check everything; return data, encoded targets, unrelated tasks and labels for these."""
        check_parameters(self)
        check_classes(self, self.__dict__.get("_declared_classes"))
        # A first partial_fit may follow initialize(), which knows nothing of the data.
        reset = not (continues and hasattr(self, "n_outputs_"))
        X, labels = self._check_training_data(X, y, reset=reset)
        y = self._encode_targets(labels, reset=reset)
        task_weight, sample_weight = self._check_weights(X, labels, sample_weight)
        unlabeled = None
        if X_unlabeled is not None:
            unlabeled = check_unlabeled(
                X_unlabeled,
                n_samples=len(y),
                check_X=self._check_X,
                shape=self.input_shape_,
                same=self.cache in ("mapped", "memory"),
            )
        elif self.penalty_data in ("unlabeled", "both"):
            raise ValueError(
                f"penalty_data={self.penalty_data!r} needs unlabeled data: pass them as "
                "X_unlabeled to fit, or set penalty_data='train'."
            )
        self._run = FitRun(task_weight, sample_weight, unlabeled)

        sources = as_sources(self.unrelated)
        same = continues and self.__dict__.get("_unrelated_given") is self.unrelated
        if same and getattr(self, "unrelated_", None) is not None and y_unrelated is None:
            return X, y, as_sources(self.unrelated_), {}
        columns = label_columns(sources, y_unrelated, n_samples=len(y))
        self._run.unrelated_scores = [None] * len(sources)
        return X, y, sources, columns

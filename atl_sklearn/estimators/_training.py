"""Fitting: from checked data to a trained network."""

from __future__ import annotations

import inspect
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch import NeuralNet

from atl_sklearn.estimators._confounding import confounding, given_weights
from atl_sklearn.estimators._data import is_own_data
from atl_sklearn.estimators._finiteness import FiniteWeights
from atl_sklearn.estimators._fit_run import FitRun, unwrapped
from atl_sklearn.estimators._frozen_side import network_label
from atl_sklearn.estimators._inputs import accepted
from atl_sklearn.estimators._parameters import PRECISIONS, check_parameters
from atl_sklearn.estimators._penalty import PenaltyRun
from atl_sklearn.estimators._seeding import RandomStream
from atl_sklearn.estimators._steps import Steps
from atl_sklearn.estimators._unlabeled import check_pipeline, check_unlabeled
from atl_sklearn.modules import get_module
from atl_sklearn.unrelated import FrozenNetwork, get_network
from atl_sklearn.unrelated._fitting import fit_sources
from atl_sklearn.unrelated._sources import (
    as_sources,
    get_nonlinearity,
    is_fitted,
    label_columns,
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

_N_TRIED = 8  # samples with which layers and shapes are tried before training


class AntiTransferTraining(Steps):
    """The training that classifier and regressor share."""

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
            The estimator, initialised but not fitted.
        """
        self.__dict__.pop("_completed", None)
        with self._stream().active(self.device):
            return super().initialize()

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
            self.module_ = self.initialized_instance(deepcopy(module), kwargs)
        else:
            sizes = {
                "input_shape": shape,
                "n_features_in": shape[0] if shape else None,
                "n_outputs": getattr(self, "n_outputs_", None),
            }
            asked = inspect.signature(module).parameters
            given = {name: v for name, v in sizes.items() if name in asked and v is not None}
            self.module_ = module(**{**given, **kwargs})
        self.module_ = self.module_.to(PRECISIONS[self.precision])
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
        optimizer = getattr(self, prefix, None)
        fits = all(
            parameter.is_floating_point() and parameter.device.type in ("cpu", "cuda")
            for _, parameter in named_parameters
        )
        if optimizer in _FUSED and fits and not kwargs.keys() & _OTHER_FORMS:
            kwargs["fused"] = True
        return args, kwargs

    def _begin(self, X: Any, y: Any, sources: list[Any], fit_params: dict[str, Any]) -> None:
        """Make what lives as long as the fit: the penalty and the guard of the weights."""
        of_forward = accepted(unwrapped(self.module_).forward, fit_params)
        unknown = fit_params.keys() - of_forward - accepted(self.train_split, fit_params)
        if unknown:
            raise TypeError(
                f"{type(self).__name__}.fit got arguments {sorted(unknown)} that neither the "
                "network's forward nor train_split takes."
            )
        self._run.forward_params = {name: fit_params[name] for name in of_forward}
        self._run.weights = FiniteWeights(self.module_)
        if self.precision == "float16":
            self._run.scaler = torch.amp.GradScaler(next(self.module_.parameters()).device.type)
        batches = self.get_dataset(X, y)
        few = range(min(_N_TRIED, len(batches)))
        if is_own_data(batches):
            tried = batches.__getitems__(list(few)).X
        else:
            tried = torch.utils.data.default_collate([batches[i][0] for i in few])
        tried = self._on_device(tried)
        self._check_output(self._run.try_out(self, tried))
        weights = self._resolve_weights(sources, batches, tried)
        several = isinstance(self.unrelated, list | tuple)
        self.__dict__["weight_"] = weights if several else (weights[0] if weights else 0.0)
        if any(weights):
            self._run.penalty = PenaltyRun(
                self,
                sources,
                weights,
                tried,
                data=batches,
                seed=self._stream().seed,
                unlabeled=self._run.unlabeled if self.penalty_data != "train" else None,
                state=self.__dict__.get("_penalty_state"),
            )

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
            targets.append(np.asarray(y))
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
    ) -> Any:
        if X_unlabeled is not None:
            check_pipeline(depth=3)
        wants_more = method == "partial_fit" or self.warm_start
        continues = self.initialized_ and wants_more and not self._module_changed
        before = dict(vars(self))
        try:
            X, y, sources = self._prepare(
                X, y, sample_weight, y_unrelated, X_unlabeled, continues=continues
            )
            if not continues:
                # Popped, and not cleared, for the case that this fit fails before training.
                for name in _OF_ONE_TRAINING:
                    self.__dict__.pop(name, None)
            with self._stream().active(self.device):
                if not continues:
                    super().initialize()
                    if hasattr(self, "_initialize_accelerator"):  # of skorch's AccelerateMixin
                        self._initialize_accelerator()
                self._begin(X, y, sources, fit_params)
        except BaseException:
            if self._run is not None:
                self._run.exits.close()
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        route = {"_routing_method": method} if _ROUTES else {}
        try:
            with self._stream().active(self.device):
                super().partial_fit(X, y, **route, **fit_params)
            if self._run.penalty is not None:
                self.__dict__["_penalty_state"] = self._run.penalty.state()
            scores = self._run.unrelated_scores
        finally:
            self._run.exits.close()
            del self._run
        several = isinstance(self.unrelated, list | tuple)
        self.__dict__["_unrelated_given"] = self.unrelated
        if scores is not None:
            self.unrelated_score_ = scores if several else (scores[0] if scores else None)
        if not all(map(is_fitted, sources)):  # not needed, so not fitted
            self.unrelated_ = None
        elif several:
            self.unrelated_ = sources
        else:
            self.unrelated_ = sources[0] if sources else None
        self._completed = True
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        y_unrelated: Any,
        X_unlabeled: Any,
        *,
        continues: bool,
    ) -> tuple[Any, Any, list[Any]]:
        """Check everything and return the data, the encoded targets and the unrelated tasks."""
        check_parameters(self)
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
            return X, y, as_sources(self.unrelated_)
        columns = label_columns(sources, y_unrelated, n_samples=len(y))
        self._run.unrelated_scores = [None] * len(sources)
        if any(given_weights(self.weight, len(sources))):
            sources, self._run.unrelated_scores = fit_sources(sources, X, columns, self.memory)
        return X, y, sources

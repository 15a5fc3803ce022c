"""A skorch net with the parameters, clones and pickles that scikit-learn asks for."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, BinaryIO, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Tags, check_random_state
from skorch import NeuralNet
from skorch.callbacks import Checkpoint
from skorch.history import History

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._types import PathLike
from atl_sklearn.estimators._augmentation import AUGMENT_PREFIX, set_augment_parameters
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._names import advice_for
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._placement import resolve_device
from atl_sklearn.estimators._saving import Kept, from_saved_state, state_to_save, trim
from atl_sklearn.estimators._seeding import RandomStream
from atl_sklearn.estimators._unrelated_parameters import (
    PREFIX,
    check_settable,
    has_settable_parameters,
)
from atl_sklearn.estimators._weights_files import load_weights, write_weights
from atl_sklearn.unrelated import (
    clone_unrelated,
    copy_network,
    forget_hooks,
    portable_state,
)

# Parameters that skorch does not have, in the order in which they are stored.
_NOT_OF_SKORCH = (
    *("unrelated", "layer", "unrelated_layer", "metric", "aggregation", "weight"),
    *("weight_schedule", "penalty_data", "penalty_batch_size", "penalty_every"),
    *("conditional", "target_similarity"),
    "product_of_experts",
    *("augment", "augment_unrelated", "augment_keep"),
    *("cache", "cache_size", "memory", "random_state", "precision", "checkpoint_dir"),
    *("lr_schedule", "max_grad_norm", "weight_decay"),
)
# Parameters that may be modules, or optimizers by mistake.
_MAY_BE_MODULES = frozenset(
    {"aggregation", "augment", "criterion", "metric", "module", "optimizer", "predict_nonlinearity"}
    | {"unrelated", "weight_schedule"}
)


def _one_file(
    method: str, f_params: PathLike | BinaryIO | None, kwargs: dict[str, Any]
) -> PathLike | BinaryIO | None:
    """Return the file of the weights, for which skorch has two names."""
    f_module = kwargs.pop("f_module", None)
    if f_params is not None and f_module is not None:
        raise TypeError(
            f"{method} called with both f_params and f_module, please choose one: they are two "
            "names for the network's weights."
        )
    return f_module if f_params is None else f_params


class SklearnNet(DocumentationLink, NeuralNet):
    """A skorch net whose parameters, clones and pickles are as scikit-learn has them.

    The three attributes that skorch sets in its constructor are state of the class here, so
    that a new estimator holds its parameters and nothing else.
    """

    history_: History | None = None
    initialized_ = False
    virtual_params_: dict[str, object] = {}  # noqa: RUF012 - replaced, never changed

    # What lives during a fit only; None otherwise.
    _run: FitRun | None = None
    # Whether a fit completed: a network that was only initialised predicts nothing useful.
    _completed: bool = False
    # Whether the network was described anew since it was made.
    _module_changed: bool = False
    # Whether the network looks its input up in an Embedding, so that integers stay what they are.
    _looks_up: bool = False
    # Whether the history is an object of the user's, which fits clear and do not replace.
    _keeps_history: bool = False

    __repr__ = BaseEstimator.__repr__

    def __init__(self, module: object, **params: object) -> None:
        for name in _NOT_OF_SKORCH:
            self.__dict__[name] = params.pop(name)
        history = params.pop("history", None)
        super().__init__(module, **params)
        for name in ("history_", "initialized_", "virtual_params_"):
            del self.__dict__[name]
        if history is not None:
            self.history = history

    @property
    def history(self) -> History:
        """What was recorded of the epochs; one that is set is kept, and cleared by each fit."""
        return self.history_

    @history.setter
    def history(self, value: object) -> None:
        self.__dict__["history_"] = value
        self.__dict__["_keeps_history"] = value is not None

    def __setattr__(self, name: str, value: object) -> None:
        # skorch takes every module or optimizer assigned to the net for one of its own; but what
        # a subclass sets in its constructor is a parameter, and what takes its place too.
        known = "_params_to_validate" not in vars(self) or (
            name in vars(self) and not name.endswith("_")
        )
        if known or name == "unrelated_" or name in _MAY_BE_MODULES:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def device(self) -> str | torch.device | None:
        """Where the network runs; "auto" reads as the device that it stands for."""
        return resolve_device(self.__dict__["device"])

    @device.setter
    def device(self, value: object) -> None:
        self.__dict__["device"] = value

    def _stream(self) -> RandomStream:
        """Return the running stream of random numbers, beginning it if there is none."""
        if "_random_stream" not in vars(self):
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            self._random_stream = RandomStream(int(seed))
        return self._random_stream

    def _get_param_names(self) -> list[str]:
        return [name for name in super()._get_param_names() if not name.startswith("_")]

    def get_params(self, deep: bool = True, **kwargs: object) -> dict[str, Any]:
        """Get parameters for this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parameters of contained estimators and of callbacks too; not those
            of a fitted `unrelated`, because you cannot set them.
        **kwargs : dict
            Passed on to skorch.

        Returns
        -------
        params : dict
            From name to value.
        """
        params = super().get_params(deep=deep, **kwargs)
        params["device"] = self.__dict__["device"]
        if deep and not has_settable_parameters(self.unrelated):
            params = {name: v for name, v in params.items() if not name.startswith(PREFIX)}
        return params

    def get_params_for(self, prefix: str) -> dict[str, object]:
        """Return the arguments of a part; see skorch.

        Parameters
        ----------
        prefix : str
            The part.

        Returns
        -------
        kwargs : dict
            NumPy's numbers, as a search over a range brings them, as Python's, which torch asks
            for.
        """
        kwargs = super().get_params_for(prefix)
        return {name: v.item() if isinstance(v, np.generic) else v for name, v in kwargs.items()}

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by name, nested ones with ``__``. You can set those of an `unrelated`
            estimator as long as it is not fitted. Those of the network take effect in the next
            `fit`, which then starts anew.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no such parameter, or it belongs to a fitted `unrelated`.
        """
        for name in params:
            if name not in vars(self) and (advice := advice_for(name)):
                raise ValueError(f"Invalid parameter {name!r} for {type(self).__name__}. {advice}")
        nested = {name: v for name, v in params.items() if name.startswith(PREFIX)}
        of_augment = {name: v for name, v in params.items() if name.startswith(AUGMENT_PREFIX)}
        own = {n: v for n, v in params.items() if n not in nested and n not in of_augment}
        unrelated = own.get("unrelated", self.unrelated)
        check_settable(unrelated, nested, type(self).__name__)
        if "callbacks" in own:
            # skorch would make those that were there before; new ones are checked in fit.
            self.callbacks = own.pop("callbacks")
            if self.initialized_:
                self._initialize_callbacks()
        of_module = {n: v for n, v in own.items() if n == "module" or n.startswith("module__")}
        begins = self._run is not None and not self._run.trains
        if self.initialized_ and of_module and not begins:
            # skorch would make a new network at once, and the fitted one would be lost; here the
            # next fit makes it. Where a fit begins it is made at once.
            self.__dict__.update(of_module)
            self._params_to_validate.update(of_module)
            self._module_changed = True
            own = {name: value for name, value in own.items() if name not in of_module}
        if self.initialized_ and "optimizer" in own:
            self.optimizer = own.pop("optimizer")  # which skorch can only set before
            with self._stream().active(self.device):
                self._initialize_optimizer()
        if self.initialized_ and own:
            with self._stream().active(self.device):
                super().set_params(**own)
        else:
            super().set_params(**own)
        if nested and unrelated is not None:
            unrelated.set_params(**{name[len(PREFIX) :]: v for name, v in nested.items()})
        if of_augment:
            set_augment_parameters(self.augment, of_augment, type(self).__name__)
        return self

    def __sklearn_clone__(self) -> Self:
        params = self.get_params(deep=False)
        unrelated = clone_unrelated(params.pop("unrelated"))
        if isinstance(params["module"], torch.nn.Module):
            params["module"] = copy_network(params["module"])
        params = {name: clone(value, safe=False) for name, value in params.items()}
        cloned = type(self)(**params, unrelated=unrelated)
        for name in ("_metadata_request", "_sklearn_output_config"):
            if name in vars(self):
                cloned.__dict__[name] = deepcopy(self.__dict__[name])
        return cloned

    def __sklearn_is_fitted__(self) -> bool:
        return self._completed

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags

    def __getstate__(self) -> dict[str, object]:
        state = super().__getstate__()
        run = state.pop("_run", None)  # a checkpoint in the middle of a fit leaves the fit behind
        if run is not None and run.finished:
            state["_completed"] = True  # and predicts by what it has learnt
        return portable_state(state)

    def __setstate__(self, state: dict[str, object]) -> None:
        device = state["device"]
        here = resolve_device(device)
        super().__setstate__({**state, "device": here})
        if here is not device:
            self.__dict__["device"] = device
        network = vars(self).get("module_")
        if isinstance(network, torch.nn.Module):
            forget_hooks(network)

    def _state_to_save(self, keep: Kept) -> dict[str, object]:
        return state_to_save(self, keep)

    @classmethod
    def _from_saved_state(
        cls, state: dict[str, object], refuse: Callable[[str], Exception], older: bool
    ) -> Net:
        return from_saved_state(cls, state, refuse, older=older)

    def save_params(
        self,
        f_params: PathLike | BinaryIO | None = None,
        f_optimizer: object = None,
        f_criterion: object = None,
        f_history: object = None,
        use_safetensors: bool = False,
        **kwargs: object,
    ) -> None:
        """Save weights, without the estimator; see skorch, and :func:`~atl_sklearn.save`.

        Parameters
        ----------
        f_params : file-like, path-like or None, default=None
            Where to write the network's weights. The classes and the shape of X go with them, so
            that another estimator with the same parameters can predict.
        f_optimizer, f_criterion : file-like, path-like or None, default=None
            Where to write the states of these.
        f_history : file-like, path-like or None, default=None
            Where to write the history, as JSON.
        use_safetensors : bool, default=False
            Whether to write safetensors files, which hold tensors only and are safe to read.
        **kwargs : object
            Passed on to skorch.
        """
        f_params = _one_file("save_params", f_params, kwargs)
        others = {"f_optimizer": f_optimizer, "f_criterion": f_criterion, "f_history": f_history}
        others = {name: f for name, f in others.items() if f is not None} | kwargs
        if f_params is not None and self.initialized_:
            write_weights(self, f_params, safetensors=use_safetensors)
        elif f_params is not None:
            others["f_params"] = f_params  # skorch says what is missing
        if others or f_params is None:
            super().save_params(use_safetensors=use_safetensors, **others)

    def load_params(
        self,
        f_params: PathLike | BinaryIO | None = None,
        f_optimizer: object = None,
        f_criterion: object = None,
        f_history: object = None,
        checkpoint: Checkpoint | None = None,
        use_safetensors: bool = False,
        **kwargs: object,
    ) -> None:
        """Load what :meth:`save_params` saved.

        Parameters
        ----------
        f_params : file-like, path-like or None, default=None
            The network's weights; the estimator can then predict. It needs the parameters of the
            one that was saved; a network known by name is made here.
        f_optimizer, f_criterion, f_history : file-like, path-like or None, default=None
            The states of these.
        checkpoint : skorch.callbacks.Checkpoint or None, default=None
            Whose files are loaded where none are named.
        use_safetensors : bool, default=False
            Whether they are safetensors files.
        **kwargs : object
            Passed on to skorch.

        Raises
        ------
        ValueError
            If the weights belong to another network or to samples of another shape; nothing was
            changed.
        """
        f_params = _one_file("load_params", f_params, kwargs)
        others = {"f_optimizer": f_optimizer, "f_criterion": f_criterion, "f_history": f_history}
        others = {name: f for name, f in others.items() if f is not None} | kwargs
        if checkpoint is not None:
            if checkpoint.f_history is not None:
                others.setdefault("f_history", checkpoint.f_history_)
                # Now too: it says which of the files is the best.
                super().load_params(f_history=others["f_history"])
            files = checkpoint.get_formatted_files(self)
            files = {n: f for n, f in files.items() if f and n not in ("f_history", "f_pickle")}
            f_params = files.pop("f_params", None) if f_params is None else f_params
            others = files | others
        if f_params is not None:
            load_weights(self, f_params, safetensors=use_safetensors)
        device = self.__dict__["device"]
        if others or f_params is None:
            super().load_params(use_safetensors=use_safetensors, **others)
        self.__dict__["device"] = device  # skorch would take "auto" out of it

    def trim_for_prediction(self) -> None:
        """Forget what only training needs: optimizer, history, callbacks and gradients.

        The estimator becomes about a third as large, and predicts as before. You can still fit
        clones of it, but not the estimator itself, as in skorch.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        trim(self)

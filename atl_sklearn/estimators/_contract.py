"""What skorch lacks of scikit-learn's contract: parameters, cloning, pickling, devices."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from skorch import NeuralNet

from atl_sklearn.estimators._names import advice_for
from atl_sklearn.unrelated._sources import _innermost, clone_unrelated, is_fitted

_PREFIX = "unrelated__"
# Parameters that may be modules, or optimizers by mistake.
_MAY_BE_MODULES = frozenset(
    {"aggregation", "criterion", "metric", "module", "optimizer", "predict_nonlinearity"}
    | {"unrelated", "weight_schedule"}
)


def _is_auto(device: Any) -> bool:
    return isinstance(device, str) and device == "auto"


def resolve_device(device: Any) -> Any:
    """Return the device that "auto" stands for, or the device itself."""
    if not _is_auto(device):
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _why_not_settable(unrelated: Any) -> str:
    if isinstance(unrelated, list | tuple):
        return (
            f"a {type(unrelated).__name__} of {len(unrelated)}, and the name does not say which "
            "one is meant. Set the parameters of an entry before it is passed; a search can have "
            "several such lists among the values of 'unrelated'."
        )
    if isinstance(unrelated, BaseEstimator):
        what = "fitted, and a fitted network is kept as it is"
    else:
        name = "None" if unrelated is None else f"a {type(unrelated).__name__}"
        what = f"not an estimator but {name}"
    return (
        f"{what}. Pass an unfitted estimator as 'unrelated' and its labels as y_unrelated in fit "
        "to search over its parameters."
    )


class SklearnContract(NeuralNet):
    """A skorch net whose parameters, clones and pickles are as scikit-learn has them.

    The three attributes that skorch sets in its constructor are state of the class here, so
    that a new estimator holds its parameters and nothing else.
    """

    history_ = None
    initialized_ = False
    virtual_params_: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed

    # What lives during a fit only; None otherwise.
    _run: Any = None
    # Whether a fit completed: a network that was only initialised predicts nothing useful.
    _completed: bool = False
    # Whether the network was described anew since it was made.
    _module_changed: bool = False

    __repr__ = BaseEstimator.__repr__

    def __init__(self, module: Any, **params: Any) -> None:
        for name in ("unrelated", "layer", "unrelated_layer", "metric", "aggregation", "weight"):
            self.__dict__[name] = params.pop(name)
        for name in ("weight_schedule", "penalty_data", "penalty_batch_size", "conditional"):
            self.__dict__[name] = params.pop(name)
        self.__dict__["target_similarity"] = params.pop("target_similarity")
        for name in ("cache", "cache_size", "memory", "random_state", "precision"):
            self.__dict__[name] = params.pop(name)
        self.__dict__["checkpoint_dir"] = params.pop("checkpoint_dir")
        for name in ("lr_schedule", "max_grad_norm", "weight_decay"):
            self.__dict__[name] = params.pop(name)
        super().__init__(module, **params)
        for name in ("history_", "initialized_", "virtual_params_"):
            del self.__dict__[name]

    def __setattr__(self, name: str, value: Any) -> None:
        # skorch takes every module or optimizer assigned to the net for one of its own.
        if name == "unrelated_" or name in _MAY_BE_MODULES:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def device(self) -> Any:
        """Where the network runs; "auto" reads as the device that it stands for."""
        return resolve_device(self.__dict__["device"])

    @device.setter
    def device(self, value: Any) -> None:
        self.__dict__["device"] = value

    def _get_param_names(self) -> list[str]:
        return [name for name in super()._get_param_names() if not name.startswith("_")]

    def get_params(self, deep: bool = True, **kwargs: Any) -> dict[str, Any]:
        """Get parameters for this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether the parameters of contained estimators and of callbacks are returned too;
            those of a fitted `unrelated` are not, since they cannot be set.
        **kwargs : dict
            Passed on to skorch.

        Returns
        -------
        params : dict
            From name to value.
        """
        params = super().get_params(deep=deep, **kwargs)
        params["device"] = self.__dict__["device"]
        if deep and not self._has_settable_unrelated():
            params = {name: v for name, v in params.items() if not name.startswith(_PREFIX)}
        return params

    def get_params_for(self, prefix: str) -> dict[str, Any]:
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

    def _has_settable_unrelated(self) -> bool:
        unrelated = self.unrelated
        return (
            isinstance(unrelated, BaseEstimator)
            and isinstance(_innermost(unrelated), BaseEstimator)
            and not is_fitted(unrelated)
        )

    def set_params(self, **params: Any) -> SklearnContract:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by name, nested ones with ``__``. Those of an `unrelated` estimator can be
            set as long as it is not fitted. Those of the network take effect in the next fit,
            which then starts anew.

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
        nested = {name: v for name, v in params.items() if name.startswith(_PREFIX)}
        own = {name: v for name, v in params.items() if name not in nested}
        unrelated = own.get("unrelated", self.unrelated)
        if nested and (not isinstance(unrelated, BaseEstimator) or is_fitted(unrelated)):
            raise ValueError(
                f"{sorted(nested)[0]!r} cannot be set: the 'unrelated' parameter of "
                f"{type(self).__name__} is {_why_not_settable(unrelated)}"
            )
        if "callbacks" in own:
            # skorch would make those that were there before; new ones are checked in fit.
            self.callbacks = own.pop("callbacks")
            if self.initialized_:
                self._initialize_callbacks()
        of_module = {n: v for n, v in own.items() if n == "module" or n.startswith("module__")}
        if self.initialized_ and of_module:
            # skorch would make a new network at once, and the fitted one would be lost; here the
            # next fit makes it.
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
            unrelated.set_params(**{name[len(_PREFIX) :]: v for name, v in nested.items()})
        return self

    def __sklearn_clone__(self) -> SklearnContract:
        params = self.get_params(deep=False)
        unrelated = clone_unrelated(params.pop("unrelated"))
        params = {name: clone(value, safe=False) for name, value in params.items()}
        cloned = type(self)(**params, unrelated=unrelated)
        for name in ("_metadata_request", "_sklearn_output_config"):
            if name in vars(self):
                cloned.__dict__[name] = deepcopy(self.__dict__[name])
        return cloned

    def __sklearn_is_fitted__(self) -> bool:
        return self._completed

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        run = state.pop("_run", None)  # a checkpoint in the middle of a fit leaves the fit behind
        if run is not None and run.finished:
            state["_completed"] = True  # and predicts by what it has learnt
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        device = state["device"]
        super().__setstate__({**state, "device": resolve_device(device)})
        if _is_auto(device):
            self.__dict__["device"] = device

    def load_params(self, f_params: Any = None, *args: Any, **kwargs: Any) -> None:
        """Load what :meth:`save_params` saved.

        Parameters
        ----------
        f_params : file-like, str or None, default=None
            The network's weights; an initialised estimator is ready to predict with them.
        *args, **kwargs : object
            Passed on to skorch: ``f_optimizer``, ``f_criterion``, ``f_history``,
            ``checkpoint``, ``use_safetensors``.
        """
        super().load_params(f_params, *args, **kwargs)
        if f_params is not None or kwargs.get("checkpoint") is not None:
            self._completed = True

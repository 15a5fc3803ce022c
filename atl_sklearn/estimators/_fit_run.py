"""What exists only while an estimator is being fitted."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch

from atl_sklearn._generator import forked_generator


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module inside a compiled or a distributed one, or the module itself."""
    while True:
        if isinstance(module, torch.nn.parallel.DistributedDataParallel):
            module = module.module
        elif hasattr(module, "_orig_mod"):
            module = module._orig_mod  # type: ignore[assignment]
        else:
            return module


@dataclass
class FitRun:
    """What exists only while an estimator is being fitted.

    Attributes
    ----------
    task_weight, sample_weight : array of shape (n_samples,) or None
        Weights of the training samples in the task loss, and in the penalty.
    unlabeled : ArrayData, UnlabeledData or None
        Data that only the penalty sees.
    forward_params : dict
        Arguments of fit that the network's ``forward`` takes.
    penalty : PenaltyRun or None
        None for a plain network.
    weights : FiniteWeights or None
        The guard against weights that are not finite.
    mode : bool or None
        Whether the network was set to train or to evaluate; None if something else may have
        changed it.
    listeners : dict
        Which callbacks do something in which event.
    scaler : torch.amp.GradScaler or None
        Scales the loss in half precision.
    exits : contextlib.ExitStack
        What must be ended with the fit, whether it succeeds or not.
    unrelated_scores : list of float or None
        How well unrelated estimators that this fit fitted learnt their tasks; None where it goes
        on with those of an earlier one.
    """

    task_weight: Any = None
    sample_weight: Any = None
    unlabeled: Any = None
    forward_params: dict[str, Any] = field(default_factory=dict)
    penalty: Any = None
    weights: Any = None
    mode: bool | None = None
    listeners: dict[str, Any] = field(default_factory=dict)
    scaler: Any = None
    exits: ExitStack = field(default_factory=ExitStack)
    unrelated_scores: list[float | None] | None = None

    def try_out(self, net: Any, X: Any) -> Any:
        """Return what the network makes of a few samples, which leaves no trace in it."""
        net._set_training(False)
        module = net.module_
        # A compiled network would never run hooks that come after its first call.
        net.__dict__["module_"] = unwrapped(module)
        try:
            with torch.no_grad(), forked_generator():
                return net.infer(X, **self.forward_params)
        finally:
            net.__dict__["module_"] = module

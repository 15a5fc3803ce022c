"""The steps of training and validation, with the penalty beside the task loss."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from skorch.dataset import unpack_data
from skorch.utils import TeeGenerator

from atl_sklearn.estimators._finiteness import non_finite_error
from atl_sklearn.estimators._history import PenaltyHistory
from atl_sklearn.estimators._inputs import Inputs


class Steps(Inputs):
    """What is computed for one batch, and kept for one epoch."""

    @property
    def _default_callbacks(self) -> list[Any]:
        # skorch prints last, whatever the order
        return [*super()._default_callbacks, ("penalty", PenaltyHistory())]

    def _task_loss(self, y_pred: Any, batch: Any, X: Any, y: Any, *, training: bool) -> Any:
        weight = getattr(batch, "task_weight", None)
        if weight is None:
            return self.get_loss(y_pred, y, X=X, training=training)
        reduction = getattr(self.criterion_, "reduction", None)
        if reduction is None:
            raise ValueError(
                f"sample_weight and class_weight need a criterion with a 'reduction'. "
                f"{type(self.criterion_).__name__} has none."
            )
        self.criterion_.reduction = "none"
        try:
            losses = self.get_loss(y_pred, y, X=X, training=training)
        finally:
            self.criterion_.reduction = reduction
        losses = losses.reshape(len(losses), -1).mean(dim=1)
        return (losses * weight.to(losses)).mean()

    def _step(self, batch: Any, *, training: bool, **fit_params: Any) -> dict[str, Any]:
        """Return losses and prediction of one batch, and record the penalties."""
        Xi, yi = unpack_data(batch)
        Xi = self._on_device(Xi)
        run = self._run
        penalty = run.penalty if run is not None else None
        if penalty is not None and penalty.compares_batch(training=training):
            weight = getattr(batch, "sample_weight", None)
            watched: Any = penalty.watch(
                Xi,
                None if weight is None else weight.to(self.device),
                yi if self.conditional else None,
                index=getattr(batch, "index", None),
            )
        else:
            watched = nullcontext()
        with watched as tapped:
            y_pred = self.infer(Xi, **fit_params)
        task_loss = self._task_loss(y_pred, batch, Xi, yi, training=training)
        objective = task_loss
        stage = "train" if training else "valid"
        parts = {f"{stage} task loss": task_loss.item()}
        if penalty is not None:
            found = [] if tapped is None else [tapped.penalty]
            if penalty.compares_unlabeled(training=training):
                found.append(penalty.of_unlabeled(self))
            total = torch.stack([one.total for one in found]).mean()
            objective = task_loss + penalty.factor(self) * total
            similarities = torch.stack([one.parts.detach() for one in found]).mean(dim=0)
            for name, value in zip(penalty.names, similarities.reshape(-1).tolist(), strict=True):
                self.history.record_batch(f"{stage}_{name}", value)
                parts[f"{stage} {name}"] = value
            if training:
                self.history.record_batch("train_objective", objective.item())
        for part, value in parts.items():
            if run is not None and not np.isfinite(value):
                self._stop_for(part)
        return {"loss": task_loss, "objective": objective, "y_pred": y_pred}

    def _known_of(self, output: Any) -> torch.Tensor:
        """Return what the network knows of the target: probabilities or predictions."""
        output = output[0] if isinstance(output, tuple) else output
        return self._get_predict_nonlinearity()(output).detach()

    def _stop_for(self, part: str) -> None:
        weighted = self._run.penalty is not None
        raise non_finite_error(part, len(self.history), self._run.weights, weighted=weighted)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
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
        self._set_training(True)
        step = self._step(batch, training=True, **fit_params)
        step["objective"].backward()
        return step

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
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
        accumulator = self.get_train_step_accumulator()
        penalty = self._run.penalty if self._run is not None else None
        if penalty is not None:
            penalty.begin_step()

        def closure() -> Any:
            self._zero_grad_optimizer()
            if penalty is not None:
                penalty.zero_grad()
            step = self.train_step_single(batch, **fit_params)
            accumulator.store_step({"loss": step["loss"], "y_pred": step["y_pred"]})
            self.notify(
                "on_grad_computed",
                named_parameters=TeeGenerator(self.get_all_learnable_params()),
                batch=batch,
                training=True,
            )
            return step["objective"]

        self._step_optimizer(closure)
        if penalty is not None:
            penalty.end_step()
        return accumulator.get_step()

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
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
            step = self._step(batch, training=False, **fit_params)
        return {"loss": step["loss"], "y_pred": step["y_pred"]}

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Keep the weights if they are finite; end the training if they are not."""
        super().on_epoch_end(net, *args, **kwargs)
        if self._run is not None and not self._run.weights.keep():
            self._stop_for("weights of the network")

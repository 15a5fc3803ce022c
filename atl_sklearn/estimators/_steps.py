"""The steps of training and validation, with the penalty beside the task loss."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import torch
from skorch.dataset import unpack_data
from skorch.utils import TeeGenerator

from atl_sklearn.estimators._checkpoints import end_for_good
from atl_sklearn.estimators._clipping import clip_gradients
from atl_sklearn.estimators._finiteness import non_finite_error
from atl_sklearn.estimators._history import EpochTable, PenaltyHistory
from atl_sklearn.estimators._inputs import Inputs
from atl_sklearn.estimators._training_progress import TrainingProgress


def _length_of(iterator: Any) -> int | None:
    """Return the number of batches, or None where the iterator does not say."""
    try:
        return len(iterator)
    except (TypeError, NotImplementedError):
        return None


class Steps(Inputs):
    """What is computed for one batch, and kept for one epoch."""

    @property
    def _default_callbacks(self) -> list[Any]:
        # skorch prints last, whatever the order
        known = dict(super()._default_callbacks)
        return [*{**known, "print_log": EpochTable(), "penalty": PenaltyHistory()}.items()]

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
                None if weight is None else weight.to(device=self.device),
                yi if self.conditional else None,
                index=getattr(batch, "index", None),
                positions=getattr(batch, "positions", None),
            )
        else:
            watched = nullcontext()
        with watched as tapped:
            y_pred = self.infer(Xi, **fit_params)
        task_loss = self._task_loss(y_pred, batch, Xi, yi, training=training)
        stage = "train" if training else "valid"
        if penalty is None:
            if run is not None and not math.isfinite(task_loss.item()):
                self._stop_for(f"{stage} task loss")
            return {"loss": task_loss, "objective": task_loss, "y_pred": y_pred}
        found = [] if tapped is None else [tapped.penalty]
        if penalty.compares_unlabeled(training=training):
            found.append(penalty.of_unlabeled())
        several = len(found) > 1
        total = torch.stack([one.total for one in found]).mean() if several else found[0].total
        objective = torch.add(task_loss, total, alpha=penalty.factor(len(self.history) - 1))
        parts = [one.parts.detach() for one in found]
        similarities = torch.stack(parts).mean(dim=0) if several else parts[0]
        # All numbers in one piece: on a GPU, each transfer waits for what was queued before.
        scalars = (task_loss.detach().reshape(1), objective.detach().reshape(1))
        loss, total_loss, *values = torch.cat((*scalars, similarities.reshape(-1))).tolist()
        named = zip(penalty.names, values, strict=True)
        record = {f"{stage}_{name}": value for name, value in named}
        if not all(map(math.isfinite, (loss, *values))):
            penalty.check_frozen(batch)
            names = ["task loss", *penalty.names]
            finite = zip(names, map(math.isfinite, (loss, *values)), strict=True)
            self._stop_for(f"{stage} {next(name for name, is_finite in finite if not is_finite)}")
        if training:
            record["train_objective"] = total_loss
        for name, value in record.items():
            self.history.record_batch(name, value)
        return {"loss": task_loss, "objective": objective, "y_pred": y_pred}

    def notify(self, method_name: str, **kwargs: Any) -> None:
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

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
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
        run = self._run
        if run is None or iterator is None or not training:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            return
        n_batches = _length_of(iterator)
        self._show_epoch(n_batches)
        if run.rate is not None:
            run.rate.begin_epoch(n_batches)

        def step(batch: Any, **fit_params: Any) -> Any:
            if run.rate is not None:
                run.rate.begin_step()
            made = step_fn(batch, **fit_params)
            run.count_step(made["loss"].item(), float(self.optimizer_.param_groups[0]["lr"]))
            return made

        super().run_single_epoch(iterator, training, prefix, step, **fit_params)
        self.history.record("lr", run.rates[-1] if run.rates else self.lr)
        if run.progress is not None:
            run.progress.end_epoch()

    def _show_epoch(self, n_batches: int | None) -> None:
        run = self._run
        if self.verbose != 1:
            return
        if run.progress is None:
            done = 0 if run.checkpoints is None else run.checkpoints.done
            name = type(self).__name__
            run.progress = TrainingProgress(name, self.max_epochs, n_batches, done=done)
            run.exits.callback(run.progress.close)
        run.progress.begin_epoch()

    def _stop_for(self, part: str) -> None:
        weighted = self._run.penalty is not None
        end_for_good(self)
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
        scaler = self._run.scaler if self._run is not None else None
        self._backward(step["objective"] if scaler is None else scaler.scale(step["objective"]))
        return step

    def _backward(self, objective: Any) -> None:
        objective.backward()

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
        scaler = self._run.scaler if self._run is not None else None
        optimizers = [getattr(self, f"{name}_") for name in self._optimizers]
        if penalty is not None and penalty.readers is not None:
            optimizers.append(penalty.readers)

        def closure() -> Any:
            self._zero_grad_optimizer()
            if penalty is not None:
                penalty.zero_grad()
            step = self.train_step_single(batch, **fit_params)
            if "objective" not in step:
                raise TypeError(
                    f"{type(self).__name__}.train_step_single must return the 'objective' of "
                    "AntiTransferTraining's, which has the penalty. With skorch's AccelerateMixin "
                    "let it call AntiTransferClassifier.train_step_single, and override _backward."
                )
            accumulator.store_step({"loss": step["loss"], "y_pred": step["y_pred"]})
            if scaler is not None:  # callbacks see the gradients as they are
                for optimizer in optimizers:
                    scaler.unscale_(optimizer)
            self.notify(
                "on_grad_computed",
                named_parameters=TeeGenerator(self.get_all_learnable_params()),
                batch=batch,
                training=True,
            )
            if self._run is not None and self._run.max_grad_norm is not None:
                parameters = [parameter for _, parameter in self.get_all_learnable_params()]
                clip_gradients(parameters, self._run.max_grad_norm)
            return step["objective"]

        if scaler is None:
            self._step_optimizer(closure)
            if penalty is not None:
                penalty.end_step()
        else:
            closure()
            for optimizer in optimizers:
                scaler.step(optimizer)
            scaler.update()
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

    def on_epoch_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Begin an epoch, the first one of a fit that was interrupted where it was; see skorch."""
        if self._run is not None and self._run.checkpoints is not None:
            self._run.checkpoints.go_on(self)
        super().on_epoch_begin(net, *args, **kwargs)

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Keep the weights if they are finite; end the training if they are not."""
        super().on_epoch_end(net, *args, **kwargs)
        if self._run is not None:
            if not self._run.weights.keep():
                self._stop_for("weights of the network")
            self._run.finished = len(self.history)

"""The steps of training and validation, with the penalty beside the task loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence, Sized
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any

import torch
from skorch.dataset import unpack_data
from skorch.utils import TeeGenerator

from atl_sklearn._validation import refuse
from atl_sklearn.estimators._batch import Batch
from atl_sklearn.estimators._checkpoints import end_for_good
from atl_sklearn.estimators._clipping import clip_gradients
from atl_sklearn.estimators._finiteness import non_finite_error
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._penalty import PenaltyRun, Tapped
from atl_sklearn.estimators._training_progress import TrainingProgress
from atl_sklearn.similarity import AntiTransferPenalty

Step = dict[str, Any]  # what skorch's steps return


def task_loss(
    net: Net, y_pred: object, batch: object, X: object, y: torch.Tensor, *, training: bool
) -> torch.Tensor:
    """Return the task loss of a batch, its samples weighted.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    y_pred : Tensor of shape (n_samples, ...)
        What the network returned.
    batch : Batch or (X, y)
        May have weights of the samples.
    X : Tensor of shape (n_samples, ...) or mapping of these
        The samples, where the network is.
    y : Tensor of shape (n_samples, ...)
        The encoded targets.
    training : bool
        Whether the batch is trained on.

    Raises
    ------
    ValueError
        If there are weights, and the criterion has no loss of each sample.
    """
    weight = getattr(batch, "task_weight", None)
    if weight is None:
        return net.get_loss(y_pred, y, X=X, training=training)
    reduction = getattr(net.criterion_, "reduction", None)
    if reduction is None:
        raise ValueError(
            f"sample_weight and class_weight need a criterion with a 'reduction'. "
            f"{type(net.criterion_).__name__} has none."
        )
    net.criterion_.reduction = "none"
    try:
        losses = net.get_loss(y_pred, y, X=X, training=training)
    finally:
        net.criterion_.reduction = reduction
    losses = losses.reshape(len(losses), -1).mean(dim=1)
    return (losses * weight.to(losses)).mean()


def _length_of(iterator: object) -> int | None:
    """Return the number of batches, or None where the iterator does not say."""
    try:
        return len(iterator) if isinstance(iterator, Sized) else None
    except (TypeError, NotImplementedError):
        return None


class Steps:
    """Makes the steps of one fit: what is computed for each batch, and recorded of it.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        What is trained.
    run : FitRun or None
        Its fit, about to begin; None for steps outside of one, which have no penalty.
    """

    def __init__(self, net: Net, run: FitRun | None) -> None:
        self._net = net
        self._run = run
        self._penalty = None if run is None else run.penalty
        self._experts = None if run is None else run.experts
        self._scaler = None if run is None else run.scaler
        # Whether `optimize` makes the running step, and not a train_step of the user's.
        self._optimizes = False
        # What is clipped; found in the first step of each epoch.
        self._parameters: list[torch.nn.Parameter] | None = None
        # What is to be in training mode; found at the beginning of each epoch.
        self._modules: list[torch.nn.Module] | None = None

    def set_training(self) -> None:
        """Set training mode where it is not set: setting it takes as long as a small layer."""
        if self._modules is None or not all(module.training for module in self._modules):
            self._net._set_training(True)

    def losses(self, batch: Any, *, training: bool, **fit_params: object) -> Step:
        """Return losses and prediction of one batch, and record the penalties.

        Parameters
        ----------
        batch : Batch or (X, y)
            The batch.
        training : bool
            Whether it is trained on.
        **fit_params : dict
            Passed on to the network.

        Returns
        -------
        step : dict
            ``loss``, the task loss; ``objective``, what is minimised; and ``y_pred``.

        Raises
        ------
        NonFiniteLossError
            If, in a fit, a loss is NaN or infinite.
        """
        net, penalty = self._net, self._penalty
        if training and penalty is not None and not self._optimizes:
            penalty.begin_step()
            penalty.zero_grad()
        X, y = unpack_data(batch)
        X = net._placement().batch(X)
        watched: AbstractContextManager[Tapped | None] = nullcontext()
        if penalty is not None and penalty.compares_batch(training=training):
            weight = getattr(batch, "sample_weight", None)
            clean = getattr(batch, "clean", None)
            watched = penalty.watch(
                X if clean is None else net._placement().batch(clean),
                None if weight is None else weight.to(device=net.device),
                y if net.conditional else None,
                # A list, as other iterators bring it, has an index of another kind.
                index=batch.index if isinstance(batch, Batch) else None,
                positions=batch.positions if isinstance(batch, Batch) else None,
            )
        with watched as tapped:
            y_pred = net.infer(X, **fit_params)
        experts = self._experts if training else None
        judged = y_pred if experts is None else experts.added(y_pred, batch.positions)
        loss = task_loss(net, judged, batch, X, y, training=training)
        found = [] if tapped is None else [tapped.penalty]
        if penalty is not None and penalty.compares_unlabeled(training=training):
            found.append(penalty.of_unlabeled())
        if penalty is None or not found:  # a plain network, or a step that does not compare
            if self._run is not None and not math.isfinite(loss.item()):
                self.stop_for(f"{'train' if training else 'valid'} task loss")
            return {"loss": loss, "objective": loss, "y_pred": y_pred}
        objective = self._with_penalty(penalty, batch, loss, found, training=training)
        return {"loss": loss, "objective": objective, "y_pred": y_pred}

    def _with_penalty(
        self,
        penalty: PenaltyRun,
        batch: Batch | Sequence[object],
        task_loss: torch.Tensor,
        found: list[AntiTransferPenalty],
        *,
        training: bool,
    ) -> torch.Tensor:
        """Return the objective, and record what it is made of."""
        history, several = self._net.history, len(found) > 1
        total = torch.stack([one.total for one in found]).mean() if several else found[0].total
        factor = penalty.factor(len(history) - 1)
        recorded = torch.add(task_loss.detach(), total.detach(), alpha=factor)
        factor *= penalty.step_factor(training=training)
        objective = torch.add(task_loss, total, alpha=factor)
        parts = [one.parts.detach() for one in found]
        similarities = torch.stack(parts).mean(dim=0) if several else parts[0]
        # All numbers in one piece: on a GPU, each transfer waits for what was queued before.
        scalars = (task_loss.detach().reshape(1), recorded.reshape(1))
        loss, total_loss, *values = torch.cat((*scalars, similarities.reshape(-1))).tolist()
        stage = "train" if training else "valid"
        names = ["task loss", *penalty.names]
        for name, value in zip(names, (loss, *values), strict=True):
            if not math.isfinite(value):
                penalty.check_frozen(batch)
                self.stop_for(f"{stage} {name}")
        for name, value in zip(penalty.names, values, strict=True):
            history.record_batch(f"{stage}_{name}", value)
        if training:
            history.record_batch("train_objective", total_loss)
        return objective

    def stop_for(self, part: str) -> None:
        """End the fit, because a part is not finite."""
        assert self._run is not None
        end_for_good(self._net)
        weighted = self._penalty is not None
        raise non_finite_error(part, len(self._net.history), self._run.weights, weighted=weighted)

    def scaled(self, objective: torch.Tensor) -> torch.Tensor:
        """Return what is differentiated, which in half precision is larger than the objective."""
        if self._scaler is not None and not self._optimizes:
            must = "another one where train_step is your own"
            way_out = "In float16 gradients are scaled, which an optimizer must be told of. "
            raise refuse(self._net, "precision", must, way_out + "'bfloat16' needs nothing.")
        return objective if self._scaler is None else self._scaler.scale(objective)

    def optimize(self, batch: object, **fit_params: object) -> Step:
        """Make one step of the optimizers, which minimise the objective.

        Parameters
        ----------
        batch : Batch or (X, y)
            The batch.
        **fit_params : dict
            Passed on to the network.

        Returns
        -------
        step : dict
            As ``train_step_single`` returns it.
        """
        self._optimizes = True
        net, penalty, scaler = self._net, self._penalty, self._scaler
        accumulator = net.get_train_step_accumulator()
        if penalty is not None:
            penalty.begin_step()
        optimizers: list[torch.optim.Optimizer] = []
        if scaler is not None:
            optimizers = [getattr(net, f"{name}_") for name in net._optimizers]
            if penalty is not None and penalty.learning is not None:
                optimizers.append(penalty.learning)

        def closure() -> torch.Tensor:
            net._zero_grad_optimizer()
            if penalty is not None:
                penalty.zero_grad()
            step = net.train_step_single(batch, **fit_params)
            if "objective" not in step:
                raise TypeError(
                    f"{type(net).__name__}.train_step_single must return the 'objective' of "
                    "AntiTransferEstimator's, which has the penalty. With skorch's AccelerateMixin "
                    "let it call AntiTransferClassifier.train_step_single, and override _backward."
                )
            accumulator.store_step({"loss": step["loss"], "y_pred": step["y_pred"]})
            for optimizer in optimizers:  # callbacks see the gradients as they are
                scaler.unscale_(optimizer)  # type: ignore[union-attr]
            net.notify(
                "on_grad_computed",
                named_parameters=TeeGenerator(net.get_all_learnable_params()),
                batch=batch,
                training=True,
            )
            if self._run is not None and self._run.max_grad_norm is not None:
                if self._parameters is None:
                    self._parameters = [p for _, p in net.get_all_learnable_params()]
                clip_gradients(self._parameters, self._run.max_grad_norm)
            return step["objective"]

        if scaler is None:
            net._step_optimizer(closure)
            if penalty is not None:
                penalty.end_step()
        else:
            closure()
            for optimizer in optimizers:
                scaler.step(optimizer)
            scaler.update()
        return accumulator.get_step()

    def begin_epoch(
        self, iterator: Iterable[object], step_fn: Callable[..., Step]
    ) -> Callable[..., Step]:
        """Begin an epoch of training.

        Parameters
        ----------
        iterator : iterable
            Its batches.
        step_fn : callable
            Makes the step of one batch.

        Returns
        -------
        step : callable
            The same; it also sets the learning rate of the step, and counts the step.
        """
        net, run = self._net, self._run
        assert run is not None
        self._parameters = None
        parts = [getattr(net, f"{name}_") for name in (*net._modules, *net._criteria)]
        modules = [part.modules() for part in parts if isinstance(part, torch.nn.Module)]
        self._modules = list(chain.from_iterable(modules))
        n_batches = _length_of(iterator)
        if self._penalty is not None:
            self._penalty.begin_epoch(n_batches, len(net.history) - 1)
        if net.verbose == 1:
            if run.progress is None:
                done = 0 if run.checkpoints is None else run.checkpoints.done
                name = type(net).__name__
                run.progress = TrainingProgress(name, run.max_epochs, n_batches, done=done)
                run.exits.callback(run.progress.close)
            run.progress.begin_epoch()
        if run.rate is not None:
            run.rate.begin_epoch(n_batches)
        if run.augmenting is not None:
            run.augmenting.begin_epoch(len(net.history) - 1)

        def step(batch: Any, **fit_params: object) -> Step:
            if run.augmenting is not None:
                batch = run.augmenting.finished(batch)
            if run.rate is not None:
                run.rate.begin_step()
            self._optimizes = False
            made = step_fn(batch, **fit_params)
            if self._penalty is not None and not self._optimizes:
                self._penalty.end_step()
            run.losses.append(made["loss"].item())
            run.rates.append(self._rate())
            if run.progress is not None:
                run.progress.count(run.losses[-1])
            return made

        return step

    def _rate(self) -> float:
        """Return the learning rate, where the optimizer says what it is."""
        groups = getattr(vars(self._net).get("optimizer_"), "param_groups", None)
        return float(groups[0]["lr"] if isinstance(groups, list) else self._net.lr)

    def end_epoch(self) -> None:
        """End an epoch of training: its last learning rate is recorded."""
        run = self._run
        assert run is not None
        self._net.history.record("lr", run.rates[-1] if run.rates else self._net.lr)
        kept = None if run.augmenting is None else run.augmenting.over_epoch()
        if kept is not None:
            self._net.history.record("augment_kept", kept)
        if run.progress is not None:
            run.progress.end_epoch()

"""Domain-adversarial training with the labels of the nuisance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, factor: float) -> torch.Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.factor * gradients[0], None


class GradientReversal(Callback):
    """Domain-adversarial training with the nuisance's true labels.

    After the gradients of the task, those of a classifier of the nuisance are added, reversed
    on their way into the network; the reversal rises with the training as in the original.

    Parameters
    ----------
    X, labels : arrays
        Clips with the labels of the nuisance.
    layer : str
        Name of the module whose output is read, averaged over positions.
    weight : float
        Highest factor of the reversed gradient.
    batch_size : int
        Clips in a batch.
    seed : int
        Draws batches and the classifier's initialisation.

    References
    ----------
    .. [1] Y. Ganin et al., "Domain-adversarial training of neural networks", JMLR 17, 2016.
    """

    def __init__(self, X, labels, layer, weight, batch_size=96, seed=0):
        self.X = X
        self.labels = labels
        self.layer = layer
        self.weight = weight
        self.batch_size = batch_size
        self.seed = seed

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Prepare batches; the classifier is made when the width of the layer is known."""
        self.inputs_ = torch.as_tensor(self.X)
        classes, targets = np.unique(self.labels, return_inverse=True)
        self.targets_, self.n_classes_ = torch.as_tensor(targets), len(classes)
        self.generator_ = torch.Generator().manual_seed(self.seed + 1)
        self.order_ = []
        self.reader_ = None
        self.n_steps_ = net.max_epochs * -(-len(y) // net.batch_size)
        self.step_ = 0

    def _batch(self):
        size = min(self.batch_size, len(self.inputs_))
        if len(self.order_) < size:
            self.order_ = torch.randperm(len(self.inputs_), generator=self.generator_).tolist()
        index, self.order_ = self.order_[:size], self.order_[size:]
        return self.inputs_[index].float(), self.targets_[index]  # images may be integers

    def on_grad_computed(self, net, named_parameters, training=False, **kwargs):
        """Add the reversed gradient to those of the task."""
        module = net.module_
        device = next(module.parameters()).device
        X, targets = (part.to(device) for part in self._batch())
        found = {}
        place = module.get_submodule(self.layer)
        handle = place.register_forward_hook(lambda m, i, output: found.update(at=output))
        try:
            # Running statistics stay those of the training batches.
            buffers = {name: value.clone() for name, value in module.named_buffers()}
            torch.func.functional_call(module, buffers, (X,))
        finally:
            handle.remove()
        features = found["at"].flatten(2).mean(2) if found["at"].ndim > 2 else found["at"]
        if self.reader_ is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                self.reader_ = torch.nn.Sequential(
                    torch.nn.Linear(features.shape[1], 64),
                    torch.nn.ReLU(),
                    torch.nn.Linear(64, self.n_classes_),
                ).to(device)
            self.optimizer_ = torch.optim.AdamW(self.reader_.parameters(), lr=3e-3)
        factor = self.weight * (2 / (1 + np.exp(-10 * self.step_ / self.n_steps_)) - 1)
        self.step_ += 1
        self.optimizer_.zero_grad()
        scores = self.reader_(_Reverse.apply(features, factor))
        torch.nn.functional.cross_entropy(scores, targets).backward()
        self.optimizer_.step()

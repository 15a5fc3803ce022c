"""What anti-transfer is compared with, on skorch's and scikit-learn's public interfaces."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from atl_sklearn.inspection import extract_activations


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
        self.targets_ = torch.as_tensor(np.unique(self.labels, return_inverse=True)[1])
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
        X, targets = self._batch()
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
                    torch.nn.Linear(64, int(self.targets_.max()) + 1),
                )
            self.optimizer_ = torch.optim.AdamW(self.reader_.parameters(), lr=3e-3)
        factor = self.weight * (2 / (1 + np.exp(-10 * self.step_ / self.n_steps_)) - 1)
        self.step_ += 1
        self.optimizer_.zero_grad()
        scores = self.reader_(_Reverse.apply(features, factor))
        torch.nn.functional.cross_entropy(scores, targets).backward()
        self.optimizer_.step()


class ErasedFeatures:
    """Linear concept erasure of a trained network's features, and a classifier on the rest.

    Parameters
    ----------
    net : fitted AntiTransferClassifier
        The plain network.
    layer : str
        Where its features are read.
    inverse_regularisation : float
        ``C`` of the logistic regression.

    References
    ----------
    .. [1] N. Belrose et al., "LEACE: perfect linear concept erasure in closed form",
       NeurIPS 2023.
    """

    def __init__(self, net: Any, layer: str, inverse_regularisation: float) -> None:
        self.net = net
        self.layer = layer
        self.inverse_regularisation = inverse_regularisation

    def fit(self, fold: Any) -> ErasedFeatures:
        """Fit the eraser on labelled clips, and the classifier on the training clips."""
        from concept_erasure import LeaceEraser

        features = torch.as_tensor(self._features(fold.unlabeled.X))
        labels = np.unique(fold.unlabeled.nuisance, return_inverse=True)[1]
        concept = torch.nn.functional.one_hot(torch.as_tensor(labels))
        self.eraser_ = LeaceEraser.fit(features.double(), concept.double())
        model = LogisticRegression(C=self.inverse_regularisation, max_iter=5000)
        self.classifier_ = make_pipeline(StandardScaler(), model)
        self.classifier_.fit(self.features(fold.train.X), fold.train.target)
        return self

    def _features(self, X: np.ndarray) -> np.ndarray:
        return extract_activations(self.net, X, layer=self.layer)

    def features(self, X: np.ndarray) -> np.ndarray:
        """Return the features without what tells of the nuisance linearly."""
        return self.eraser_(torch.as_tensor(self._features(X)).double()).numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the classes."""
        return self.classifier_.predict(self.features(X))


def initialised_from(unrelated: Any, module: torch.nn.Module) -> torch.nn.Module:
    """Return `module` with the weights of an unrelated network, but for the output layer."""
    module = deepcopy(module)
    weights = {
        name: value
        for name, value in unrelated.module_.state_dict().items()
        if not name.startswith("head.")
    }
    missing = module.load_state_dict(weights, strict=False).missing_keys
    assert all(name.startswith("head.") for name in missing)
    return module

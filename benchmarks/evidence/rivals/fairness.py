"""Methods of fairlearn, which keep predictions apart from a sensitive attribute: the nuisance."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import Fitted, network_of, of_net
from benchmarks.evidence.rivals.plain_recipe import batch_size, one_cycle, optimizer_arguments
from benchmarks.evidence.rivals.same_network import untrained

_ROUNDS = 10  # of 50 by default: each trains a network


class Probability(torch.nn.Module):
    """A network with two scores, as one that returns the probability of the second class.

    Parameters
    ----------
    network : Module
        With two outputs.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the probabilities as a column."""
        return self.network(x).softmax(dim=1)[:, 1:]


def adversarial_fairness(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train against an adversary that reads the nuisance off the prediction; the value is alpha.

    Predictions are to be independent of the nuisance (demographic parity).

    References
    ----------
    .. [1] B. H. Zhang, B. Lemoine and M. Mitchell, "Mitigating unwanted biases with adversarial
       learning", AIES 2018.
    """
    from fairlearn.adversarial import AdversarialFairnessClassifier

    alone = untrained(fold, seed)
    n_steps = fold.max_epochs * -(-len(fold.train.X) // batch_size(fold))
    device = next(alone.module_.parameters()).device
    optimizer = torch.optim.AdamW(alone.module_.parameters(), **optimizer_arguments(fold))
    rate = one_cycle(optimizer, fold, n_steps)

    def after_step(model: Any, **given: Any) -> bool:
        rate.step()
        return False

    model = AdversarialFairnessClassifier(
        backend="torch",
        predictor_model=Probability(alone.module_),
        adversary_model=[],
        predictor_optimizer=lambda module: optimizer,
        learning_rate=optimizer_arguments(fold)["lr"],
        constraints="demographic_parity",
        alpha=value,
        epochs=fold.max_epochs,
        batch_size=batch_size(fold),
        shuffle=True,
        callbacks=after_step,
        cuda=str(device) if device.type == "cuda" else None,
        random_state=seed,
    )
    with torch.random.fork_rng(devices=[]):
        model.fit(fold.train.X, fold.train.target, sensitive_features=fold.train.nuisance)
    return of_net(alone)


def exponentiated_gradient(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train networks on data weighted for equal selection rates; the value is the gap allowed.

    It predicts by one of them, drawn for each sample; features are those of the likeliest.

    References
    ----------
    .. [1] A. Agarwal et al., "A reductions approach to fair classification", ICML 2018.
    """
    from fairlearn.reductions import DemographicParity, ExponentiatedGradient

    labels, codes = np.unique(fold.train.target, return_inverse=True)
    model = ExponentiatedGradient(
        network_of(fold, seed), DemographicParity(difference_bound=value), max_iter=_ROUNDS
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its use of pandas
        model.fit(fold.train.X, codes, sensitive_features=fold.train.nuisance)
    likeliest = model.predictors_[int(np.argmax(model.weights_))]
    return Fitted(
        lambda X: labels[model.predict(X, random_state=seed).astype(int)],
        of_net(likeliest).features,
        {"networks": int((model.weights_ > 0).sum())},
    )

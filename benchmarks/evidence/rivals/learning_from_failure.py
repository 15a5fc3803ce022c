"""Learning from failure: a network that is biased on purpose shows which samples to learn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import Fitted, of_net
from benchmarks.evidence.rivals.same_network import train_by, untrained


def generalised_cross_entropy(scores: torch.Tensor, target: torch.Tensor, q: float) -> torch.Tensor:
    r"""Return :math:`(1 - p^q) / q` with the probability :math:`p` of the target.

    Its gradient is that of cross-entropy times :math:`p^q`: what is easy counts most.

    Parameters
    ----------
    scores : Tensor of shape (n_samples, n_classes)
        Of the network.
    target : Tensor of shape (n_samples,)
        Classes.
    q : float
        More than 0; towards 0 it is cross-entropy.

    Returns
    -------
    losses : Tensor of shape (n_samples,)
        One a sample.

    References
    ----------
    .. [1] Z. Zhang and M. R. Sabuncu, "Generalized cross entropy loss for training deep neural
       networks with noisy labels", NeurIPS 2018.
    """
    return (1 - torch.exp(-q * cross_entropy(scores, target, reduction="none"))) / q


class RelativeDifficulty(torch.nn.Module):
    r"""Losses of a network that learns what is easy, and of one that learns what that one misses.

    A sample weighs :math:`\ell_B / (\ell_B + \ell_D)` in the loss of the second, with the losses
    of both networks averaged exponentially, and divided by the largest of the class.

    Parameters
    ----------
    target : ndarray of shape (n_samples,)
        Encoded, of all training samples.
    q : float, default=0.7
        Of the generalised cross-entropy of the first network.
    decay : float, default=0.7
        What an average keeps of its past.

    References
    ----------
    .. [1] J. Nam et al., "Learning from failure: training debiased classifier from biased
       classifier", NeurIPS 2020. The division is in the authors' code.
    """

    def __init__(self, target: np.ndarray, q: float = 0.7, decay: float = 0.7) -> None:
        super().__init__()
        self.q = q
        self.decay = decay
        self.n_classes = int(target.max()) + 1
        self.register_buffer("target", torch.as_tensor(target))
        self.register_buffer("mean", torch.zeros(2, len(target)))
        self.register_buffer("seen", torch.zeros(len(target), dtype=torch.bool))

    def difficulty(self, losses: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Return the weights of samples after their losses went into the averages.

        Parameters
        ----------
        losses : Tensor of shape (2, n_samples)
            Of the network that counts, and of the biased one.
        index : Tensor of shape (n_samples,)
            Which samples they are.

        Returns
        -------
        weight : Tensor of shape (n_samples,)
            In [0, 1].
        """
        new = torch.where(self.seen[index], 1 - self.decay, 1.0)
        self.mean[:, index] = (1 - new) * self.mean[:, index] + new * losses
        self.seen[index] = True
        classes = self.target.expand(2, -1)
        largest = self.mean.new_zeros(2, self.n_classes)
        largest = largest.scatter_reduce(1, classes, self.mean, "amax")
        ours, biased = self.mean[:, index] / largest[:, self.target[index]].clamp(min=1e-8)
        return biased / (biased + ours + 1e-8)

    def forward(
        self, output: tuple[torch.Tensor, torch.Tensor, torch.Tensor], target: torch.Tensor
    ) -> torch.Tensor:
        """Return the sum of both networks' losses."""
        scores, biased, index = output
        losses = cross_entropy(scores, target, reduction="none")
        biased_losses = cross_entropy(biased.detach(), target, reduction="none")
        weight = self.difficulty(torch.stack([losses.detach(), biased_losses]), index)
        return (weight * losses).mean() + generalised_cross_entropy(biased, target, self.q).mean()


def learning_from_failure(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train two networks of one kind side by side; the value is `q`."""
    target = np.unique(fold.train.target, return_inverse=True)[1]
    biased = untrained(fold, 1000 + seed).module_
    return of_net(train_by(RelativeDifficulty(target, value), fold, seed, beside=[biased]))

"""Group distributionally robust optimisation: the loss of the group that is worst."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import WeightedRandomSampler

from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import Fitted, of_net
from benchmarks.evidence.rivals.groups import balancing_weight, group_of
from benchmarks.evidence.rivals.same_network import train_by


class GroupDRO(torch.nn.Module):
    r"""Mean of the groups' losses, with weights that grow with the losses.

    In each step :math:`q_g \leftarrow q_g \exp(\eta \ell_g) / \sum_h q_h \exp(\eta \ell_h)`, and
    the loss is :math:`\sum_g q_g \ell_g`, with the mean loss :math:`\ell_g` of a group in the
    batch, 0 where there is none of it.

    Parameters
    ----------
    group : ndarray of shape (n_samples,)
        Of each training sample, from 0.
    eta : float, default=0.01
        Step size of the weights.

    References
    ----------
    .. [1] S. Sagawa et al., "Distributionally robust neural networks for group shifts", ICLR
       2020, algorithm 1.
    """

    def __init__(self, group: np.ndarray, eta: float = 0.01) -> None:
        super().__init__()
        n_groups = int(group.max()) + 1
        self.eta = eta
        self.register_buffer("group", torch.as_tensor(group))
        self.register_buffer("q", torch.full((n_groups,), 1 / n_groups))

    def forward(
        self, output: tuple[torch.Tensor, torch.Tensor], target: torch.Tensor
    ) -> torch.Tensor:
        """Return the loss of a batch; in training, the weights change first."""
        scores, index = output
        losses = torch.nn.functional.cross_entropy(scores, target, reduction="none")
        groups, zero = self.group[index], torch.zeros_like(self.q)
        count = zero.index_add(0, groups, torch.ones_like(losses))
        loss = zero.index_add(0, groups, losses) / count.clamp(min=1)
        if self.training:
            q = self.q * torch.exp(self.eta * loss.detach())
            self.q = q / q.sum()
        return self.q @ loss


def group_dro(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train with :class:`GroupDRO` on batches balanced by group; the value is the weight decay."""
    group = group_of(fold.train)
    sampler = WeightedRandomSampler(
        balancing_weight(group), len(group), generator=torch.Generator().manual_seed(seed)
    )
    params = {"iterator_train__sampler": sampler, "iterator_train__shuffle": False}
    return of_net(train_by(GroupDRO(group), fold, seed, weight_decay=value, **params))

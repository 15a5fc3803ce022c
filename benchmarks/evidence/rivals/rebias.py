"""ReBias: features that are independent of those of a network that can only be biased."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from atl_sklearn.modules import ConvNet
from benchmarks.evidence.folds import Fold
from benchmarks.evidence.method import Fitted, of_net
from benchmarks.evidence.rivals.last_layer_refit import its_input, output_layer
from benchmarks.evidence.rivals.same_network import train_by


def rbf_kernel(features: torch.Tensor, sigma: float) -> torch.Tensor:
    r"""Return :math:`\exp(-\lVert x_i - x_j \rVert^2 / (2 \sigma^2))` with zeros on the diagonal.

    Parameters
    ----------
    features : Tensor of shape (n_samples, n_features)
        The rows.
    sigma : float
        Width.

    Returns
    -------
    kernel : Tensor of shape (n_samples, n_samples)
        Of every two rows.
    """
    squares = features.square().sum(dim=1)
    distances = squares[:, None] + squares - 2 * features @ features.T
    kernel = torch.exp(-distances.clamp(min=0) / (2 * sigma**2))
    return kernel - torch.diag(kernel.diagonal())


def unbiased_hsic(kernel: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the Hilbert-Schmidt independence criterion, without the bias of small samples.

    Parameters
    ----------
    kernel, other : Tensor of shape (n_samples, n_samples)
        Of the same samples, with zeros on the diagonals.

    Returns
    -------
    hsic : Tensor of no axes
        0 on average where the two are independent, and where there are fewer than four samples.

    References
    ----------
    .. [1] L. Song et al., "Feature selection via dependence maximization", JMLR 13, 2012,
       equation 4.
    """
    n = len(kernel)
    if n < 4:
        return kernel.new_zeros(())
    traces = (kernel * other).sum()
    means = kernel.sum() * other.sum() / ((n - 1) * (n - 2))
    mixed = 2 * (kernel.sum(dim=0) @ other.sum(dim=0)) / (n - 2)
    return (traces + means - mixed) / (n * (n - 3))


class WithFeatures(torch.nn.Module):
    """Networks side by side, each with what its output layer is given, and the positions.

    Parameters
    ----------
    networks : sequence of Module
        The first is the one that counts.
    """

    def __init__(self, networks: list[torch.nn.Module]) -> None:
        super().__init__()
        self.networks = torch.nn.ModuleList(networks)

    def forward(self, x: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return scores and features of each network, and the positions of the samples."""
        found: list[torch.Tensor] = []
        for network in self.networks:
            handle = output_layer(network).register_forward_pre_hook(
                lambda layer, given: found.append(given[0])
            )
            try:
                scores = network(x)
            finally:
                handle.remove()
            found.insert(-1, scores)
        return (*found, index)


class Independence(torch.nn.Module):
    """Losses of a network and of a biased one, which it is to be independent of.

    The network lowers the independence criterion of both networks' features, and the biased one
    raises it, beside the cross-entropy of each.

    Parameters
    ----------
    weight : float, default=1.0
        Of the criterion, for both.
    sigma : float, default=1.0
        Width of the kernels.

    References
    ----------
    .. [1] H. Bahng et al., "Learning de-biased representations with biased representations", ICML
       2020. The two are updated at once here, and one after the other there.
    """

    def __init__(self, weight: float = 1.0, sigma: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.sigma = sigma

    def forward(self, output: tuple[torch.Tensor, ...], target: torch.Tensor) -> torch.Tensor:
        """Return the sum of both losses."""
        scores, features, biased_scores, biased_features, _ = output
        ours, theirs = (rbf_kernel(part, self.sigma) for part in (features, biased_features))
        lowered = unbiased_hsic(ours, theirs.detach())
        raised = unbiased_hsic(ours.detach(), theirs)
        losses = cross_entropy(scores, target) + cross_entropy(biased_scores, target)
        return losses + self.weight * (lowered - raised)


class IndependenceOfFrozen(torch.nn.Module):
    """Loss of a network that is to be independent of features that stay as they are.

    Parameters
    ----------
    frozen : ndarray of shape (n_samples, n_features)
        Of the training samples.
    weight : float, default=1.0
        Of the independence criterion.
    sigma : float, default=1.0
        Width of the kernel of the network's features; that of the frozen ones is their median
        distance.
    """

    def __init__(self, frozen: np.ndarray, weight: float = 1.0, sigma: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.sigma = sigma
        self.register_buffer("frozen", torch.as_tensor(frozen).float())
        few = self.frozen[:: max(1, len(frozen) // 1000)]
        self.width = torch.pdist(few).median().item()

    def forward(self, output: tuple[torch.Tensor, ...], target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        scores, features, index = output
        theirs = rbf_kernel(self.frozen[index], self.width)
        found = unbiased_hsic(rbf_kernel(features, self.sigma), theirs)
        return cross_entropy(scores, target) + self.weight * found


def small_receptive_field(shape: tuple[int, ...], n_outputs: int) -> torch.nn.Module:
    """Return a network that sees one position at a time: the published one, on any images.

    Parameters
    ----------
    shape : tuple of int
        Of an image.
    n_outputs : int
        Classes.
    """
    # The norm of the first block makes up for the scale of the images.
    sizes: dict[str, Any] = {"channels": (16, 32, 64, 128), "kernel_size": 1, "pool_after": ()}
    network = ConvNet(shape, n_outputs, **sizes)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Unflatten(1, shape), network)


def rebias(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train beside a network of small receptive field; the value is the weight."""
    shape = fold.train.X.shape[1:] if fold.image_shape is None else fold.image_shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 + seed)
        biased = small_receptive_field(shape, len(np.unique(fold.train.target)))
    criterion = Independence(value)
    return of_net(train_by(criterion, fold, seed, beside=[biased], wrap=WithFeatures))


def rebias_frozen(fold: Fold, unrelated: Any, seed: int, value: float) -> Fitted:
    """Train beside the unrelated network; the value is the weight."""
    criterion = IndependenceOfFrozen(its_input(unrelated, fold.train.X), value)
    return of_net(train_by(criterion, fold, seed, wrap=WithFeatures))

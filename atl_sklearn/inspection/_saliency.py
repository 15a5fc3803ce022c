"""What of its input a network looks at."""

from __future__ import annotations

import copy

import numpy as np
import torch

from atl_sklearn.unrelated import as_tensors

METHODS = ("gradient", "occlusion")


def _score(network: torch.nn.Module, data: torch.Tensor, output: int) -> torch.Tensor:
    """Return what a network says of a class, or its number, for each sample."""
    returned = network(data.clone())  # it may write into what it is given
    returned = returned[0] if isinstance(returned, tuple | list) else returned
    scores = returned.reshape(len(data), -1)
    if scores.shape[1] == 1:  # the score of the second of two classes, or a number
        return scores[:, 0] if output else -scores[:, 0]
    score: torch.Tensor = scores.log_softmax(dim=1)[:, output]
    return score


def _casts(network: torch.nn.Module, X: object) -> torch.Tensor:
    data = as_tensors(network, X)[:]
    for tensor in network.parameters():
        return data.to(tensor) if tensor.is_floating_point() else data.to(tensor.device)
    return data


def _by_gradient(network: torch.nn.Module, data: torch.Tensor, output: int) -> torch.Tensor:
    data = data.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(_score(network, data, output).sum(), data)
    return gradient.abs()


@torch.no_grad()
def _by_occlusion(
    network: torch.nn.Module, data: torch.Tensor, output: int, n_patches: tuple[int, int]
) -> torch.Tensor:
    """Return by how much a score falls where a patch is replaced by the mean of the samples."""
    known = _score(network, data, output)
    found = torch.zeros_like(data)
    mean = data.mean(dim=0)
    rows, columns = (
        np.array_split(np.arange(size), min(size, n))
        for size, n in zip(data.shape[-2:], n_patches, strict=True)
    )
    for row in rows:
        for column in columns:
            patch = (..., slice(row[0], row[-1] + 1), slice(column[0], column[-1] + 1))
            hidden = data.clone()
            hidden[patch] = mean[patch]
            fall = (known - _score(network, hidden, output)).clamp_min(0)
            found[patch] = fall.reshape(-1, *[1] * (data.ndim - 1))
    return found


def saliency_map(
    network: torch.nn.Module,
    X: object,
    output: int,
    *,
    method: str = "gradient",
    n_patches: tuple[int, int] = (8, 8),
    batch_size: int = 64,
) -> np.ndarray:
    """Return how much each band and frame matters for a class, averaged over samples.

    Parameters
    ----------
    network : torch.nn.Module
        Stays as it is.
    X : array-like of shape (n_samples, ..., n_bands, n_frames)
        As the network takes them; several channels are averaged.
    output : int
        The class. Of a network with a single output, 1 for the output, and 0 for its negative.
    method : {"gradient", "occlusion"}, default="gradient"
        The magnitude of the gradient of the class's log-probability [1]_; or by how much that
        falls where a patch is replaced by its mean over the samples [2]_.
    n_patches : (int, int), default=(8, 8)
        Patches along bands and frames.
    batch_size : int, default=64
        Samples at a time.

    Returns
    -------
    saliency : ndarray of shape (n_bands, n_frames)
        Not negative.

    References
    ----------
    .. [1] K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks", 2014.
    .. [2] M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", 2014.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.inspection._saliency import saliency_map
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1, bias=False))
    >>> _ = network[1].weight.data.copy_(torch.tensor([[0.0, 2.0, 0.0, 0.0]]))
    >>> saliency_map(network, torch.ones(3, 2, 2), 1).tolist()
    [[0.0, 2.0], [0.0, 0.0]]
    """
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    data = _casts(copied, X)
    total = torch.zeros(data.shape[-2:], dtype=torch.float64)
    for start in range(0, len(data), batch_size):
        batch = data[start : start + batch_size]
        if method == "gradient":
            found = _by_gradient(copied, batch, output)
        else:
            found = _by_occlusion(copied, batch, output, n_patches)
        total += found.reshape(-1, *data.shape[-2:]).sum(dim=0).double().cpu()
    per_map = data.numel() // int(np.prod(data.shape[-2:]))
    averaged: np.ndarray = (total / per_map).numpy()
    return averaged

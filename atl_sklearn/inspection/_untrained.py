"""The same network before any training: what its form alone lets a probe read."""

from __future__ import annotations

import copy

import torch

from atl_sklearn._generator import forked_generator


def untrained_copy(network: torch.nn.Module, seed: int) -> torch.nn.Module | None:
    """Return a copy with weights as they are drawn before training.

    Parameters
    ----------
    network : torch.nn.Module
        Stays as it is.
    seed : int
        Determines the weights.

    Returns
    -------
    copied : torch.nn.Module or None
        None where some parameters belong to a module that does not say how it draws them
        (``reset_parameters``): these would stay trained.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.inspection._untrained import untrained_copy
    >>> network = torch.nn.Linear(2, 1)
    >>> bool((untrained_copy(network, 0).weight == network.weight).any())
    False
    """
    for module in network.modules():
        owned = list(module.parameters(recurse=False))
        if owned and not hasattr(module, "reset_parameters"):
            return None
    copied = copy.deepcopy(network)
    with forked_generator(), torch.no_grad():
        torch.manual_seed(seed)
        for module in copied.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
    return copied

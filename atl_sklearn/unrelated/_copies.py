"""Copies of networks, those among them that ``copy.deepcopy`` cannot take."""

from __future__ import annotations

import copy
import warnings

import torch
from torch.nn.parameter import is_lazy

from atl_sklearn.unrelated._forms import evaluate, is_script


def _computed(network: torch.nn.Module) -> dict[int, object]:
    """Return copies of tensors that are computed from parameters, which do not deepcopy."""
    memo: dict[int, object] = {}
    for module in network.modules():
        if is_script(module):
            continue  # it copies itself
        for value in vars(module).values():  # weight normalisation keeps one
            if isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter):
                memo[id(value)] = value.detach().clone()
    return memo


def copy_network(network: torch.nn.Module) -> torch.nn.Module:
    """Copy a network.

    Parameters
    ----------
    network : torch.nn.Module
        The network; nothing of it changes.

    Returns
    -------
    copied : torch.nn.Module
        It can be trained apart.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._copies import copy_network
    >>> network = torch.nn.Linear(2, 1)
    >>> copy_network(network).weight is network.weight
    False
    """
    with torch.no_grad():  # TorchScript copies what it holds by operations
        copied = copy.deepcopy(network, _computed(network))
    for old, new in zip(network.parameters(), copied.parameters(), strict=True):
        if not is_lazy(old):
            new.requires_grad_(old.requires_grad)
    return copied


def private_copy(network: torch.nn.Module) -> torch.nn.Module:
    """Copy the structure and the buffers of a network and share its parameters.

    Hooks, modes and devices of the copy are its own, so that fits in other threads, and the
    user's network, never see them; the parameters, which nothing here writes, take no second
    place in memory.

    Parameters
    ----------
    network : torch.nn.Module
        The network to copy; nothing of it changes.

    Returns
    -------
    copied : torch.nn.Module
        In evaluation mode, its parameters without gradients.
    """
    memo = _computed(network)
    for module in network.modules():
        if is_script(module):
            continue
        for parameter in module._parameters.values():
            if parameter is not None and not is_lazy(parameter):
                memo[id(parameter)] = torch.nn.Parameter(parameter.detach(), requires_grad=False)
    with torch.no_grad(), warnings.catch_warnings():
        # Of exported graphs, about classes of torch's own.
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
        return evaluate(copy.deepcopy(network, memo))

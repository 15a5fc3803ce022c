"""Forms of networks that can do less than a plain module: scripted, exported, quantised, lazy."""

from __future__ import annotations

import torch
from torch.nn.parameter import is_lazy

QUANTIZED = ("torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.quantized.")


def is_script(module: torch.nn.Module) -> bool:
    """Tell whether a module is TorchScript, which knows no hooks."""
    return isinstance(module, torch.jit.ScriptModule)


def is_exported(module: torch.nn.Module) -> bool:
    """Tell whether a module is a graph of operations, as torch.export makes it."""
    return isinstance(module, torch.fx.GraphModule) and any(
        isinstance(node.target, torch._ops.OpOverload) for node in module.graph.nodes
    )


def is_quantized(module: torch.nn.Module) -> bool:
    """Tell whether a module is a layer with weights of integers."""
    return any(cls.__module__.startswith(QUANTIZED) for cls in type(module).__mro__)


def evaluate(network: torch.nn.Module) -> torch.nn.Module:
    """Set a network to evaluation mode, which exported ones are in for good, and return it."""
    try:
        return network.eval()
    except NotImplementedError:
        for module in network.modules():
            module.training = False
        return network


def why_not_trainable(network: torch.nn.Module) -> str:
    """Return why a network cannot be trained, as the end of a sentence; empty if it can.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._forms import why_not_trainable
    >>> why_not_trainable(torch.nn.Linear(2, 1)), why_not_trainable(torch.nn.ReLU())
    ('', 'has no parameters')
    """
    for name, module in network.named_modules():
        if is_quantized(module):
            return f"is quantised (layer {name!r}): gradients do not change integers"
        if is_exported(module):
            return "was made by torch.export, which cannot be set to training mode"
    return "" if any(True for _ in network.parameters()) else "has no parameters"


def lazy_layers(network: torch.nn.Module) -> list[str]:
    """Return the names of the parameters and buffers that wait for a first batch.

    Parameters
    ----------
    network : torch.nn.Module
        The network.

    Returns
    -------
    names : list of str
        Empty where the network has run.
    """
    tensors = [*network.named_parameters(), *network.named_buffers()]
    return [name for name, tensor in tensors if is_lazy(tensor)]


def trained_for_good(network: torch.nn.Module) -> str:
    """Return why a network, or one in it, cannot answer as it did in training; empty if it can.

    Parameters
    ----------
    network : torch.nn.Module
        The network.

    Returns
    -------
    reason : str
        Of an exported graph whose operations are those of training.
    """
    for module in network.modules():
        if not isinstance(module, torch.fx.GraphModule):
            continue
        for node in module.graph.nodes:
            schema = getattr(node.target, "_schema", None)
            for place, argument in enumerate(getattr(schema, "arguments", ())):
                given = node.args[place] if place < len(node.args) else None
                if argument.name in ("train", "training") and given is True:
                    return f"its {node.target} is that of training"
    return ""

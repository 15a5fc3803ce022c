"""Nonlinearities by name, each a module of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable

from torch import nn

from atl_sklearn._validation import did_you_mean, refuse_value, shown

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "identity": nn.Identity,
    "leaky_relu": nn.LeakyReLU,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def make_activation(activation: str | Callable[[], nn.Module] | nn.Module, owner: str) -> nn.Module:
    """Make a nonlinearity that shares nothing and changes nothing in place.

    A hook on a layer reads its output; a nonlinearity that works in place would have changed it
    by the time it is used, and one that stands in two places would be read twice.

    Parameters
    ----------
    activation : str, callable or torch.nn.Module
        A name; a class or another callable without arguments that returns a module; or a
        module, which is copied.
    owner : str
        Who asks, for the error message.

    Returns
    -------
    module : torch.nn.Module
        A new module.

    Raises
    ------
    ValueError
        If there is no such name.
    TypeError
        If it is neither of these, or the callable returns something else.
    """
    names = sorted(_ACTIVATIONS)
    if isinstance(activation, str) and activation not in _ACTIVATIONS:
        must = f"a callable that returns a torch.nn.Module or one of {names}"
        raise refuse_value(owner, "activation", must, activation, did_you_mean(activation, names))
    if isinstance(activation, str):
        module: object = _ACTIVATIONS[activation]()
    elif isinstance(activation, nn.Module):
        module = copy.deepcopy(activation)
    elif callable(activation):
        # A callable may return the same module each time.
        module = copy.deepcopy(activation())
    else:
        module = None
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"The 'activation' parameter of {owner} must be one of {names} or a callable without "
            "arguments that returns a torch.nn.Module, such as torch.nn.ReLU. Got "
            f"{shown(activation)} instead."
        )
    for part in module.modules():
        if getattr(part, "inplace", False):
            setattr(part, "inplace", False)  # noqa: B010 - nn.Module declares no such attribute
    return module

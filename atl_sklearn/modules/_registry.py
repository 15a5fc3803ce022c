"""Networks by name, and the one that suits the data."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from atl_sklearn._validation import did_you_mean, shown
from atl_sklearn.modules._convnet import ConvNet
from atl_sklearn.modules._input_shape import check_input_shape
from atl_sklearn.modules._mlp import MLP
from atl_sklearn.modules._vgg import VGG

_MODULES: dict[str, type[nn.Module]] = {"convnet": ConvNet, "mlp": MLP, "vgg": VGG}


def get_module_names() -> list[str]:
    """Return the names that :func:`get_module` knows.

    Returns
    -------
    names : list of str
        The names, sorted.

    See Also
    --------
    get_module : Return the network of a name.

    Examples
    --------
    >>> from atl_sklearn.modules import get_module_names
    >>> get_module_names()
    ['auto', 'convnet', 'mlp', 'vgg']
    """
    return sorted(["auto", *_MODULES])


def get_module(
    module: str | Callable[..., nn.Module], input_shape: int | tuple[int, ...]
) -> Callable[..., nn.Module]:
    """Return the named network, or the network itself.

    Parameters
    ----------
    module : {"auto", "convnet", "mlp", "vgg"}, torch.nn.Module class or instance, or callable
        A name; anything else that can be called is returned as it is. "auto" is
        :class:`MLP` for feature vectors (2-D X) and :class:`ConvNet` for images (3-D and 4-D X).
    input_shape : int or tuple of int
        Shape of one sample, ``X.shape[1:]``, which "auto" goes by.

    Returns
    -------
    module : torch.nn.Module class or instance, or callable
        Under a name, a class to be called with `input_shape` and the number of outputs.

    Raises
    ------
    ValueError
        If there is no such name, or "auto" has no network for `input_shape`.
    TypeError
        If `module` is neither a string nor callable.

    See Also
    --------
    get_module_names : List the names.

    Examples
    --------
    >>> from atl_sklearn.modules import get_module
    >>> get_module("vgg", (64, 32)).__name__
    'VGG'
    >>> get_module("auto", (64, 32)).__name__
    'ConvNet'
    >>> get_module("auto", (20,)).__name__
    'MLP'
    """
    if isinstance(module, str):
        if module == "auto":
            return _suited_to(input_shape)
        if module in _MODULES:
            return _MODULES[module]
        names = get_module_names()
        raise ValueError(
            f"The 'module' parameter must be a torch.nn.Module, a callable that returns one, or "
            f"one of {names}. Got {shown(module)} instead. {did_you_mean(module, names)}".rstrip()
        )
    if not callable(module):
        raise TypeError(
            f"The 'module' parameter must be a torch.nn.Module, a callable that returns one, or "
            f"one of {get_module_names()}. Got {shown(module)} instead."
        )
    return module


def _suited_to(input_shape: int | tuple[int, ...]) -> type[nn.Module]:
    shape = check_input_shape(input_shape, "get_module")
    if len(shape) == 1:
        return MLP
    if len(shape) <= 3:
        return ConvNet
    raise ValueError(
        "module='auto' has a network for X of 2 axes (feature vectors), 3 axes (images of one "
        f"channel) and 4 axes (images). Got X with {len(shape) + 1} axes, each sample of shape "
        f"{shape}, instead. Pass module='mlp', which flattens any samples, or a network of your "
        "own."
    )

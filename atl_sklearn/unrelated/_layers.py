"""The layers of a network: which there are, in which order they run, and how they are chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal

import torch
from torch.nn.modules.conv import _ConvNd

from atl_sklearn._generator import forked_generator
from atl_sklearn._validation import did_you_mean
from atl_sklearn.unrelated._hooks import HookPoint, first_tensor

_Kind = Literal["convolution", "linear", "nonlinearity", "passing", "other", "output"]

# What the network itself returns, which is no layer of it.
OUTPUTS = ("output", "posterior")

# What may stand between a layer and its nonlinearity.
_PASSING_MODULES = frozenset({"batchnorm", "instancenorm", "normalization", "dropout", "pooling"})


@dataclass(frozen=True)
class Layer:
    """One run of one module in a forward pass.

    Attributes
    ----------
    name : str
        Its name in ``network.named_modules()``.
    type : str
        The name of its class.
    output_shape : tuple of int
        Shape of its output for one sample, without the axis of samples.
    index : int or None
        Its place among the convolutions and linear layers, in the order in which they run;
        None for other modules.
    run : int
        Which run of the module this is; above 0 only for a module used in several places.
    changed_in_place : bool
        Whether a later operation changes its output in place.
    kind : {"convolution", "linear", "nonlinearity", "passing", "other", "output"}
        What it is when a layer's nonlinearity is looked for; ``"output"`` for what the network
        itself returns.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn import list_layers
    >>> layer = list_layers(torch.nn.Sequential(torch.nn.Linear(4, 2)), torch.zeros(1, 4))[0]
    >>> layer.name, layer.index, layer.output_shape
    ('0', 0, (2,))
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    index: int | None
    run: int
    changed_in_place: bool
    kind: _Kind

    @property
    def point(self) -> HookPoint:
        """Where its activation is read."""
        name = "" if self.kind == "output" else self.name
        return HookPoint(name, self.run, self.changed_in_place)


class LayerList(tuple[Layer, ...]):
    """The layers of a network in the order in which they run; prints as a table.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn import list_layers
    >>> list_layers(torch.nn.Sequential(torch.nn.Linear(4, 2)), torch.zeros(1, 4))
    index  name  type    output shape
    -----  ----  ------  --------------
    0      0     Linear  (n_samples, 2)
    """

    __slots__ = ()

    def __str__(self) -> str:
        rows = [("index", "name", "type", "output shape")]
        for layer in self:
            index = "" if layer.index is None else str(layer.index)
            name = layer.name if layer.run == 0 else f"{layer.name} (run {layer.run + 1})"
            shape = "(" + ", ".join(["n_samples", *map(str, layer.output_shape)]) + ")"
            rows.append((index, name, layer.type, shape))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    __repr__ = __str__


def _kind(module: torch.nn.Module) -> _Kind:
    if isinstance(module, _ConvNd):
        return "convolution"
    if isinstance(module, torch.nn.Linear):
        return "linear"
    for cls in type(module).__mro__:
        package, _, family = cls.__module__.rpartition(".")
        if package == "torch.nn.modules":
            if family == "activation" and cls is not torch.nn.MultiheadAttention:
                return "nonlinearity"
            if family in _PASSING_MODULES:
                return "passing"
    return "other"


@dataclass(frozen=True)
class Trial:
    """What one forward pass showed of a network.

    Attributes
    ----------
    layers : LayerList
        Every run of a module that returned a tensor; containers stand after their contents.
    output : object
        What the network returned.
    """

    layers: LayerList
    output: Any
    _tensors: dict[HookPoint, torch.Tensor]

    def activations(self, layers: Sequence[Layer]) -> list[torch.Tensor] | None:
        """Return what some of the layers returned; None if one of it was changed in place."""
        found = [self._tensors.get(layer.point) for layer in layers]
        return None if any(x is None for x in found) else found  # type: ignore[return-value]


def trace_layers(network: torch.nn.Module, forward: Callable[[], Any]) -> Trial:
    """Run `network` once, and note its modules in the order in which they finish.

    Parameters
    ----------
    network : torch.nn.Module
        The network; its training mode, generators and parameters stay as they are.
    forward : callable
        Called without arguments, runs `network`.

    Returns
    -------
    trial : Trial
        Layers and activations.
    """
    runs: Counter[str] = Counter()
    seen: list[tuple[Layer, torch.Tensor, int]] = []
    # In-place dropout changes nothing in evaluation mode, so the run below cannot show it.
    declared_in_place = any(getattr(m, "inplace", False) for m in network.modules())

    def hook_for(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, args: Any, output: Any) -> None:
            run, runs[name] = runs[name], runs[name] + 1
            tensor = first_tensor(output)
            if tensor is not None:
                shape = tuple(tensor.shape[1:])
                layer = Layer(
                    name, type(module).__name__, shape, None, run, declared_in_place, _kind(module)
                )
                seen.append((layer, tensor, tensor._version))

        return hook

    modes = {module: module.training for module in network.modules()}
    handles = []
    try:
        network.eval()
        for name, module in network.named_modules():
            if name:  # the network itself is its output, not a layer
                handles.append(module.register_forward_hook(hook_for(name)))
        with torch.no_grad(), forked_generator():
            output = forward()
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training

    layers = []
    tensors = {}
    index = 0
    for layer, tensor, version in seen:
        changed = layer.changed_in_place or tensor._version != version
        numbered = layer.kind in ("convolution", "linear")
        layer = replace(layer, index=index if numbered else None, changed_in_place=changed)
        layers.append(layer)
        index += numbered
        if not changed:
            tensors[layer.point] = tensor
    returned = first_tensor(output)
    if returned is not None:
        tensors[_output_layer("output").point] = returned
    return Trial(LayerList(layers), output, tensors)


def _output_layer(name: str) -> Layer:
    return Layer(name, "output", (), None, 0, False, "output")


def _nonlinearity_of(layer: Layer, layers: LayerList) -> Layer:
    """Return the nonlinearity that follows `layer`, or `layer` where none does."""
    for later in layers[layers.index(layer) + 1 :]:
        if later.kind == "nonlinearity":
            return later
        if later.kind in ("convolution", "linear"):
            break
        # Containers finish after their contents and do nothing by themselves.
        is_container = layer.name.startswith(f"{later.name}.")
        if later.kind == "other" and not is_container:
            break
    return layer


def _last(layers: LayerList, parameter: str) -> Layer:
    convolutions = [layer for layer in layers if layer.kind == "convolution"]
    if convolutions:
        return _nonlinearity_of(convolutions[-1], layers)
    linear = [layer for layer in layers if layer.kind == "linear"]
    if linear:
        # The very last one gives the output; the hidden layer before it carries the features.
        return _nonlinearity_of(linear[-2] if len(linear) > 1 else linear[-1], layers)
    raise ValueError(
        f"{parameter}='last' needs a network with a convolution or a linear layer, and this one "
        f"has none. Name a layer instead. Available: {_names(layers)}."
    )


def _names(layers: LayerList) -> list[str]:
    return list(dict.fromkeys(layer.name for layer in layers))


def _by_index(index: int, layers: LayerList, parameter: str) -> Layer:
    numbered = [layer for layer in layers if layer.index is not None]
    try:
        return _nonlinearity_of(numbered[index], layers)
    except IndexError:
        listed = ", ".join(f"{layer.index}: {layer.name!r}" for layer in numbered)
        raise ValueError(
            f"{parameter}={index} is out of range: the network has {len(numbered)} convolutions "
            f"and linear layers ({listed}). Use an index from {-len(numbered)} to "
            f"{len(numbered) - 1}."
        ) from None


def _by_name(name: str, layers: LayerList, parameter: str) -> Layer:
    found = [layer for layer in layers if layer.name == name]
    if found:
        return found[-1]
    available = _names(layers)
    hint = did_you_mean(name, available, n=3)
    raise ValueError(
        f"Layer {name!r} (parameter {parameter!r}) not found. {hint}{' ' if hint else ''}"
        f"Available: {available}."
    )


def is_posterior(layer: Layer) -> bool:
    """Tell whether a chosen layer is what a network returns, made into probabilities."""
    return layer.kind == "output" and layer.name == "posterior"


LayerChoice = str | int | Sequence[str | int]


def as_choices(layer: LayerChoice, parameter: str) -> list[str | int]:
    """Return `layer` as a list of names and indices.

    Raises
    ------
    TypeError
        If an entry is neither a string nor an integer.
    ValueError
        If the list is empty.
    """
    choices: list[Any] = list(layer) if isinstance(layer, list | tuple) else [layer]
    if not choices:
        raise ValueError(f"The {parameter!r} parameter must name at least one layer. Got [].")
    for choice in choices:
        if not isinstance(choice, str | Integral) or isinstance(choice, bool):
            raise TypeError(
                f"The {parameter!r} parameter must be a layer's name, an index among the "
                f"convolutions and linear layers, a list of these, or 'last'. Got {layer!r} "
                "instead. list_layers shows the names."
            )
    return [choice if isinstance(choice, str) else int(choice) for choice in choices]


def choose_layers(
    layer: LayerChoice, layers: LayerList, *, parameter: str = "layer"
) -> list[Layer]:
    """Return the layers that `layer` chooses.

    Parameters
    ----------
    layer : str, int or list of these
        ``"last"``: the last convolution with its nonlinearity; without convolutions, the last
        hidden linear layer with its nonlinearity. An index among the convolutions and linear
        layers, negative ones from the end: that layer with its nonlinearity. A name: the
        output of exactly that module; of its last run where it runs several times. ``"output"``
        and ``"posterior"``, unless modules have these names: what the network returns, which
        the caller may turn into probabilities.
    layers : LayerList
        What :func:`trace_layers` found in a trial.
    parameter : str, default="layer"
        Name of the parameter in errors.

    Returns
    -------
    chosen : list of Layer
        One for each entry of `layer`.

    Raises
    ------
    TypeError
        If an entry is neither a string nor an integer.
    ValueError
        If there is no such layer; near names are suggested.
    """
    chosen = []
    for choice in as_choices(layer, parameter):
        if isinstance(choice, int):
            chosen.append(_by_index(choice, layers, parameter))
        elif choice == "last" and not any(known.name == "last" for known in layers):
            chosen.append(_last(layers, parameter))
        elif choice in OUTPUTS and not any(known.name == choice for known in layers):
            chosen.append(_output_layer(str(choice)))
        else:
            chosen.append(_by_name(choice, layers, parameter))
    return chosen

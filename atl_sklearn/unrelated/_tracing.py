"""One forward pass that shows which layers a network has, and in which order they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils.hooks import RemovableHandle

from atl_sklearn._generator import forked_generator
from atl_sklearn.unrelated._forms import evaluate, is_exported, is_script
from atl_sklearn.unrelated._hooks import HookPoint
from atl_sklearn.unrelated._kinds import (
    NUMBERED,
    Kind,
    Layout,
    arrange,
    is_time_first,
    kind_of,
    layout_of,
)
from atl_sklearn.unrelated._layers import Layer, LayerList
from atl_sklearn.unrelated._parts import get_part, has_names, is_packed, main_part, parts_of

_OF_SCRIPT = (
    "{} is TorchScript, whose layers cannot be read; what the network returns can, as 'output' or "
    "'posterior'"
)
_PACKED = (
    "{} returns a packed sequence, whose samples differ in length, so that there is no mean over "
    "time; name a layer that follows it"
)
_EXPORTED = (
    "the network was made by torch.export, which leaves no layers that could be read; what it "
    "returns can, as 'output' or 'posterior'"
)


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
    output: object
    _tensors: dict[HookPoint, torch.Tensor]

    def activations(self, layers: Sequence[Layer]) -> list[torch.Tensor] | None:
        """Return what some of the layers returned; None if one of it was changed in place."""
        found = [self._tensors.get(layer.point) for layer in layers]
        return None if any(x is None for x in found) else found  # type: ignore[return-value]


@dataclass
class _Seen:
    layer: Layer
    tensor: torch.Tensor
    version: int
    listed: bool

    def settled(self, index: int) -> Layer:
        """Return the layer, now that it is known whether later ones changed its output."""
        changed = self.layer.changed_in_place or self.tensor._version != self.version
        numbered = self.layer.kind in NUMBERED and self.layer.name == self.layer.module
        return replace(self.layer, index=index if numbered else None, changed_in_place=changed)


class _Watcher:
    """Notes what the modules of a network return, in the order in which they finish."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.seen: list[_Seen] = []
        self.unreadable: dict[str, str] = {}
        self._network = network
        self._runs: Counter[str] = Counter()
        self._layouts: dict[int, Layout] = {}  # of tensors, which `seen` keeps alive
        self._time_first = [f"{n}." for n, m in network.named_modules() if n and is_time_first(m)]
        # In-place dropout changes nothing in evaluation mode, so the run cannot show it.
        self._in_place = any(getattr(m, "inplace", False) for m in network.modules())

    def hook_for(self, name: str) -> Callable[..., None]:
        """Return what is called after a module."""

        def hook(module: torch.nn.Module, args: tuple[object, ...], output: object) -> None:
            self.note(name, module, args, output)

        return hook

    def note(
        self, name: str, module: torch.nn.Module, args: tuple[object, ...], output: object
    ) -> None:
        """Note one run of a module; that of the network itself is its output."""
        run, self._runs[name] = self._runs[name], self._runs[name] + 1
        kind = "output" if name == "output" and module is self._network else kind_of(module)
        if is_packed(output):
            self.unreadable[name] = _PACKED.format(f"layer {name!r}")
            return
        main = main_part(output)
        # The states that recurrent layers also return are no activations of samples.
        parts = {} if kind in ("recurrent", "attention") else parts_of(output)
        # The main part goes by the module's own name too.
        names = [] if main is None else [(name, main)]
        names += [(f"{name}.{part}", part) for part in parts]
        for title, part in names:
            tensor = get_part(output, part)
            if tensor is None or not tensor.ndim:
                continue
            layout = self._layout(name, module, kind, args, tensor)
            self._layouts[id(tensor)] = layout
            shape = tuple(arrange(tensor, layout).shape[1:])
            layer = Layer(
                title, type(module).__name__, shape, None, run, self._in_place, kind,
                module=name, part=part, layout=layout,
            )  # fmt: skip
            listed = title == name or has_names(output)
            self.seen.append(_Seen(layer, tensor, tensor._version, listed))

    def _layout(
        self,
        name: str,
        module: torch.nn.Module,
        kind: Kind,
        args: tuple[object, ...],
        tensor: torch.Tensor,
    ) -> Layout:
        known = self._layouts.get(id(tensor))  # containers return what their contents did
        if known is not None or kind == "output":
            return known or "channels_first"
        given = self._layouts.get(id(args[0])) if args else None
        if any(name.startswith(within) for within in self._time_first):
            given = "time_first"
        return layout_of(module, kind, tensor.ndim, given) or "channels_first"


def _readable(
    network: torch.nn.Module,
) -> tuple[list[tuple[str, torch.nn.Module]], dict[str, str]]:
    """Return the modules whose outputs can be read as activations, and why others cannot."""
    found: list[tuple[str, torch.nn.Module]] = []
    unreadable: dict[str, str] = {}
    inside: list[str] = []  # of what is left out with all that it contains
    reason = getattr(network, "why_unreadable", "")
    if reason:
        return [], {"": reason}
    for name, module in network.named_modules():
        if any(name.startswith(prefix) for prefix in inside):
            continue
        if is_script(module):
            unreadable[name] = _OF_SCRIPT.format(f"layer {name!r}" if name else "the network")
        elif name and not isinstance(module, ParametrizationList):
            found.append((name, module))  # the network itself is its output, not a layer
        if is_script(module) or isinstance(module, ParametrizationList):
            # What a parametrization returns is a weight.
            inside.append(f"{name}." if name else "")
    return found, unreadable


@contextmanager
def _as_tried(network: torch.nn.Module) -> Iterator[None]:
    """Let the block run a network in evaluation mode, without gradients or random numbers."""
    modes = {module: module.training for module in network.modules()}
    try:
        evaluate(network)
        with torch.no_grad(), forked_generator():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def trace_layers(network: torch.nn.Module, forward: Callable[[], object]) -> Trial:
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
    watcher = _Watcher(network)
    readable, unreadable = _readable(network)
    handles: list[RemovableHandle] = []
    try:
        with _as_tried(network):
            for name, module in readable:
                handles.append(module.register_forward_hook(watcher.hook_for(name)))
            output = forward()
    finally:
        for handle in handles:
            handle.remove()
    unreadable |= watcher.unreadable
    if is_exported(network) and not watcher.seen:
        unreadable[""] = _EXPORTED
    layers, tensors = _settle(watcher.seen)
    of_layers, watcher.seen = watcher.seen, []
    watcher.note("output", network, (), output)
    returned = [
        replace(seen.layer, module="", run=0, changed_in_place=False) for seen in watcher.seen
    ]
    for layer, seen in zip(returned, watcher.seen, strict=True):
        tensors[layer.point] = arrange(seen.tensor, layer.layout)
    found = LayerList(
        [layer for layer, seen in zip(layers, of_layers, strict=True) if seen.listed],
        unlisted=[layer for layer, seen in zip(layers, of_layers, strict=True) if not seen.listed],
        returned=returned,
        unreadable=unreadable,
        read_out=_read_out(layers, of_layers, watcher.seen),
    )
    return Trial(found, output, tensors)


def _settle(seen: list[_Seen]) -> tuple[list[Layer], dict[HookPoint, torch.Tensor]]:
    """Return the layers with their indices, and the activations that nothing changed later."""
    layers: list[Layer] = []
    tensors = {}
    index = 0
    for one in seen:
        layer = one.settled(index)
        layers.append(layer)
        index += layer.index is not None
        if not layer.changed_in_place:
            tensors[layer.point] = arrange(one.tensor, layer.layout)
    return layers, tensors


def _read_out(layers: list[Layer], seen: list[_Seen], returned: list[_Seen]) -> Layer | None:
    """Return the linear layer whose output is what the network returns, if there is one."""
    output = next((one.tensor for one in returned if one.layer.name == "output"), None)
    for layer, one in zip(reversed(layers), reversed(seen), strict=True):
        if layer.kind == "linear" and one.tensor is output:
            return layer
    return None

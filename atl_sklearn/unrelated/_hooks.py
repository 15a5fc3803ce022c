"""Reading the activations of chosen layers while a network runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import torch

from atl_sklearn.unrelated._forms import is_script
from atl_sklearn.unrelated._kinds import Layout, arrange
from atl_sklearn.unrelated._parts import get_part


@dataclass(frozen=True)
class HookPoint:
    """Where one activation is read.

    Parameters
    ----------
    name : str
        Name of the module in ``network.named_modules()``; empty for the network itself.
    run : int
        Which run of that module within one forward pass, counted from 0. A module that is
        shared between several places (one ReLU for all of them, say) runs several times.
    copy : bool
        Whether the output is copied because something later changes it in place.
    part : str
        Which part of what the module returned, as :func:`~atl_sklearn.unrelated._parts.parts_of`
        names it; empty for a tensor.
    layout : {"channels_first", "channels_last", "time_first"}
        Where samples and channels lie in it.
    of_input : bool
        Whether what the module was given is read, and not what it returned.
    """

    name: str
    run: int = 0
    copy: bool = False
    part: str = ""
    layout: Layout = "channels_first"
    of_input: bool = False


class _Stop(BaseException):
    """Ends a forward pass; not an ``Exception``, so that no network swallows it."""


class _Hook:
    """What a network calls after a module; a copy of it, in a copied network, does nothing."""

    def __init__(self, hooks: ActivationHooks | None = None, name: str = "") -> None:
        self._hooks = hooks
        self._name = name

    def __call__(self, module: torch.nn.Module, args: tuple[object, ...], output: object) -> None:
        if self._hooks is not None and self._hooks.reads:
            self._hooks.take(self._name, output, args)

    def __reduce__(self) -> tuple[object, ...]:
        return _Hook, ()


def forget_hooks(network: torch.nn.Module) -> None:
    """Take the hooks out of a copy of a network that was made while these were in it."""
    for module in network.modules():
        for number, hook in list(module._forward_hooks.items()):
            if isinstance(hook, _Hook) and hook._hooks is None:
                del module._forward_hooks[number]


class ActivationHooks:
    """Hooks that read the activations of chosen layers in any number of forward passes.

    Parameters
    ----------
    network : torch.nn.Module
        The network. The hooks stay in it until :meth:`remove`; a network that is compiled
        must have them before it runs for the first time.
    points : sequence of HookPoint
        What to read.
    stop : bool, default=False
        Whether a forward pass ends as soon as all of `points` are read, which saves the deeper
        layers.
    handed_over : bool, default=False
        Whether the caller hands over what the network returned, by :meth:`take`, so that the
        network itself needs no hook.

    Raises
    ------
    ValueError
        If a hook is needed where there can be none.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._hooks import ActivationHooks, HookPoint
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU())
    >>> hooks = ActivationHooks(network, [HookPoint("1")])
    >>> with hooks.read() as found:
    ...     _ = network(torch.ones(3, 4))
    >>> [x.shape for x in found.activations()]
    [torch.Size([3, 2])]
    >>> hooks.remove()
    """

    def __init__(
        self,
        network: torch.nn.Module,
        points: Sequence[HookPoint],
        *,
        stop: bool = False,
        handed_over: bool = False,
    ) -> None:
        self.network = network
        self.reads = False
        self._points = points
        self._places = {point: place for place, point in enumerate(dict.fromkeys(points))}
        self._wanted: dict[tuple[str, int], list[tuple[int, HookPoint]]] = {}
        for point, place in self._places.items():
            self._wanted.setdefault((point.name, point.run), []).append((place, point))
        self._stop = stop
        self._runs: dict[str, int] = {}
        self._found: dict[int, tuple[torch.Tensor, int | None]] = {}
        modules = dict(network.named_modules())
        self._handles = []
        for name in dict.fromkeys(point.name for point in points):
            if not name and handed_over:
                continue
            if is_script(modules[name]):
                raise ValueError(
                    "A network in TorchScript cannot be compared while it is trained, since hooks "
                    "do not reach it. Pass the module that it was made of, or weight=0."
                )
            self._handles.append(modules[name].register_forward_hook(_Hook(self, name)))

    def remove(self) -> None:
        """Take the hooks out of the network."""
        for handle in self._handles:
            handle.remove()

    @contextmanager
    def read(self) -> Iterator[ActivationHooks]:
        """Read the activations while the block runs the network, once.

        Yields
        ------
        hooks : ActivationHooks
            Its :meth:`activations`, after the network has run.
        """
        self._runs.clear()
        self._found.clear()
        self.reads = True
        try:
            with suppress(_Stop):
                yield self
        finally:
            self.reads = False

    def take(self, name: str, output: object, args: tuple[object, ...] = ()) -> None:
        """Keep what a module returned, or was given, if it is wanted; called by the hooks.

        Parameters
        ----------
        name : str
            The module; empty for the network itself.
        output : object
            What it returned.
        args : tuple, default=()
            What it was given.
        """
        run = self._runs.get(name, 0)
        self._runs[name] = run + 1
        for place, point in self._wanted.get((name, run), ()):
            tensor = get_part(args[0] if point.of_input else output, point.part)
            if tensor is None:
                continue
            tensor = tensor.clone() if point.copy else tensor
            # Compiled code writes into its own results, and takes care of changes by later layers.
            version = None if torch.compiler.is_compiling() else tensor._version
            self._found[place] = (tensor, version)
        if self._stop and self._wanted and len(self._found) == len(self._places):
            raise _Stop

    def activations(self) -> list[torch.Tensor]:
        """Return the activations in the order of the points, and forget them."""
        found, self._found = self._found, {}
        result = []
        for point in self._points:
            try:
                tensor, version = found[self._places[point]]
            except KeyError:
                raise RuntimeError(
                    f"Layer {point.name!r} returned no activation in this forward pass although "
                    "it did when the network was examined. Use a layer that always runs; or, if "
                    "others of the class were compiled before, call torch.compiler.reset()."
                ) from None
            if version is not None and tensor._version != version:
                raise RuntimeError(
                    f"The output of layer {point.name!r} was changed in place after it was read, "
                    "but not when the network was examined. Turn off the in-place operation that "
                    "follows it (inplace=False), or use the layer that performs it."
                )
            result.append(arrange(tensor, point.layout))
        return result

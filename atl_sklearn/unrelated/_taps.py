"""Reading the activations of chosen layers while a network runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class TapPoint:
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
    """

    name: str
    run: int = 0
    copy: bool = False


class _Stop(BaseException):
    """Ends a forward pass; not an ``Exception``, so that no network swallows it."""


def first_tensor(output: Any) -> torch.Tensor | None:
    """Return the activation in what a module returned: itself, or the first of a tuple."""
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, tuple | list) and output and isinstance(output[0], torch.Tensor):
        return output[0]  # recurrent layers return (output, state)
    return None


class _Recorder:
    """Collects the tapped activations of one forward pass."""

    def __init__(self, points: Sequence[TapPoint], *, stop: bool) -> None:
        self._wanted = {(point.name, point.run): point for point in points}
        self._points = points
        self._stop = stop
        self._runs: Counter[str] = Counter()
        self._found: dict[tuple[str, int], tuple[torch.Tensor, int]] = {}

    def hook(self, name: str) -> Callable[..., None]:
        def read(module: torch.nn.Module, args: Any, output: Any) -> None:
            key = (name, self._runs[name])
            self._runs[name] += 1
            point = self._wanted.get(key)
            tensor = first_tensor(output)
            if point is None or tensor is None:
                return
            tensor = tensor.clone() if point.copy else tensor
            self._found[key] = (tensor, tensor._version)
            if self._stop and len(self._found) == len(self._wanted):
                raise _Stop

        return read

    def activations(self) -> list[torch.Tensor]:
        """Return the activations in the order of the points."""
        result = []
        for point in self._points:
            try:
                tensor, version = self._found[point.name, point.run]
            except KeyError:
                raise RuntimeError(
                    f"Layer {point.name!r} returned no activation in this forward pass although "
                    "it did when the network was examined; use a layer that always runs."
                ) from None
            if tensor._version != version:
                raise RuntimeError(
                    f"The output of layer {point.name!r} was changed in place after it was read, "
                    "but not when the network was examined. Turn off the in-place operation that "
                    "follows it (inplace=False), or use the layer that performs it."
                )
            result.append(tensor)
        return result


@contextmanager
def tap(
    network: torch.nn.Module, points: Sequence[TapPoint], *, stop: bool = False
) -> Iterator[_Recorder]:
    """Record the activations of `points` while the block runs `network`.

    The hooks leave with the block, whatever happens in it.

    Parameters
    ----------
    network : torch.nn.Module
        The network that the block calls, once.
    points : sequence of TapPoint
        What to record.
    stop : bool, default=False
        Whether the forward pass ends, and with it the block, as soon as all of `points` are
        recorded, which saves the deeper layers.

    Yields
    ------
    recorder : object
        Its ``activations()`` returns a list of tensors in the order of `points`, after the
        network has run.
    """
    recorder = _Recorder(points, stop=stop)
    modules = dict(network.named_modules())
    handles = []
    try:
        for name in dict.fromkeys(point.name for point in points):
            handles.append(modules[name].register_forward_hook(recorder.hook(name)))
        with suppress(_Stop):
            yield recorder
    finally:
        for handle in handles:
            handle.remove()

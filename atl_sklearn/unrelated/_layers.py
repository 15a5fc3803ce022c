"""The layers of a network: which there are, in which order they run, and how they are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from atl_sklearn.unrelated._hooks import HookPoint
from atl_sklearn.unrelated._kinds import Kind, Layout


@dataclass(frozen=True)
class Layer:
    """One run of one module in a forward pass.

    Attributes
    ----------
    name : str
        Its name in ``network.named_modules()``, and behind it that of a part of its output where
        this has several, such as ``"encoder.pooler_output"``.
    type : str
        The name of its class.
    output_shape : tuple of int
        Shape of its output for one sample as it is compared: without the axis of samples, and
        channels first. Features are the channels of linear, recurrent and attention layers, and
        time is behind them.
    index : int or None
        Its place among the convolutions, linear, recurrent and attention layers, in the order in
        which they run; None for other modules.
    run : int
        Which run of the module this is; above 0 only for a module used in several places.
    changed_in_place : bool
        Whether a later operation changes its output in place.
    kind : str
        How it counts when a layer is chosen: ``"convolution"``, ``"linear"``, ``"recurrent"``,
        ``"attention"``, ``"nonlinearity"``, ``"passing"``, ``"other"``; ``"output"`` for what the
        network itself returns.
    module : str
        Its name in ``network.named_modules()``.
    part : str
        Which part of its output it is; empty for all of it.
    layout : {"channels_first", "channels_last", "time_first"}
        Where samples and channels lie in its output before they are brought to the front.
    of_input : bool
        Whether its input is meant, and not its output.

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
    kind: Kind
    module: str = ""
    part: str = ""
    layout: Layout = "channels_first"
    of_input: bool = False

    @property
    def point(self) -> HookPoint:
        """Where its activation is read."""
        return HookPoint(
            self.module, self.run, self.changed_in_place, self.part, self.layout, self.of_input
        )


class LayerList(tuple[Layer, ...]):
    """The layers of a network in the order in which they run; prints as a table.

    Parameters
    ----------
    layers : iterable of Layer, default=()
        In the order in which they run.
    unlisted : iterable of Layer, default=()
        Further parts of outputs, which you can name but seldom need.
    returned : iterable of Layer, default=()
        What the network itself returns.
    unreadable : mapping of str to str or None, default=None
        Modules that cannot be compared, with the reason.
    read_out : Layer or None, default=None
        The linear layer whose output is what the network returns.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn import list_layers
    >>> list_layers(torch.nn.Sequential(torch.nn.Linear(4, 2)), torch.zeros(1, 4))
    index  name  type    output shape
    -----  ----  ------  --------------
    0      0     Linear  (n_samples, 2)
    """

    unlisted: tuple[Layer, ...] = ()
    returned: tuple[Layer, ...] = ()
    unreadable: Mapping[str, str] = {}
    read_out: Layer | None = None

    def __new__(
        cls,
        layers: Iterable[Layer] = (),
        *,
        unlisted: Iterable[Layer] = (),
        returned: Iterable[Layer] = (),
        unreadable: Mapping[str, str] | None = None,
        read_out: Layer | None = None,
    ) -> LayerList:
        self = super().__new__(cls, layers)
        self.unlisted, self.returned = tuple(unlisted), tuple(returned)
        self.unreadable = dict(unreadable or {})
        self.read_out = read_out
        return self

    def __str__(self) -> str:
        rows = [("index", "name", "type", "output shape")]
        parts = [x for x in self.returned if x.name != "output"] if self.names_parts else []
        for layer in [*self, *parts]:
            index = "" if layer.index is None else str(layer.index)
            name = layer.name if layer.run == 0 else f"{layer.name} (run {layer.run + 1})"
            shape = "(" + ", ".join(["n_samples", *map(str, layer.output_shape)]) + ")"
            rows.append((index, name, layer.type, shape))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        lines += [f"Not readable: {reason}." for reason in self.unreadable.values()]
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def names_parts(self) -> bool:
        """Tell whether the network returns parts with names of their own."""
        return any(not part.isdigit() for x in self.returned for part in x.part.split(".") if part)

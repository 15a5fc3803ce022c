"""What kind of layer a module is, and where samples and channels lie in what it returns."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn.modules.conv import _ConvNd

from atl_sklearn.unrelated._forms import QUANTIZED

Kind = Literal[
    "convolution", "linear", "recurrent", "attention",
    "nonlinearity", "passing", "other", "output", "task",
]  # fmt: skip
# "time_first" is (time, samples, channels), what torch calls batch_first=False.
Layout = Literal["channels_first", "channels_last", "time_first"]

# Those that can be chosen by an index.
NUMBERED: tuple[Kind, ...] = ("convolution", "linear", "recurrent", "attention")

# What may stand between a layer and its nonlinearity.
_PASSING = frozenset({"batchnorm", "instancenorm", "normalization", "dropout", "pooling"})
_ATTENTION = (
    torch.nn.MultiheadAttention,
    torch.nn.TransformerEncoderLayer,
    torch.nn.TransformerDecoderLayer,
)
_RECURRENT = (torch.nn.RNNBase, torch.nn.RNNCellBase)
_STACKS = (torch.nn.TransformerEncoder, torch.nn.TransformerDecoder, torch.nn.Transformer)
_FEATURES_LAST = (torch.nn.Linear, torch.nn.Embedding, torch.nn.EmbeddingBag)
# They keep the axes as they are, whatever these mean.
_ELEMENTWISE = frozenset({"activation", "dropout"})


def _family(cls: type) -> str:
    """Return the name of the file in which torch defines a layer; empty for what is not torch's."""
    package, _, family = cls.__module__.rpartition(".")
    if package == "torch.nn.modules" or cls.__module__.startswith(QUANTIZED):
        return family
    return ""


def _quantized_kind(cls: type) -> Kind | None:
    if not cls.__module__.startswith(QUANTIZED):
        return None
    for part, kind in (("Conv", "convolution"), ("Linear", "linear")):
        if cls.__name__.startswith(part) and not cls.__name__.endswith("PackedParams"):
            return kind  # type: ignore[return-value]
    return "recurrent" if _family(cls) == "rnn" and "Packed" not in cls.__name__ else None


def kind_of(module: torch.nn.Module) -> Kind:
    """Return what kind of layer a module is."""
    if isinstance(module, _ConvNd):
        return "convolution"
    if isinstance(module, torch.nn.Linear):
        return "linear"
    if isinstance(module, _RECURRENT):
        return "recurrent"
    if isinstance(module, _ATTENTION):
        return "attention"
    if isinstance(module, torch.nn.Identity):
        return "passing"
    for cls in type(module).__mro__:
        quantized = _quantized_kind(cls)
        if quantized is not None:
            return quantized
        if _family(cls) == "activation":
            return "nonlinearity"
        if _family(cls) in _PASSING:
            return "passing"
    return "other"


def _is_batch_first(module: torch.nn.Module) -> bool:
    """Tell whether a layer of sequences takes the samples first."""
    for name in ("batch_first", "self_attn.batch_first", "layers.0.self_attn.batch_first"):
        found: object = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not None:
            return bool(found)
    return True


def is_time_first(module: torch.nn.Module) -> bool:
    """Tell whether a layer of sequences, and all in it, has time before the samples."""
    sequential = kind_of(module) in ("recurrent", "attention") or isinstance(module, _STACKS)
    return sequential and not _is_batch_first(module)


def layout_of(
    module: torch.nn.Module, kind: Kind, n_axes: int, given: Layout | None = None
) -> Layout | None:
    """Return where samples and channels lie in what a module returned.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    kind : str
        What :func:`kind_of` returned for it.
    n_axes : int
        Number of axes of what it returned.
    given : {"channels_first", "channels_last", "time_first"} or None, default=None
        The layout of what it was given, where that is known.

    Returns
    -------
    layout : {"channels_first", "channels_last", "time_first"} or None
        None where the module does not say; it may keep the layout of what it was given.
    """
    if n_axes < 3:
        return "channels_first"
    if kind in ("recurrent", "attention") or isinstance(module, _STACKS):
        return "channels_last" if _is_batch_first(module) else "time_first"
    norm = isinstance(module, torch.nn.LayerNorm) and len(module.normalized_shape) == 1
    if kind == "linear" or norm or isinstance(module, _FEATURES_LAST):
        return "time_first" if given == "time_first" else "channels_last"
    if _keeps_layout(module):
        return given
    return None if kind == "other" else "channels_first"


def _keeps_layout(module: torch.nn.Module) -> bool:
    """Tell whether a module works on each number by itself, or hands on what it is given."""
    if isinstance(module, torch.nn.Identity | torch.nn.LayerNorm):
        return True
    return any(_family(cls) in _ELEMENTWISE for cls in type(module).__mro__)


def arrange(activation: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Return an activation as (n_samples, n_channels, ...), and as floating numbers.

    Parameters
    ----------
    activation : Tensor
        What a module returned.
    layout : {"channels_first", "channels_last", "time_first"}
        Where samples and channels lie in it.

    Returns
    -------
    activation : Tensor of shape (n_samples, n_channels, ...)
        A view where possible.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._kinds import arrange
    >>> arrange(torch.zeros(30, 8, 16), "time_first").shape
    torch.Size([8, 16, 30])
    """
    if activation.is_quantized:
        activation = activation.dequantize()
    if activation.ndim < 3 or layout == "channels_first":
        return activation
    if layout == "time_first":
        return activation.movedim(0, -1)
    return activation.movedim(-1, 1)

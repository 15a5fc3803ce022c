"""Choosing layers by names, indices and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

from atl_sklearn._validation import did_you_mean, shown
from atl_sklearn.unrelated._kinds import NUMBERED
from atl_sklearn.unrelated._layers import Layer, LayerList

# What the network itself returns, which is no layer of it.
OUTPUTS = ("output", "posterior")
TASK = "task"  # what of the features matters for the network's own task

# What "last" looks for; the linear layers behind these make scores of what they found.
_DEEP = tuple(kind for kind in NUMBERED if kind != "linear")


def _nonlinearity_of(layer: Layer, layers: LayerList) -> Layer:
    """Return the nonlinearity that follows `layer`, or `layer` where none does."""
    for later in layers[layers.index(layer) + 1 :]:
        if later.kind == "nonlinearity":
            return later
        if later.kind in NUMBERED:
            break
        # Containers finish after their contents and do nothing by themselves.
        is_container = layer.module.startswith(f"{later.module}.")
        if later.kind == "other" and not is_container:
            break
    return layer


def _last(layers: LayerList, parameter: str, word: str = "last") -> Layer:
    if layers.unreadable:
        raise ValueError(
            f"{parameter}={word!r} cannot tell which layer is the last: {_reasons(layers)}. Name "
            f"what is compared. Available: {_names(layers)}."
        )
    numbered = [layer for layer in layers if layer.index is not None]
    deep = [layer for layer in numbered if layer.kind in _DEEP]
    if deep:
        return _nonlinearity_of(deep[-1], layers)
    if numbered:
        # The very last one gives the output; the hidden layer before it carries the features.
        return _nonlinearity_of(numbered[-2] if len(numbered) > 1 else numbered[-1], layers)
    raise ValueError(
        f"{parameter}={word!r} needs a network with a convolution, a linear, recurrent or "
        "attention layer, and this one has none. Name a layer instead. Available: "
        f"{_names(layers)}."
    )


def _names(layers: LayerList) -> list[str]:
    names = dict.fromkeys(layer.name for layer in layers)
    parts = [layer.name for layer in layers.returned if layer.part] if layers.names_parts else []
    return [*names, *parts]


def _reasons(layers: LayerList) -> str:
    return "; ".join(dict.fromkeys(layers.unreadable.values()))


def _by_index(index: int, layers: LayerList, parameter: str) -> Layer:
    numbered = [layer for layer in layers if layer.index is not None]
    try:
        return _nonlinearity_of(numbered[index], layers)
    except IndexError:
        pass
    listed = ", ".join(f"{layer.index}: {layer.name!r}" for layer in numbered)
    use = f"Use an index from {-len(numbered)} to {len(numbered) - 1}." if numbered else ""
    why = f" Others cannot be read: {_reasons(layers)}." if layers.unreadable else ""
    raise ValueError(
        f"{parameter}={index} is out of range: the network has {len(numbered)} convolutions, "
        f"linear, recurrent and attention layers ({listed or 'none'}). {use}{why}".rstrip()
    )


def _by_name(name: str, layers: LayerList, parameter: str) -> Layer:
    found = [layer for layer in (*layers.unlisted, *layers) if layer.name == name]
    if found:
        return found[-1]
    for module, reason in layers.unreadable.items():
        if name == module or name.startswith(f"{module}.") or not module:
            raise ValueError(f"Layer {name!r} (parameter {parameter!r}) cannot be read: {reason}.")
    parts = [x.name for x in (*layers.unlisted, *layers) if x.part and x.module == name]
    if parts:  # and none of them stands for all
        raise ValueError(
            f"Layer {name!r} (parameter {parameter!r}) returns several tensors. Name one of them: "
            f"{list(dict.fromkeys(parts))}."
        )
    available = _names(layers)
    hint = did_you_mean(name, available, n=3)
    raise ValueError(
        f"Layer {name!r} (parameter {parameter!r}) not found. {hint}{' ' if hint else ''}"
        f"Available: {available}."
    )


def _returned(name: str, layers: LayerList, parameter: str) -> Layer:
    """Return what the network itself returns, or a part of it, under the name that it is given."""
    word, _, part = name.partition(".")
    found = [x for x in layers.returned if x.name == (f"output.{part}" if part else "output")]
    scores = not found or found[0].part.rpartition(".")[2] != "last_hidden_state"
    if found and (word == "output" or part or scores):
        return replace(found[0], name=name)
    parts = [f"{word}.{x.part}" for x in layers.returned if x.name != "output"]
    if not parts:
        raise ValueError(
            f"{parameter}={name!r} needs a network that returns a tensor with an axis of samples, "
            "alone or in a tuple, a mapping or an object, and this one returns none."
        )
    what = f"has no part {part!r}" if part else "has several parts, none of which is called logits"
    raise ValueError(
        f"{parameter}={name!r}: what the network returns {what}. Name one of them: {parts}."
    )


def _task(layers: LayerList, parameter: str) -> Layer:
    if not parameter.startswith("unrelated"):
        raise ValueError(
            f"{parameter}='task' names what of an unrelated network's features matters for its own "
            "task. Leave it to unrelated_layer='task', and name a layer of this network here, such "
            "as 'last'."
        )
    if layers.read_out is not None:
        return replace(layers.read_out, name=TASK, kind="task", of_input=True, index=None)
    return replace(_last(layers, parameter, TASK), name=TASK, kind="task", index=None)


def is_posterior(layer: Layer) -> bool:
    """Tell whether a chosen layer is what a network returns, made into probabilities."""
    return layer.kind == "output" and layer.name.partition(".")[0] == "posterior"


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
                "convolutions, linear, recurrent and attention layers, a list of these, or "
                f"'last'. Got {shown(layer)} instead. list_layers shows the names."
            )
    return [choice if isinstance(choice, str) else int(choice) for choice in choices]


def choose_layers(
    layer: LayerChoice, layers: LayerList, *, parameter: str = "layer"
) -> list[Layer]:
    """Return the layers that `layer` chooses.

    Parameters
    ----------
    layer : str, int or list of these
        ``"last"``: the last convolution, recurrent or attention layer with its nonlinearity;
        without these, the last hidden linear layer with its nonlinearity. An index among the
        convolutions, linear, recurrent and attention layers, negative ones from the end: that
        layer with its nonlinearity. A name: the output of exactly that module; of its last run
        where it runs several times; with a dot and a name behind it, that part of its output.
        ``"output"`` and ``"posterior"``, unless modules have these names: what the network
        returns, which the caller may turn into probabilities; of several parts the logits, or
        the part named behind a dot. ``"task"``, of an unrelated network: what the linear layer
        that gives its output is given, or what ``"last"`` is, of which the caller takes what
        matters for the network's own task.
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
        elif choice == TASK and not any(known.name == TASK for known in layers):
            chosen.append(_task(layers, parameter))
        elif _is_output(choice, layers):
            chosen.append(_returned(choice, layers, parameter))
        else:
            chosen.append(_by_name(choice, layers, parameter))
    return chosen


def _is_output(name: str, layers: LayerList) -> bool:
    """Tell whether a name means what the network returns, and no module."""
    word = name.partition(".")[0]
    names = [*(known.module for known in layers), *layers.unreadable]
    return word in OUTPUTS and not any(x == word or x.startswith(f"{word}.") for x in names)

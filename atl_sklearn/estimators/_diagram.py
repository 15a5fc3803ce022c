"""The diagram that notebooks show of an estimator: the unrelated tasks are blocks within it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from atl_sklearn.estimators._net import Net
from atl_sklearn.unrelated import is_fitted, is_word, source_name


def _of(values: object, place: int, several: bool) -> object:
    """Return what one of several tasks has of a parameter that may be a list."""
    return values[place] if several and isinstance(values, list | tuple) else values


def _brief(value: object) -> str:
    if isinstance(value, str):
        return value
    return getattr(value, "__name__", None) or f"{value!r}"


def unrelated_label(net: Net, source: object, place: int, several: bool) -> str:
    """Return what is written above the block of an unrelated task.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    source : object
        What it is kept from.
    place : int
        Its position among several.
    several : bool
        Whether there are several.

    Returns
    -------
    label : str
        Fitted or not, layer, metric and weight.
    """
    state = "" if is_word(source) else "fitted, " if is_fitted(source) else "not fitted, "
    weight = _of(getattr(net, "weight_", net.weight), place, several)
    shown = f"{weight:.3g}" if isinstance(weight, float | int) else _brief(weight)
    # Metrics may be lists for layers.
    return (
        f"unrelated: {source_name(source)} ({state}layer {_brief(net.layer)}, metric "
        f"{_brief(net.metric)}, weight {shown})"
    )


def visual_block(net: Net) -> object:
    """Return what scikit-learn draws of an estimator.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Fitted or not.

    Returns
    -------
    block : object
        Of scikit-learn's; one block, or within it a block for each unrelated task.
    """
    try:
        from sklearn.utils._repr_html.estimator import _VisualBlock
    except ImportError:  # scikit-learn before 1.8
        from sklearn.utils._estimator_html_repr import _VisualBlock

    sources: object = getattr(net, "unrelated_", None)
    sources = net.unrelated if sources is None else sources
    several = isinstance(sources, list | tuple)
    found: Sequence[object] = [] if sources is None else [sources]
    if isinstance(sources, list | tuple):
        found = list(sources)
    if not found:
        return _VisualBlock("single", net, names=type(net).__name__, name_details=str(net))
    return _VisualBlock(
        "parallel",
        # A module's text is its layers; a word is shown as it is.
        [source_name(s) if isinstance(s, torch.nn.Module) else s for s in found],
        names=[unrelated_label(net, s, place, several) for place, s in enumerate(found)],
        name_details=[str(s) for s in found],
    )

"""What a module returned, and the tensors in it: tuples, mappings and objects have several."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch.nn.utils.rnn import PackedSequence

# Names that the libraries of pretrained networks give to what matters most.
_MAIN = ("logits", "last_hidden_state")
_DEEPEST = 4  # tuples of mappings of ...


def _entries(output: object) -> dict[str, object] | None:
    """Return the entries of a tuple, a mapping or an object by name; None for anything else."""
    if isinstance(output, torch.Tensor | PackedSequence | str | bytes | type):
        return None
    if isinstance(output, Mapping):
        return {str(key): value for key, value in output.items()}
    if dataclasses.is_dataclass(output):
        return {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    names = getattr(output, "_fields", None)  # of a namedtuple
    if isinstance(output, tuple) and names is not None:
        return dict(zip(names, output, strict=True))
    if isinstance(output, tuple | list):
        return {str(place): value for place, value in enumerate(output)}
    held = getattr(output, "__dict__", {})
    return {name: value for name, value in held.items() if not name.startswith("_")} or None


def has_names(output: object) -> bool:
    """Tell whether the entries of what a module returned have names, and not places."""
    if isinstance(output, tuple | list) and not hasattr(output, "_fields"):
        return False
    return _entries(output) is not None


def _tensors(output: object, depth: int = 0) -> dict[str, torch.Tensor]:
    if isinstance(output, torch.Tensor):
        return {"": output} if output.is_floating_point() or output.is_quantized else {}
    found = {}
    entries = _entries(output) if depth < _DEEPEST else None
    for name, value in (entries or {}).items():
        for further, tensor in _tensors(value, depth + 1).items():
            found[f"{name}.{further}" if further else name] = tensor
    return found


def parts_of(output: object) -> dict[str, torch.Tensor]:
    """Return the floating tensors in what a module returned, by name.

    Parameters
    ----------
    output : object
        What it returned.

    Returns
    -------
    parts : dict of str to Tensor
        Those of a mapping, a dataclass, a namedtuple or another object by their names, those of
        a tuple by their places; of nested ones both, with dots between. Empty for a tensor,
        which has no parts.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._parts import parts_of
    >>> sorted(parts_of({"logits": torch.ones(2), "states": (torch.ones(2), torch.zeros(2))}))
    ['logits', 'states.0', 'states.1']
    """
    return {} if isinstance(output, torch.Tensor) else _tensors(output)


def main_part(output: object) -> str | None:
    """Return the name of the part that stands for all of what a module returned.

    Parameters
    ----------
    output : object
        What it returned.

    Returns
    -------
    name : str or None
        Empty for a tensor. Of named parts ``logits``, else ``last_hidden_state``, else the only
        one; None where there are several and none of these. Of a tuple the main part of its first
        entry, as recurrent layers return ``(output, state)``.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._parts import main_part
    >>> main_part({"loss": torch.ones(()), "logits": torch.ones(2, 3)})
    'logits'
    """
    if isinstance(output, torch.Tensor):
        return ""
    if has_names(output):
        parts = _tensors(output)
        for name in _MAIN:
            if name in parts:
                return name
        if len(parts) == 1:
            return next(iter(parts))
        if not isinstance(output, tuple):
            return None
    entries = _entries(output)
    if not entries or not isinstance(output, tuple | list):
        return None
    name, first = next(iter(entries.items()))
    further = main_part(first)
    if further is None:
        return None
    return f"{name}.{further}" if further else name


def get_part(output: object, name: str) -> torch.Tensor | None:
    """Return the part of an output with this name (empty for all of it); None if there is none."""
    if not name:
        return output if isinstance(output, torch.Tensor) else None
    return parts_of(output).get(name)


def is_packed(output: object) -> bool:
    """Tell whether a recurrent layer returned a packed sequence."""
    if isinstance(output, PackedSequence):
        return True
    return isinstance(output, tuple) and bool(output) and isinstance(output[0], PackedSequence)

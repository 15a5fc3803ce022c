"""States of a training as bytes, without torch until there is one."""

from __future__ import annotations

import json

_KEY = "state"


def check_packable(state: object, where: str) -> None:
    """Refuse a state that cannot be written down.

    Parameters
    ----------
    state : object
        The state.
    where : str
        What errors call it.

    Raises
    ------
    UnknownStateError
        The message says what in it is of which type.

    Examples
    --------
    >>> from atl_sklearn.persistence._state import check_packable
    >>> check_packable({"seen": [1, object()]}, "the state")
    Traceback (most recent call last):
    ...
    atl_sklearn.persistence._errors.UnknownStateError: the state['seen'][1] is of type ...
    """
    from atl_sklearn.persistence._state_coders import StateEncoder

    StateEncoder(tries=True).encode(state, where)


def pack_state(state: object, where: str = "the state") -> bytes:
    """Write a state as bytes: a safetensors file with its JSON beside the tensors.

    The same state makes the same bytes.

    Parameters
    ----------
    state : object
        Tensors, arrays, generators of random numbers, numbers, strings, None, and lists, tuples,
        dicts and sets of these. What comes back has their types, strides and devices.
    where : str, default="the state"
        What errors call it.

    Returns
    -------
    data : bytes
        For :func:`unpack_state`.

    Raises
    ------
    UnknownStateError
        If there is something else in it.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.persistence._state import pack_state, unpack_state
    >>> unpack_state(pack_state({"step": 3, "betas": (0.9, 0.99), "weight": torch.ones(2)}))
    {'step': 3, 'betas': (0.9, 0.99), 'weight': tensor([1., 1.])}
    """
    from safetensors.torch import save

    from atl_sklearn.persistence._state_coders import StateEncoder

    encoder = StateEncoder()
    description = encoder.encode(state, where)
    return save(encoder.tensors, {_KEY: json.dumps(description)})


def unpack_state(data: bytes) -> object:
    """Return the state that :func:`pack_state` wrote; nothing is run.

    Parameters
    ----------
    data : bytes
        What :func:`pack_state` returned.

    Returns
    -------
    state : object
        Equal to what was packed.

    Raises
    ------
    ModelFileError, KeyError, ValueError
        If it is something else.
    """
    from safetensors.torch import load

    from atl_sklearn.persistence._state_coders import StateDecoder

    # The header says its own length in the first eight bytes.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return StateDecoder(load(data)).decode(json.loads(header["__metadata__"][_KEY]))

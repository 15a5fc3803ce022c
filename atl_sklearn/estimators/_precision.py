"""The floating types in which networks run."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

# The floating type of the network and of X; the half ones are those of autocast.
PRECISIONS = {
    "bfloat16": torch.float32,
    "float16": torch.float32,
    "float32": torch.float32,
    "float64": torch.float64,
}
HALF_PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def numpy_dtype(precision: str) -> np.dtype:
    """Return the floating type of X and of weights of samples, as NumPy has it."""
    return np.dtype(str(PRECISIONS[precision]).removeprefix("torch."))


def autocast(
    precision: str, device: torch.device | None, network: torch.nn.Module
) -> AbstractContextManager[object]:
    """Return the context in which networks run in half precision, if they shall.

    Parameters
    ----------
    precision : str
        One of `PRECISIONS`.
    device : torch.device or None
        Where the networks run; None for where `network` is.
    network : torch.nn.Module
        The network in training.

    Returns
    -------
    context : context manager
        One that does nothing for other precisions.
    """
    dtype = HALF_PRECISIONS.get(precision)
    if dtype is None:
        return nullcontext()
    device = device or next(network.parameters()).device
    return torch.autocast(device.type, dtype=dtype)


def in_single(output: Any) -> Any:
    """Return what a network returned in half precision in single precision."""
    if isinstance(output, tuple):
        return tuple(map(in_single, output))
    half = isinstance(output, torch.Tensor) and output.dtype in HALF_PRECISIONS.values()
    return output.float() if half else output

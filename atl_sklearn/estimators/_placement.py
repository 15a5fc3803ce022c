"""Where a network runs and in which floating type, and how data come there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from skorch.utils import to_tensor

from atl_sklearn._validation import is_auto
from atl_sklearn.estimators._data import ArrayData, whole_of
from atl_sklearn.estimators._samples import Samples

_T = TypeVar("_T")

_GPU_SHARE = 0.25  # of a GPU's free memory, up to which arrays are moved there at once

# The floating type of the network and of X; the half ones are those of autocast.
PRECISIONS = {
    "bfloat16": torch.float32,
    "float16": torch.float32,
    "float32": torch.float32,
    "float64": torch.float64,
}
HALF_PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(device: _T) -> _T | str:
    """Return the device that "auto" stands for, or the device itself."""
    if not is_auto(device):
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Placement:
    """Where a network runs, and in which floating type.

    Attributes
    ----------
    device : torch.device or None
        None where something else places the data, as accelerate does.
    dtype : torch.dtype
        Of the weights and of the samples.
    """

    device: torch.device | None
    dtype: torch.dtype

    @classmethod
    def of(cls, device: str | torch.device | None, precision: str) -> Placement:
        """Return the placement by the parameters of an estimator; "auto" is resolved before."""
        return cls(None if device is None else torch.device(device), PRECISIONS[precision])

    def batch(self, X: object) -> Samples:
        """Return a batch as a tensor, or mapping of tensors, where the network is."""
        if isinstance(X, torch.Tensor):
            if X.device == self.device and X.dtype == self.dtype:
                return X
            kind = self.dtype if X.is_floating_point() else X.dtype
            return X.to(device=self.device, dtype=kind, non_blocking=True)
        moved = to_tensor(X, device=self.device)
        if isinstance(moved, Mapping):
            return {key: self._cast(value) for key, value in moved.items()}
        return self._cast(moved)

    def _cast(self, value: _T) -> _T | torch.Tensor:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return value.to(self.dtype)
        return value

    def whole(self, dataset: object) -> None:
        """Move arrays to a GPU at once, where they take a small part of what is free there."""
        if self.device is None or self.device.type != "cuda":
            return
        whole = whole_of(dataset)
        if isinstance(whole, ArrayData):
            whole.place(self.device, _GPU_SHARE * torch.cuda.mem_get_info(self.device)[0])


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


def in_single(output: object) -> object:
    """Return what a network returned in half precision in single precision."""
    if isinstance(output, tuple):
        return tuple(map(in_single, output))
    if isinstance(output, torch.Tensor) and output.dtype in HALF_PRECISIONS.values():
        return output.float()
    return output

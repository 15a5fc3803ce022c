"""Arrays and tensors: exactly what they were, the order in memory included.

Their numbers lie in the file as tensors; what JSON says of them is how to read these.
"""

from __future__ import annotations

import math
import re
import sys

import numpy as np
import torch

from atl_sklearn.persistence._errors import ModelFileError

# Values whose bytes mean the same everywhere: not long doubles, and nothing with pointers in it.
_FIXED = re.compile(r"[<>|](b1|[iu][1248]|f[248]|c(8|16)|S\d{1,9}|[mM]8(\[\d*[a-zA-Z]+\])?)")
_TEXT = re.compile(r"[<>]U\d{1,9}")
# Those that torch has too; others are kept as bytes.
_AS_TENSOR = {"|b1", "|i1", "|u1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"}


def is_fixed(dtype: np.dtype) -> bool:
    """Tell whether values of a NumPy type are numbers of a fixed size.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.persistence._arrays import is_fixed
    >>> is_fixed(np.dtype("f4")), is_fixed(np.dtype(object)), is_fixed(np.dtype("f4,i4"))
    (True, False, False)
    """
    return dtype.names is None and _FIXED.fullmatch(dtype.str) is not None


def is_text(dtype: np.dtype) -> bool:
    """Tell whether values of a NumPy type are text."""
    return _TEXT.fullmatch(dtype.str) is not None


def dtype_of(text: object, at: str) -> np.dtype:
    """Return the NumPy type of a name in the file, of which only plain ones are read."""
    if not isinstance(text, str) or not (_FIXED.fullmatch(text) or _TEXT.fullmatch(text)):
        raise ModelFileError(f"The file has an array of type {text!r}, at {at}, which is not read.")
    try:
        return np.dtype(text)
    except TypeError as error:
        raise ModelFileError(f"The file has an array of type {text!r}, at {at}: {error}.") from None


def shape_of(value: object, at: str) -> tuple[int, ...]:
    """Return a shape in the file, checked."""
    sizes = tuple(value) if isinstance(value, list) and len(value) <= 32 else (-1,)
    if all(type(n) is int and 0 <= n < 2**63 for n in sizes):
        return sizes
    raise ModelFileError(f"The file has an array of shape {value!r}, at {at}.")


def array_as_tensor(array: np.ndarray) -> torch.Tensor:
    """Return the numbers of an array as a tensor of their own, in C order."""
    if array.dtype.str not in _AS_TENSOR or sys.byteorder != "little":
        return torch.from_numpy(np.frombuffer(array.tobytes(), dtype=np.uint8).copy())
    return torch.from_numpy(np.array(array, order="C"))


def array_from_tensor(
    tensor: torch.Tensor, dtype: np.dtype, shape: tuple[int, ...], at: str, *, fortran: bool
) -> np.ndarray:
    """Return the array that :func:`array_as_tensor` made a tensor of."""
    as_bytes = dtype.str not in _AS_TENSOR or sys.byteorder != "little"
    size = (math.prod(shape) * dtype.itemsize,) if as_bytes else shape
    stored = np.dtype(np.uint8) if as_bytes else dtype
    found = tensor.numpy()
    if found.shape != size or found.dtype != stored:
        raise ModelFileError(
            f"The array at {at} must have shape {size} and type {stored}. The file has shape "
            f"{found.shape} and type {found.dtype}."
        )
    if as_bytes:
        found = np.frombuffer(found.tobytes(), dtype=dtype).reshape(shape)
    return np.array(found, order="F" if fortran else "C")


def is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Tell whether strides lead to each place of a tensor once and to no other.

    Examples
    --------
    >>> from atl_sklearn.persistence._arrays import is_dense
    >>> is_dense((2, 3), (3, 1)), is_dense((2, 3), (1, 2)), is_dense((2, 3), (10**9, 1))
    (True, True, False)
    """
    expected = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    # The strides of axes of length 1 lead nowhere, but tell the order of the axes.
    return all(0 < stride <= max(expected, 1) for stride in strides)

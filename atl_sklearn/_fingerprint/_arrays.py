"""Arrays, tensors, sparse matrices and data frames by their content."""

from __future__ import annotations

import sys
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from atl_sklearn._fingerprint._graph import Parts, Unidentifiable, digest_of

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from scipy.sparse import sparray

_PIECE = 2**22  # bytes of an array that are copied at a time, where they have to be
_EXTENDED = 63  # bits of the mantissa of x86's long double, of whose 16 bytes 6 are arbitrary


def _content(array: np.ndarray) -> bytes:
    """Return a digest of the values of an array in C order, whatever their order in memory."""
    digest = blake2b(digest_size=20)
    if array.flags.c_contiguous:
        digest.update(array.reshape(-1).view(np.uint8).data)
    elif array.size:
        rows = max(1, _PIECE * len(array) // array.nbytes)
        for start in range(0, len(array), rows):
            piece = np.ascontiguousarray(array[start : start + rows])
            digest.update(piece.reshape(-1).view(np.uint8).data)
    return digest.digest()


def array_parts(array: np.ndarray) -> bytes | Parts:
    """Return the token of an array, or its elements where these are objects."""
    array = array.view(np.ndarray)
    dtype = array.dtype
    head = f"array {array.shape} {dtype.str if dtype.names is None else dtype.descr}"
    if dtype.kind in "OT":
        flat = array.reshape(-1).tolist()
        if all(type(value) is str for value in flat):
            return digest_of(f"{head} str".encode(), [text_token(flat)])
        return Parts(head, flat)
    if dtype.names is not None:  # between fields there may be anything
        return Parts(head, {name: array[name] for name in dtype.names})
    if dtype.char in "gG" and np.finfo(np.longdouble).nmant == _EXTENDED:
        values = np.ascontiguousarray(array).reshape(-1).view(np.longdouble)
        size = values.itemsize
        array = np.ascontiguousarray(values.view(np.uint8).reshape(-1, size)[:, :10])
    return digest_of(head.encode(), [_content(array)])


def text_token(texts: list[str]) -> bytes:
    """Return a token of many strings, without a token for each.

    Examples
    --------
    >>> from atl_sklearn._fingerprint._arrays import text_token
    >>> text_token(["ab", "c"]) == text_token(["a", "bc"])
    False
    """
    lengths = np.array([len(text) for text in texts], np.int64).tobytes()
    return digest_of(b"texts", [lengths, "".join(texts).encode("utf-8", "surrogatepass")])


def tensor_parts(tensor: torch.Tensor) -> bytes | Parts:
    """Return the token of a tensor, wherever it lies."""
    import torch

    kind = type(tensor)
    more: dict[str, object] = dict(vars(tensor))  # what somebody hung on it
    if torch.nn.parameter.is_lazy(tensor):
        return Parts(f"lazy {tensor.dtype}", {"attributes": more, "class": kind})
    head = f"tensor {tuple(tensor.shape)} {tensor.dtype}"
    if isinstance(tensor, torch.nn.Parameter):
        head += f" parameter {tensor.requires_grad}"
    tensor = tensor.detach()
    if kind not in (torch.Tensor, torch.nn.Parameter):
        more["class"] = kind
        tensor = tensor.as_subclass(torch.Tensor)
    if tensor.is_meta or tensor.is_quantized or tensor.is_nested:
        raise Unidentifiable("a tensor on the meta device, quantized or nested is not read.")
    if tensor.layout != torch.strided:
        if tensor.layout != torch.sparse_coo:
            tensor = tensor.to_sparse()
        tensor = tensor.coalesce()
        more |= {"indices": tensor.indices(), "values": tensor.values()}
        return Parts(f"sparse {head}", more)
    flat = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    content = _content(flat.view(torch.uint8).numpy()) if flat.numel() else b""
    token = digest_of(head.encode(), [content])
    return Parts("tensor", more | {"content": token}) if more else token


def sparse_parts(X: sparray) -> Parts:
    """Return what determines sparse data, whatever form they have and whatever they remember."""
    from scipy.sparse import coo_array, csr_array

    if X.ndim == 2:
        found = csr_array(X, copy=True)
        found.sum_duplicates()  # and sorts
        found.eliminate_zeros()
        places = [found.indices, found.indptr]
    else:
        found = coo_array(X, copy=True)
        found.sum_duplicates()
        found.eliminate_zeros()
        places = list(found.coords)
    integers = [place.astype(np.int64) for place in places]
    return Parts(f"sparse {found.shape}", [found.data, *integers])


def frame_parts(frame: pd.DataFrame | pd.Series | pd.Index) -> Parts:
    """Return the index, the names and the columns of a pandas DataFrame, Series or Index."""
    import pandas as pd

    kind = type(frame).__name__
    if isinstance(frame, pd.DataFrame):
        columns = [frame.iloc[:, i].array for i in range(frame.shape[1])]
        values = [frame.index, frame.columns, columns, frame.attrs]
        return Parts(f"pandas {kind}", values)
    if isinstance(frame, pd.Series):
        return Parts(f"pandas {kind}", [frame.index, frame.name, frame.array, frame.attrs])
    if isinstance(frame, pd.MultiIndex):
        levels = [frame.get_level_values(i) for i in range(frame.nlevels)]
        return Parts(f"pandas {kind}", [levels, list(frame.names)])
    if isinstance(frame, pd.Index):
        return Parts("pandas Index", [frame.array, frame.name])
    head = f"pandas {frame.dtype}"
    if isinstance(frame, pd.Categorical):
        return Parts(f"{head} {frame.ordered}", [frame.categories, np.asarray(frame.codes)])
    if isinstance(frame.dtype, np.dtype):
        return Parts(head, [frame.to_numpy()])
    missing = np.asarray(frame.isna())
    return Parts(head, [missing, frame[~missing].to_numpy(dtype=object)])


def of_library(value: object, library: str, names: tuple[str, ...]) -> bool:
    """Tell whether a value is of one of a library's classes, without importing it.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from atl_sklearn._fingerprint._arrays import of_library
    >>> of_library(Decimal(1), "decimal", ("Decimal",)), of_library(1, "decimal", ("Decimal",))
    (True, False)
    """
    module = sys.modules.get(library)
    if module is None:
        return False
    kinds = tuple(kind for name in names if (kind := getattr(module, name, None)) is not None)
    return isinstance(value, kinds)

"""The forms in which audio is passed: sequences, arrays, tables, and what an item of them is."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from atl_sklearn._validation import did_you_mean, shown
from atl_sklearn.audio._bad_audio import UnusableClipError

# No file of a recording is as short as this.
_SHORTEST_FILE = 12
_COLUMNS = ("path", "paths", "file", "file_name", "filename", "audio", "file_path", "wav")


class _NoRate:
    """What stands for the rate of samples that have none."""


NO_RATE = _NoRate()


def as_items(X: Any, column: str | int | None = None) -> Sequence:
    """Return the items of what was passed as audio.

    Parameters
    ----------
    X : object
        What the user passed.
    column : str or int, default=None
        The column that holds the audio, of a table.

    Returns
    -------
    items : sequence
        One for each clip.

    Raises
    ------
    TypeError, ValueError
        If X is nothing of that kind, or empty, or a table of several columns.
    """
    if column is not None:
        X = _column_of(X, column)
    if isinstance(X, str | os.PathLike):
        return [X]
    if issparse(X):
        raise TypeError("Sparse data was passed, but audio must be dense: use X.toarray().")
    names = _columns_of(X)
    if len(names) > 1 and not _is_numeric(X):
        guess = next((name for name in _COLUMNS if name in names), names[0])
        raise TypeError(
            f"X is a table with the columns {shown(names)}. Say by column={guess!r}, for example, "
            f"which of them holds the audio, or pass X[{guess!r}]."
        )
    if hasattr(X, "__array__"):
        return _array_items(np.asarray(X))
    if not isinstance(X, Sequence) or isinstance(X, bytes | bytearray | memoryview):
        if isinstance(X, bytes | bytearray | memoryview | Mapping) or hasattr(X, "read"):
            hint = " Put a single one into a list."
        else:
            hint = ""
        raise TypeError(
            "Audio must be paths (a str or path-like, or a sequence, array or Series of them), "
            "a list of open files or of their contents as bytes, or "
            "waveforms (a list of one-dimensional arrays or of pairs with their rates, or an array "
            f"of shape (n_samples, n_times)). Got {type(X).__name__} instead.{hint}"
        )
    if len(X) == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if all(np.isscalar(item) and not isinstance(item, str | bytes) for item in X):
        _array_items(np.asarray(X))  # numbers: one waveform that is not in a list
    return X


def _columns_of(X: object) -> list:
    """Return the names of the columns of a table, of pandas, polars, pyarrow or datasets."""
    names = getattr(X, "column_names", None)
    if names is None:
        names = getattr(X, "columns", None)
    if names is None or callable(names) or isinstance(names, str):
        return []
    try:
        return list(names)
    except TypeError:
        return []


def _is_numeric(X: Any) -> bool:
    """Tell whether a table holds numbers alone, which are waveforms."""
    return hasattr(X, "__array__") and np.asarray(X).dtype.kind in "biufc"


def _column_of(X: Any, column: str | int) -> Any:
    names = list(X) if isinstance(X, Mapping) else _columns_of(X)
    if not names:
        if isinstance(X, np.ndarray) and X.ndim == 2 and isinstance(column, int):
            if -X.shape[1] <= column < X.shape[1]:
                return X[:, column]
            raise ValueError(f"The 'column' parameter is {column}, but X has {X.shape[1]} columns.")
        raise TypeError(
            f"The 'column' parameter is {column!r}, but X is no table with columns. Got "
            f"{type(X).__name__} instead. Set column=None."
        )
    if column not in names:
        raise ValueError(
            f"X has no column {column!r}, which the 'column' parameter names. "
            f"{did_you_mean(column, map(str, names))} Available: {shown(names)}."
        )
    found = X[column]
    if hasattr(found, "__array__") or isinstance(found, Sequence):
        return found
    return list(found)  # such as the column of a data set, which decodes what is asked for


def _array_items(array: np.ndarray) -> Sequence:
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: audio is real. Got dtype {array.dtype}.")
    numeric = array.dtype.kind not in "OUT"
    if numeric and array.ndim == 4 and array.shape[2] == 1:
        array = array[:, :, 0]  # as the feature "waveform" of several channels
    if array.ndim == 1 and not numeric:
        array = array[:, np.newaxis]
    if array.ndim != 2 and not (numeric and array.ndim == 3):
        raise ValueError(
            "Audio in an array must be paths of shape (n_samples,) or waveforms of shape "
            "(n_samples, n_times), (n_samples, n_channels, n_times) or (n_samples, n_channels, 1, "
            f"n_times). Got an array of shape {array.shape} and dtype {array.dtype} instead. "
            "Reshape your data: X.reshape(1, -1) if it is one waveform."
        )
    for size, what in zip(array.shape, ("sample", "feature", "feature"), strict=False):
        if size == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={array.shape}) while a minimum of 1 is "
                "required."
            )
    if numeric:
        return list(array)
    if array.shape[1] == 1:
        return list(array[:, 0])
    return [row.tolist() for row in array]


def is_pair(item: object) -> bool:
    """Tell whether something is a waveform with its rate."""
    return (
        isinstance(item, tuple | list)
        and len(item) == 2
        and np.ndim(item[1]) == 0
        and (isinstance(item[0], np.ndarray | list | tuple) or _is_tensor(item[0]))
    )


def is_with_rate(item: object) -> bool:
    """Tell whether something is a waveform with its rate, in any of the forms that are read.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio._items import is_with_rate
    >>> wave = np.ones(3)
    >>> [is_with_rate(item) for item in ((wave, 8000), (8000, wave), wave)]
    [True, True, False]
    >>> is_with_rate({"array": wave, "sampling_rate": 8000}), is_with_rate({"path": "a.wav"})
    (True, False)
    """
    if isinstance(item, Mapping):
        return item.get("array") is not None and item.get("sampling_rate") is not None
    return is_pair(item) or _is_turned_pair(item)


def _is_tensor(value: object) -> bool:
    return hasattr(value, "__array__") and getattr(value, "ndim", 0) > 0


def unpack(item: Any) -> tuple[str | bytes | ArrayLike, object]:
    """Return what one clip was passed as, without what is around it.

    Parameters
    ----------
    item : object
        A path, the content of a file, an open file, an object that can be read, a waveform, a
        pair with its rate, or a dict of Hugging Face's datasets.

    Returns
    -------
    source : str, bytes or array-like
        A path, the content of a file, or samples that have not been checked.
    rate : object
        The rate of samples as it was given; NO_RATE without one.

    Raises
    ------
    UnusableClipError
        If it is nothing of that kind; the message says what to pass.
    """
    if type(item) is np.ndarray:  # the most frequent
        return item, NO_RATE
    if isinstance(item, str | os.PathLike):
        return os.fsdecode(item), NO_RATE
    if isinstance(item, bytes | bytearray | memoryview):
        return _content(bytes(item)), NO_RATE
    if isinstance(item, Mapping):
        return _unpack_mapping(item)
    if hasattr(item, "get_all_samples"):  # the decoder of torchcodec, which datasets returns
        samples = item.get_all_samples()
        return samples.data, samples.sample_rate
    if hasattr(item, "read"):
        return _content(_read(item)), NO_RATE
    if hasattr(item, "read_bytes"):  # such as the zipfile.Path of a member of an archive
        return _content(item.read_bytes()), NO_RATE
    if is_pair(item):
        return item[0], item[1]
    if _is_turned_pair(item):
        wave = item[1]
        return (wave.T if wave.ndim == 2 else wave), item[0]
    return item, NO_RATE


def _is_turned_pair(item: object) -> bool:
    """Tell whether something is (rate, array), as scipy.io.wavfile.read returns it."""
    return (
        isinstance(item, tuple | list)
        and len(item) == 2
        and isinstance(item[0], int | float | np.integer | np.floating)
        and isinstance(item[1], np.ndarray)
        and item[1].ndim in (1, 2)
    )


def _unpack_mapping(item: Mapping) -> tuple[str | bytes | ArrayLike, object]:
    if is_with_rate(item):
        return item["array"], item["sampling_rate"]
    if isinstance(item.get("bytes"), bytes | bytearray):
        return _content(bytes(item["bytes"])), NO_RATE
    if isinstance(item.get("path"), str | os.PathLike):
        return os.fsdecode(item["path"]), NO_RATE
    raise UnusableClipError(
        f"it is a dict with the keys {shown(list(item))}, not one of Hugging Face's datasets, "
        "which have 'array' and 'sampling_rate', or 'bytes' or 'path'"
    )


def _content(content: bytes) -> bytes:
    if len(content) < _SHORTEST_FILE:
        raise UnusableClipError(
            f"it is the content of a file of {len(content)} bytes, which are too few for sound; a "
            "path is a str, as os.fsdecode makes it of bytes"
        )
    return content


def _read(file: Any) -> bytes:
    """Return the content of an open file, which stays where it is."""
    try:
        place = file.tell()
        file.seek(0)
        content = file.read()
        file.seek(place)
    except (AttributeError, OSError, io.UnsupportedOperation, ValueError) as error:
        raise UnusableClipError(
            f"it is an open file that cannot be read twice ({error}); pass its content, file.read()"
        ) from error
    if not isinstance(content, bytes | bytearray):
        raise UnusableClipError("it is open as text; open it by open(path, 'rb')")
    return bytes(content)

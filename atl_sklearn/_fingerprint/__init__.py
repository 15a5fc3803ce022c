"""What tells one network, estimator, function, array or file from another: their content."""

from __future__ import annotations

from atl_sklearn._fingerprint._file import fingerprint_file
from atl_sklearn._fingerprint._graph import Unidentifiable, digest_value
from atl_sklearn._fingerprint._named_files import named_files
from atl_sklearn._fingerprint._values import take_apart

__all__ = [
    "Unidentifiable",
    "fingerprint",
    "fingerprint_file",
    "fingerprint_read",
    "named_files",
]


def fingerprint(*values: object) -> str:
    """Return a string that is the same for the same values, in every process, and for no others.

    It is made of content alone: of arrays and tensors their dtype, shape and values (whatever
    their order in memory and their device); of networks the class, weights, buffers, attributes
    and hooks, but not the mode; of estimators the class, the parameters and what was fitted; of
    functions the code, defaults, closures and the global names that they use. Classes and
    functions of installed libraries are known by their names and the library's version, all
    others by their code. The order of a dict or a set does not count.

    What a function gets at by names that are made while it runs (``getattr(module, name)``) is
    not followed. Of data that name files, only the names count: see :func:`named_files`.

    Parameters
    ----------
    *values : object
        What is to be identified.

    Returns
    -------
    fingerprint : str
        40 hexadecimal digits.

    Raises
    ------
    Unidentifiable
        If something among it cannot be told faithfully from others, as an open file, a lock or a
        generator. The message says where it is, and why.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn._fingerprint import fingerprint
    >>> X = np.arange(6.0).reshape(2, 3)
    >>> fingerprint({"X": X, "scale": 2}) == fingerprint({"scale": 2, "X": np.asfortranarray(X)})
    True
    >>> fingerprint(lambda y: 2 * y) == fingerprint(lambda y: 3 * y)
    False
    >>> fingerprint({"rows": (row for row in X)})
    Traceback (most recent call last):
    ...
    atl_sklearn._fingerprint._graph.Unidentifiable: rows: an object of builtins.generator holds ...
    """
    return digest_value(values, take_apart).hex()


def fingerprint_read(value: object, data: object, *, estimator: object) -> str:
    """Return the fingerprint of a value and of the files that data name.

    Parameters
    ----------
    value : object
        What is to be identified.
    data : object
        May name files, of which the content counts.
    estimator : estimator
        Reads them.

    Returns
    -------
    fingerprint : str
        That of the value alone, if there are no such files.

    Raises
    ------
    Unidentifiable
        If something cannot be told faithfully from others.
    """
    files = named_files(data, estimator=estimator)
    return fingerprint(value, files) if files else fingerprint(value)

"""Objects that are their attributes and nothing else."""

from __future__ import annotations

import copyreg
import inspect
import sys
from collections.abc import Callable

import numpy as np

# Types as values, as a parameter `dtype` has them.
BUILTINS: dict[str, type] = {
    **{t.__name__: t for t in (bool, complex, dict, float, int, list, object, str, tuple)},
    **{
        f"numpy.{t.__name__}": t
        for t in (np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32)
    },
    **{f"numpy.{t.__name__}": t for t in (np.uint64, np.float16, np.float32, np.float64, np.str_)},
}

# What belongs to this machine: folders that keep results, and names of files that were read.
HERE_ONLY: dict[str, Callable[[object], object]] = {
    "memory": lambda _: None,
    "memory_map": lambda _: None,
    "bad_files_": lambda _: [],
}

# The same of nets, and what would make reading other files unsafe.
HERE_ONLY_OF_NETS = frozenset({"checkpoint_dir", "memory", "torch_load_kwargs"})
# All parameters that are None in what is loaded.
LEFT_BEHIND = HERE_ONLY_OF_NETS | {"memory_map"}

_WAYS = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs_ex__")


def check_plain(kind: type, refuse: Callable[[str], Exception]) -> None:
    """Check that objects of a class can be made of their attributes.

    Parameters
    ----------
    kind : type
        The class.
    refuse : callable
        Makes the error to be raised, of what is wrong.
    """
    from sklearn.base import BaseEstimator

    for name in (*_WAYS, "__getnewargs__"):
        of_class = getattr(kind, name, None)
        base = BaseEstimator if issubclass(kind, BaseEstimator) else object
        if of_class is not None and of_class is not getattr(base, name, None):
            raise refuse(f"is of a class, {kind.__name__}, that is pickled in a way of its own")
    slots = any("__slots__" in vars(c) and vars(c)["__slots__"] for c in kind.__mro__)
    # Lists, arrays and so on hold more than attributes do.
    layout = kind.__new__ is not object.__new__ or kind in copyreg.dispatch_table
    if slots or layout or not hasattr(kind, "__dictoffset__") or not kind.__dictoffset__:
        raise refuse(f"is of a class, {kind.__name__}, that holds more than attributes")


def is_made_by_constructor(kind: type) -> bool:
    """Tell whether objects are their parameters: skorch's callbacks, which fits begin anew."""
    skorch = sys.modules.get("skorch.callbacks")
    return skorch is not None and issubclass(kind, skorch.Callback)


def shadows(kind: type, name: str) -> bool:
    """Tell whether an attribute of an object would stand for what its class does.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> from atl_sklearn.persistence._plain import shadows
    >>> shadows(StandardScaler, "transform"), shadows(StandardScaler, "mean_")
    (True, False)
    """
    if not name.isidentifier() or (name.startswith("__") and name.endswith("__")):
        return True
    try:
        of_class = inspect.getattr_static(kind, name)
    except AttributeError:
        return False
    if isinstance(of_class, type):  # a type as a default, and nothing that is called
        return False
    return callable(of_class) or hasattr(type(of_class), "__get__")

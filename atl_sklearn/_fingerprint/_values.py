"""What values are made of: plain ones, estimators, networks, and whatever can be pickled."""

from __future__ import annotations

import copyreg
import functools
import struct
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pickle import whichmodule  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

import numpy as np

from atl_sklearn._fingerprint._arrays import (
    array_parts,
    frame_parts,
    of_library,
    sparse_parts,
    tensor_parts,
    text_token,
)
from atl_sklearn._fingerprint._code import code_like_parts
from atl_sklearn._fingerprint._graph import Parts, Unidentifiable, Unordered
from atl_sklearn._fingerprint._libraries import library_of, name_in_library
from atl_sklearn._fingerprint._named_files import files_below, named_files

if TYPE_CHECKING:
    import torch

_MANY = 32  # strings in a list, from which on they get one token

# Parameters that say where results are kept, which does not change the results.
_WHERE_RESULTS_ARE = ("checkpoint_dir", "memory")
_WITH_MEMORY = {"atl_sklearn", "imblearn", "sklearn"}
# Parameters of this package that name files, or folders of them, of which the content counts.
_NAME_FILES: dict[str, Callable[[object], dict[str, str]]] = {
    "unrelated": named_files,
    "responses": files_below,
    "sounds": files_below,
}
# Of a network in skorch: how its training went, and what skorch writes down for itself.
_HOW_IT_WENT = {
    "_criteria",
    "_modules",
    "_optimizers",
    "_params_to_validate",
    "callbacks_",
    "cuda_dependent_attributes_",
    "history_",
    "prefixes_",
    "summary_",
    "virtual_params_",
}
_TIMES = {"cv_results_", "refit_time_"}  # of a search of scikit-learn


def take_apart(value: object) -> bytes | Parts:
    """Return the token of a value, or its parts.

    Raises
    ------
    Unidentifiable
        If nothing tells it faithfully from others.
    """
    token = _plain(value)
    if token is not None:
        return token
    for look in (_container, _data, code_like_parts, _network, _estimator):
        found = look(value)
        if found is not None:
            return found
    return _pickled(value)


def _plain(value: object) -> bytes | None:
    if value is None or value is Ellipsis or value is NotImplemented or isinstance(value, bool):
        return f"is {value}".encode()
    if type(value) is int:
        return f"int {value:x}".encode()
    if type(value) is float:
        return b"float " + struct.pack("<d", value)
    if type(value) is str:
        return b"str " + value.encode("utf-8", "surrogatepass")
    if type(value) is bytes or type(value) is bytearray:
        return type(value).__name__.encode() + b" " + bytes(value)
    if type(value) is complex:
        return b"complex " + struct.pack("<dd", value.real, value.imag)
    if type(value) is object:  # it has no content; only its identity differs
        return b"object"
    return None


def _container(value: Any) -> bytes | Parts | None:
    kind = type(value)
    if kind in (list, tuple):
        if len(value) >= _MANY and all(type(x) is str for x in value):
            return kind.__name__.encode() + text_token(list(value))
        return Parts(kind.__name__, value)
    if kind is Unordered:
        return Parts("unordered", value)
    if kind in (dict, types.MappingProxyType):
        if all(type(key) is str for key in value):
            return Parts("dict", dict(value))
        return Parts("dict of", Unordered(value.items()))
    if kind is OrderedDict:
        return Parts("ordered dict", list(value.items()))
    if kind in (set, frozenset):
        return Parts(kind.__name__, Unordered(value))
    return None


def _data(value: Any) -> bytes | Parts | None:
    if isinstance(value, np.ndarray):
        return _any_array(value)
    if isinstance(value, np.generic):
        return Parts("scalar", [np.asarray(value)])
    if isinstance(value, np.dtype):
        return Parts(f"dtype {value.descr if value.names else value.str}")
    if isinstance(value, np.random.RandomState | np.random.Generator) and not _is_of_library(value):
        return None
    if isinstance(value, np.random.RandomState):
        return Parts("random state", [value.get_state(legacy=False)])
    if isinstance(value, np.random.Generator):
        return Parts("generator", [type(value.bit_generator), value.bit_generator.state])
    if of_library(value, "torch", ("Tensor",)):
        return tensor_parts(value)
    if of_library(value, "torch", ("Generator",)):
        return Parts(f"generator {value.device.type}", [value.get_state()])
    if of_library(value, "torch", ("dtype", "layout", "memory_format")):
        return f"of torch {value}".encode()
    if of_library(value, "scipy.sparse", ("sparray", "spmatrix")) and _is_of_library(value):
        return sparse_parts(value)
    frames = ("DataFrame", "Series", "Index")
    if of_library(value, "pandas", frames) and _is_of_library(value):
        return frame_parts(value)
    if of_library(value, "pandas.api.extensions", ("ExtensionArray",)):
        return frame_parts(value)
    return None


def _is_of_library(value: object) -> bool:
    """Tell whether the class of a value is a library's own: subclasses may hold more."""
    return name_in_library(type(value)) is not None


def _any_array(array: np.ndarray) -> bytes | Parts:
    if isinstance(array, np.ma.MaskedArray):
        return Parts("masked", [array.data, np.ma.getmaskarray(array), array.fill_value])
    if type(array) in (np.ndarray, np.memmap):
        return array_parts(array)
    return Parts("subclass", [type(array), array.view(np.ndarray), getattr(array, "__dict__", {})])


def _network(value: Any) -> Parts | None:
    """Return the class, weights, buffers, modules and attributes of a network, and its hooks."""
    if not of_library(value, "torch.nn", ("Module",)):
        return None
    import torch

    if isinstance(value, torch.jit.ScriptModule):
        raise Unidentifiable("the code of a network in TorchScript is not read.")
    held = dict(vars(value))
    if "_orig_mod" in held.get("_modules", {}):  # what torch.compile returns
        return Parts("compiled", [value._orig_mod])
    # Whoever uses a network sets its mode.
    for name in ("training", "_compiled_call_impl"):
        held.pop(name, None)
    found: dict[str, object] = {"class": type(value)}
    for name in ("_parameters", "_buffers", "_modules"):
        found[name] = list(held.pop(name).items())
    for name, names_of_flags in _names_of_hooks().items():
        # The keys are numbers that are given out as hooks come and go.
        flags = [held.pop(flag) for flag in names_of_flags if flag in held]
        hooks = held.pop(name, {})
        if hooks:  # most networks have none of any kind
            found[name] = [(hook, [key in flag for flag in flags]) for key, hook in hooks.items()]
    if type(value).get_extra_state is not torch.nn.Module.get_extra_state:
        found["extra state"] = value.get_extra_state()
    found["attributes"] = held
    found["tied"] = _tied(value)
    return Parts("network", found)


@functools.cache
def _names_of_hooks() -> dict[str, list[str]]:
    """Return the attributes in which torch keeps hooks, each with those of their flags."""
    import torch

    own = sorted(vars(torch.nn.Module()))
    hooks = [name for name in own if name.endswith("_hooks")]
    return {name: [flag for flag in own if flag.startswith(f"{name}_")] for name in hooks}


def _tied(network: torch.nn.Module) -> list[list[str]]:
    """Return the names under which a network has the same parameter twice."""
    names: dict[int, list[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [group for group in names.values() if len(group) > 1]


def _estimator(value: Any) -> Parts | None:
    """Return the class, the parameters and what was fitted of an estimator."""
    if not hasattr(value, "get_params"):
        return None
    if of_library(value, "sklearn.frozen", ("FrozenEstimator",)) and _is_of_library(value):
        return Parts("frozen", [value.estimator])
    try:
        params = value.get_params(deep=False)
    except Exception as error:
        raise Unidentifiable(f"get_params of {type(value).__name__} fails: {error}") from error
    fitted = {name: x for name, x in getattr(value, "__dict__", {}).items() if name not in params}
    left_out: set[str] = set()
    if of_library(value, "skorch", ("NeuralNet",)):
        left_out = _HOW_IT_WENT | {f"{name}_" for name in getattr(value, "_optimizers", ())}
    elif of_library(value, "sklearn.model_selection._search", ("BaseSearchCV",)):
        left_out = _TIMES
    elif of_library(value, "skorch.callbacks", ("Callback",)):
        left_out = {name for name in fitted if name.endswith("_")}  # each training begins anew
    for name in _WHERE_RESULTS_ARE:
        if name in params and _is_of_libraries(type(value), name):
            del params[name]
    fitted = {name: x for name, x in fitted.items() if name not in left_out}
    found = {"its class": type(value), **params, "what was fitted": fitted}
    files: dict[str, str] = {}
    for name, found_by in _NAME_FILES.items():
        if name in params and _is_of_libraries(type(value), name):
            files |= found_by(params[name])
    return Parts("estimator", {**found, "files": files} if files else found)


def _is_of_libraries(kind: type, name: str) -> bool:
    """Tell whether a parameter such as `memory` of a class is the one of these libraries."""
    for base in kind.__mro__:
        code = getattr(vars(base).get("__init__"), "__code__", None)
        if code is not None and name in code.co_varnames:
            return base.__module__.partition(".")[0] in _WITH_MEMORY
    return False


def _pickled(value: object) -> Parts:
    """Return what pickle would write of a value."""
    if isinstance(value, weakref.ref):
        return Parts("weak reference", [value()])
    kind = type(value)
    named = f"{kind.__module__}.{kind.__qualname__}"
    try:
        reduce = copyreg.dispatch_table.get(kind)
        reduced: Any = value.__reduce_ex__(4) if reduce is None else reduce(value)
    except RecursionError:
        raise
    except Exception as error:
        raise Unidentifiable(
            f"an object of {named} holds what cannot be read ({error})."
        ) from error
    if isinstance(reduced, str):  # the name of something that there is once
        module = whichmodule(value, reduced)
        library = library_of(module)
        if library is None:
            raise Unidentifiable(f"{reduced!r} is known by name only, which is not a library's.")
        return Parts(f"named {library} {module} {reduced}")
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    pairs = list(pairs) if isinstance(pairs, Iterator) else pairs
    if pairs is not None and not isinstance(value, OrderedDict):
        pairs = Unordered(pairs)
    items = list(items) if isinstance(items, Iterator) else items
    held = [kind, make, arguments, state, items, pairs, *reduced[5:], _forgotten(value)]
    return Parts(f"object {kind.__name__}", held)


def _forgotten(value: object) -> object:
    """Return the attributes of a subclass that its base may leave out when it is pickled."""
    if _is_of_library(value):
        return None
    for base in type(value).__mro__:
        if {"__reduce__", "__reduce_ex__", "__getstate__"} & vars(base).keys():
            return getattr(value, "__dict__", None) if name_in_library(base) else None
    return None

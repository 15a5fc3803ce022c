"""Functions, classes and modules: a library's by name and version, others by what they do."""

from __future__ import annotations

import builtins
import dis
import functools
import importlib.util
import types
from typing import TypeAlias

from atl_sklearn._fingerprint._graph import Parts, Unidentifiable
from atl_sklearn._fingerprint._libraries import library_of, name_in_library

# They run code, or look names up, in ways that the code of a function does not show.
_UNSEEN = {"eval", "exec", "globals", "__import__"}
# Attributes of a class that do not count: where it was written, traces of its use, docstring.
_NOT_OF_A_CLASS = {
    "__annotate__",
    "__annotate_func__",
    "__annotations__",
    "__annotations_cache__",
    "__abstractmethods__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__qualname__",
    "__slotnames__",
    "__static_attributes__",
    "__weakref__",
    "_abc_impl",
}
_MADE_BY_A_STATEMENT = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_MISSING = "a name that is not there"

# The name of a module, the level, and what is taken of it.
_Import: TypeAlias = tuple[str, int, tuple[str, ...] | None]


@functools.lru_cache(maxsize=4096)
def _names_in(code: types.CodeType) -> tuple[tuple[tuple[str, ...], ...], tuple[_Import, ...]]:
    """Return the global names in code, with the attributes taken of them, and its imports."""
    names: set[tuple[str, ...]] = set()
    imports: set[_Import] = set()
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    for position, step in enumerate(steps):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            chain = [step.argval]
            for following in steps[position + 1 :]:
                if following.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
                    break
                chain.append(following.argval)
            names.add(tuple(chain))
        elif step.opname == "IMPORT_NAME":
            level, wanted = (steps[position - back].argval for back in (2, 1))
            imports.add((step.argval, level, wanted))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner = _names_in(constant)
            names |= set(inner[0])
            imports |= set(inner[1])
    return tuple(sorted(names)), tuple(sorted(imports, key=repr))


def _look_up(scope: dict[str, object], chain: tuple[str, ...]) -> tuple[str, object]:
    """Return the value that code finds, and how it is called there."""
    name, *attributes = chain
    if name not in scope:
        if name in _UNSEEN:
            raise Unidentifiable(f"it calls {name}(), by which it may do anything.")
        return name, getattr(builtins, name, _MISSING)
    value = scope[name]
    for attribute in attributes:
        if not isinstance(value, types.ModuleType) or library_of(value.__name__):
            break
        name = f"{name}.{attribute}"
        value = getattr(value, attribute, _MISSING)
    return name, value


def _imported(
    scope: dict[str, object], name: str, level: int, wanted: tuple[str, ...] | None
) -> dict[str, object]:
    """Return what an import within a function gives."""
    if level:
        name = importlib.util.resolve_name("." * level + name, str(scope.get("__package__") or ""))
    library = library_of(name)
    if library is not None:
        return {f"import {name}": library}
    if not wanted or "*" in wanted:
        raise Unidentifiable(
            f"it imports {name!r} while it runs; import it at the top, or what is needed of it."
        )
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise Unidentifiable(f"it imports {name!r}, which fails: {error}") from error
    return {f"import {name}.{part}": getattr(module, part, _MISSING) for part in wanted}


def code_parts(code: types.CodeType) -> Parts:
    """Return what determines what code does: not its file, its lines or its place."""
    sizes = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    variables = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    blocks = [code.co_code, code.co_exceptiontable]
    return Parts(f"code {sizes} {variables}", [*blocks, *code.co_consts])


def _cell(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


def function_parts(function: types.FunctionType) -> Parts:
    """Return the code of a function, and the values that it finds outside of its arguments."""
    code, scope = function.__code__, function.__globals__
    names, imports = _names_in(code)
    found = dict(_look_up(scope, chain) for chain in names)
    for name, level, wanted in imports:
        found |= _imported(scope, name, level, wanted)
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    return Parts(
        f"function {function.__name__}",
        {
            "code": code,
            "defaults": function.__defaults__,
            "keyword defaults": function.__kwdefaults__,
            "closure": {name: _cell(cell) for name, cell in cells},
            "globals": found,
            "attributes": vars(function),
        },
    )


def class_parts(cls: type) -> Parts:
    """Return the bases, methods and attributes of a class."""
    kept = {name: x for name, x in vars(cls).items() if name not in _NOT_OF_A_CLASS}
    return Parts(f"class {cls.__name__}", [type(cls), cls.__bases__, kept])


def code_like_parts(value: object) -> Parts | None:
    """Return the parts of something that is code; None for other values.

    Raises
    ------
    Unidentifiable
        If nothing tells it faithfully from others.
    """
    named = name_in_library(value)
    if named is not None:
        return Parts(f"named {named}")
    if isinstance(value, type):
        if value.__flags__ & _MADE_BY_A_STATEMENT:
            return class_parts(value)
        library = library_of(value.__module__)
        if library is None:
            raise Unidentifiable(f"the class {value.__name__!r} is compiled.")
        return Parts(f"static {library} {value.__module__} {value.__qualname__}")
    if isinstance(value, types.FunctionType):
        return function_parts(value)
    if isinstance(value, types.CodeType):
        return code_parts(value)
    if isinstance(value, types.MethodType):
        return Parts("method", [value.__func__, value.__self__])
    if isinstance(value, types.ModuleType):
        library = library_of(value.__name__)
        if library is None:
            raise Unidentifiable(
                f"the module {value.__name__!r} is passed on as a whole; use its functions."
            )
        return Parts(f"module {library} {value.__name__}")
    if isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
        if value.__self__ is None:
            raise Unidentifiable(f"the function {value.__name__!r} is compiled.")
        return Parts(f"builtin {value.__name__}", [value.__self__])
    if isinstance(value, functools.partial):
        held = [type(value), value.func, value.args, value.keywords, vars(value)]
        return Parts("partial", held)
    if isinstance(value, staticmethod | classmethod):
        return Parts("method without self", [type(value), value.__func__])
    if isinstance(value, property):
        return Parts("property", [type(value), value.fget, value.fset, value.fdel])
    if isinstance(value, functools.cached_property):
        return Parts("cached_property", [type(value), value.func, value.attrname])
    if isinstance(value, functools._lru_cache_wrapper):
        return Parts("lru_cache", [value.__wrapped__, value.cache_parameters()])
    if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
        return Parts(f"slot {value.__name__}")
    if isinstance(value, types.WrapperDescriptorType | types.MethodDescriptorType):
        return Parts(f"slot method {value.__qualname__}", [value.__objclass__])
    return None

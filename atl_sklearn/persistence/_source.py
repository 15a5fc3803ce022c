"""Source code of classes and functions of one's own, with all that it needs of its module."""

from __future__ import annotations

import ast
import builtins
import hashlib
import inspect
import linecache
import sys
import textwrap
import types
from typing import Any

from atl_sklearn.persistence._allowed import Code
from atl_sklearn.persistence._errors import CannotSaveError, ModelFileError

_CONSTANTS = (bool, int, float, str, bytes, tuple, frozenset, type(None))
_MADE: dict[str, Code] = {}  # what came in files, by name and source


def _own_source(value: Code) -> str:
    came = vars(value).get("_came_in_a_file")
    if came is not None:
        return str(came)
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError) as error:
        raise CannotSaveError(
            f"The source code of {value.__module__}.{value.__qualname__} cannot be found: {error}. "
            "Write it to a file of Python, or save with include_source=False."
        ) from error


def _names_in(source: str) -> list[str]:
    tree = ast.parse(source)
    return sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})


def source_of(value: Code) -> str:
    """Return source code that makes a class or function in an empty module.

    Parameters
    ----------
    value : class or function
        Defined at the top level of a module, or a class that came in a file.

    Returns
    -------
    source : str
        Imports, constants, what it uses of its own module, and itself.

    Raises
    ------
    CannotSaveError
        If it uses something that is none of these.
    """
    if vars(value).get("_came_in_a_file") is not None:
        return _own_source(value)
    module = sys.modules[value.__module__]
    lines: list[str] = ["from __future__ import annotations"] * ("annotations" in vars(module))
    _add(value, module, lines, set())
    return "\n\n".join(lines) + "\n"


def _add(value: Code, module: types.ModuleType, lines: list[str], done: set[str]) -> None:
    done.add(value.__name__)
    source = _own_source(value)
    for name in _names_in(source):
        if name in done or name not in vars(module) or hasattr(builtins, name):
            continue
        found = vars(module)[name]
        done.add(name)
        if isinstance(found, types.ModuleType):
            lines.append(f"import {found.__name__} as {name}" if found.__name__ != name
                         else f"import {name}")  # fmt: skip
        elif type(found) in _CONSTANTS:
            lines.append(f"{name} = {found!r}")
        elif getattr(found, "__module__", None) == module.__name__:
            if not isinstance(found, type | types.FunctionType) or found.__name__ != name:
                raise _not_alone(value, name)
            _add(found, module, lines, done)
        elif getattr(found, "__module__", None) and hasattr(found, "__qualname__"):
            where, what = found.__module__, found.__qualname__
            if "." in what or getattr(sys.modules.get(where), what, None) is not found:
                raise _not_alone(value, name)
            lines.append(f"from {where} import {what} as {name}")
        else:
            raise _not_alone(value, name)
    lines.append(source.rstrip())


def _not_alone(value: Code, name: str) -> CannotSaveError:
    return CannotSaveError(
        f"The source code of {value.__module__}.{value.__qualname__} uses {name!r}, which cannot "
        "go with it: a constant, an import, a class or a function can. Save with "
        "include_source=False, and give the module away beside the file."
    )


def run_source(name: str, source: str) -> Code:
    """Return the class or function that source code from a file makes, by running it.

    Parameters
    ----------
    name : str
        Its name, ``module:Name``.
    source : str
        What :func:`source_of` returned.

    Raises
    ------
    ModelFileError
        If the source does not make it.
    """
    key = f"{name} {hashlib.sha256(source.encode()).hexdigest()}"
    if key in _MADE:
        return _MADE[key]
    module, _, qualname = name.partition(":")
    file = f"<source of {module}.{qualname} from a file of atl_sklearn>"
    space = {"__name__": module, "__builtins__": builtins}
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    try:
        exec(compile(source, file, "exec"), space)
    except Exception as error:
        raise ModelFileError(f"The source of {qualname} in the file fails: {error!r}.") from error
    if qualname not in space:
        raise ModelFileError(f"The source of {qualname} in the file makes no {qualname}.")
    made: Any = space[qualname]
    made._came_in_a_file = source
    _MADE[key] = made
    return made

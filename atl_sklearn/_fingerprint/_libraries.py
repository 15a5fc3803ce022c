"""What is known by its name and the version of the library that it comes from."""

from __future__ import annotations

import functools
import importlib.util
import site
import sys
import sysconfig
from hashlib import blake2b
from importlib import metadata
from pathlib import Path

from atl_sklearn._version import __version__

_OWN = "atl_sklearn"


@functools.cache
def _places(*names: str) -> tuple[Path, ...]:
    found = [sysconfig.get_path(name) for name in names]
    if "purelib" in names:
        found += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple({Path(place).resolve() for place in found if place})


@functools.cache
def _own_sources() -> str:
    """Return a digest of this package, which under development changes without its version."""
    digest = blake2b(digest_size=8)
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@functools.cache
def library_of(module: str) -> str | None:
    """Return the library that a module belongs to, with its version.

    Parameters
    ----------
    module : str
        The name of the module.

    Returns
    -------
    library : str or None
        "numpy 2.1.0", say; "python" for the standard library. None for a module of the user's,
        which may change without another version, and where no version is known.

    Examples
    --------
    >>> from atl_sklearn._fingerprint._libraries import library_of
    >>> library_of("json.decoder"), library_of("__main__")
    ('python', None)
    """
    top = module.partition(".")[0]
    if top == "__main__":
        return None
    if top == _OWN:
        return f"{_OWN} {__version__} {_own_sources()}"
    try:
        spec = getattr(sys.modules.get(top), "__spec__", None) or importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.origin in ("built-in", "frozen"):
        return "python"
    folders = spec.submodule_search_locations
    origins = [spec.origin] if spec.origin else list(folders or ())
    within = {parent for origin in origins for parent in Path(origin).resolve().parents}
    if within & set(_places("purelib", "platlib")):
        return _version_of(top)
    if top in sys.stdlib_module_names and within & set(_places("stdlib", "platstdlib")):
        return "python"
    return None


def _version_of(top: str) -> str | None:
    known = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(known, str):
        return f"{top} {known}"
    try:
        return f"{top} {metadata.version(top)}"
    except metadata.PackageNotFoundError:
        names = sorted(set(metadata.packages_distributions().get(top, ())))
        if not names:
            return None
        return f"{top} {[(name, metadata.version(name)) for name in names]}"


def name_in_library(value: object) -> str | None:
    """Return the name by which a library has a class or function.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    name : str or None
        Its library, module and name. None if it is no library's, or is not found by its name.

    Examples
    --------
    >>> import json
    >>> from atl_sklearn._fingerprint._libraries import name_in_library
    >>> name_in_library(json.loads), name_in_library(lambda: 1)
    ('python json loads', None)
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    name = name or getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    library = library_of(module)
    if library is None:
        return None
    for path in (name, name.rpartition(".")[2]):  # the second for methods that a module lends
        found = sys.modules.get(module)
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is value:
            return f"{library} {module} {path}"
    return None

"""Which package may import which, and what of it: nothing upwards, nothing private."""

import ast
from functools import cache
from pathlib import Path

import pytest

import atl_sklearn

ROOT = Path(atl_sklearn.__file__).parent

# From the ground up: each may import those before it. The ground are the modules beside the
# packages, whose names begin with an underscore.
ORDER = (
    "persistence",
    "similarity",
    "modules",
    "unrelated",
    "estimators",
    "inspection",
    "tuning",
)
APART = {("modules", "similarity")}  # it could, and does not
# These know the ground alone, and nobody in the package knows them.
BESIDE = ("audio", "datasets")

# Imports upwards, from a file to a package, each with the reason. They are within functions.
EXCEPTIONS = {
    ("datasets/_listing.py", "audio"): "which files are audio is found out by trying to read them",
    ("persistence/_export.py", "audio"): "what it exports may begin with a Standardizer",
    ("persistence/_export.py", "estimators"): "it exports these, and says so of anything else",
}


def layer_of(path):
    """Return the package that a file is in; "" for the ground."""
    first = path.relative_to(ROOT).parts[0]
    return "" if first.startswith("_") else first


def imports_of(tree):
    """Yield what is imported of atl_sklearn: the module, the names, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports here are absolute"
            if (node.module or "").split(".")[0] == "atl_sklearn":
                yield node.module, [alias.name for alias in node.names], node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "atl_sklearn":
                    yield alias.name, [], node.lineno


@cache
def parsed(path):
    return ast.parse(path.read_text("utf-8"))


def crossings():
    """Return the imports from one package to another: file, line, target, rest, names."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        if path == ROOT / "__init__.py":
            continue  # it is the face of all
        here = layer_of(path)
        for module, names, line in imports_of(parsed(path)):
            target, *rest = module.split(".")[1:] or [""]
            if target == "":  # from atl_sklearn import x
                target, names = (names or ["atl_sklearn"])[0], []
            target = "" if target.startswith("_") else target
            if target not in ("", here):
                name = path.relative_to(ROOT).as_posix()
                found.append((name, line, here, target, rest, names))
    return found


def may_import(here, target):
    if here in ORDER and target in ORDER:
        return ORDER.index(target) < ORDER.index(here) and (here, target) not in APART
    return False


def test_every_package_has_its_place():
    packages = {p.name for p in ROOT.iterdir() if (p / "__init__.py").is_file()}
    known = {*ORDER, *BESIDE}
    assert {name for name in packages if not name.startswith("_")} == known


def test_nothing_imports_upwards():
    wrong = [
        f"{name}, line {line}: {here or 'the ground'} imports {target}"
        for name, line, here, target, _, _ in crossings()
        if not may_import(here, target) and (name, target) not in EXCEPTIONS
    ]
    assert not wrong, "\n".join(wrong)


def test_exceptions_are_needed_and_within_functions():
    used = {(name, target) for name, _, here, target, _, _ in crossings()
            if not may_import(here, target)}  # fmt: skip
    assert set(EXCEPTIONS) <= used
    for name, target in EXCEPTIONS:
        at_top = ast.Module(parsed(ROOT / name).body, [])
        at_top.body = [
            node for node in at_top.body if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert not [m for m, _, _ in imports_of(at_top) if m.split(".")[1] == target]


def test_nothing_private_of_another_package_is_imported():
    """What others need is in the package's ``__init__``."""
    wrong = [
        f"{name}, line {line}: {'.'.join([target, *rest])} {names}"
        for name, line, _, target, rest, names in crossings()
        if rest or any(part.startswith("_") for part in names)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ORDER)
def test_what_is_kept_for_packages_is_used_by_them(package):
    """The second list of a package's ``__init__`` has nothing that no other package takes."""
    kept = getattr(__import__(f"atl_sklearn.{package}", fromlist=["x"]), "_FOR_PACKAGES", ())
    names = {
        name
        for node in parsed(ROOT / package / "__init__.py").body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_FOR_PACKAGES"
        for name in map(ast.unparse, node.value.elts)
    }
    assert len(names) == len(kept)
    taken = {name for _, _, _, target, _, found in crossings() if target == package
             for name in found}  # fmt: skip
    assert names <= taken

"""Which package may import which, and what of it: nothing upwards, nothing private."""

import ast
import tokenize
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


NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
           tokenize.ENDMARKER)  # fmt: skip


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
        if path in (ROOT / "__init__.py", ROOT / "quickstart.py"):
            continue  # the face of all, and a program for users that takes what they take
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


def at_import(path):
    """Yield the modules of the package that a file needs as soon as it is imported."""
    waiting = list(parsed(path).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("atl_sklearn."):
            yield node.module
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def test_modules_of_a_package_do_not_need_each_other():
    """What is called is above what calls it: no two modules lead back to each other."""
    needs = {
        "atl_sklearn." + ".".join(path.relative_to(ROOT).with_suffix("").parts): list(
            at_import(path)
        )
        for path in ROOT.rglob("*.py")
        if path.name != "__init__.py"
    }
    done, open_ = set(), []

    def visit(module):
        assert module not in open_, " -> ".join([*open_[open_.index(module) :], module])
        if module in needs and module not in done:
            open_.append(module)
            for other in needs[module]:
                visit(other)
            done.add(open_.pop())

    for module in needs:
        visit(module)
    assert done == set(needs)


def test_parts_do_not_know_the_estimators():
    """They see them through a protocol; the estimators alone know their parts."""
    whole = {"_classifier.py", "_regressor.py", "_estimator.py", "_sklearn_net.py", "__init__.py"}
    above = {f"atl_sklearn.estimators.{Path(name).stem}" for name in whole - {"__init__.py"}}
    wrong = [
        f"{path.name} imports {module}"
        for path in sorted((ROOT / "estimators").glob("*.py"))
        for module, _, _ in imports_of(parsed(path))
        if path.name not in whole and module in above
    ]
    assert not wrong, "\n".join(wrong)


def lines_of_code(path):
    """Count the lines that have something besides comments and docstrings."""
    documented = set()
    for node in ast.walk(parsed(path)):
        has_docstring = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if has_docstring and ast.get_docstring(node):
            documented |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    with tokenize.open(path) as file:
        tokens = [t for t in tokenize.generate_tokens(file.readline) if t.type not in NO_CODE]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    return len(lines - documented)


def test_modules_are_short():
    """Beyond 300 lines, docstrings aside, there is a second idea in a module."""
    long = {path.name: n for path in ROOT.rglob("*.py") if (n := lines_of_code(path)) > 300}
    assert not long

"""What users can import: that it is there, in order, and documented.

Modules and objects are found, not listed, so that later ones are held to the same.
"""

import importlib
import inspect
import pkgutil
import re
from dataclasses import fields, is_dataclass

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from numpydoc.validate import validate

import atl_sklearn

# numpydoc's checks. Left out are those of taste (where the summary starts: GL01; the blank line
# at the end: GL02; a second paragraph, other places to see, examples everywhere: ES01, SA01,
# EX01) and those that forbid naming what is returned (RT02) and descriptions that start with
# a name in lower case, such as skorch's (PR08).
CHECKS = {
    *("GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
    *("SS01", "SS02", "SS03", "SS04", "SS05", "SS06"),
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR09", "PR10"),
    *("RT01", "RT03", "RT04", "RT05", "YD01", "SA02", "SA03", "SA04"),
}

# What users of scikit-learn call; what else overrides a method of skorch or torch is for these.
VERBS = {"fit", "fit_transform", "forward", "get_params", "partial_fit", "predict", "score"}
VERBS |= {"predict_log_proba", "predict_proba", "set_params", "transform"}

# Otherwise numpydoc adds what it finds in the class to what the docstring says.
FIELDS_ONLY = {"show_class_members": False}


def public_modules():
    names = ["atl_sklearn"]
    names += [found.name for found in pkgutil.walk_packages(atl_sklearn.__path__, "atl_sklearn.")]
    return sorted(name for name in names if not any(p.startswith("_") for p in name.split(".")))


def is_ours(obj):
    return (getattr(obj, "__module__", None) or "").split(".")[0] == "atl_sklearn"


def is_written_here(function):
    # dataclasses and named tuples generate some of their methods.
    return is_ours(function) and function.__code__.co_filename != "<string>"


def constructor_is_written_here(cls):
    constructors = [cls.__init__, cls.__new__]
    return any(inspect.isfunction(made) and is_written_here(made) for made in constructors)


def is_hook(name):
    """Return whether a method is called by skorch or torch, which also explain its parameters."""
    class_name, _, method = name.rpartition(".")
    bases = OBJECTS[class_name].__mro__ if class_name in OBJECTS else ()
    return method not in VERBS and any(hasattr(b, method) for b in bases if not is_ours(b))


def public_objects():
    """Return the public classes and functions, each under the shortest of its names."""
    found = {}
    for module_name in sorted(public_modules(), key=len):
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", []):
            obj = getattr(module, name, None)
            if (inspect.isclass(obj) or inspect.isroutine(obj)) and is_ours(obj):
                found.setdefault(id(obj), (f"{module_name}.{name}", obj))
    return dict(sorted(found.values(), key=lambda item: item[0]))


def public_methods():
    """Return the public methods and properties that are written here, not inherited."""
    found = {}
    for class_name, cls in public_objects().items():
        if not inspect.isclass(cls):
            continue
        for name, member in inspect.getmembers_static(cls):
            if isinstance(member, property):
                function = member.fget
            elif isinstance(member, classmethod | staticmethod):
                function = member.__func__
            else:
                function = member
            # scikit-learn writes the methods that request metadata.
            requests_metadata = re.fullmatch(r"set_\w+_request", name)
            if name.startswith("_") or requests_metadata or not inspect.isfunction(function):
                continue
            if is_written_here(function):
                found[f"{class_name}.{name}"] = function
    return found


MODULES = public_modules()
OBJECTS = public_objects()
METHODS = public_methods()


def order(name):
    """Return what ruff, like isort, sorts `__all__` by: constants, classes, the rest."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name


def test_there_is_something_to_test():
    assert "atl_sklearn.modules" in MODULES
    assert "atl_sklearn.modules.MLP" in OBJECTS
    assert "atl_sklearn.modules.MLP.forward" in METHODS


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_is_public(name):
    module = importlib.import_module(name)
    assert module.__doc__, "a module has a docstring"
    names = module.__all__
    assert len(set(names)) == len(names)
    assert list(names) == sorted(names, key=order)
    for public in names:
        assert hasattr(module, public), f"{name}.__all__ names {public!r}, which does not exist"


@pytest.mark.parametrize("name", MODULES)
def test_nothing_private_is_public(name):
    module = importlib.import_module(name)
    assert not [public for public in module.__all__ if re.match(r"_(?!_)", public)]


@pytest.mark.parametrize("name", MODULES)
def test_star_imports_work(name):
    namespace = {}
    exec(f"from {name} import *", namespace)
    assert set(importlib.import_module(name).__all__) <= set(namespace)


@pytest.mark.parametrize("name", [*OBJECTS, *METHODS])
def test_docstrings_follow_numpydoc(name):
    found = {**OBJECTS, **METHODS}[name]
    assert found.__doc__, f"{name} has no docstring of its own"
    checks = CHECKS
    if inspect.isclass(found) and not constructor_is_written_here(found):
        checks = CHECKS - {"PR01"}  # that of a tuple, or of a result: see its Attributes
    if is_hook(name):
        checks = CHECKS - {"PR01", "RT01"}
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code in checks]
    assert not errors, "\n".join([name, *errors])


@pytest.mark.parametrize("name", [name for name in OBJECTS if is_dataclass(OBJECTS[name])])
def test_fields_of_results_are_documented(name):
    doc = ClassDoc(OBJECTS[name], doc=inspect.getdoc(OBJECTS[name]), config=FIELDS_ONLY)
    documented = {parameter.name for parameter in doc["Parameters"] + doc["Attributes"]}
    documented = {part.strip() for names in documented for part in names.split(",")}
    assert {field.name for field in fields(OBJECTS[name])} - documented == set()


@pytest.mark.parametrize("name", OBJECTS)
def test_docstrings_have_an_example_that_runs(name):
    found = OBJECTS[name]
    if inspect.isclass(found) and issubclass(found, BaseException):
        pytest.skip("exceptions are shown by what raises them")
    examples = "\n".join(FunctionDoc(found, doc=inspect.getdoc(found))["Examples"])
    assert ">>> " in examples, f"the docstring of {name} has no Examples section with code"
    # What is fetched is downloaded, which the default run does not do.
    if not name.rpartition(".")[2].startswith("fetch_"):
        assert "doctest: +SKIP" not in examples, f"an example of {name} never runs"

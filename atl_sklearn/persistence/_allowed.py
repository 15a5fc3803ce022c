"""Which classes and functions a file may name, and under which names they are found again.

A file is data of a stranger. What it names is looked up among the kinds below and nowhere else:
classes that only compute, and functions of arrays and tensors. No other module is imported.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from typing import TypeAlias

from atl_sklearn._validation import refuse_value
from atl_sklearn.persistence._errors import ModelFileError, UntrustedClassError

# Estimators of these packages are their attributes and nothing else, and predict in Python.
_ESTIMATORS = frozenset(
    f"sklearn.{name}"
    for name in (
        *(
            "calibration",
            "compose",
            "cross_decomposition",
            "decomposition",
            "discriminant_analysis",
        ),
        *("dummy", "feature_extraction", "feature_selection", "frozen", "impute"),
        *("kernel_approximation", "linear_model", "model_selection", "multiclass", "multioutput"),
        *("naive_bayes", "pipeline", "preprocessing", "random_projection"),
    )
)
_OURS = ("audio", "estimators", "modules", "similarity", "unrelated")
_RESULTS = frozenset({"ComparisonSummary", "FitSummary", "FittedSource", "LeftBehind", "Segment"})
_CALLBACKS = frozenset(
    {"BatchScoring", "EarlyStopping", "EpochScoring", "EpochTimer", "Freezer"}
    | {"GradientNormClipping", "Initializer", "InputShapeSetter", "LRScheduler", "ParamMapper"}
    | {"PassthroughScoring", "PrintLog", "ProgressBar", "Unfreezer"}
)
_SINGLE_CLASSES = {
    "sklearn.utils._metadata_requests": {"MetadataRequest", "MethodMetadataRequest"},
    "skorch.dataset": {"Dataset", "ValidSplit"},
    "torch.utils.data": {"DataLoader"},
}
_SINGLE_FUNCTIONS = {
    "builtins": {"print"},
    "skorch.utils": {"noop", "to_numpy"},
    "torch": {"abs", "exp", "log_softmax", "relu", "sigmoid", "softmax", "square", "tanh"},
}
# Of whose public functions all compute something of arrays.
_FUNCTIONS_OF = (
    *("atl_sklearn.similarity", "librosa.feature", "numpy", "sklearn.feature_selection"),
    *("sklearn.metrics", "sklearn.preprocessing", "torch.nn.functional"),
)
_OF_TORCH_FUNCTIONAL = {"torch.nn.functional", "torch._C._nn", "torch"}

# What has a name by which it is found again.
Code: TypeAlias = type | Callable
# What `trusted` may be.
Trusted: TypeAlias = str | Code | Iterable[str | Code]


def _lies_in(module: str, packages: Iterable[str]) -> bool:
    parts = module.split(".")
    if any(not part.isidentifier() or part in ("tests", "conftest") for part in parts):
        return False
    return any(module == name or module.startswith(f"{name}.") for name in packages)


def _is_allowed_class(module: str, name: str, found: object) -> bool:
    """Tell whether a class is of a kind that may be named; `found` lies in `module` as `name`."""
    if not isinstance(found, type) or "." in name:
        return False
    home = found.__module__  # what a module imports from elsewhere is not its own
    if module in _SINGLE_CLASSES:
        return name in _SINGLE_CLASSES[module] and home.split(".")[0] == module.split(".")[0]
    if module == "skorch.callbacks":
        return name in _CALLBACKS and _lies_in(home, ["skorch.callbacks"])
    if _lies_in(home, _ESTIMATORS):
        from sklearn.base import BaseEstimator

        splits = hasattr(found, "get_n_splits")
        return _lies_in(module, _ESTIMATORS) and (issubclass(found, BaseEstimator) or splits)
    if _lies_in(home, [f"atl_sklearn.{name}" for name in _OURS]):
        from sklearn.base import BaseEstimator
        from torch.nn import Module

        ours = issubclass(found, BaseEstimator | Module) or name in _RESULTS
        return ours or getattr(found, "_travels", False) is True
    if _lies_in(home, ["torch.nn.modules"]):
        from torch.nn import Module

        return issubclass(found, Module)
    if _lies_in(home, ["torch.optim"]):
        from torch.optim import Optimizer
        from torch.optim.lr_scheduler import LRScheduler

        return issubclass(found, Optimizer | LRScheduler)
    return False


def _is_allowed_function(module: str, name: str, found: object) -> bool:
    if module in _SINGLE_FUNCTIONS and name in _SINGLE_FUNCTIONS[module]:
        return True
    if module not in _FUNCTIONS_OF or name.startswith("_") or isinstance(found, type):
        return False
    if module == "numpy":
        import numpy as np

        return isinstance(found, np.ufunc)
    if module == "torch.nn.functional":
        return callable(found) and found.__module__ in _OF_TORCH_FUNCTIONAL
    public = getattr(sys.modules[module], "__all__", ())
    return name in public and inspect.isfunction(found)


def _may_be_imported(module: str) -> bool:
    packages = {*_ESTIMATORS, "skorch.callbacks", "torch.nn.modules", "torch.nn", "torch.optim"}
    packages |= {f"atl_sklearn.{name}" for name in _OURS}
    known = {*_SINGLE_CLASSES, *_SINGLE_FUNCTIONS, *_FUNCTIONS_OF}
    return module in known or _lies_in(module, packages)


def _homes(value: object) -> list[str]:
    """Return the modules in which something may be found, the most public ones first."""
    module = getattr(value, "__module__", None) or ""
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(2, len(parts))] + [module]


def allowed_name(value: object) -> str | None:
    """Return the name under which every reader finds a class or function; None without one.

    Examples
    --------
    >>> import os
    >>> from sklearn.preprocessing import StandardScaler
    >>> from atl_sklearn.persistence._allowed import allowed_name
    >>> allowed_name(StandardScaler)
    'sklearn.preprocessing:StandardScaler'
    >>> print(allowed_name(os.system))
    None
    """
    if isinstance(value, type):
        name = value.__qualname__
        for module in [*_homes(value), *(m for m in _SINGLE_CLASSES if m in sys.modules)]:
            # Not getattr, by which a package may load what it has not loaded.
            there = getattr(sys.modules.get(module), "__dict__", {}).get(name)
            if there is value and _may_be_imported(module):
                return f"{module}:{name}" if _is_allowed_class(module, name, value) else None
        return None
    name = getattr(value, "__name__", "")
    if not callable(value) or not isinstance(name, str) or not name:
        return None
    for module in (*_SINGLE_FUNCTIONS, *_FUNCTIONS_OF):
        there = getattr(sys.modules[module], name, None) if module in sys.modules else None
        if there is value and _is_allowed_function(module, name, value):
            return f"{module}:{name}"
    return None


def full_name(value: Code) -> str:
    """Return where a class or function was defined, as ``module:qualified.name``."""
    return f"{value.__module__}:{value.__qualname__}"


class Trust:
    """Classes and functions that a reader takes from a file besides those of this package.

    Parameters
    ----------
    trusted : sequence of str, class or function
        What the reader named: ``"package.module.Name"``, or the thing itself.
    sources : dict of str to (callable)
        What makes a class or function from source code that came with the file, by name.
    """

    def __init__(
        self, trusted: Trusted, sources: dict[str, Callable[[], Code]] | None = None
    ) -> None:
        self._sources = sources or {}
        if isinstance(trusted, str) or not isinstance(trusted, Iterable):
            trusted = (trusted,)
        self._names: set[str] = set()
        self._here: dict[str, Code] = {}
        for entry in trusted:
            if isinstance(entry, str) and "." in entry:
                self._names.add(entry)
            elif (
                not isinstance(entry, str)
                and hasattr(entry, "__qualname__")
                and hasattr(entry, "__module__")
            ):
                self._here[full_name(entry)] = entry
            else:
                must = "a list of classes, functions or names such as 'my_package.MyModule'"
                raise refuse_value("load", "trusted", must, entry)

    def find(self, name: object, at: str) -> object:
        """Return the class or function of a name.

        Raises
        ------
        UntrustedClassError
            If it is neither of a kind that may be named nor trusted; nothing was imported then.
        ModelFileError
            If there is no such thing here.
        """
        if not isinstance(name, str) or name.count(":") != 1:
            raise ModelFileError(f"The file names a class or function as {name!r}, at {at}.")
        if name in self._here:
            return self._here[name]
        module, _, qualname = name.partition(":")
        dotted = f"{module}.{qualname}"
        trusted = dotted in self._names
        if trusted and name in self._sources:
            return self._sources[name]()
        if not trusted and not _may_be_imported(module):
            raise self._untrusted(dotted, name, at)
        found: object
        try:
            found = importlib.import_module(module)
            for part in qualname.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            way_out = "Install the version that the file was saved with"
            if trusted:
                way_out = "Install it, or ask for a file saved with include_source=True"
            raise ModelFileError(
                f"The file needs {dotted}, at {at}, which is not here: {error}. {way_out}."
            ) from error
        if trusted or _is_allowed_class(module, qualname, found):
            return found
        if not isinstance(found, type) and _is_allowed_function(module, qualname, found):
            return found
        raise self._untrusted(dotted, name, at)

    def _untrusted(self, dotted: str, name: str, at: str) -> UntrustedClassError:
        source = " (its source code is in the file)" if name in self._sources else ""
        return UntrustedClassError(
            f"The file needs {dotted}{source}, at {at}, which is code of somebody else. Nothing "
            f"of it was run. If you know it and trust it: load(path, trusted=[{dotted!r}])."
        )

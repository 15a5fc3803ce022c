"""Anti-transfer learning for scikit-learn.

Train a network on a task while it is kept from leaning on what another network, fitted on an
unrelated task, knows.
"""

import importlib
from types import ModuleType

from atl_sklearn._version import __version__
from atl_sklearn.estimators import (
    AntiTransferClassifier,
    AntiTransferRegressor,
    NonFiniteLossError,
)
from atl_sklearn.similarity import AntiTransferLoss, activation_similarity
from atl_sklearn.unrelated import list_layers

__all__ = [
    "AntiTransferClassifier",
    "AntiTransferLoss",
    "AntiTransferRegressor",
    "NonFiniteLossError",
    "__version__",
    "activation_similarity",
    "list_layers",
]

_LAZY = ("audio", "datasets", "inspection", "modules", "tuning")


def __getattr__(name: str) -> ModuleType:
    # `import atl_sklearn` alone gives atl_sklearn.audio too, but loads it on first use
    if name in _LAZY:
        return importlib.import_module(f"atl_sklearn.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})

"""Anti-transfer learning for scikit-learn.

Train a network, and keep it from leaning on a nuisance: on what another network, fitted on an
unrelated task, knows.
"""

import importlib
from typing import TYPE_CHECKING

from atl_sklearn._version import __version__

if TYPE_CHECKING:
    from atl_sklearn.estimators import (
        AntiTransferClassifier,
        AntiTransferRegressor,
        NonFiniteLossError,
    )
    from atl_sklearn.persistence import export_onnx, load, save
    from atl_sklearn.similarity import AntiTransferLoss, activation_similarity
    from atl_sklearn.unrelated import list_layers

__all__ = [
    "AntiTransferClassifier",
    "AntiTransferLoss",
    "AntiTransferRegressor",
    "NonFiniteLossError",
    "__version__",
    "activation_similarity",
    "export_onnx",
    "list_layers",
    "load",
    "save",
]

# All are loaded on first use: the audio alone, in the processes of a pool for example, needs no
# torch, which takes 180 MB and a second.
_PACKAGES = (
    "audio",
    "datasets",
    "estimators",
    "inspection",
    "modules",
    "persistence",
    "similarity",
    "tuning",
    "unrelated",
)
_PACKAGE_OF = {
    "AntiTransferClassifier": "estimators",
    "AntiTransferLoss": "similarity",
    "AntiTransferRegressor": "estimators",
    "NonFiniteLossError": "estimators",
    "activation_similarity": "similarity",
    "export_onnx": "persistence",
    "list_layers": "unrelated",
    "load": "persistence",
    "save": "persistence",
}


def __getattr__(name: str) -> object:
    if name in _PACKAGES:
        return importlib.import_module(f"atl_sklearn.{name}")
    if name in _PACKAGE_OF:
        return getattr(importlib.import_module(f"atl_sklearn.{_PACKAGE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PACKAGES, *_PACKAGE_OF})

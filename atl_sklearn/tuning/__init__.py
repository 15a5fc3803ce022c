"""Tuning: search spaces, studies with Optuna, and comparisons on the same folds."""

from atl_sklearn.tuning._compare import Comparison, compare
from atl_sklearn.tuning._intervals import PairedInterval
from atl_sklearn.tuning._pruning import TrialPruning
from atl_sklearn.tuning._results import ParetoPoint
from atl_sklearn.tuning._search import AntiTransferSearchCV
from atl_sklearn.tuning._sharing import SharedNetwork, share_network
from atl_sklearn.tuning._spaces import (
    anti_transfer_distributions,
    anti_transfer_grid,
    suggest_anti_transfer,
)

__all__ = [
    "AntiTransferSearchCV",
    "Comparison",
    "PairedInterval",
    "ParetoPoint",
    "SharedNetwork",
    "TrialPruning",
    "anti_transfer_distributions",
    "anti_transfer_grid",
    "compare",
    "share_network",
    "suggest_anti_transfer",
]

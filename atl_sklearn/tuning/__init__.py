"""Tuning: search spaces, studies with Optuna, and comparisons on the same folds."""

from atl_sklearn.tuning._spaces import (
    anti_transfer_distributions,
    anti_transfer_grid,
    suggest_anti_transfer,
)

__all__ = ["anti_transfer_distributions", "anti_transfer_grid", "suggest_anti_transfer"]

"""Estimators: anti-transfer training in scikit-learn's and skorch's contracts."""

from atl_sklearn.estimators._checkpoints import end_for_good
from atl_sklearn.estimators._classifier import AntiTransferClassifier
from atl_sklearn.estimators._confounding import confounding
from atl_sklearn.estimators._estimator import AntiTransferEstimator
from atl_sklearn.estimators._finiteness import NonFiniteLossError
from atl_sklearn.estimators._input_checks import check_X, is_mapping
from atl_sklearn.estimators._regressor import AntiTransferRegressor
from atl_sklearn.estimators._rule import automatic_strength, automatic_weight, explain
from atl_sklearn.estimators._seeds_of_parts import set_seeds
from atl_sklearn.estimators._summary import ComparisonSummary, FitSummary
from atl_sklearn.estimators._unlabeled import check_pipeline

__all__ = [
    "AntiTransferClassifier",
    "AntiTransferRegressor",
    "ComparisonSummary",
    "FitSummary",
    "NonFiniteLossError",
]

# What the other packages here take besides; nothing of it is promised to users.
_FOR_PACKAGES = (
    AntiTransferEstimator,
    automatic_strength,
    automatic_weight,
    check_X,
    check_pipeline,
    confounding,
    end_for_good,
    explain,
    is_mapping,
    set_seeds,
)

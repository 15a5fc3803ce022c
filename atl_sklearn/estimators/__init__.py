"""Estimators: anti-transfer training in scikit-learn's and skorch's contracts."""

from atl_sklearn.estimators._classifier import AntiTransferClassifier
from atl_sklearn.estimators._finiteness import NonFiniteLossError
from atl_sklearn.estimators._regressor import AntiTransferRegressor
from atl_sklearn.estimators._summary import ComparisonSummary, FitSummary

__all__ = [
    "AntiTransferClassifier",
    "AntiTransferRegressor",
    "ComparisonSummary",
    "FitSummary",
    "NonFiniteLossError",
]

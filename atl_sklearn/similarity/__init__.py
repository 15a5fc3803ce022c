"""The similarity of activations: aggregations, metrics, the loss and its schedules."""

from atl_sklearn.similarity._activation_similarity import activation_similarity
from atl_sklearn.similarity._aggregations import get_aggregation, get_aggregation_names
from atl_sklearn.similarity._loss import AntiTransferLoss, AntiTransferPenalty
from atl_sklearn.similarity._metrics import get_metric, get_metric_names, is_batch_metric
from atl_sklearn.similarity._schedules import get_weight_schedule, get_weight_schedule_names

__all__ = [
    "AntiTransferLoss",
    "AntiTransferPenalty",
    "activation_similarity",
    "get_aggregation",
    "get_aggregation_names",
    "get_metric",
    "get_metric_names",
    "get_weight_schedule",
    "get_weight_schedule_names",
    "is_batch_metric",
]

"""The similarity of activations: aggregations, metrics, the loss and its schedules."""

from atl_sklearn.similarity._activation_similarity import activation_similarity
from atl_sklearn.similarity._aggregations import (
    AggregationLike,
    get_aggregation,
    get_aggregation_names,
    spatial_mean,
)
from atl_sklearn.similarity._loss import AntiTransferLoss, AntiTransferPenalty
from atl_sklearn.similarity._metrics import Metric, get_metric, get_metric_names, is_batch_metric
from atl_sklearn.similarity._precomputed import Precomputed, n_precomputed, prepare, restore
from atl_sklearn.similarity._registry import look_up
from atl_sklearn.similarity._schedules import (
    check_factor,
    get_weight_schedule,
    get_weight_schedule_names,
)
from atl_sklearn.similarity._similarity_target import (
    Target,
    can_have_target,
    check_target,
    has_target,
)

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

# What the other packages here take besides; nothing of it is promised to users.
_FOR_PACKAGES = (
    AggregationLike,
    Metric,
    Precomputed,
    Target,
    can_have_target,
    check_factor,
    check_target,
    has_target,
    look_up,
    n_precomputed,
    prepare,
    restore,
    spatial_mean,
)

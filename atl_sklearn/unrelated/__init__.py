"""Unrelated networks: what users pass, frozen, and the layers in it."""

from atl_sklearn.unrelated._activation_cache import CACHES, ActivationCache
from atl_sklearn.unrelated._activation_files import key_of
from atl_sklearn.unrelated._choosing import (
    LayerChoice,
    as_choices,
    choose_layers,
    is_posterior,
)
from atl_sklearn.unrelated._copies import copy_network
from atl_sklearn.unrelated._explained import explained_scores, unexplained_share
from atl_sklearn.unrelated._fitting import fit_sources
from atl_sklearn.unrelated._forms import why_not_trainable
from atl_sklearn.unrelated._freezing import as_tensors, freeze, freeze_network
from atl_sklearn.unrelated._frozen import FrozenNetwork
from atl_sklearn.unrelated._groups import GroupedNetwork, find_groups
from atl_sklearn.unrelated._hooks import ActivationHooks, forget_hooks
from atl_sklearn.unrelated._indices import has_embedding
from atl_sklearn.unrelated._layers import Layer, LayerList
from atl_sklearn.unrelated._left_behind import LeftBehind
from atl_sklearn.unrelated._listing import list_layers
from atl_sklearn.unrelated._made_elsewhere import as_module
from atl_sklearn.unrelated._make_sides import SideMaker
from atl_sklearn.unrelated._memory import Kept, folder_in, get_memory
from atl_sklearn.unrelated._onnx import OnnxNetwork
from atl_sklearn.unrelated._portable import portable_state
from atl_sklearn.unrelated._sides import Side
from atl_sklearn.unrelated._sources import (
    as_sources,
    check_source,
    clone_unrelated,
    get_network,
    has_network,
    is_fitted,
    is_word,
    needs_labels,
    source_name,
)
from atl_sklearn.unrelated._sparse import dense_rows, sliceable
from atl_sklearn.unrelated._target_statistics import centred, class_shares, cross_entropy
from atl_sklearn.unrelated._task import N_FITTED
from atl_sklearn.unrelated._tasks import UnrelatedInputs, plan_tasks
from atl_sklearn.unrelated._tracing import Trial, trace_layers

__all__ = [
    "FrozenNetwork",
    "GroupedNetwork",
    "Layer",
    "LayerList",
    "OnnxNetwork",
    "explained_scores",
    "find_groups",
    "get_network",
    "list_layers",
    "unexplained_share",
]

# What the other packages here take besides; nothing of it is promised to users.
_FOR_PACKAGES = (
    CACHES,
    N_FITTED,
    ActivationHooks,
    ActivationCache,
    Kept,
    LayerChoice,
    LeftBehind,
    Side,
    SideMaker,
    Trial,
    UnrelatedInputs,
    as_choices,
    as_module,
    as_sources,
    as_tensors,
    centred,
    check_source,
    choose_layers,
    class_shares,
    clone_unrelated,
    copy_network,
    cross_entropy,
    dense_rows,
    fit_sources,
    folder_in,
    forget_hooks,
    freeze,
    freeze_network,
    get_memory,
    has_embedding,
    has_network,
    is_fitted,
    is_posterior,
    is_word,
    key_of,
    needs_labels,
    plan_tasks,
    portable_state,
    sliceable,
    source_name,
    trace_layers,
    why_not_trainable,
)

"""Unrelated networks: what users pass, frozen, and the layers in it."""

from atl_sklearn.unrelated._explained import explained_scores
from atl_sklearn.unrelated._fitting import fit_sources
from atl_sklearn.unrelated._frozen import FrozenNetwork, as_tensors, freeze
from atl_sklearn.unrelated._hooks import ActivationHooks, forget_hooks
from atl_sklearn.unrelated._kept_files import key_of
from atl_sklearn.unrelated._layers import (
    Layer,
    LayerChoice,
    LayerList,
    Trial,
    as_choices,
    choose_layers,
    is_posterior,
    trace_layers,
)
from atl_sklearn.unrelated._left_behind import LeftBehind
from atl_sklearn.unrelated._listing import list_layers
from atl_sklearn.unrelated._memory import get_memory
from atl_sklearn.unrelated._sources import (
    as_sources,
    check_source,
    clone_unrelated,
    get_network,
    get_nonlinearity,
    is_fitted,
    label_columns,
)
from atl_sklearn.unrelated._sparse import dense_rows, sliceable
from atl_sklearn.unrelated._store import CACHES, ActivationStore

__all__ = ["FrozenNetwork", "Layer", "LayerList", "explained_scores", "get_network", "list_layers"]

# What the other packages here take besides; nothing of it is promised to users.
_FOR_PACKAGES = (
    CACHES,
    ActivationHooks,
    ActivationStore,
    LayerChoice,
    LeftBehind,
    Trial,
    as_choices,
    as_sources,
    as_tensors,
    check_source,
    choose_layers,
    clone_unrelated,
    dense_rows,
    fit_sources,
    forget_hooks,
    freeze,
    get_memory,
    get_nonlinearity,
    is_fitted,
    is_posterior,
    key_of,
    label_columns,
    sliceable,
    trace_layers,
)

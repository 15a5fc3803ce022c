"""Unrelated networks: what users pass, frozen, and the layers in it."""

from atl_sklearn.unrelated._frozen import FrozenNetwork
from atl_sklearn.unrelated._layers import Layer, LayerList
from atl_sklearn.unrelated._listing import list_layers
from atl_sklearn.unrelated._sources import get_network

__all__ = ["FrozenNetwork", "Layer", "LayerList", "get_network", "list_layers"]

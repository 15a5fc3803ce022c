"""Networks to train: ready modules with one constructor, ``Module(input_shape, n_outputs)``."""

from atl_sklearn.modules._convnet import ConvNet
from atl_sklearn.modules._mlp import MLP
from atl_sklearn.modules._registry import get_module, get_module_names
from atl_sklearn.modules._scaling import Moments, Rescale, Standardize
from atl_sklearn.modules._vgg import VGG

__all__ = [
    "MLP",
    "VGG",
    "ConvNet",
    "Rescale",
    "Standardize",
    "get_module",
    "get_module_names",
]

# What the other packages here take besides; nothing of it is promised to users.
_FOR_PACKAGES = (Moments,)

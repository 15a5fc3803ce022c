"""Running a network on a few samples, without a trace."""

from __future__ import annotations

from typing import Any

import torch

from atl_sklearn._generator import forked_generator
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._samples import copied
from atl_sklearn.estimators._wrapped import unwrapped


def try_out(net: Net, X: object, *, training: bool = False) -> Any:
    """Return what the network makes of a few samples, which leaves no trace in it.

    In training mode the caller takes care of its buffers.
    """
    net._set_training(training)
    module = net.module_
    # A compiled network would never run hooks that come after its first call.
    net.__dict__["module_"] = unwrapped(module)
    try:
        with torch.no_grad(), forked_generator():
            return net.infer(copied(X))
    finally:
        net.__dict__["module_"] = module
        if training:
            net._set_training(False)

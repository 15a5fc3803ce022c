"""The weights of the unrelated network as a start."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch


def initialised_from(unrelated: Any, module: torch.nn.Module) -> torch.nn.Module:
    """Return `module` with the weights of an unrelated network, but for the output layer."""
    module = deepcopy(module)
    weights = {
        name: value
        for name, value in unrelated.module_.state_dict().items()
        if not name.startswith("head.")
    }
    missing = module.load_state_dict(weights, strict=False).missing_keys
    assert all(name.startswith("head.") for name in missing)
    return module

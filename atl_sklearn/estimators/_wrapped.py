"""Networks inside others: those that are compiled, or distributed over processes."""

from __future__ import annotations

import torch


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module inside a compiled or a distributed one, or the module itself."""
    while True:
        if isinstance(module, torch.nn.parallel.DistributedDataParallel):
            module = module.module
        elif hasattr(module, "_orig_mod"):
            module = module._orig_mod  # type: ignore[assignment]
        else:
            return module

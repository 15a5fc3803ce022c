"""Networks inside others: those that are compiled, or distributed over processes."""

from __future__ import annotations

from contextlib import AbstractContextManager

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


def hooks_guarded() -> AbstractContextManager[object]:
    """Return a context in which compiled code is not reused for networks with other hooks.

    torch shares compiled code between networks of one class, and does not look for hooks by
    default: after a plain network, hooks that read activations would never run.
    """
    import torch._dynamo.config as config  # slow, and private: there is no public name

    return config.patch(skip_nnmodule_hook_guards=False)

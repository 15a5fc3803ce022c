"""Callbacks: of the right kind, and with what they watch."""

from __future__ import annotations

from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from atl_sklearn._validation import refuse
from atl_sklearn.estimators._net import Net

# What skorch and this package record of validation data, where there are any.
_OF_VALIDATION = frozenset({"valid_acc", "valid_loss", "valid_penalty"})


def check_callbacks(net: Net) -> None:
    """Check that ``callbacks`` are callbacks."""
    callbacks = net.callbacks
    if callbacks is None or (isinstance(callbacks, str) and callbacks == "disable"):
        return
    found = []
    if isinstance(callbacks, list):
        found = [c[1] if isinstance(c, tuple | list) and len(c) == 2 else c for c in callbacks]
    is_callback = [
        isinstance(c, Callback) or (isinstance(c, type) and issubclass(c, Callback)) for c in found
    ]
    if not isinstance(callbacks, list) or not all(is_callback):
        raise refuse(
            net, "callbacks", "None, 'disable' or a list of skorch callbacks or (name, callback)"
        )


def _watches(callback: object) -> object:
    """Return the column of the history that a callback reads, if it says so."""
    if isinstance(callback, LRScheduler):
        policy = getattr(callback, "policy_", callback.policy)
        if policy is not ReduceLROnPlateau:
            return None  # its monitor is not read
    return getattr(callback, "monitor", None)


def check_watched(net: Net) -> None:
    """Check that what callbacks watch will be recorded where there are no validation data.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised, without validation data.

    Raises
    ------
    ValueError
        If a callback watches what is computed of validation data.
    """
    missing: set[object] = set(_OF_VALIDATION)
    for _, callback in net.callbacks_:
        if getattr(callback, "on_train", None) is False:
            missing.add(getattr(callback, "name_", None) or getattr(callback, "name", None))
    for _, callback in net.callbacks_:
        watched = _watches(callback)
        if isinstance(watched, str) and watched.removesuffix("_best") in missing:
            name = type(callback).__name__
            raise ValueError(
                f"The callback {name} watches {watched!r}, which needs validation data, and there "
                "are none. Hold some of X out: train_split=ValidSplit(5) (of skorch.dataset) or "
                f"train_split=0.1; or watch what training records: {name}(monitor="
                f"'train_loss{'_best' if watched.endswith('_best') else ''}')."
            )

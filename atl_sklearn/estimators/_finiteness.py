"""Losses, weights and predictions that are not finite: training ends, and nothing is predicted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse

from atl_sklearn.estimators._net import Net

_N_SHOWN = 5  # rows in an error


class NonFiniteLossError(ValueError):
    """A loss, or the network's weights, became NaN or infinite during training.

    The message names the epoch and the part that failed, and says what to change. The estimator's
    ``module_`` has the last finite weights.

    Examples
    --------
    >>> from atl_sklearn import NonFiniteLossError
    >>> issubclass(NonFiniteLossError, ValueError)
    True
    """


def _is_finite(tensor: torch.Tensor) -> bool:
    # A finite sum has finite parts only; an infinite one may too, because large numbers overflow.
    return math.isfinite(float(tensor.sum())) or bool(torch.isfinite(tensor).all())


def _all_finite(state: dict[str, torch.Tensor]) -> bool:
    return all(
        _is_finite(tensor)
        for tensor in state.values()
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
    )


class FiniteWeights:
    """Remembers a network's weights while they are finite.

    Parameters
    ----------
    network : torch.nn.Module
        The network in training.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        self._network = network
        self._saved: dict[str, torch.Tensor] = {}
        self.keep()

    def keep(self) -> bool:
        """Save the weights if they are finite; tell whether they were."""
        state = self._network.state_dict()
        finite = _all_finite(state)
        if finite:
            self._saved = {
                name: value.detach().clone() if isinstance(value, torch.Tensor) else value
                for name, value in state.items()
            }
        return finite

    def go_back(self) -> None:
        """Go back to the weights of the end of the last epoch, or of the beginning."""
        if self._saved:
            self._network.load_state_dict(self._saved)


def _remedy(part: str, weighted: bool) -> str:
    if "penalty" in part:
        return (
            "Use a smaller weight, a weight_schedule that starts small, or another metric or "
            "aggregation ('cross_correlation' or 'cka' of 'spatial_mean' are bounded)."
        )
    remedy = "Lower lr or max_grad_norm, or scale X and y."
    return remedy + (" A smaller weight of the penalty may help too." if weighted else "")


def non_finite_error(
    part: str, epoch: int, weights: FiniteWeights, *, weighted: bool
) -> NonFiniteLossError:
    """Make the error for a part that is not finite, after going back to finite weights.

    Parameters
    ----------
    part : str
        What is not finite.
    epoch : int
        The running epoch, counted from 1.
    weights : FiniteWeights
        The guard of the network in training.
    weighted : bool
        Whether a penalty takes part.

    Returns
    -------
    error : NonFiniteLossError
        To be raised.
    """
    # Finite weights that give a loss which is not are of no use either.
    weights.go_back()
    return NonFiniteLossError(
        f"The {part} is not finite in epoch {epoch}. module_ keeps the weights of the end of the "
        f"last finite epoch. {_remedy(part, weighted)}"
    )


def check_predictions(net: Net, values: np.ndarray, X: Any) -> None:
    """Refuse predictions that are not finite; during training the losses are watched instead.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    values : ndarray of shape (n_samples, ...)
        What it predicts.
    X : array, mapping or Dataset
        What it predicts them of, checked.

    Raises
    ------
    ValueError
        If a prediction is NaN or infinite. The message names the first rows and what to do.
    """
    if net._run is not None or np.isfinite(values).all():
        return
    rows = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    shown = ", ".join(map(str, rows[:_N_SHOWN].tolist()))
    more = "the first at rows" if len(rows) > _N_SHOWN else "at rows" if len(rows) > 1 else "at row"
    if not _all_finite(net.module_.state_dict()):
        why = "The network's weights are not finite. Fit it again, or load others."
    else:
        wider = "float32" if net.precision in ("float16", "bfloat16") else "float64"
        sizes = ""
        if isinstance(X, np.ndarray) or issparse(X):
            sizes = f"Values of X there are as large as {abs(X[rows]).max():.3g}. "
        why = (
            f"{sizes}Scale X as the data of fit were, or use precision={wider!r} (now "
            f"{net.precision!r})."
        )
    raise ValueError(
        f"The network returns NaN or infinite values for {len(rows)} of {len(values)} samples, "
        f"{more} {shown}. {why}"
    )

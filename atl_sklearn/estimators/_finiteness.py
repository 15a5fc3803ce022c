"""Stopping when a loss or the weights are no longer finite, with the last finite weights kept."""

from __future__ import annotations

import torch


class NonFiniteLossError(ValueError):
    """A loss, or the network's weights, became NaN or infinite during training.

    The message names the epoch, the part that failed and what to change. The estimator's
    ``module_`` has the last finite weights.

    Examples
    --------
    >>> from atl_sklearn import NonFiniteLossError
    >>> issubclass(NonFiniteLossError, ValueError)
    True
    """


def _all_finite(state: dict[str, torch.Tensor]) -> bool:
    return all(
        bool(torch.isfinite(tensor).all())
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

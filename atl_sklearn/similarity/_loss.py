"""The penalty as a module, for training loops of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import torch

from atl_sklearn.similarity._activation_similarity import activation_similarity
from atl_sklearn.similarity._aggregations import get_aggregation
from atl_sklearn.similarity._metrics import get_metric

Activations = torch.Tensor | Sequence[torch.Tensor]


class AntiTransferPenalty(NamedTuple):
    """What :class:`AntiTransferLoss` returns.

    Attributes
    ----------
    total : Tensor of shape ()
        The weighted sum, to be added to the loss of the task.
    parts : Tensor of shape (n_networks, n_layers)
        The similarities without their weights.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.similarity import AntiTransferPenalty
    >>> AntiTransferPenalty(torch.tensor(0.5), torch.tensor([[0.5]])).total
    tensor(0.5000)
    """

    total: torch.Tensor
    parts: torch.Tensor


def _weights(value: Any, name: str) -> float | tuple[float, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    for entry in values:
        is_number = isinstance(entry, Real) and not isinstance(entry, bool)
        if not is_number or not 0 <= float(entry) < math.inf:
            raise ValueError(
                f"The {name!r} parameter of AntiTransferLoss must be a float in [0, inf), or a "
                f"list of them. Got {value!r} instead."
            )
    if isinstance(value, list | tuple):
        return tuple(float(entry) for entry in values)
    return float(value)


def _spread(weight: float | tuple[float, ...], count: int, name: str, of: str) -> list[float]:
    if isinstance(weight, float):
        return [weight] * count
    if len(weight) != count:
        raise ValueError(
            f"The {name!r} parameter of AntiTransferLoss must have one float for each of the "
            f"{count} {of}. Got {list(weight)} instead."
        )
    return list(weight)


class AntiTransferLoss(torch.nn.Module):
    """Penalty on the similarity of a network's activations to those of unrelated networks.

    Parameters
    ----------
    metric : str or callable, default="cka"
        How aggregated activations are compared; see :func:`activation_similarity`.
    aggregation : str or callable, default="spatial_mean"
        What of the activations is compared; see :func:`activation_similarity`.
    weight : float or list of float, default=1.0
        Weight of the penalty in [0, inf), or one for each unrelated network.
    layer_weight : float, list of float or None, default=None
        Factor of `weight`, or one for each layer; None for 1.

    Raises
    ------
    ValueError
        If a name is unknown or a weight is negative or not finite.

    See Also
    --------
    activation_similarity : The similarity of one layer.
    atl_sklearn.AntiTransferClassifier : An estimator that is trained with it.

    References
    ----------
    .. [1] E. Guizzo, T. Weyde, G. Tarroni, "Anti-transfer learning for task invariance in
       convolutional neural networks for speech processing", Neural Networks 142, 2021.
       https://arxiv.org/abs/2006.06494

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn import AntiTransferLoss
    >>> loss = AntiTransferLoss(weight=0.5)
    >>> current = torch.tensor([[0.0], [1.0], [2.0]], requires_grad=True)
    >>> penalty = loss(current, torch.tensor([[0.0], [1.0], [1.0]]))
    >>> penalty.parts.detach()
    tensor([[0.7500]])
    >>> (current.sum() + penalty.total).backward()
    """

    def __init__(
        self,
        *,
        metric: Any = "cka",
        aggregation: Any = "spatial_mean",
        weight: float | Sequence[float] = 1.0,
        layer_weight: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        get_metric(metric)
        get_aggregation(aggregation)
        self.metric = metric
        self.aggregation = aggregation
        self.weight = _weights(weight, "weight")
        self.layer_weight = _weights(1.0 if layer_weight is None else layer_weight, "layer_weight")

    def extra_repr(self) -> str:
        """Return the parameters for the module's representation."""
        return (
            f"metric={self.metric!r}, aggregation={self.aggregation!r}, weight={self.weight}, "
            f"layer_weight={self.layer_weight}"
        )

    def forward(
        self,
        current: Activations,
        *unrelated: Activations,
        sample_weight: Any = None,
        generator: torch.Generator | None = None,
    ) -> AntiTransferPenalty:
        """Compute the penalty of a batch.

        Parameters
        ----------
        current : Tensor of shape (n_samples, n_channels, *spatial), or a list, one for each layer
            Activations of the network in training.
        *unrelated : the same, for each unrelated network
            Activations of the unrelated networks for the same samples.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples.
        generator : torch.Generator or None, default=None
            For random aggregations.

        Returns
        -------
        penalty : AntiTransferPenalty
            The weighted total and the similarities it is made of.

        Raises
        ------
        TypeError, ValueError
            If layers, networks or weights do not correspond, or activations cannot be
            compared.
        """
        layers = [current] if isinstance(current, torch.Tensor) else list(current)
        networks = [[x] if isinstance(x, torch.Tensor) else list(x) for x in unrelated]
        if not networks or not layers:
            raise ValueError(
                "AntiTransferLoss needs activations of at least one unrelated network."
            )
        for position, network in enumerate(networks):
            if len(network) != len(layers):
                raise ValueError(
                    f"Unrelated network {position} has activations of {len(network)} layers, but "
                    f"the current network has {len(layers)}."
                )
        weights = _spread(self.weight, len(networks), "weight", "unrelated networks")
        layer_weights = _spread(self.layer_weight, len(layers), "layer_weight", "layers")
        parts = [
            activation_similarity(
                ours,
                theirs,
                metric=self.metric,
                aggregation=self.aggregation,
                sample_weight=sample_weight,
                generator=generator,
            )
            for network in networks
            for ours, theirs in zip(layers, network, strict=True)
        ]
        factors = [weight * factor for weight in weights for factor in layer_weights]
        # Without those of weight 0, which may be infinite.
        terms = [factor * part for factor, part in zip(factors, parts, strict=True) if factor]
        total = torch.stack(terms).sum() if terms else torch.zeros_like(parts[0])
        return AntiTransferPenalty(total, torch.stack(parts).reshape(len(networks), len(layers)))

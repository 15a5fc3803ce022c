"""The penalty as a module, for training loops of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from numpy.typing import ArrayLike

from atl_sklearn._validation import is_real, shown
from atl_sklearn.similarity._activation_similarity import activation_similarity
from atl_sklearn.similarity._adversary import Adversary
from atl_sklearn.similarity._aggregations import AggregationLike, get_aggregation
from atl_sklearn.similarity._metrics import ADVERSARIAL, Metric, get_metric
from atl_sklearn.similarity._precomputed import Precomputed
from atl_sklearn.similarity._similarity_target import (
    Target,
    WeightControls,
    check_target,
    has_target,
    power_of,
)

Activations = torch.Tensor | Sequence[torch.Tensor]
_T = TypeVar("_T")


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


def _weights(
    value: float | list[float] | tuple[float, ...], name: str
) -> float | tuple[float, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    for entry in values:
        if not is_real(entry) or not 0 <= entry < math.inf:
            raise ValueError(
                f"The {name!r} parameter of AntiTransferLoss must be a float in [0, inf), or a "
                f"list of them. Got {shown(value)} instead."
            )
    if isinstance(value, list | tuple):
        return tuple(float(entry) for entry in values)
    return float(value)


def _entries(option: _T | list[_T] | tuple[_T, ...]) -> list[_T]:
    return list(option) if isinstance(option, list | tuple) else [option]


def _spread(
    option: _T | list[_T] | tuple[_T, ...], count: int, name: str, of: str = "layers"
) -> list[_T]:
    """Return one entry for each layer or network."""
    if not isinstance(option, list | tuple):
        return [option] * count
    if len(option) != count:
        raise ValueError(
            f"The {name!r} parameter of AntiTransferLoss must have one entry for each of the "
            f"{count} {of}. Got {list(option)} instead."
        )
    return list(option)


def _as_lists(
    current: Activations, unrelated: Sequence[Activations]
) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
    """Return the activations of each layer, and for each network those of its layers."""
    layers = [current] if isinstance(current, torch.Tensor) else list(current)
    networks = [[x] if isinstance(x, torch.Tensor) else list(x) for x in unrelated]
    if not networks or not layers:
        raise ValueError("AntiTransferLoss needs activations of at least one unrelated network.")
    for position, network in enumerate(networks):
        if len(network) != len(layers):
            raise ValueError(
                f"Unrelated network {position} has activations of {len(network)} layers, but "
                f"the current network has {len(layers)}."
            )
    return layers, networks


class AntiTransferLoss(torch.nn.Module):
    """Penalty on the similarity of a network's activations to those of unrelated networks.

    Parameters
    ----------
    metric : str, callable or list of these, default="cross_correlation"
        How aggregated activations are compared, or one for each layer; see
        :func:`activation_similarity`. ``"adversarial"`` trains a small network to predict the
        unrelated activations, and penalises the share of their variance that it explains.
        :meth:`initialize` makes this network. Give its parameters to your optimizer, which then
        minimises the total for both.
    aggregation : str, callable or list of these, default="spatial_mean"
        Which summary of the activations is compared, or one for each layer; see
        :func:`activation_similarity`.
    weight : float or list of float, default=1.0
        Weight of the penalty in [0, inf), or one for each unrelated network.
    layer_weight : float, list of float or None, default=None
        Factor of `weight`, or one for each layer; None for 1.
    target_similarity : float, list of float or None, default=None
        How much similarity may remain, in [0, 1), or one for each unrelated network. None keeps the
        weight. Otherwise `weight` is where training starts; it is multiplied by a factor, from
        0.001 to 10, that rises while any layer's similarity is above the target and falls while all
        are below. Similarity that chance alone makes in a batch does not count: it is measured by
        giving the unrelated activations to other samples. The factor changes with every call in
        training mode. The state dict holds it, and :meth:`used_weights` returns the product.

    Raises
    ------
    ValueError
        If a name is unknown, a weight is negative or not finite, or a target is not in [0, 1).

    See Also
    --------
    activation_similarity : The similarity of one layer.
    atl_sklearn.AntiTransferClassifier : An estimator that trains with it.

    References
    ----------
    .. [1] E. Guizzo, T. Weyde, G. Tarroni, "Anti-transfer learning for task invariance in
       convolutional neural networks for speech processing", Neural Networks 142, 2021.
       https://arxiv.org/abs/2006.06494

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn import AntiTransferLoss
    >>> loss = AntiTransferLoss(metric="cka", weight=0.5)
    >>> current = torch.tensor([[0.0], [1.0], [2.0]], requires_grad=True)
    >>> penalty = loss(current, torch.tensor([[0.0], [1.0], [1.0]]))
    >>> penalty.parts.detach()
    tensor([[0.7500]])
    >>> (current.sum() + penalty.total).backward()
    """

    def __init__(
        self,
        *,
        metric: Metric | list[Metric] | tuple[Metric, ...] = "cross_correlation",
        aggregation: AggregationLike
        | list[AggregationLike]
        | tuple[AggregationLike, ...] = "spatial_mean",
        weight: float | list[float] | tuple[float, ...] = 1.0,
        layer_weight: float | list[float] | tuple[float, ...] | None = None,
        target_similarity: Target | list[Target] | tuple[Target, ...] = None,
    ) -> None:
        super().__init__()
        metrics: list[Metric] = _entries(metric)
        aggregations: list[AggregationLike] = _entries(aggregation)
        for how in metrics:
            get_metric(how)
        for what in aggregations:
            get_aggregation(what)
        self.metric = metric
        self.aggregation = aggregation
        self.weight = _weights(weight, "weight")
        self.layer_weight = _weights(1.0 if layer_weight is None else layer_weight, "layer_weight")
        check_target(target_similarity, metrics, type(self).__name__)
        self.target_similarity = target_similarity
        self.factors = WeightControls() if has_target(target_similarity) else None
        # One for each network and layer, network by network, where the metric is adversarial.
        self.adversaries = torch.nn.ModuleDict()

    def extra_repr(self) -> str:
        """Return the parameters for the module's representation."""
        return (
            f"metric={self.metric!r}, aggregation={self.aggregation!r}, weight={self.weight}, "
            f"layer_weight={self.layer_weight}"
            + f", target_similarity={self.target_similarity}"
            * (self.factors is not None)
        )

    def used_weights(self, n_networks: int = 1) -> list[float]:
        """Return the current weight of each unrelated network, which a target may have changed.

        Parameters
        ----------
        n_networks : int, default=1
            How many unrelated networks there are.

        Returns
        -------
        weights : list of float
            What the next call multiplies the similarities by, apart from `layer_weight`.

        Examples
        --------
        >>> from atl_sklearn import AntiTransferLoss
        >>> AntiTransferLoss(weight=0.5).used_weights(2)
        [0.5, 0.5]
        """
        weights = _spread(self.weight, n_networks, "weight", "unrelated networks")
        if self.factors is None or not self.factors.controls:
            return weights
        controls = self.factors.controls
        return [weight * one.factor for weight, one in zip(weights, controls, strict=True)]

    def left_similarities(self) -> list[list[float | None]]:
        """Return the running similarities, which are compared with the targets.

        Returns
        -------
        similarities : list of list of float or None
            For each unrelated network, the similarity of each layer without what chance alone would
            make; None without a target. Empty before the first call in training mode.

        Examples
        --------
        >>> from atl_sklearn import AntiTransferLoss
        >>> AntiTransferLoss(target_similarity=0.1).left_similarities()
        []
        """
        return [] if self.factors is None else [one.left() for one in self.factors.controls]

    def unmet_targets(self) -> list[str]:
        """Say which targets are not met although the weight has reached its limit.

        Returns
        -------
        messages : list of str
            One for each such network.

        Examples
        --------
        >>> from atl_sklearn import AntiTransferLoss
        >>> AntiTransferLoss(target_similarity=0.1).unmet_targets()
        []
        """
        controls = [] if self.factors is None else self.factors.controls
        weights = self.used_weights(len(controls)) if controls else []
        return [
            f"The similarity to unrelated network {position} is {control.highest:.3f}, above "
            f"target_similarity={control.target}, although its weight rose to its limit, "
            f"{weight:.3g}. Train for more epochs, use a larger weight to start from, larger "
            "batches, or a target that leaves more."
            for position, (control, weight) in enumerate(zip(controls, weights, strict=True))
            if control.is_unmet
        ]

    def comparisons(self, n_layers: int) -> list[tuple[Metric, AggregationLike]]:
        """Return metric and aggregation for each layer.

        Parameters
        ----------
        n_layers : int
            How many layers there are.

        Returns
        -------
        comparisons : list of (metric, aggregation)
            One for each.

        Raises
        ------
        ValueError
            If a list is for another number of layers.
        """
        columns = [
            _spread(option, n_layers, name)
            for name, option in (("metric", self.metric), ("aggregation", self.aggregation))
        ]
        return list(zip(*columns, strict=True))

    def initialize(self, current: Activations, *unrelated: Activations) -> AntiTransferLoss:
        """Make the networks of adversarial metrics, for activations of these shapes.

        Other metrics do not need this call. With targets, call it before you load a state dict:
        :meth:`used_weights` then knows the loaded weights at once.

        Parameters
        ----------
        current : Tensor of shape (n_samples, n_channels, ...), or a list, one for each layer
            Activations of the network in training for a few samples.
        *unrelated : the same, for each unrelated network
            Activations of the unrelated networks for the same samples.

        Returns
        -------
        self : AntiTransferLoss
            Give its ``parameters()`` to your optimizer.

        Raises
        ------
        ValueError
            If layers and metrics do not correspond.

        Examples
        --------
        >>> import torch
        >>> from atl_sklearn import AntiTransferLoss
        >>> loss = AntiTransferLoss(metric="adversarial")
        >>> len(list(loss.initialize(torch.ones(2, 8), torch.ones(2, 5)).parameters()))
        4
        """
        layers, networks = _as_lists(current, unrelated)
        self._prepare_factors(len(networks), len(layers))
        for position, network in enumerate(networks):
            for index, (metric, aggregation) in enumerate(self.comparisons(len(layers))):
                if isinstance(metric, str) and metric == ADVERSARIAL:
                    self.adversaries[f"{position}_{index}"] = Adversary.for_activations(
                        layers[index], network[index], aggregation
                    )
        return self

    def similarity(
        self,
        position: int,
        index: int,
        current: Sequence[torch.Tensor],
        unrelated: Sequence[torch.Tensor | Precomputed],
        **kwargs: Any,
    ) -> torch.Tensor:
        """Compute one of the parts.

        Parameters
        ----------
        position : int
            Of the unrelated network.
        index : int
            Of the layer.
        current, unrelated : list of Tensor
            Activations of all layers of the two networks.
        **kwargs : dict
            Arguments of :func:`activation_similarity`.

        Returns
        -------
        similarity : Tensor of shape ()
            Without its weight.

        Raises
        ------
        RuntimeError
            If an adversarial metric was not initialised.
        """
        metric, aggregation = self.comparisons(len(current))[index]
        ours, theirs = current[index], unrelated[index]
        if not (isinstance(metric, str) and metric == ADVERSARIAL):
            return activation_similarity(
                ours, theirs, metric=metric, aggregation=aggregation, **kwargs
            )
        if f"{position}_{index}" not in self.adversaries:
            raise RuntimeError(
                "AntiTransferLoss(metric='adversarial') has parameters, which must be made for "
                "the activations before training: call its initialize with activations of a few "
                "samples, and give its parameters() to the optimizer."
            )
        kwargs.pop("generator", None)
        adversary = self.adversaries[f"{position}_{index}"]
        return adversary(ours, theirs, aggregation=aggregation, **kwargs)

    def _prepare_factors(self, n_networks: int, n_layers: int) -> None:
        """Make the factors of weights that follow targets, or go on with those that were loaded."""
        if self.factors is not None:
            targets = _spread(
                self.target_similarity, n_networks, "target_similarity", "unrelated networks"
            )
            powers = [power_of(metric) for metric, _ in self.comparisons(n_layers)]
            self.factors.prepare(targets, powers)

    def forward(
        self,
        current: Activations,
        *unrelated: Activations,
        sample_weight: ArrayLike | torch.Tensor | None = None,
        condition: ArrayLike | torch.Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> AntiTransferPenalty:
        """Compute the penalty of a batch.

        Parameters
        ----------
        current : Tensor of shape (n_samples, n_channels, ...), or a list, one for each layer
            Activations of the network in training.
        *unrelated : the same, for each unrelated network
            Activations of the unrelated networks for the same samples.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples.
        condition : array-like of shape (n_samples,) or (n_samples, n_variables) or None
            What both networks may share; it is left out of the comparison. See
            :func:`activation_similarity`.
        generator : torch.Generator or None, default=None
            For random aggregations.

        Returns
        -------
        penalty : AntiTransferPenalty
            The weighted total, and the similarities it consists of.

        Raises
        ------
        TypeError, ValueError
            If layers, networks or weights do not correspond, or activations cannot be
            compared.
        RuntimeError
            If an adversarial metric was not initialised.
        """
        layers, networks = _as_lists(current, unrelated)
        self._prepare_factors(len(networks), len(layers))
        weights = self.used_weights(len(networks))
        layer_weights = _spread(self.layer_weight, len(layers), "layer_weight", "layers")
        parts = [
            self.similarity(
                position,
                index,
                layers,
                network,
                sample_weight=sample_weight,
                condition=condition,
                generator=generator,
            )
            for position, network in enumerate(networks)
            for index in range(len(layers))
        ]
        factors = [weight * factor for weight in weights for factor in layer_weights]
        # Without those of weight 0, which may be infinite.
        terms = [factor * part for factor, part in zip(factors, parts, strict=True) if factor]
        if len(terms) == 1:  # as it mostly is: every operation counts beside a small network
            total = terms[0]
        else:
            total = torch.stack(terms).sum() if terms else torch.zeros_like(parts[0])
        stacked = (parts[0] if len(parts) == 1 else torch.stack(parts)).reshape(
            len(networks), len(layers)
        )
        if self.factors is not None and self.training and torch.is_grad_enabled():
            options = {"sample_weight": sample_weight, "condition": condition}
            detached = [x.detach() for x in layers]

            def similarity(
                position: int, index: int, network: Sequence[torch.Tensor | Precomputed]
            ) -> torch.Tensor:
                return self.similarity(
                    position, index, detached, network, generator=generator, **options
                )

            self.factors.follow(stacked, similarity, networks, len(layers[0]), generator)
        return AntiTransferPenalty(total, stacked)

"""A small network that reads one network's activations from another's, as an adversary."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike

from atl_sklearn.similarity._activation_similarity import sample_products
from atl_sklearn.similarity._aggregations import AggregationLike, get_aggregation
from atl_sklearn.similarity._checks import check_activations, check_condition, check_weight
from atl_sklearn.similarity._sample_products import regression, standardise


class _Reverse(torch.autograd.Function):
    """The identity, with its gradient reversed."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        return -gradients[0]


class Adversary(torch.nn.Module):
    """Reads the unrelated activations from the current ones, and resists being minimised.

    Its value is the share of the variance of the unrelated activations that a network with
    one hidden layer explains. Minimising it makes the current activations harder to read, while the
    reader itself, whose gradients are reversed [1]_, gets better at reading.

    Parameters
    ----------
    n_features : int
        Length of what is read, aggregated and flattened.
    n_outputs : int
        Length of what is predicted, aggregated and flattened.
    n_hidden : int, default=64
        Number of hidden units.

    References
    ----------
    .. [1] Y. Ganin, V. Lempitsky, "Unsupervised domain adaptation by backpropagation",
       ICML 2015.
    """

    def __init__(self, n_features: int, n_outputs: int, n_hidden: int = 64) -> None:
        super().__init__()
        self.reader = torch.nn.Sequential(
            torch.nn.Linear(n_features, n_hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(n_hidden, n_outputs),
        )

    @classmethod
    def for_activations(
        cls, current: torch.Tensor, unrelated: torch.Tensor, aggregation: AggregationLike
    ) -> Adversary:
        """Make one for activations of these shapes.

        Parameters
        ----------
        current, unrelated : Tensor of shape (n_samples, n_channels, ...)
            Activations of a few samples.
        aggregation : str or callable
            What of them is compared.

        Returns
        -------
        adversary : Adversary
            On the device and in the floating type of `current`.
        """
        what = get_aggregation(aggregation)
        if what.name == "batch_gram":
            raise ValueError(
                "The metric 'adversarial' cannot read the aggregation 'batch_gram', whose length "
                "depends on the batch. Use another aggregation, such as 'spatial_mean'."
            )
        with torch.no_grad():
            sizes = [what.rows(x[:1])[0].numel() for x in (current, unrelated)]
        return cls(*sizes).to(current.device, torch.promote_types(current.dtype, torch.float32))

    def forward(
        self,
        current: torch.Tensor,
        unrelated: torch.Tensor,
        *,
        aggregation: AggregationLike = "spatial_mean",
        sample_weight: ArrayLike | torch.Tensor | None = None,
        condition: ArrayLike | torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return how well the reader predicts.

        Parameters
        ----------
        current, unrelated : Tensor of shape (n_samples, n_channels, ...)
            Activations for the same samples.
        aggregation : str or callable, default="spatial_mean"
            What of the activations is compared.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples.
        condition : array-like or None, default=None
            What both may share; see :func:`activation_similarity`.

        Returns
        -------
        similarity : Tensor of shape ()
            At most 1, for a perfect prediction; 0 for that of the mean, below it for a worse.
        """
        what = get_aggregation(aggregation)
        check_activations(current, unrelated)
        weight = check_weight(sample_weight, current)
        given = check_condition(condition, current)
        with torch.autocast(current.device.type, enabled=False):
            parameters = dict(self.reader.named_parameters())
            dtype = parameters["0.weight"].dtype
            a, b = current.to(dtype), unrelated.to(device=current.device, dtype=dtype)
            weight = None if weight is None else weight.to(dtype)
            if weight is not None and not bool(weight.any()):
                return (a * 0).sum()
            p = a.new_full((len(a),), 1 / len(a)) if weight is None else weight / weight.sum()
            given = None if given is None else given.to(dtype)
            target = standardise(sample_products(what, b, None, p, given, explicit=True), p)
            features = what.rows(a).flatten(1)
            if given is not None:
                features = features - regression(given, p) @ (features - p @ features)
            reversed_ = {name: _Reverse.apply(value) for name, value in parameters.items()}
            predicted = torch.func.functional_call(self.reader, reversed_, (features,))
            total = p @ target.detach().square().mean(dim=1)
            error = p @ (predicted - target).square().mean(dim=1)
            there = total > 0
            return torch.where(there, 1 - error / torch.where(there, total, 1.0), error * 0.0)

"""What of two activations is compared: each map, sums over channels, Gram matrices, pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch

from atl_sklearn.similarity._products import RowProducts, gram_row_products, maps
from atl_sklearn.similarity._registry import look_up

_PRODUCT_EXPONENT = 0.001
_PRODUCT_OFFSET = 1e-10
_PRODUCT_KINK = 1e-6  # below it, the gradient of the logarithm stays as it is here
_PUBLISHED_GRAM_FACTOR = 0.001


@dataclass(frozen=True)
class Aggregation:
    """One way to aggregate activations.

    Attributes
    ----------
    name : str
        Its name, or that of the callable.
    rows : callable
        From activations (n_samples, n_channels, ...) to what is compared, explicitly; its
        last axis is the row of row-wise metrics.
    matches : frozenset of {"channels", "positions"}
        What two activations must share to be compared row by row.
    degree : float or None
        If the activations are multiplied by a factor, what is compared is multiplied by this power
        of it; None where there is no such power, so that activations must not be rescaled.
    products : callable or None
        Returns the row products of two activations, (current, unrelated, weight). If a row belongs
        to one sample, it also takes the products of the unrelated rows with themselves. None for
        the products of `rows`.
    sample_gram : callable or None
        Inner products between the samples of one activation, (activations, weight); None for
        those of `rows`, flattened.
    pair : callable or None
        What is compared, of both sides, where the sides differ; None for `rows` of each.
    compact : callable or None
        From activations to smaller ones that give the same result in every comparison; None where
        there are none.
    """

    name: str
    rows: Callable[[torch.Tensor], torch.Tensor]
    matches: frozenset[str] = frozenset()
    degree: float | None = 1.0
    products: Callable[..., RowProducts] | None = None
    sample_gram: Callable[..., torch.Tensor] | None = None
    pair: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None = None
    compact: Callable[[torch.Tensor], torch.Tensor] | None = None


# What `aggregation` may be.
AggregationLike: TypeAlias = str | Callable[[torch.Tensor], torch.Tensor] | Aggregation


def _none(x: torch.Tensor) -> torch.Tensor:
    return maps(x)


def _mean(x: torch.Tensor) -> torch.Tensor:
    return maps(x).mean(dim=1)


def _sum(x: torch.Tensor) -> torch.Tensor:
    return maps(x).sum(dim=1)


def _max(x: torch.Tensor) -> torch.Tensor:
    return maps(x).max(dim=1).values


def spatial_mean(x: torch.Tensor) -> torch.Tensor:
    """Return the mean over the positions of activations (n_samples, n_channels, ...)."""
    return x if x.ndim <= 2 else maps(x).mean(dim=2)


def _bounded_log(x: torch.Tensor) -> torch.Tensor:
    """Return log(x + offset) with a gradient that is bounded, and 0 where x is not positive."""
    value = torch.log(x.detach().clamp_min(0) + _PRODUCT_OFFSET)
    tangent = (x - x.detach()) / _PRODUCT_KINK * (x > 0)
    smooth = torch.log(x.clamp_min(_PRODUCT_KINK) + _PRODUCT_OFFSET)
    return torch.where(x > _PRODUCT_KINK, smooth, value + tangent)


def _product(x: torch.Tensor) -> torch.Tensor:
    return torch.exp(_PRODUCT_EXPONENT * _bounded_log(maps(x)).sum(dim=1))


def _gram(x: torch.Tensor) -> torch.Tensor:
    x = maps(x)
    return x @ x.mT / (x.shape[1] * x.shape[2])


def _gram_products(
    a: torch.Tensor,
    b: torch.Tensor,
    weight: torch.Tensor | None,
    bb: torch.Tensor | None = None,
) -> RowProducts:
    a, b = maps(a), maps(b)
    scales = (float(a.shape[1] * a.shape[2]), float(b.shape[1] * b.shape[2]))
    return gram_row_products(a, b, None, float(a.shape[1]), scales, bb)


def _gram_sample_gram(x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    # <F_i F_i', F_j F_j'> = |F_i' F_j|^2
    n_samples, n_channels, n_positions = maps(x).shape
    if n_channels**2 <= n_samples * n_positions**2:
        vectors = _gram(x).flatten(1)
        return vectors @ vectors.mT
    x = maps(x)
    crossed = torch.einsum("ics,jct->ijst", x, x)
    return crossed.square().sum(dim=(2, 3)) / (n_channels * n_positions) ** 2


def _batch_gram_scale(x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor | float:
    n_samples = float(len(x)) if weight is None else weight.sum()
    return n_samples * maps(x)[0].numel() * _PUBLISHED_GRAM_FACTOR


def _batch_gram(x: torch.Tensor) -> torch.Tensor:
    rows = maps(x).flatten(0, 1)
    return rows @ rows.mT / _batch_gram_scale(x, None)


def _batch_gram_products(
    a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor | None
) -> RowProducts:
    n_samples, n_channels = a.shape[:2]
    row_weight = None if weight is None else weight.repeat_interleave(n_channels)
    total = float(n_samples) if weight is None else weight.sum()
    found = gram_row_products(
        maps(a).flatten(0, 1),
        maps(b).flatten(0, 1),
        row_weight,
        total * n_channels,
        (_batch_gram_scale(a, weight), _batch_gram_scale(b, weight)),
    )
    ab, aa, bb = (v.reshape(n_samples, n_channels) for v in (found.ab, found.aa, found.bb))
    return RowProducts(ab, aa, bb, found.length)


def _batch_gram_sample_gram(x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    # <G_i, G_j> = sum over c of f_ic' (F' W F) f_jc, with F the maps of all samples
    x = maps(x)
    rows = x.flatten(0, 1)
    row_weight = None if weight is None else weight.repeat_interleave(x.shape[1])
    weighted = rows if row_weight is None else rows * row_weight[:, None]
    scale = _batch_gram_scale(x, weight)
    if x.shape[2] < len(rows):
        moved = x @ (rows.mT @ weighted)
        return moved.flatten(1) @ x.flatten(1).mT / scale**2
    gram = rows @ rows.mT
    wide = (gram if row_weight is None else gram * row_weight).reshape(len(x), -1)
    return wide @ gram.reshape(len(x), -1).mT / scale**2


def _pairwise_products(
    a: torch.Tensor,
    b: torch.Tensor,
    weight: torch.Tensor | None,
    bb: torch.Tensor | None = None,
) -> RowProducts:
    a, b = maps(a), maps(b)
    n_channels, n_positions = a.shape[1:]
    return RowProducts(
        ab=(a.sum(dim=1) * b.sum(dim=1)).sum(dim=1, keepdim=True),
        aa=n_channels * a.square().sum(dim=(1, 2))[:, None],
        bb=n_channels * b.square().sum(dim=(1, 2))[:, None] if bb is None else bb,
        length=float(n_channels**2 * n_positions),
    )


def _pairs(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = maps(a), maps(b)
    n_channels = a.shape[1]
    return a.repeat_interleave(n_channels, dim=1).flatten(1), b.repeat(1, n_channels, 1).flatten(1)


def _one_map(rows: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return the function that keeps of all channels the one map that is compared."""

    def compact(x: torch.Tensor) -> torch.Tensor:
        return rows(x).reshape(len(x), 1, *x.shape[2:])

    return compact


def _gram_factor(x: torch.Tensor) -> torch.Tensor:
    """Return square factors with the same Gram matrices, where maps are longer than channels."""
    x = maps(x)
    n_channels, n_positions = x.shape[1:]
    if n_positions <= n_channels:
        return x
    # F' = QR, so that F F' = R' R; the factor makes up for the number of positions.
    return torch.linalg.qr(x.mT, mode="r").R.mT * (n_channels / n_positions) ** 0.5


_BOTH = frozenset({"channels", "positions"})
_CHANNELS = frozenset({"channels"})
_POSITIONS = frozenset({"positions"})

_AGGREGATIONS = {
    aggregation.name: aggregation
    for aggregation in (
        Aggregation("none", _none, _BOTH),
        Aggregation("mean", _mean, _POSITIONS, compact=_one_map(_mean)),
        Aggregation("sum", _sum, _POSITIONS, compact=_one_map(_sum)),
        Aggregation("max", _max, _POSITIONS, compact=_one_map(_max)),
        Aggregation("product", _product, _POSITIONS, degree=None),
        Aggregation("spatial_mean", spatial_mean, _CHANNELS, compact=spatial_mean),
        Aggregation(
            "gram", _gram, _CHANNELS, 2.0, _gram_products, _gram_sample_gram, compact=_gram_factor
        ),
        Aggregation(
            "batch_gram", _batch_gram, _CHANNELS, 2.0, _batch_gram_products, _batch_gram_sample_gram
        ),
        Aggregation("pairwise", _none, _BOTH, products=_pairwise_products, pair=_pairs),
        Aggregation("stochastic_pairwise", _none, _BOTH, products=_pairwise_products, pair=_pairs),
    )
}


def get_aggregation_names() -> list[str]:
    """Return the names that `aggregation` can have.

    Returns
    -------
    names : list of str
        Sorted.

    Examples
    --------
    >>> from atl_sklearn.similarity import get_aggregation_names
    >>> "spatial_mean" in get_aggregation_names()
    True
    """
    return sorted(_AGGREGATIONS)


def get_aggregation(aggregation: AggregationLike) -> Aggregation:
    """Return the named aggregation, or one made of a callable.

    Parameters
    ----------
    aggregation : str or callable
        A name, or a function of activations (n_samples, n_channels, ...) that returns a
        tensor (n_samples, ..., length).

    Returns
    -------
    aggregation : Aggregation
        The aggregation, with what the metrics need to know about it.

    Raises
    ------
    ValueError
        If there is no such name.

    Examples
    --------
    >>> from atl_sklearn.similarity import get_aggregation
    >>> get_aggregation("gram").degree
    2.0
    """
    if isinstance(aggregation, Aggregation):
        return aggregation
    if callable(aggregation):
        name = getattr(aggregation, "__name__", type(aggregation).__name__)
        return Aggregation(name, aggregation, degree=None)
    return look_up(_AGGREGATIONS, aggregation, "aggregation")


def draw_channels(
    current: torch.Tensor, unrelated: torch.Tensor, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same random run of a quarter of the channels of both sides.

    Parameters
    ----------
    current, unrelated : Tensor of shape (n_samples, n_channels, ...)
        Activations; each side has its own run where their numbers of channels differ.
    generator : torch.Generator or None
        Draws where the run begins; it goes on at the first channel after the last.

    Returns
    -------
    current, unrelated : Tensor of shape (n_samples, max(1, n_channels // 4), ...)
        The run.
    """
    device = "cpu" if generator is None else generator.device
    place = torch.rand((), generator=generator, device=device).item()

    def run(x: torch.Tensor) -> torch.Tensor:
        n_channels = x.shape[1]
        length = max(1, n_channels // 4)
        start = min(int(place * n_channels), n_channels - 1)
        indices = (start + torch.arange(length, device=x.device)) % n_channels
        return x[:, indices]

    return run(current), run(unrelated)

"""The similarity of two activations: an aggregation and a metric."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from numpy.typing import ArrayLike

from atl_sklearn.similarity._aggregations import (
    Aggregation,
    AggregationLike,
    draw_channels,
    get_aggregation,
)
from atl_sklearn.similarity._checks import (
    check_activations,
    check_condition,
    check_shapes,
    check_weight,
)
from atl_sklearn.similarity._correlation_step import (
    any_features,
    cross_correlation_step,
    ordinary_features,
)
from atl_sklearn.similarity._metrics import ROW_METRICS, Metric, get_metric, is_batch_metric
from atl_sklearn.similarity._precomputed import Precomputed
from atl_sklearn.similarity._products import RowProducts, row_products
from atl_sklearn.similarity._row_metrics import sigmoid_mse
from atl_sklearn.similarity._sample_products import (
    SampleProducts,
    center_gram,
    center_vectors,
    largest_magnitude,
    partial_out,
)

# Between these magnitudes, sums of products of four are far from the limits of single precision.
_SMALL, _LARGE = 1e-4, 1e4


def _is_ordinary(largest: torch.Tensor) -> bool:
    """Tell whether no product of four activations over- or underflows.

    On a GPU, finding out takes as long as scaling the activations.
    """
    return largest.device.type == "cpu" and _SMALL <= float(largest) <= _LARGE


def _scaled(x: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
    """Bring activations to magnitude 1, so that their products neither over- nor underflow."""
    if _is_ordinary(largest):
        return x
    return x / torch.where(largest > 0, largest, torch.ones_like(largest))


def _products(
    aggregation: Aggregation, a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor | None
) -> RowProducts:
    if aggregation.products is not None:
        return aggregation.products(a, b, weight)
    a, b = (_as_rows(aggregation, x) for x in (a, b))
    if a.shape != b.shape:
        check_shapes(a, b, aggregation.name, {"channels", "positions"})
    return row_products(a, b)


def _as_rows(aggregation: Aggregation, x: torch.Tensor) -> torch.Tensor:
    rows = _aggregated(aggregation, x)
    return rows.reshape(len(rows), -1, rows.shape[-1])


def _aggregated(aggregation: Aggregation, x: torch.Tensor) -> torch.Tensor:
    rows = aggregation.rows(x)
    if not isinstance(rows, torch.Tensor) or rows.ndim < 2 or len(rows) != len(x):
        got = tuple(rows.shape) if isinstance(rows, torch.Tensor) else type(rows).__name__
        raise ValueError(
            f"The aggregation {aggregation.name!r} must return a tensor of shape "
            f"({len(x)}, ..., length). Got {got} instead."
        )
    return rows


def _row_similarity(
    metric: str,
    aggregation: Aggregation,
    a: torch.Tensor,
    b: torch.Tensor,
    weight: torch.Tensor | None,
) -> torch.Tensor:
    check_shapes(a, b, aggregation.name, aggregation.matches)
    if aggregation.degree is None:
        return ROW_METRICS[metric](_products(aggregation, a, b, weight), weight)
    largest = largest_magnitude(a), largest_magnitude(b)
    if metric != "sigmoid_mse":  # cosines are free of scale
        a, b = (_scaled(x, scale) for x, scale in zip((a, b), largest, strict=True))
        return ROW_METRICS[metric](_products(aggregation, a, b, weight), weight)
    common = torch.maximum(*largest)
    if _is_ordinary(common):
        return sigmoid_mse(_products(aggregation, a, b, weight), weight)
    a, b = _scaled(a, common), _scaled(b, common)
    # The factor of the squared error is kept below overflow: the sigmoid is flat long before.
    power = 2 * aggregation.degree
    limit = torch.finfo(a.dtype).max ** (0.9 / power)
    scale = torch.where(common > 0, common, torch.ones_like(common)).clamp_max(limit) ** power
    return sigmoid_mse(_products(aggregation, a, b, weight), weight, scale)


def _prepared_similarity(
    metric: Metric,
    aggregation: Aggregation,
    current: torch.Tensor,
    b: Precomputed,
    sample_weight: ArrayLike | torch.Tensor | None,
) -> torch.Tensor:
    """Compare rows whose frozen side, with its norms, was prepared before."""
    weight = check_weight(sample_weight, current)
    with _single_precision(current.device):
        dtype = torch.promote_types(current.dtype, b.small.dtype)  # b is not half
        a, b = current.to(dtype), b.to(device=current.device, dtype=dtype)
        if weight is not None:
            weight = weight.to(dtype)
            if not bool(weight.any()):
                return (a * 0).sum()
        a = _scaled(a, largest_magnitude(a))
        if aggregation.products is not None:
            found = aggregation.products(a, b.small, weight, b.squares)
        else:
            rows = _as_rows(aggregation, a)
            found = row_products(rows, _as_rows(aggregation, b.small), b.squares)
        return ROW_METRICS[str(metric)](found, weight)


def _single_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which nothing is computed in half precision."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def sample_products(
    aggregation: Aggregation,
    x: torch.Tensor,
    weight: torch.Tensor | None,
    p: torch.Tensor,
    condition: torch.Tensor | None,
    *,
    explicit: bool = False,
) -> SampleProducts:
    """Return one side of a comparison of samples.

    Parameters
    ----------
    aggregation : Aggregation
        What of the activations is compared.
    x : Tensor of shape (n_samples, n_channels, ...)
        Activations in at least single precision.
    weight : Tensor of shape (n_samples,) or None
        Weights of the samples.
    p : Tensor of shape (n_samples,)
        The same, summing to 1.
    condition : Tensor of shape (n_samples, n_variables) or None
        What is partialled out.
    explicit : bool, default=False
        Whether vectors are built where inner products would do.

    Returns
    -------
    products : SampleProducts
        Centred.
    """
    if aggregation.degree is not None:
        x = _scaled(x, largest_magnitude(_counted(x, weight)))
    if aggregation.sample_gram is not None and not explicit:
        side = center_gram(aggregation.sample_gram(x, weight), p)
    else:
        vectors = _aggregated(aggregation, x).flatten(1)
        side = center_vectors(vectors, p, weighted=weight is not None)
    return side if condition is None else partial_out(side, p, condition)


def _step_similarity(
    aggregation: Aggregation,
    a: torch.Tensor,
    b: torch.Tensor,
    weight: torch.Tensor | None,
    p: torch.Tensor,
) -> torch.Tensor:
    """Return the cross-correlation with a frozen side, which most training steps compute."""
    x, y = (_aggregated(aggregation, side).flatten(1) for side in (a, b))
    ours, theirs = ordinary_features(x, p), ordinary_features(y, p)
    weighted = weight is not None
    if ours is None or theirs is None:
        if aggregation.degree is not None:
            a, b = (_scaled(side, largest_magnitude(_counted(side, weight))) for side in (a, b))
            x, y = (_aggregated(aggregation, side).flatten(1) for side in (a, b))
        ours, theirs = (any_features(vectors, p, weighted=weighted) for vectors in (x, y))
    return cross_correlation_step(x, ours, theirs, p, weighted=weighted)


def _counted(x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Return the samples that have weight."""
    return x if weight is None else x[weight > 0]


def _call(
    metric: Callable[..., torch.Tensor],
    aggregation: Aggregation,
    a: torch.Tensor,
    b: torch.Tensor,
    weight: torch.Tensor | None,
) -> torch.Tensor:
    """Call a user's metric on what is compared, explicitly."""
    if aggregation.pair is not None:
        check_shapes(a, b, aggregation.name, aggregation.matches)
        rows = aggregation.pair(a, b)
    elif aggregation.name == "batch_gram":
        rows = aggregation.rows(a), aggregation.rows(b)
    else:
        rows = _aggregated(aggregation, a), _aggregated(aggregation, b)
    kwargs = {}
    if weight is not None:
        if "sample_weight" not in inspect.signature(metric).parameters:
            raise ValueError(
                f"The metric {getattr(metric, '__name__', metric)!r} takes no sample_weight. "
                "Give it a keyword argument of that name, or leave out sample_weight."
            )
        kwargs["sample_weight"] = weight
    value = metric(*rows, **kwargs)
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        got = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise ValueError(f"A callable metric must return a tensor with one number. Got {got}.")
    return value.reshape(())


def activation_similarity(
    current: torch.Tensor,
    unrelated: torch.Tensor | Precomputed,
    *,
    metric: Metric = "cross_correlation",
    aggregation: AggregationLike = "spatial_mean",
    sample_weight: ArrayLike | torch.Tensor | None = None,
    condition: ArrayLike | torch.Tensor | None = None,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Measure how similar two networks' activations are.

    Parameters
    ----------
    current, unrelated : Tensor of shape (n_samples, n_channels, ...)
        Activations of a layer of each network for the same samples; vectors of shape
        (n_samples, n_features) are channels with one position. Half precision is computed in
        single precision.
    metric : str or callable, default="cross_correlation"
        How aggregated activations are compared. Sample by sample, for equal shapes:

        - ``"squared_cosine"``: square of the mean absolute cosine [1]_, in [0, 1];
        - ``"cosine"``: mean cosine, in [-1, 1];
        - ``"sigmoid_mse"``: minus the sigmoid of the mean squared error [1]_, in [-1, -1/2].

        By how the two networks arrange the samples, for any two shapes:

        - ``"cka"``: linear centred kernel alignment [2]_, in [0, 1];
        - ``"debiased_cka"``: the same from distinct samples only [5]_, so that it is 0 on
          average for independent activations in batches of any size;
        - ``"hsic"``: normalised Hilbert-Schmidt independence criterion [3]_, in [0, 1];
        - ``"distance_correlation"``: distance correlation [4]_, in [0, 1];
        - ``"cross_correlation"``: root mean square correlation of each feature with each of
          the other side, in [0, 1];
        - ``"ridge_r2"``: share of the variance of `unrelated` that ridge regression on
          `current` explains, in [0, 1].

        These are 0 for a batch of one sample. A callable takes the two aggregated activations, in
        full, and returns one number. ``"adversarial"`` trains a read-out, so only
        :class:`AntiTransferLoss` has it.
    aggregation : str or callable, default="spatial_mean"
        Which summary of the activations is compared:

        - ``"none"``: the map of each channel;
        - ``"mean"``, ``"sum"``, ``"max"``: one map, over the channels;
        - ``"product"``: the product over channels of (x + 1e-10)^0.001 [1]_, negative values
          taken as 0;
        - ``"spatial_mean"``: the mean of each channel;
        - ``"gram"``: products between the channels of a sample, over channels x positions;
        - ``"batch_gram"``: products between all channels of all samples [1]_;
        - ``"pairwise"``: each channel of one with each channel of the other [1]_, so that equal
          activations score below 1; to the metrics of the samples' arrangement the same as
          ``"none"``;
        - ``"stochastic_pairwise"``: the same on a random run of a quarter of the channels.

        A callable takes activations and returns a tensor (n_samples, ..., length), whose last axis
        is one row.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights, not negative; a weight of 2 counts as the sample twice. If all weights are 0, so is
        the similarity. For ``"debiased_cka"`` a weight is importance only: a repeated sample is not
        a distinct one.
    condition : array-like of shape (n_samples,) or (n_samples, n_variables) or None, default=None
        What the two networks may share: classes (integers), or numbers such as the probabilities of
        classes. What a linear function of it predicts of the activations (for classes, their means)
        is removed first. For metrics that compare how the samples are arranged.
    generator : torch.Generator or None, default=None
        For ``"stochastic_pairwise"``; None for the global one.

    Returns
    -------
    similarity : Tensor of shape ()
        Finite, with finite gradient, for finite activations.

    Raises
    ------
    TypeError
        If an activation is not a floating tensor.
    ValueError
        If a name is unknown, shapes cannot be compared, weights or `condition` do not fit, or
        `condition` is given to a metric that compares sample by sample.

    Notes
    -----
    No large matrix is built where inner products are enough: for Gram matrices of C channels at S
    positions, at most the smaller of C x C and S x S.

    ``"cross_correlation"`` and ``"distance_correlation"`` are square roots, whose gradient would
    jump at 0. Below 0.01 their gradient is that of their square, divided by 0.02, which goes to 0
    with them. Distances below a hundredth of their root mean square are treated alike. The values
    themselves are exact.

    References
    ----------
    .. [1] E. Guizzo, T. Weyde, G. Tarroni, "Anti-transfer learning for task invariance in
       convolutional neural networks for speech processing", Neural Networks 142, 2021.
       https://arxiv.org/abs/2006.06494
    .. [2] S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "Similarity of neural network
       representations revisited", ICML 2019.
    .. [3] A. Gretton, O. Bousquet, A. Smola, B. Schoelkopf, "Measuring statistical dependence
       with Hilbert-Schmidt norms", ALT 2005.
    .. [4] G. Szekely, M. Rizzo, N. Bakirov, "Measuring and testing dependence by correlation
       of distances", Annals of Statistics 35, 2007.
    .. [5] T. Nguyen, M. Raghu, S. Kornblith, "Do wide and deep networks learn the same
       things?", ICLR 2021.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn import activation_similarity
    >>> a = torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
    >>> round(float(activation_similarity(a, 3 * a + 1, metric="cka")), 6)
    1.0
    >>> activation_similarity(a, torch.ones(3, 5, 4, 4))
    tensor(0.)
    >>> activation_similarity(a[:, :, None], a[:, :, None], metric="cosine", aggregation="gram")
    tensor(0.6667)
    """
    how = get_metric(metric)
    what = get_aggregation(aggregation)
    if isinstance(unrelated, Precomputed):
        return _prepared_similarity(metric, what, current, unrelated, sample_weight)
    check_activations(current, unrelated)
    weight = check_weight(sample_weight, current)
    given = check_condition(condition, current)
    if given is not None and not is_batch_metric(metric):
        raise ValueError(
            f"The metric {metric!r} compares sample by sample, so it cannot take a condition. "
            "Leave it out, or use a metric of the samples' arrangement such as 'cka'."
        )
    with _single_precision(current.device):
        dtype = torch.promote_types(
            torch.promote_types(current.dtype, unrelated.dtype), torch.float32
        )
        a, b = current.to(dtype), unrelated.to(device=current.device, dtype=dtype)
        if weight is not None:
            weight = weight.to(dtype)
            if not bool(weight.any()):
                return (a * 0).sum()
        if what.name == "stochastic_pairwise":
            a, b = draw_channels(a, b, generator)
        if not isinstance(metric, str):
            return _call(how, what, a, b, weight)
        if metric in ROW_METRICS:
            return _row_similarity(metric, what, a, b, weight)
        p = a.new_full((len(a),), 1 / len(a)) if weight is None else weight / weight.sum()
        given = None if given is None else given.to(dtype)
        # The features of a sample's Gram matrix are few; those of a batch's would not fit.
        explicit = metric == "cross_correlation" and what.name == "gram"
        frozen = a.requires_grad and not b.requires_grad and torch.is_grad_enabled()
        if metric == "cross_correlation" and frozen and given is None and what.name != "batch_gram":
            return _step_similarity(what, a, b, weight, p)
        sides = [sample_products(what, x, weight, p, given, explicit=explicit) for x in (a, b)]
        return how(*sides, p)

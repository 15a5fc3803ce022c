"""Metrics that compare how two networks arrange the samples of a batch.

Only inner products between samples enter, so the two networks may differ in everything but the
samples. Each is an expectation under the weights of the samples, which sum to 1.
"""

from __future__ import annotations

import torch

from atl_sklearn.similarity._sample_products import (
    KINK,
    SampleProducts,
    center,
    safe_root,
    standardise,
)

_DEBIASED_FLOOR = 1e-2  # of the biased variance, under which the debiased one is not trusted


def _ratio(covariance: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return covariance / sqrt(first * second), 0 where either is 0."""
    there = (first > 0) & (second > 0)
    safe = [torch.where(there, value, 1.0).sqrt() for value in (first, second)]
    return torch.where(there, covariance / safe[0] / safe[1], covariance * 0.0)


def _covariance(first: torch.Tensor, second: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    return p @ (first * second) @ p


def _correlation(first: torch.Tensor, second: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    return _ratio(
        _covariance(first, second, p),
        _covariance(first, first, p),
        _covariance(second, second, p),
    )


def cka(a: SampleProducts, b: SampleProducts, p: torch.Tensor) -> torch.Tensor:
    """Return the linear centred kernel alignment; in [0, 1].

    Parameters
    ----------
    a, b : SampleProducts
        The two sides.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    similarity : Tensor of shape ()
        1 where the samples' inner products agree up to a factor.

    References
    ----------
    .. [1] S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "Similarity of neural network
       representations revisited", ICML 2019.
    """
    u, v = a.vectors, b.vectors
    if u is not None and v is not None and max(u.shape[1], v.shape[1]) < len(p):
        # |U'V|^2 = <UU', VV'>, and U'V is the smaller matrix
        root = p.sqrt()[:, None]
        u, v = u * root, v * root
        products = (u.mT @ v, u.mT @ u, v.mT @ v)
        return _ratio(*(product.square().sum() for product in products))
    return _correlation(a.inner_products(), b.inner_products(), p)


def _rbf(side: SampleProducts, p: torch.Tensor) -> torch.Tensor:
    gram = side.inner_products()
    norms = gram.diagonal()
    square = (norms[:, None] + norms - 2 * gram).clamp_min(0)
    # The mean squared distance is twice the variance: free of scale, and of repetitions.
    bandwidth = 2 * (p @ norms).detach()
    there = bandwidth > 0
    return center(torch.exp(-square / torch.where(there, 2 * bandwidth, 1.0)), p)


def hsic(a: SampleProducts, b: SampleProducts, p: torch.Tensor) -> torch.Tensor:
    """Return the normalised Hilbert-Schmidt independence criterion; in [0, 1].

    The kernels are radial basis functions whose squared bandwidth is the mean squared distance
    of the samples; the criterion is divided by the geometric mean of its values for each side
    with itself.

    Parameters
    ----------
    a, b : SampleProducts
        The two sides.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    similarity : Tensor of shape ()
        0 only where no function of one side tells of the other, in the limit of many samples.

    References
    ----------
    .. [1] A. Gretton, O. Bousquet, A. Smola, B. Schoelkopf, "Measuring statistical dependence
       with Hilbert-Schmidt norms", ALT 2005.
    """
    return _correlation(_rbf(a, p), _rbf(b, p), p)


def distance_correlation(a: SampleProducts, b: SampleProducts, p: torch.Tensor) -> torch.Tensor:
    """Return the distance correlation; in [0, 1].

    Parameters
    ----------
    a, b : SampleProducts
        The two sides.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    similarity : Tensor of shape ()
        0 where the two are independent, in the limit of many samples.

    References
    ----------
    .. [1] G. Szekely, M. Rizzo, N. Bakirov, "Measuring and testing dependence by correlation
       of distances", Annals of Statistics 35, 2007.
    """
    centred = [center(side.distances(p), p) for side in (a, b)]
    return safe_root(_correlation(centred[0], centred[1], p), KINK)


def _distinct(first: torch.Tensor, second: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Return the covariance of two kernels over distinct samples only: a U-statistic."""
    off = 1 - torch.eye(len(p), dtype=p.dtype, device=p.device)
    squares = p.square()

    def sums(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the sums over pairs of two, three and four distinct samples."""
        # Of (samples x samples) numbers as few as can be: they are what takes time and memory.
        both, rows = x * y, (x @ p) * (y @ p)
        same = squares @ both @ squares
        one_shared = squares @ rows - same
        two = p @ both @ p  # (i, j) and (i, j)
        three = p @ rows - p @ both @ squares  # (i, j) and (i, m), without j = m
        # (i, j) and (m, o), without those that share one sample, or both
        four = (p @ x @ p) * (p @ y @ p) - 4 * one_shared - 2 * same
        return two, three, four

    k = first * off
    found = zip(sums(k, k if second is first else second * off), sums(off, off), strict=True)
    two, three, four = (of_both / of_ones for of_both, of_ones in found)
    return two + four - 2 * three


def debiased_cka(a: SampleProducts, b: SampleProducts, p: torch.Tensor) -> torch.Tensor:
    """Return the linear centred kernel alignment without the bias of small batches.

    The covariances are U-statistics, over distinct samples only, so that their expectation is
    0 for independent activations whatever the size of the batch. Single batches come out
    below 0.

    Parameters
    ----------
    a, b : SampleProducts
        The two sides.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1. A weight of 2 does not count as the sample twice: a repeated sample
        is not a distinct one.

    Returns
    -------
    similarity : Tensor of shape ()
        1 where the samples' inner products agree up to a factor; 0 with fewer than 4 samples.

    References
    ----------
    .. [1] L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt, "Feature selection via
       dependence maximization", JMLR 13, 2012.
    .. [2] T. Nguyen, M. Raghu, S. Kornblith, "Do wide and deep networks learn the same
       things?", ICLR 2021.
    """
    gram_a, gram_b = a.inner_products(), b.inner_products()
    if int((p > 0).sum()) < 4:
        return _covariance(gram_a, gram_b, p) * 0.0
    variances = []
    for gram in (gram_a, gram_b):
        # Without bias a variance may come out at or below 0.
        floor = _DEBIASED_FLOOR * _covariance(gram, gram, p)
        variances.append(torch.maximum(_distinct(gram, gram, p), floor))
    return _ratio(_distinct(gram_a, gram_b, p), *variances)


def cross_correlation(a: SampleProducts, b: SampleProducts, p: torch.Tensor) -> torch.Tensor:
    """Return the root mean square correlation of each feature with each of the other side.

    Its square is, up to a factor, the covariance that linear centred kernel alignment has for
    standardised features: features count alike, however large they are. The root keeps the
    gradient from vanishing with the correlations.

    Parameters
    ----------
    a, b : SampleProducts
        The two sides.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    similarity : Tensor of shape ()
        In [0, 1].
    """
    if a.vectors is None or b.vectors is None:
        raise ValueError(
            "The metric 'cross_correlation' needs features, which the aggregation 'batch_gram' "
            "does not build. Use another aggregation, such as 'gram', or the metric 'cka'."
        )
    return root_mean_square_correlation(standardise(a, p), standardise(b, p), p)


def root_mean_square_correlation(u: torch.Tensor, v: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Return the cross-correlation of standardised vectors; see :func:`cross_correlation`."""
    n_pairs = u.shape[1] * v.shape[1]
    if n_pairs <= len(p) ** 2:
        return safe_root((u.mT @ (v * p[:, None])).square().sum() / n_pairs, KINK)
    return safe_root(_covariance(u @ u.mT, v @ v.mT, p) / n_pairs, KINK)

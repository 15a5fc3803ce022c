"""Metrics that compare how two networks arrange the samples of a batch.

Only inner products between samples enter, so the two networks may differ in everything but the
samples. Each is an expectation under the weights of the samples, which sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class SampleProducts:
    """One side of a comparison of samples.

    Attributes
    ----------
    vectors : Tensor of shape (n_samples, n_features) or None
        Centred vectors of the samples, where they are there.
    gram : Tensor of shape (n_samples, n_samples) or None
        Their centred inner products; None where `vectors` give them.
    """

    vectors: torch.Tensor | None
    gram: torch.Tensor | None

    def inner_products(self) -> Any:
        """Return the centred inner products of shape (n_samples, n_samples)."""
        return self.gram if self.vectors is None else self.vectors @ self.vectors.mT

    def distances(self) -> torch.Tensor:
        """Return the Euclidean distances of shape (n_samples, n_samples)."""
        if self.vectors is not None:
            # By differences: products lose the small distances to rounding.
            mode = "donot_use_mm_for_euclid_dist"
            return torch.cdist(self.vectors, self.vectors, compute_mode=mode)
        gram = self.inner_products()
        norms = gram.diagonal()
        return _root(norms[:, None] + norms - 2 * gram)


def _root(square: torch.Tensor) -> torch.Tensor:
    """Return the square root, with gradient 0 where it is 0."""
    there = square > torch.finfo(square.dtype).tiny
    return torch.where(there, torch.where(there, square, 1.0).sqrt(), 0.0)


def _ratio(covariance: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return covariance / sqrt(first * second), 0 where either is 0."""
    there = (first > 0) & (second > 0)
    safe = [torch.where(there, value, 1.0).sqrt() for value in (first, second)]
    return torch.where(there, covariance / safe[0] / safe[1], covariance * 0.0)


def _rescale(x: torch.Tensor, reference: torch.Tensor | float) -> torch.Tensor:
    """Divide by the largest magnitude; what is rounding of `reference` becomes 0."""
    largest = x.detach().abs().amax()
    rounding = 8 * torch.finfo(x.dtype).eps * reference
    return torch.where(largest > rounding, x / torch.where(largest > 0, largest, 1.0), x * 0.0)


def center_vectors(vectors: torch.Tensor, p: torch.Tensor) -> SampleProducts:
    """Center vectors under weights.

    Parameters
    ----------
    vectors : Tensor of shape (n_samples, n_features)
        Vectors of the samples.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    products : SampleProducts
        Of magnitude 1; every metric here is free of scale.
    """
    counted = vectors * (p > 0)[:, None]  # a sample without weight must not set the scale
    centred = (vectors - p @ vectors) * (p > 0)[:, None]
    return SampleProducts(_rescale(centred, counted.detach().abs().amax()), None)


def center_gram(gram: torch.Tensor, p: torch.Tensor) -> SampleProducts:
    """Center inner products under weights.

    Parameters
    ----------
    gram : Tensor of shape (n_samples, n_samples)
        Inner products of the samples.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    products : SampleProducts
        Of magnitude 1.
    """
    there = (p > 0).to(gram.dtype)
    centred = center(gram, p) * there[:, None] * there
    counted = gram.detach() * there[:, None] * there
    return SampleProducts(None, _rescale(centred, counted.abs().amax()))


def center(matrix: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Remove the weighted means of rows and columns of a symmetric matrix."""
    means = matrix @ p
    return matrix - means[:, None] - means + p @ means


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
    return _root(_correlation(center(a.distances(), p), center(b.distances(), p), p))

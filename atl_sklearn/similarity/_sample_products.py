"""One side of a comparison of samples: centred vectors, or their inner products."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

VARIANCE_FLOOR = 1e-3  # of the mean variance, under which a feature counts as constant
# Near 0 the gradient of a norm is as long as elsewhere, and it flips from one side to the other. A
# training that gets there jumps back and forth, and every jump multiplies rounding errors. So norms
# below this have the gradient of their square. It is the correlation of 10,000 samples by chance.
KINK = 1e-2
_ROUNDING = 32  # units in the last place, up to which differences of inner products are rounding


def safe_root(square: torch.Tensor, kink: torch.Tensor | float) -> torch.Tensor:
    """Return the square root, whose gradient is nowhere larger than at `kink`.

    Parameters
    ----------
    square : Tensor
        Squares; what rounding made negative counts as 0.
    kink : Tensor or float
        Below it the gradient is that of ``square / (2 * kink)``, which vanishes with the norm.

    Returns
    -------
    root : Tensor
        The values are exact below `kink` too.
    """
    above = square > torch.as_tensor(kink, dtype=square.dtype) ** 2
    small = square.detach().clamp_min(0).sqrt() + (square - square.detach()) / (2 * kink)
    return torch.where(above, torch.where(above, square, 1.0).sqrt(), small)


def _blunted(norm: torch.Tensor, kink: torch.Tensor) -> torch.Tensor:
    """Return norms with the gradient of :func:`safe_root`, for where no square is at hand."""
    square = norm.square()
    small = norm.detach() + (square - square.detach()) / (2 * kink)
    return torch.where(norm > kink, norm, small)


@dataclass(frozen=True)
class SampleProducts:
    """One side of a comparison of samples.

    Attributes
    ----------
    vectors : Tensor of shape (n_samples, n_features) or None
        Centred vectors of the samples, where they are there.
    gram : Tensor of shape (n_samples, n_samples) or None
        Their centred inner products; None where `vectors` give them.
    rounding : Tensor or float, default=0.0
        What rounding may make of squared distances between equal samples in `gram`.
    """

    vectors: torch.Tensor | None
    gram: torch.Tensor | None
    rounding: torch.Tensor | float = 0.0

    def inner_products(self) -> torch.Tensor:
        """Return the centred inner products of shape (n_samples, n_samples)."""
        if self.vectors is not None:
            return self.vectors @ self.vectors.mT
        assert self.gram is not None
        return self.gram

    def distances(self, p: torch.Tensor) -> torch.Tensor:
        """Return the Euclidean distances between samples.

        Parameters
        ----------
        p : Tensor of shape (n_samples,)
            Weights that sum to 1.

        Returns
        -------
        distances : Tensor of shape (n_samples, n_samples)
            Their gradient vanishes between samples that hardly differ.
        """
        if self.vectors is not None:
            norms = self.vectors.square().sum(dim=1)
        else:
            assert self.gram is not None
            norms = self.gram.diagonal()
        typical = (2 * (p @ norms.detach())).clamp_min(0).sqrt()  # root of the mean square
        kink = torch.where(typical > 0, KINK * typical, 1.0)
        if self.vectors is not None:
            # By differences: products lose the small distances to rounding.
            mode = "donot_use_mm_for_euclid_dist"
            return _blunted(torch.cdist(self.vectors, self.vectors, compute_mode=mode), kink)
        square = norms[:, None] + norms - 2 * self.inner_products()
        return safe_root(torch.where(square > self.rounding, square, 0.0), kink)

    def narrow(self, n_samples: int) -> bool:
        """Tell whether there are vectors with fewer features than samples."""
        return self.vectors is not None and self.vectors.shape[1] < n_samples


def largest_magnitude(x: torch.Tensor) -> torch.Tensor:
    """Return the largest absolute value, without gradient and without a second array."""
    x = x.detach()
    if not x.is_contiguous() and x.ndim > 2 and x.movedim(1, -1).is_contiguous():
        x = x.movedim(1, -1)  # channels last: the reduction goes along the memory
    low, high = torch.aminmax(x)
    return torch.maximum(high, -low)


def _divisor(x: torch.Tensor, reference: torch.Tensor | float) -> torch.Tensor:
    """Return the largest magnitude, or infinity where it is only rounding of `reference`."""
    largest = largest_magnitude(x)
    return torch.where(largest > 8 * torch.finfo(x.dtype).eps * reference, largest, math.inf)


def _rescale(x: torch.Tensor, reference: torch.Tensor | float) -> torch.Tensor:
    """Divide by the largest magnitude; what is rounding of `reference` becomes 0."""
    return x / _divisor(x, reference)


def _products_of(gram: torch.Tensor, reference: torch.Tensor | float) -> SampleProducts:
    """Return centred inner products, made of numbers of magnitude `reference`, at magnitude 1."""
    divisor = _divisor(gram, reference)
    rounding = _ROUNDING * torch.finfo(gram.dtype).eps * reference / divisor
    return SampleProducts(None, gram / divisor, rounding)


def center_with_divisor(
    vectors: torch.Tensor, p: torch.Tensor, *, weighted: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return centred vectors, and what to divide them by to bring them to magnitude 1.

    Parameters
    ----------
    vectors : Tensor of shape (n_samples, n_features)
        Vectors of the samples.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.
    weighted : bool
        Whether some of them may be 0.

    Returns
    -------
    centred : Tensor of shape (n_samples, n_features)
        0 for samples without weight.
    divisor : Tensor of shape ()
        Without gradient.
    """
    centred = vectors - p @ vectors
    counted = vectors
    if weighted:  # a sample without weight must not set the scale
        there = (p > 0)[:, None]
        counted, centred = vectors.detach() * there, centred * there
    return centred, _divisor(centred, largest_magnitude(counted))


def center_vectors(
    vectors: torch.Tensor, p: torch.Tensor, *, weighted: bool = True
) -> SampleProducts:
    """Center vectors under weights.

    Parameters
    ----------
    vectors : Tensor of shape (n_samples, n_features)
        Vectors of the samples.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.
    weighted : bool, default=True
        Whether some of them may be 0.

    Returns
    -------
    products : SampleProducts
        Of magnitude 1; every metric here is free of scale.
    """
    centred, divisor = center_with_divisor(vectors, p, weighted=weighted)
    return SampleProducts(centred / divisor, None)


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
    return _products_of(centred, counted.abs().amax())


def center(matrix: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Remove the weighted means of rows and columns of a symmetric matrix."""
    means = matrix @ p
    return matrix - means[:, None] - means + p @ means


def regression(given: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Return the matrix that fits centred columns by a linear function of given variables.

    Parameters
    ----------
    given : Tensor of shape (n_samples, n_variables)
        The variables; one-hot classes fit the mean of each class.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    matrix : Tensor of shape (n_samples, n_samples)
        Fitted values are its product with the columns.
    """
    given = given - p @ given
    weighted = given * p[:, None]
    moments = weighted.mT @ given
    # One-hot columns, centred, are dependent: a trace of ridge makes the moments regular.
    ridge = 10 * torch.finfo(given.dtype).eps * moments.diagonal().sum() + given.new_tensor(1e-30)
    moments = moments + ridge * torch.eye(len(moments), dtype=given.dtype, device=given.device)
    there = (p > 0).to(given.dtype)[:, None]
    return there * given @ torch.linalg.solve(moments, weighted.mT)


def partial_out(side: SampleProducts, p: torch.Tensor, given: torch.Tensor) -> SampleProducts:
    """Remove what a linear function of given variables says of the samples.

    Parameters
    ----------
    side : SampleProducts
        Centred, of magnitude 1.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.
    given : Tensor of shape (n_samples, n_variables)
        The variables; for one-hot classes, what remains is centred within each class.

    Returns
    -------
    products : SampleProducts
        Of the residuals, of magnitude 1.
    """
    fits = regression(given, p)
    if side.vectors is not None:
        return SampleProducts(_rescale(side.vectors - fits @ side.vectors, 1.0), None)
    keeps = torch.eye(len(p), dtype=given.dtype, device=given.device) - fits
    return _products_of(keeps @ side.inner_products() @ keeps.mT, 1.0)


def standardise(side: SampleProducts, p: torch.Tensor) -> torch.Tensor:
    """Return the vectors with features of variance 1, or less where they hardly vary.

    Parameters
    ----------
    side : SampleProducts
        Has vectors.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    vectors : Tensor of shape (n_samples, n_features)
        Centred.
    """
    assert side.vectors is not None
    return side.vectors / floored_variance(side.vectors, p).sqrt()


def floored_variance(vectors: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Return the variance of each feature, with a floor; 1 where all features are constant.

    Parameters
    ----------
    vectors : Tensor of shape (n_samples, n_features)
        Centred, and of magnitude 1 unless they are constant.
    p : Tensor of shape (n_samples,)
        Weights that sum to 1.

    Returns
    -------
    variance : Tensor of shape (n_features,)
        Larger than 0.
    """
    variance = p @ vectors.square()
    mean = variance.mean()
    # Vectors of magnitude 1 have no smaller variance unless they are constant.
    there = mean > torch.finfo(mean.dtype).tiny
    return torch.where(there, variance + VARIANCE_FLOOR * mean, 1.0)

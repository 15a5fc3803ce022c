"""Inner products of the rows by which two activations are compared.

A row-wise metric needs of two rows a and b only <a, b>, <a, a> and <b, b>, so an aggregation
returns these and seldom has to build what it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class RowProducts:
    """Inner products of pairs of rows.

    Attributes
    ----------
    ab, aa, bb : Tensor of shape (n_samples, n_rows)
        Products of the rows of the two sides with each other and with themselves.
    length : Tensor or float
        Number of elements of a row.
    """

    ab: torch.Tensor
    aa: torch.Tensor
    bb: torch.Tensor
    length: torch.Tensor | float


def row_products(a: torch.Tensor, b: torch.Tensor, bb: torch.Tensor | None = None) -> RowProducts:
    """Return the products of rows that are given explicitly.

    Parameters
    ----------
    a, b : Tensor of shape (n_samples, n_rows, length)
        The rows.
    bb : Tensor of shape (n_samples, n_rows) or None, default=None
        Products of the rows of `b` with themselves, if they are known.

    Returns
    -------
    products : RowProducts
        Of `a` with `b`.
    """
    return RowProducts(
        ab=(a * b).sum(dim=-1),
        aa=a.square().sum(dim=-1),
        bb=b.square().sum(dim=-1) if bb is None else bb,
        length=a.shape[-1],
    )


def gram_row_products(
    a: torch.Tensor,
    b: torch.Tensor,
    weight: torch.Tensor | None,
    length: torch.Tensor | float,
    scales: tuple[torch.Tensor | float, torch.Tensor | float],
    bb: torch.Tensor | None = None,
) -> RowProducts:
    """Return the products of the rows of two Gram matrices, built only where that is smaller.

    Row i of the Gram matrix of F is F f_i, so the product of the rows i of the Gram matrices of
    A and B is ``a_i' (A' W B) b_i``: with fewer columns than rows, the matrix in the middle is
    the small one.

    Parameters
    ----------
    a : Tensor of shape (..., n_rows, n_columns_a)
        Rows whose products make the first Gram matrix.
    b : Tensor of shape (..., n_rows, n_columns_b)
        The same for the second.
    weight : Tensor of shape (n_rows,) or None
        Weights of the elements in a row of the Gram matrices.
    length : Tensor or float
        Number of elements of a row.
    scales : pair of Tensor or float
        What the two Gram matrices are divided by.
    bb : Tensor of shape (..., n_rows) or None, default=None
        Products of the rows of the second Gram matrix with themselves, if they are known.

    Returns
    -------
    products : RowProducts
        Of shape (..., n_rows).
    """
    n_rows = a.shape[-2]

    def weighted(rows: torch.Tensor) -> torch.Tensor:
        return rows if weight is None else rows * weight[:, None]

    if max(a.shape[-1], b.shape[-1]) < n_rows:

        def product(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return ((one @ (one.mT @ weighted(other))) * other).sum(dim=-1)

        ab, aa = product(a, b), product(a, a)
        square_b = product(b, b) if bb is None else None
    else:
        gram_a, gram_b = a @ a.mT, b @ b.mT
        wide = gram_a if weight is None else gram_a * weight
        ab, aa = (wide * gram_b).sum(dim=-1), (wide * gram_a).sum(dim=-1)
        square_b = None
        if bb is None:
            square_b = (gram_b.square() if weight is None else gram_b.square() * weight).sum(dim=-1)
    scale_a, scale_b = scales
    if square_b is not None:
        bb = square_b / scale_b**2
    assert bb is not None
    return RowProducts(ab / (scale_a * scale_b), aa / scale_a**2, bb, length)


def maps(x: torch.Tensor) -> torch.Tensor:
    """Return activations as (n_samples, n_channels, n_positions).

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_channels, ...)
        Activations; a vector has one position in each channel.

    Returns
    -------
    maps : Tensor of shape (n_samples, n_channels, n_positions)
        A view where possible.
    """
    return x.flatten(2) if x.ndim > 2 else x.unsqueeze(2)

"""The shape of one sample: what the networks accept, and how batches are brought into it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch

from atl_sklearn._validation import is_integer, shown


def check_input_shape(input_shape: int | Sequence[int], owner: str) -> tuple[int, ...]:
    """Return the shape of one sample as a tuple of int.

    Parameters
    ----------
    input_shape : int or sequence of int
        ``X.shape[1:]``; an int stands for a feature vector.
    owner : str
        Who asks, for the error message.

    Returns
    -------
    input_shape : tuple of int
        At least one axis, all of them at least 1.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    shape = (input_shape,) if isinstance(input_shape, int | Integral) else input_shape
    well_formed = isinstance(shape, Sequence) and not isinstance(shape, str) and len(shape) > 0
    if not well_formed or not all(is_integer(size, 1) for size in shape):
        raise ValueError(
            f"The 'input_shape' parameter of {owner} must be X.shape[1:], a tuple of one or more "
            "ints in [1, inf), or one such int for feature vectors. Got "
            f"{shown(input_shape)} instead."
        )
    return tuple(int(size) for size in shape)


def check_image_shape(input_shape: int | Sequence[int], owner: str) -> tuple[int, int, int]:
    """Return the channels, height and width of one image.

    Parameters
    ----------
    input_shape : sequence of int
        (height, width), which is always an image of one channel, or (channels, height, width).
    owner : str
        Who asks, for the error message.

    Returns
    -------
    image_shape : tuple of three int
        The channels, the height and the width.

    Raises
    ------
    ValueError
        If the shape has another number of axes.
    """
    shape = check_input_shape(input_shape, owner)
    if len(shape) == 2:
        return 1, shape[0], shape[1]
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    way_out = (
        "Use MLP for feature vectors."
        if len(shape) == 1
        else "Reshape X, or pass a network of your own."
    )
    raise ValueError(
        f"The 'input_shape' parameter of {owner} must be (height, width), for 3-D X of one "
        f"channel, or (channels, height, width), for 4-D X. Got {shown(shape)} instead. {way_out}"
    )


def check_batch_shape(x: torch.Tensor, input_shape: tuple[int, ...], owner: str) -> None:
    """Refuse a batch of samples of another shape than `input_shape`."""
    if x.shape[1:] != input_shape:
        raise _batch_error(x, input_shape, owner)


def check_image_batch(x: torch.Tensor, input_shape: tuple[int, ...], owner: str) -> None:
    """Refuse a batch of images of another number of axes or channels than `input_shape`.

    Height and width may differ from those of `input_shape`: convolutions do not mind.
    """
    if x.dim() != len(input_shape) + 1 or (x.dim() == 4 and x.shape[1] != input_shape[0]):
        raise _batch_error(x, input_shape, owner)


def as_images(x: torch.Tensor) -> torch.Tensor:
    """Return a batch of images as (n_samples, n_channels, height, width)."""
    return x.unsqueeze(1) if x.dim() == 3 else x


def pooling_kernel(height: int, width: int) -> tuple[int, int]:
    """Return the sides of a pooling window: 2, or 1 along an axis that has nothing left to pool."""
    return min(height, 2), min(width, 2)


def _batch_error(x: torch.Tensor, input_shape: tuple[int, ...], owner: str) -> ValueError:
    expected = ", ".join(["n_samples", *map(str, input_shape)])
    return ValueError(
        f"{owner} was made for input of shape ({expected}), from input_shape={input_shape}. "
        f"Got {tuple(x.shape)} instead."
    )

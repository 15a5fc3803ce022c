"""Digits in colours that go along with the digit, but for a few."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from atl_sklearn._validation import is_number, refuse_value
from atl_sklearn.datasets._checks import check_seed
from atl_sklearn.datasets._random import get_generator

# One for each digit, red, green and blue.
_COLORS = np.array(
    [
        [255, 0, 0], [0, 255, 0], [0, 0, 255], [225, 225, 0], [225, 0, 225],
        [0, 255, 255], [255, 128, 0], [255, 0, 128], [128, 0, 255], [128, 128, 128],
    ],
    dtype=np.float32,
)  # fmt: skip
_PAINTED = ("digit", "background")


def color_digits(
    images: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    conflicting: float = 0.01,
    painted: str = "digit",
    noise: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Paint images of digits in colours that give the digit away, except in a few.

    This is the common benchmark for methods against spurious correlations. Each digit has its own
    colour, and all its images have it except for the conflicting share. The digit is the target,
    the colour the nuisance. ``painted="digit"`` is the benchmark of [1]_, ``"background"`` that of
    [2]_; both use the same ten colours.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width)
        In grey; the background is 0. Integers up to 255, or floats up to 1.
    target : array-like of shape (n_samples,), int
        The digit, from 0 to 9.
    conflicting : float, default=0.01
        Share of the images, in [0, 1], that have another colour than the digit's, drawn uniformly.
        With 0.9, colour and digit are independent, as a test needs it.
    painted : {"digit", "background"}, default="digit"
        What to paint: the strokes, on black; or what is around them, while they stay grey to white.
        In [2]_ they are white: pass ``images > 0``, as integers of 0 and 255.
    noise : float, default=0.0
        Standard deviation by which the colour varies from image to image; channels are in [0, 1].
    random_state : int, RandomState instance or None, default=None
        Determines the colours.

    Returns
    -------
    painting : ndarray of shape (n_samples, 3, height, width), float32
        Red, green and blue in [0, 1].
    color : ndarray of shape (n_samples,), int
        Which of the ten colours it has; the digit itself if it does not conflict.

    Raises
    ------
    ValueError
        If a parameter has a wrong value.

    See Also
    --------
    fetch_mnist : Images for it.

    References
    ----------
    .. [1] J. Nam et al., "Learning from failure: training debiased classifier from biased
       classifier", NeurIPS 2020 (Colored MNIST).
    .. [2] H. Bahng et al., "Learning de-biased representations with biased representations",
       ICML 2020 (Biased MNIST).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from atl_sklearn.datasets import color_digits
    >>> digits = load_digits()
    >>> X, color = color_digits(digits.images / 16, digits.target, random_state=0)
    >>> X.shape, float((color == digits.target).mean().round(2))
    ((1797, 3, 8, 8), 0.99)
    """
    name = "color_digits"
    digit, grey = np.asarray(target), np.asarray(images)
    if grey.ndim != 3:
        raise refuse_value(name, "images", "of shape (n_samples, height, width)", grey.shape)
    if digit.shape != grey.shape[:1] or not np.issubdtype(digit.dtype, np.integer):
        must = f"integers of shape ({len(grey)},), one for each image"
        raise refuse_value(name, "target", must, f"{digit.dtype} of shape {digit.shape}")
    if len(digit) and (digit.min() < 0 or digit.max() > 9):
        raise refuse_value(name, "target", "from 0 to 9", f"{digit.min()} to {digit.max()}")
    strokes = grey.astype(np.float32) / (255 if np.issubdtype(grey.dtype, np.integer) else 1)
    if strokes.size and not (strokes.min() >= 0 and strokes.max() <= 1):
        must = "integers in [0, 255] or floats in [0, 1]"
        raise refuse_value(name, "images", must, f"{grey.min()} to {grey.max()}")
    if not is_number(conflicting) or not 0 <= conflicting <= 1:
        raise refuse_value(name, "conflicting", "a float in [0, 1]", conflicting)
    if painted not in _PAINTED:
        raise refuse_value(name, "painted", f"one of {list(_PAINTED)}", painted)
    if not is_number(noise) or not 0 <= noise < math.inf:
        raise refuse_value(name, "noise", "a float in [0, inf)", noise)
    check_seed(name, random_state)
    generator = get_generator(random_state)
    n = len(digit)
    differs = generator.uniform(size=n) < conflicting
    color = np.where(differs, (digit + generator.randint(1, 10, size=n)) % 10, digit)
    rgb = _COLORS[color] / 255
    if noise:
        rgb = np.clip(rgb + generator.normal(scale=noise, size=rgb.shape), 0, 1)
    rgb = rgb[:, :, None, None].astype(np.float32)
    strokes = strokes[:, None]
    if painted == "digit":
        return strokes * rgb, color
    return strokes + (strokes == 0) * rgb, color

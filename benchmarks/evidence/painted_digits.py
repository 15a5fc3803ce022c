"""Protocols of the field with images of digits whose colour gives the digit away."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from atl_sklearn.datasets import color_digits, fetch_mnist
from benchmarks.evidence.folds import Clips, Fold

_INDEPENDENT = 0.9  # conflicting share at which ten colours tell nothing of ten digits


@functools.cache
def _mnist(subset: str) -> tuple[np.ndarray, np.ndarray]:
    images, digits = fetch_mnist(subset=subset, return_X_y=True)
    return np.asarray(images), np.asarray(digits)


def _fold(
    seed: int,
    conflicting: float,
    sizes: tuple[int, int, int],
    *,
    n_test: int,
    n_probe: int,
    flat: bool,
    binary: bool,
    options: dict[str, Any],
    **of_fold: Any,
) -> Fold:
    """Return a fold of MNIST: sizes of train, unlabeled and valid; options of color_digits."""
    rng = np.random.RandomState(seed)
    own = rng.permutation(10)

    def part(subset: str, chosen: np.ndarray, share: float) -> Clips:
        images, digits = _mnist(subset)
        shape = (3, *images.shape[1:])
        X = np.empty((len(chosen), *((int(np.prod(shape)),) if flat else shape)), dtype=np.uint8)
        color = np.empty(len(chosen), dtype=np.int64)
        # In pieces: as floats the whole would take four times the memory.
        for start in range(0, len(chosen), 5_000):
            piece = slice(start, start + 5_000)
            grey = images[chosen[piece]]
            painting, color[piece] = color_digits(
                np.where(grey > 0, 255, 0).astype(np.uint8) if binary else grey,
                own[digits[chosen[piece]]],
                conflicting=share,
                random_state=rng,
                **options,
            )
            X[piece] = np.rint(255 * painting).reshape(len(painting), *X.shape[1:])
        return Clips(X, digits[chosen], color)

    order = rng.permutation(len(_mnist("train")[1]))
    n_train, n_unlabeled, n_valid = sizes
    ends = np.cumsum([n_train, n_unlabeled, n_valid, n_valid])
    if ends[-1] > len(order):
        raise ValueError(
            f"n_train, n_unlabeled and twice n_valid are {ends[-1]} images; MNIST has {len(order)}."
        )
    of_train, of_unlabeled, of_valid, of_valid_like_test = np.split(order, ends)[:4]
    train = part("train", of_train, conflicting)
    test = part("test", rng.permutation(len(_mnist("test")[1]))[:n_test], _INDEPENDENT)
    return Fold(
        train=train,
        unrelated=train,
        unlabeled=part("train", of_unlabeled, _INDEPENDENT),
        valid=part("train", of_valid, conflicting),
        valid_like_test=part("train", of_valid_like_test, _INDEPENDENT),
        test=test,
        probe=test.take(np.arange(n_probe)),
        balanced=part("train", of_train, _INDEPENDENT),
        **of_fold,
    )


def coloured_mnist(
    index: int,
    conflicting: float = 0.01,
    *,
    n_train: int = 50_000,
    n_unlabeled: int = 5_000,
    n_valid: int = 2_500,
    n_probe: int = 2_000,
) -> Fold:
    """Digits of MNIST, each in its own colour but for a few: the "Colored MNIST" of [1]_.

    As there: ten colours, each image's own one a little off (a standard deviation of 0.005, the
    published code's severity 4), conflicting colours drawn uniformly from the other nine, an MLP
    with three hidden layers of 100 units, batches of 256, and tests on the 10,000 test images in
    colours that are independent of the digit. Unlike there, 10,000 of the 60,000 training images
    are set aside for validation and as unlabeled data, the colours are those of
    :func:`color_digits`, and which belongs to which digit differs from fold to fold.

    Parameters
    ----------
    index : int
        Which split, assignment of colours to digits, and conflicting images.
    conflicting : float, default=0.01
        Share of the training images whose colour is another one than their digit's.
    n_train, n_unlabeled, n_valid, n_probe : int
        Images for training, in colours independent of the digit without labels, for each of the
        two validation sets, and for the probe.

    References
    ----------
    .. [1] J. Nam et al., "Learning from failure: training debiased classifier from biased
       classifier", NeurIPS 2020.
    """
    return _fold(
        6000 + index,
        conflicting,
        (n_train, n_unlabeled, n_valid),
        n_test=10_000,
        n_probe=n_probe,
        flat=True,
        binary=False,
        options={"noise": 0.005},
        max_epochs=10,
        unrelated_epochs=3,
        network={"module__hidden_layer_sizes": (100, 100, 100), "batch_size": 256},
        image_shape=(3, 28, 28),
    )


def biased_mnist(
    index: int,
    rho: float = 0.99,
    *,
    full: bool = False,
    n_train: int = 10_000,
    n_unlabeled: int = 2_000,
    n_valid: int = 1_000,
    n_test: int = 5_000,
    n_probe: int = 2_000,
) -> Fold:
    """White digits of MNIST before a background whose colour goes along with them: [1]_.

    As there: every pixel that is not 0 is white, the others have one of ten fixed colours, which
    is that of the digit with probability `rho` and else one of the other nine, and in the test
    independent of the digit. Which belongs to which digit differs from fold to fold.

    Parameters
    ----------
    index : int
        Which split, assignment of colours to digits, and conflicting images.
    rho : float, default=0.99
        Share of the training images that have the colour of their digit.
    full : bool, default=False
        Whether to train the published network, of four convolutions of 7 x 7 without pooling, for
        80 epochs in batches of 256, on 50,000 images, and to test on 10,000: a work for a GPU.
        The other sizes, but for that of the probe, mean nothing then.
    n_train, n_unlabeled, n_valid, n_test, n_probe : int
        Images for training, in colours independent of the digit without labels, for each of the
        two validation sets, for the test, and of those for the probe.

    References
    ----------
    .. [1] H. Bahng et al., "Learning de-biased representations with biased representations",
       ICML 2020 (Biased MNIST).
    """
    if full:
        n_train, n_unlabeled, n_valid, n_test = 50_000, 5_000, 2_500, 10_000
    published = {
        "module__channels": (16, 32, 64, 128),
        "module__kernel_size": 7,
        "module__pool_after": (),
        "batch_size": 256,
    }
    return _fold(
        6500 + index,
        1 - rho,
        (n_train, n_unlabeled, n_valid),
        n_test=n_test,
        n_probe=n_probe,
        flat=False,
        binary=True,
        options={"painted": "background"},
        max_epochs=80 if full else 5,
        unrelated_epochs=5 if full else 2,
        network=published if full else {},
    )

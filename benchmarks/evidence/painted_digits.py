"""Protocols of the field with images of digits whose colour gives the digit away."""

from __future__ import annotations

import functools

import numpy as np

from atl_sklearn.datasets import color_digits, fetch_mnist
from benchmarks.evidence.folds import Clips, Fold

_INDEPENDENT = 0.9  # conflicting share at which ten colours tell nothing of ten digits


@functools.cache
def _mnist(subset: str) -> tuple[np.ndarray, np.ndarray]:
    images, digits = fetch_mnist(subset=subset, return_X_y=True)
    return np.asarray(images), np.asarray(digits)


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
    rng = np.random.RandomState(6000 + index)
    own = rng.permutation(10)

    def part(subset: str, chosen: np.ndarray, share: float) -> Clips:
        images, digits = _mnist(subset)
        X = np.empty((len(chosen), 3 * images[0].size), dtype=np.uint8)
        color = np.empty(len(chosen), dtype=np.int64)
        # In pieces: as floats the whole would take four times the memory.
        for start in range(0, len(chosen), 5_000):
            piece = slice(start, start + 5_000)
            painting, color[piece] = color_digits(
                images[chosen[piece]],
                own[digits[chosen[piece]]],
                conflicting=share,
                noise=0.005,
                random_state=rng,
            )
            X[piece] = np.rint(255 * painting.reshape(len(painting), -1))
        return Clips(X, digits[chosen], color)

    order = rng.permutation(len(_mnist("train")[1]))
    ends = np.cumsum([n_train, n_unlabeled, n_valid, n_valid])
    if ends[-1] > len(order):
        raise ValueError(
            f"n_train, n_unlabeled and twice n_valid are {ends[-1]} images; MNIST has {len(order)}."
        )
    of_train, of_unlabeled, of_valid, of_valid_like_test = np.split(order, ends)[:4]
    train = part("train", of_train, conflicting)
    test = part("test", rng.permutation(len(_mnist("test")[1])), _INDEPENDENT)
    return Fold(
        train=train,
        unrelated=train,
        unlabeled=part("train", of_unlabeled, _INDEPENDENT),
        valid=part("train", of_valid, conflicting),
        valid_like_test=part("train", of_valid_like_test, _INDEPENDENT),
        test=test,
        probe=test.take(np.arange(n_probe)),
        balanced=part("train", of_train, _INDEPENDENT),
        max_epochs=10,
        unrelated_epochs=3,
        network={"module__hidden_layer_sizes": (100, 100, 100), "batch_size": 256},
        image_shape=(3, 28, 28),
    )

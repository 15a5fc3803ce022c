"""Digits in colours that go along with the digit."""

import numpy as np
import pytest

from atl_sklearn.datasets import color_digits
from atl_sklearn.datasets._color_digits import _COLORS

IMAGES = np.random.RandomState(0).randint(256, size=(200, 9, 8))
IMAGES = (IMAGES * (np.random.RandomState(1).uniform(size=IMAGES.shape) < 0.3)).astype(np.uint8)
LABELS = np.arange(200) * 7 % 10


@pytest.mark.parametrize("painted", ["digit", "background"])
def test_colors(painted):
    found, colors = color_digits(IMAGES, LABELS, conflicting=0.25, painted=painted, random_state=0)
    assert found.shape == (200, 3, 9, 8)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert 30 < (colors != LABELS).sum() < 70
    for image, grey, color in zip(found, IMAGES, colors, strict=True):
        paint = (_COLORS[color] / 255)[:, None]
        if painted == "digit":
            np.testing.assert_allclose(image, grey / 255 * paint[..., None], atol=1e-6)
        else:
            np.testing.assert_allclose(image[:, grey == 0], paint.repeat((grey == 0).sum(), 1))
            np.testing.assert_allclose(
                image[:, grey > 0], (grey[grey > 0] / 255)[None].repeat(3, 0), rtol=1e-6
            )
    again, _ = color_digits(IMAGES, LABELS, conflicting=0.25, painted=painted, random_state=0)
    np.testing.assert_array_equal(found, again)


def test_share_of_conflicting_colors():
    assert (color_digits(IMAGES, LABELS, conflicting=0)[1] == LABELS).all()
    assert (color_digits(IMAGES, LABELS, conflicting=1)[1] != LABELS).all()
    images, colors = np.zeros((9000, 1, 1)), np.zeros(9000, int)
    counts = np.bincount(color_digits(images, colors, conflicting=0.9, random_state=0)[1])
    assert counts.min() > 780  # ten colours, all as often


def test_noise_changes_colors_and_not_which():
    clean, of_clean = color_digits(IMAGES, LABELS, random_state=0)
    noisy, of_noisy = color_digits(IMAGES, LABELS, noise=0.3, random_state=0)
    np.testing.assert_array_equal(of_clean, of_noisy)
    assert not np.array_equal(clean, noisy)
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_floats_are_what_integers_are():
    of_floats, _ = color_digits(IMAGES / 255, LABELS, random_state=0)
    np.testing.assert_allclose(of_floats, color_digits(IMAGES, LABELS, random_state=0)[0])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"conflicting": 1.5}, "conflicting"),
        ({"conflicting": "all"}, "conflicting"),
        ({"painted": "frame"}, "painted"),
        ({"noise": -1}, "noise"),
        ({"random_state": "seed"}, "random_state"),
        ({"images": IMAGES[0]}, "images"),
        ({"images": 2.0 * IMAGES}, "images"),
        ({"images": -1.0 * IMAGES}, "images"),
        ({"target": LABELS[:5]}, "target"),
        ({"target": LABELS + 1}, "target"),
        ({"target": LABELS / 2}, "target"),
    ],
)
def test_bad_parameters_are_named(change, named):
    with pytest.raises(ValueError, match=f"'{named}' parameter of color_digits"):
        color_digits(**{"images": IMAGES, "target": LABELS, **change})

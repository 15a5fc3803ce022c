"""MNIST: digits written by hand, as they are and in colours that go along with the digit."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zipfile
import zlib
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from atl_sklearn._validation import is_number, refuse_value
from atl_sklearn.datasets._checks import check_flag, check_folder, check_seed
from atl_sklearn.datasets._data_home import get_data_home
from atl_sklearn.datasets._published_file import find_file, not_found, retrieve
from atl_sklearn.datasets._random import get_generator

_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_NAME = "mnist.npz"
_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
_PREFIXES = {"train": "train", "test": "t10k"}
_N = {"train": 60_000, "test": 10_000}
# Of labels and images in the order that fetch_mnist returns.
_SHA256 = {
    "train": "da6370735bf1d490f086dde49c15f2ed0480ad05dc7c70abf5d36bf471d5e312",
    "test": "0c7bc63f656fb2440dc2b5bea4ff3ac8632e305b73ec1dc88141a32d36204fac",
}
_SUBSETS = ("train", "test")
_SIDE = 28

# One colour for each digit, as in "Learning De-biased Representations with Biased Representations".
_COLORS = np.array(
    [
        [255, 0, 0], [0, 255, 0], [0, 0, 255], [225, 225, 0], [225, 0, 225],
        [0, 255, 255], [255, 128, 0], [255, 0, 128], [128, 0, 255], [128, 128, 128],
    ],
    dtype=np.float32,
)  # fmt: skip
_PAINTED = ("digit", "background")

_DESCR = """\
MNIST
-----
Digits written by hand: 60,000 images for training and 10,000 for tests of 28 x 28 pixels, from 0
(background) to 255. They come ordered by digit, and those of a digit by their pixels, so that the
order does not depend on where they were found: shuffle them.

Authors: Y. LeCun, C. Cortes, C. Burges.
Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proceedings of
the IEEE 86, 1998; https://ossci-datasets.s3.amazonaws.com/mnist/.
"""


def fetch_mnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load MNIST, which is downloaded where it is missing (11 MB).

    ================  ===========
    Classes                    10
    Samples           60000, 10000
    Shape                 28 x 28
    ================  ===========

    Parameters
    ----------
    subset : {"train", "test"}, default="train"
        Which images.
    data_home : str or path-like, default=None
        Folder of the files; see :func:`get_data_home` for None.
    download_if_missing : bool, default=True
        Whether to download them where they are not found; if False, that is an error. They are
        looked for in `data_home` and in the folder that the environment variable
        ``ATL_SKLEARN_DATA`` names, as the published ``.gz`` files or as one ``mnist.npz`` with
        ``X_train``, ``y_train``, ``X_test`` and ``y_test``; nothing is written to the latter.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` instead of a Bunch.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes below, ordered by digit: shuffle it.

        images : ndarray of shape (n_samples, 28, 28), uint8
            From 0, the background, to 255.
        target : ndarray of shape (n_samples,), int
            The digit.
        DESCR : str
            Description.
    (images, target) : tuple of ndarrays
        If `return_X_y` is True.

    Raises
    ------
    OSError
        If the data are missing and `download_if_missing` is False, the download fails, or a
        file is damaged or has other contents, which a digest of all images tells.
    ValueError
        If `subset` is unknown.

    See Also
    --------
    make_colored_mnist : The same in colours.

    Examples
    --------
    >>> from atl_sklearn.datasets import fetch_mnist
    >>> mnist = fetch_mnist(subset="test")  # doctest: +SKIP
    >>> mnist.images.shape  # doctest: +SKIP
    (10000, 28, 28)
    """
    if subset not in _SUBSETS:
        raise refuse_value("fetch_mnist", "subset", f"one of {list(_SUBSETS)}", subset)
    check_flag("fetch_mnist", "download_if_missing", download_if_missing)
    check_flag("fetch_mnist", "return_X_y", return_X_y)
    if data_home is not None:
        check_folder("fetch_mnist", "data_home", data_home)
    images, target = _read(subset, Path(get_data_home(data_home)), download_if_missing)
    if return_X_y:
        return images, target
    return Bunch(images=images, target=target, DESCR=_DESCR)


def _read(subset: str, home: Path, download_if_missing: bool) -> tuple[np.ndarray, np.ndarray]:
    names = [f"{_PREFIXES[subset]}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    found = [find_file([name], home) for name in names]
    packed = find_file([_NAME], home)
    if packed is not None and not all(found):
        sources = [packed]
        images, target = _from_npz(packed, subset)
    else:
        if not all(found) and not download_if_missing:
            raise not_found("MNIST", [_NAME, *names], _URL, home)
        sources = [
            path or retrieve(name, _URL + name, f"md5:{_MD5[name]}", home)
            for name, path in zip(names, found, strict=True)
        ]
        images = _from_idx(sources[0], (_N[subset], _SIDE, _SIDE))
        target = _from_idx(sources[1], (_N[subset],))
    rows = np.ascontiguousarray(
        np.hstack([target.reshape(-1, 1), images.reshape(len(images), -1)]), dtype=np.uint8
    )
    # As byte strings they are ordered by digit, and then by their pixels.
    rows = rows[rows.view(f"S{rows.shape[1]}").ravel().argsort()]
    if hashlib.sha256(rows.tobytes()).hexdigest() != _SHA256[subset]:
        raise OSError(
            f"{' and '.join(map(str, sources))} are not the images of MNIST as they were "
            f"published. Delete what lies there to have them downloaded from {_URL}."
        )
    return rows[:, 1:].reshape(-1, _SIDE, _SIDE), rows[:, 0].astype(np.int64)


def _from_npz(path: Path, subset: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, target = arrays[f"X_{subset}"], arrays[f"y_{subset}"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    if images.shape != (_N[subset], _SIDE, _SIDE) or target.shape != (_N[subset],):
        raise _damaged(path, f"shapes {images.shape} and {target.shape}")
    return images, target


def _from_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read the format of the published files: a magic number, the shape, bytes."""
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
    size = len(header) + math.prod(shape)
    try:
        with gzip.open(path) as file:
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error
    if len(content) != size or not content.startswith(header):
        raise _damaged(path, f"no array of shape {shape}")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _damaged(path: Path, why: object) -> OSError:
    return OSError(
        f"{path} cannot be read as MNIST ({why}). Delete it to have it downloaded from {_URL}."
    )


def make_colored_mnist(
    *,
    conflicting: float = 0.01,
    subset: str = "train",
    n_samples: int | None = None,
    painted: str = "digit",
    noise: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Paint the digits of MNIST in colours that go along with the digit, but for a few.

    The benchmark of methods against spurious correlations: each digit has a colour of its own,
    which all of its images have but for the conflicting share. The digit is the target, the
    colour the nuisance. With ``painted="digit"`` it is that of [1]_, with ``"background"`` that
    of [2]_, whose colours both take here.

    Parameters
    ----------
    conflicting : float, default=0.01
        Share of the images, in [0, 1], whose colour is another one than the digit's, drawn
        uniformly. With 0.9 colour and digit are independent, as a test needs them.
    subset : {"train", "test"}, default="train"
        Of which images of MNIST.
    n_samples : int or None, default=None
        How many images, drawn without replacement; None for all, in random order.
    painted : {"digit", "background"}, default="digit"
        What has the colour: the strokes, on black, or what is around them, which are white.
    noise : float, default=0.0
        Standard deviation of a deviation of each image's colour, of channels in [0, 1].
    random_state : int, RandomState instance or None, default=None
        Determines which images, their order and their colours.
    data_home, download_if_missing
        As :func:`fetch_mnist` takes them.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes below.

        images : ndarray of shape (n_samples, 3, 28, 28), float32
            Red, green and blue in [0, 1].
        target : ndarray of shape (n_samples,), int
            The digit.
        color : ndarray of shape (n_samples,), int
            Which of the ten colours it has; the digit itself where it does not conflict.
        DESCR : str
            Description.

    Raises
    ------
    OSError
        As :func:`fetch_mnist` does.
    ValueError
        If a parameter is not what it must be.

    References
    ----------
    .. [1] J. Nam et al., "Learning from failure: training debiased classifier from biased
       classifier", NeurIPS 2020 (Colored MNIST).
    .. [2] H. Bahng et al., "Learning de-biased representations with biased representations",
       ICML 2020 (Biased MNIST).

    Examples
    --------
    >>> from atl_sklearn.datasets import make_colored_mnist
    >>> train = make_colored_mnist(n_samples=5000, random_state=0)  # doctest: +SKIP
    >>> (train.color == train.target).mean().round(2)  # doctest: +SKIP
    0.99
    """
    name = "make_colored_mnist"
    if not is_number(conflicting) or not 0 <= conflicting <= 1:
        raise refuse_value(name, "conflicting", "a float in [0, 1]", conflicting)
    if subset not in _SUBSETS:
        raise refuse_value(name, "subset", f"one of {list(_SUBSETS)}", subset)
    whole = is_number(n_samples, Integral) and 1 <= n_samples <= _N[subset]  # type: ignore[operator]
    if n_samples is not None and not whole:
        raise refuse_value(name, "n_samples", f"None or from 1 to {_N[subset]}", n_samples)
    if painted not in _PAINTED:
        raise refuse_value(name, "painted", f"one of {list(_PAINTED)}", painted)
    if not is_number(noise) or not 0 <= noise < math.inf:
        raise refuse_value(name, "noise", "a float in [0, inf)", noise)
    check_seed(name, random_state)
    images, target = fetch_mnist(
        subset=subset,
        data_home=data_home,
        download_if_missing=download_if_missing,
        return_X_y=True,
    )
    generator = get_generator(random_state)
    chosen = generator.permutation(len(images))[:n_samples]
    images, target = images[chosen], target[chosen]
    n = len(target)
    differs = generator.uniform(size=n) < conflicting
    color = np.where(differs, (target + generator.randint(1, 10, size=n)) % 10, target)
    rgb = _COLORS[color] / 255
    if noise:
        rgb = np.clip(rgb + generator.normal(scale=noise, size=rgb.shape), 0, 1)
    rgb = rgb[:, :, None, None].astype(np.float32)
    strokes = images[:, None].astype(np.float32) / 255
    painting = strokes * rgb if painted == "digit" else strokes + (strokes == 0) * rgb
    return Bunch(images=painting, target=target, color=color, DESCR=_DESCR)

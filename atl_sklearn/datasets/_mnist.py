"""MNIST: digits written by hand."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from atl_sklearn._validation import refuse_value
from atl_sklearn.datasets._checks import check_flag, check_folder
from atl_sklearn.datasets._data_home import get_data_home
from atl_sklearn.datasets._published_file import find_file, not_found, retrieve

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
    color_digits : Paint them in colours that go along with the digit.

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

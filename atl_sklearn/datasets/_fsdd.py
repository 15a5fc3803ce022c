"""The Free Spoken Digit Dataset."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from atl_sklearn._partial_files import remove_left_over
from atl_sklearn._validation import refuse_value
from atl_sklearn.datasets._checks import check_flag, check_folder
from atl_sklearn.datasets._data_home import get_data_home
from atl_sklearn.datasets._published_file import find_file, not_found
from atl_sklearn.datasets._recordings import (
    BadArchiveError,
    Release,
    complete_recordings,
    download,
    extract,
)

_FSDD = Release(
    name="fsdd-1.0.10",
    url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
    archives=("fsdd.zip", "free-spoken-digit-dataset-1.0.10.zip"),
    pattern=r"[0-9]_[a-z]+_[0-9]+\.wav",
    sha256="997e451901d158bdf09dde66b240f3f19310fdbf4d9c056ebd806254df4a672c",
    n_files=3000,
    largest=36_568,
)
_SR = 8000  # Hz
_N_TEST_TAKES = 5
_SUBSETS = ("all", "train", "test")

_DESCR = """\
Free Spoken Digit Dataset, version 1.0.10
-----------------------------------------
Recordings of the English digits zero to nine, trimmed to hardly any silence: 10 digits,
6 speakers, 50 takes of each; 3,000 mono wav files at 8 kHz, 0.14 to 2.3 s long.
Takes 0 to 4 are the official test set, the others the training set.

Licence: Creative Commons Attribution-ShareAlike 4.0 International (CC BY-SA 4.0),
https://creativecommons.org/licenses/by-sa/4.0/.
Authors: the contributors to the repository below, the speakers among them.
Source: https://github.com/Jakobovski/free-spoken-digit-dataset
"""


def _find_or_get(home: Path, *, download_if_missing: bool) -> list[Path]:
    remove_left_over(home)
    extracted = complete_recordings(home / _FSDD.name, _FSDD)
    if extracted:
        return extracted
    archive = find_file(_FSDD.archives, home)
    if archive is not None:
        try:
            return extract(archive, home, _FSDD)
        except BadArchiveError as error:
            raise BadArchiveError(
                f"{error} Replace it by the archive from {_FSDD.url}, or delete it to have it "
                "downloaded."
            ) from error
    if not download_if_missing:
        raise not_found("The Free Spoken Digit Dataset", _FSDD.archives[:1], _FSDD.url, home)
    return download(home, _FSDD)


def fetch_fsdd(
    *,
    subset: str = "all",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load the Free Spoken Digit Dataset, which is downloaded where it is missing (16 MB).

    3,000 recordings with two labels: the digit is the target, the speaker the nuisance (or
    the group of a cross-validation).

    ================  ====
    Classes             10
    Speakers             6
    Samples total     3000
    Sampling rate     8 kHz
    Licence           CC BY-SA 4.0
    ================  ====

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        Which recordings: the official training set (takes 5 and above), the official test set
        (takes 0 to 4), or both. The same speakers are in both.
    data_home : str or path-like, default=None
        Folder of the extracted recordings; see :func:`get_data_home` for None.
    download_if_missing : bool, default=True
        Whether to download the archive where it is not found; if False, that is an error. It
        is looked for as ``fsdd.zip`` or ``free-spoken-digit-dataset-1.0.10.zip`` in `data_home`
        and in the folder that the environment variable ``ATL_SKLEARN_DATA`` names; nothing is
        written to the latter.
    return_X_y : bool, default=False
        Whether to return ``(paths, target)`` instead of a Bunch.

    Returns
    -------
    fsdd : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes below, in the order of digit, speaker, take.

        paths : ndarray of shape (n_samples,), str
            Paths of the recordings.
        target, digit : ndarray of shape (n_samples,), int
            The digit spoken, under two names.
        speaker : ndarray of shape (n_samples,), str
            Who speaks.
        take : ndarray of shape (n_samples,), int
            Which repetition it is, from 0.
        target_names : ndarray of shape (10,), str
            "0" to "9".
        sr : int
            Sampling rate in Hz.
        DESCR : str
            Description, with the licence.
    (paths, target) : tuple of ndarrays
        If `return_X_y` is True.

    Raises
    ------
    OSError
        If the data are missing and `download_if_missing` is False, the download fails, an
        archive is damaged or has other contents (which a digest over names and contents of
        the recordings tells), or `data_home` cannot be written.
    ValueError
        If `subset` is unknown.

    See Also
    --------
    load_audio_files : Recordings of your own, in a folder for each class.
    make_notes : Synthetic notes, in need of no download.

    Notes
    -----
    All recordings are read and compared with the digest at every call, so an incomplete
    folder is replaced instead of used.

    Examples
    --------
    >>> from atl_sklearn.datasets import fetch_fsdd
    >>> fsdd = fetch_fsdd()  # doctest: +SKIP
    >>> fsdd.paths.shape, fsdd.digit[0], fsdd.speaker[0]  # doctest: +SKIP
    ((3000,), 0, 'george')
    """
    if not isinstance(subset, str) or subset not in _SUBSETS:
        raise refuse_value("fetch_fsdd", "subset", f"one of {list(_SUBSETS)}", subset)
    check_flag("fetch_fsdd", "download_if_missing", download_if_missing)
    check_flag("fetch_fsdd", "return_X_y", return_X_y)
    if data_home is not None:
        check_folder("fetch_fsdd", "data_home", data_home)
    home = Path(get_data_home(data_home))

    recordings = []
    for path in _find_or_get(home, download_if_missing=download_if_missing):
        digit, speaker, take = path.stem.split("_")
        recordings.append((int(digit), speaker, int(take), str(path)))
    recordings.sort()
    digits, speakers, takes, paths = map(np.array, zip(*recordings, strict=True))
    if subset != "all":
        keep = (takes < _N_TEST_TAKES) == (subset == "test")
        digits, speakers, takes, paths = digits[keep], speakers[keep], takes[keep], paths[keep]

    if return_X_y:
        return paths, digits
    return Bunch(
        paths=paths,
        target=digits,
        digit=digits.copy(),
        speaker=speakers,
        take=takes,
        target_names=np.array([str(digit) for digit in range(10)]),
        sr=_SR,
        DESCR=_DESCR,
    )

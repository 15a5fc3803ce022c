"""Adult: a census table, and whether the income is high."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from atl_sklearn.datasets._checks import check_flag, check_folder
from atl_sklearn.datasets._data_home import get_data_home
from atl_sklearn.datasets._published_file import find_file, not_found, retrieve

if TYPE_CHECKING:
    import pandas as pd

_URL = "https://archive.ics.uci.edu/static/public/2/adult.zip"
_ARCHIVE = "sha256:7537312dd56c2b98035880805ce99e68183a30ee468aa5329d6df0fbb3cc21bb"
# Of the 32,561 rows alone, as they are published, whoever packed them.
_ROWS = "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"
_NAME = "adult.zip"
_MEMBERS = ("adult.data", "adult.csv")
_LARGEST = 8 * 2**20  # bytes of a member
_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income-per-year",
)  # fmt: skip

_DESCR = """\
Adult
-----
32,561 people of the United States census of 1994 (the published training set): 14 columns, of
which 6 are numbers, and whether a person earns more than 50,000 dollars a year (24 %). Missing
values are NaN. A decision must not depend on "sex", say, or "race": 67 % are men, of whom 31 %
are above the limit; of the women 11 % are.

Licence: Creative Commons Attribution 4.0 International (CC BY 4.0).
Source: B. Becker, R. Kohavi, "Adult", UCI Machine Learning Repository, 1996,
https://doi.org/10.24432/C5XW20.
"""


def fetch_adult(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[pd.DataFrame, np.ndarray]:
    """Load Adult, the census table of fairness research, which is downloaded if missing (0.6 MB).

    ================  =====
    Classes               2
    Samples total     32561
    Columns              14
    Licence           CC BY 4.0
    ================  =====

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the archive; see :func:`get_data_home` for None.
    download_if_missing : bool, default=True
        Whether to download the archive where it is not found; if False, that is an error. It
        is looked for as ``adult.zip`` in `data_home` and in the folder that the environment
        variable ``ATL_SKLEARN_DATA`` names; nothing is written to the latter.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    adult : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes below.

        data : DataFrame of shape (32561, 14)
            Numbers and strings; missing values are NaN.
        target : ndarray of shape (32561,), int
            1 where the income is above 50,000 dollars a year.
        sex, race : ndarray of shape (32561,), str
            Columns of `data`, which can serve as a nuisance.
        feature_names, target_names : list of str
            Names of the columns and classes.
        DESCR : str
            Description, with the licence.
    (data, target) : tuple of DataFrame and ndarray
        If `return_X_y` is True.

    Raises
    ------
    ImportError
        If pandas is not installed.
    OSError
        If the data are missing and `download_if_missing` is False, the download fails, or an
        archive is damaged or has other contents, which the rows' checksum tells.

    Examples
    --------
    >>> from atl_sklearn.datasets import fetch_adult
    >>> adult = fetch_adult()  # doctest: +SKIP
    >>> adult.data.shape, adult.target.mean().round(2)  # doctest: +SKIP
    ((32561, 14), 0.24)
    """
    check_flag("fetch_adult", "download_if_missing", download_if_missing)
    check_flag("fetch_adult", "return_X_y", return_X_y)
    if data_home is not None:
        check_folder("fetch_adult", "data_home", data_home)
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("fetch_adult returns a DataFrame: pip install pandas.") from error
    home = Path(get_data_home(data_home))
    archive = find_file([_NAME], home)
    if archive is None:
        if not download_if_missing:
            raise not_found("Adult", [_NAME], _URL, home)
        archive = retrieve(_NAME, _URL, _ARCHIVE, home)
    table = pd.read_csv(
        io.BytesIO(_rows_of(archive)),
        names=list(_COLUMNS),
        skipinitialspace=True,
        na_values="?",
    )
    target = (table.pop("income-per-year") == ">50K").to_numpy().astype(np.int64)
    if return_X_y:
        return table, target
    return Bunch(
        data=table,
        target=target,
        sex=table["sex"].to_numpy().astype(str),
        race=table["race"].to_numpy().astype(str),
        feature_names=list(_COLUMNS[:-1]),
        target_names=["<=50K", ">50K"],
        DESCR=_DESCR,
    )


def _rows_of(archive: Path) -> bytes:
    """Return the rows as they are published: without a header, a space after each comma."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = {Path(member.filename).name: member for member in zipped.infolist()}
            name = next(name for name in _MEMBERS if name in members)
            with zipped.open(members[name]) as file:
                rows = file.read(_LARGEST)
    except (zipfile.BadZipFile, StopIteration, EOFError, ValueError, NotImplementedError) as error:
        raise OSError(
            f"{archive} is not a complete zip file with one of {', '.join(_MEMBERS)}. Delete it "
            f"to have that of {_URL} downloaded."
        ) from error
    if name == "adult.csv":  # repacked with a header and without spaces
        lines = rows.split(b"\n")[1:]
        rows = b"\n".join(line.replace(b",", b", ") for line in lines) + b"\n"
    if hashlib.sha256(rows).hexdigest() != _ROWS:
        raise OSError(
            f"{archive} has other rows than those that were published. Replace it by that of "
            f"{_URL}, or delete it to have that downloaded."
        )
    return rows

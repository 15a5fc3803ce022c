"""Where data that were fetched live."""

from __future__ import annotations

import os
from pathlib import Path

from atl_sklearn.datasets._checks import check_folder


def get_data_home(data_home: str | os.PathLike[str] | None = None) -> str:
    """Return the path of the folder for fetched data, which is created where it is missing.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder; "~" stands for the user's home. If None, the environment variable
        ``ATL_SKLEARN_DATA_HOME``, or ``~/atl_sklearn_data`` where that is not set.

    Returns
    -------
    data_home : str
        The absolute path of the folder.

    Raises
    ------
    OSError
        If the folder cannot be created.
    ValueError
        If `data_home` is no path.

    Examples
    --------
    >>> import os
    >>> import tempfile
    >>> from atl_sklearn.datasets import get_data_home
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     home = get_data_home(os.path.join(folder, "data"))
    ...     os.path.isdir(home)
    True
    """
    if data_home is None:
        data_home = os.environ.get("ATL_SKLEARN_DATA_HOME") or "~/atl_sklearn_data"
    check_folder("get_data_home", "data_home", data_home)
    folder = Path(data_home).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)

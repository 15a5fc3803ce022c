"""One file of a published data set: found, or downloaded and compared with its checksum."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from atl_sklearn._validation import shown


def places_of(home: Path) -> list[Path]:
    """Return the folders in which data are looked for: `home`, and what the user names.

    Parameters
    ----------
    home : Path
        Where what is downloaded goes.

    Returns
    -------
    folders : list of Path
        `home` first, then that of the environment variable ``ATL_SKLEARN_DATA``.
    """
    named = os.environ.get("ATL_SKLEARN_DATA")
    return [home, *([Path(named).expanduser()] if named else [])]


def find_file(names: Iterable[str], home: Path) -> Path | None:
    """Return the first file of one of the names, or None."""
    paths = (folder / name for folder in places_of(home) for name in names)
    return next((path for path in paths if path.is_file()), None)


def retrieve(name: str, url: str, checksum: str, home: Path, *, timeout: float = 60.0) -> Path:
    """Download a file, unless a complete one is there.

    Parameters
    ----------
    name : str
        What it is called in `home`.
    url : str
        Where it is published.
    checksum : str
        As :func:`pooch.retrieve` takes it: ``"sha256:..."`` or ``"md5:..."``.
    home : Path
        The folder, which exists.
    timeout : float, default=60.0
        Seconds without an answer until the download fails.

    Returns
    -------
    path : Path
        The file, whose checksum is right.

    Raises
    ------
    OSError
        If it cannot be downloaded or written, or what arrived is something else; nothing of it
        stays then.
    """
    import pooch

    get = pooch.HTTPDownloader(timeout=timeout)
    try:
        return Path(pooch.retrieve(url, checksum, fname=name, path=home, downloader=get))
    except ValueError as error:  # the checksum
        raise OSError(f"What {url} sent is not {name} as it was published: {error}") from error
    except OSError as error:  # those of requests are OSErrors too
        raise OSError(
            f"{url} could not be downloaded to {home}: {shown(error)}. Where there is no "
            f"connection, put the file there as {name}."
        ) from error


def not_found(what: str, names: Iterable[str], url: str, home: Path) -> OSError:
    """Return the error for data that are missing, and must not be downloaded."""
    looked = " or ".join(map(str, places_of(home)))
    return OSError(
        f"{what} was not found in {looked}, and download_if_missing is False. Set it to True, or "
        f"put what {url} publishes there as {' or '.join(names)}."
    )

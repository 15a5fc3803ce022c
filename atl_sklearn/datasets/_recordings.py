"""A published folder of recordings: found, downloaded, checked by content, extracted as a whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Release:
    """What identifies the recordings, whoever packed them.

    Attributes
    ----------
    name : str
        Name of the extracted folder.
    url : str
        Address of the archive.
    archives : tuple of str
        File names under which a local archive is looked for; a download gets the first.
    pattern : str
        Regular expression of the recordings' file names; other files are left in the archive.
    sha256 : str
        Digest of the recordings as :func:`digest_files` computes it.
    """

    name: str
    url: str
    archives: tuple[str, ...]
    pattern: str
    sha256: str


class BadArchiveError(OSError):
    """An archive is damaged, or is not what it should be."""


def digest_files(files: Iterable[tuple[str, bytes]]) -> str:
    """Return the digest of files by name and content.

    The same recordings packed again, in another order or with another compression, have the
    same digest.

    Parameters
    ----------
    files : iterable of (str, bytes)
        Names and contents, sorted by name.

    Returns
    -------
    digest : str
        SHA-256 in hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, content in files:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def complete_recordings(folder: Path, release: Release) -> list[Path]:
    """Return the recordings in `folder`, sorted by name, if they are those of `release`.

    All of them are read. Other files beside them do not matter.

    Parameters
    ----------
    folder : Path
        The folder, which need not exist.
    release : Release
        What it has to contain.

    Returns
    -------
    paths : list of Path
        The recordings; empty if one is missing, differs or is not of the release.
    """
    try:
        paths = sorted(p for p in folder.iterdir() if re.fullmatch(release.pattern, p.name))
        digest = digest_files((path.name, path.read_bytes()) for path in paths)
    except OSError:
        return []
    return paths if digest == release.sha256 else []


def find_archive(folders: Iterable[Path], release: Release) -> Path | None:
    """Return the first local archive in `folders`, or None."""
    paths = (folder / name for folder in folders for name in release.archives)
    return next((path for path in paths if path.is_file()), None)


def extract(archive: Path, home: Path, release: Release) -> list[Path]:
    """Extract the recordings of `archive` into `home`, all of them or none.

    They are written to a temporary folder, which gets its name only when it is complete, so
    a process that is killed leaves nothing that looks extracted, and two at a time do not meet.

    Parameters
    ----------
    archive : Path
        A zip file.
    home : Path
        Where the folder ``release.name`` is made.
    release : Release
        What the archive has to contain.

    Returns
    -------
    paths : list of Path
        The recordings, sorted by name, in the folder ``release.name`` of `home`.

    Raises
    ------
    BadArchiveError
        If `archive` cannot be read as a zip file or has other contents.
    OSError
        If `home` cannot be written.
    """
    target = home / release.name
    temporary = Path(tempfile.mkdtemp(prefix=f".{release.name}-", dir=home))
    try:
        fresh = temporary / "new"
        fresh.mkdir()
        try:
            digest = digest_files(_unzip(archive, fresh, release))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as e:
            raise BadArchiveError(f"{archive} is not a complete zip file ({e}).") from e
        names = sorted(path.name for path in fresh.iterdir())
        if digest != release.sha256:
            raise BadArchiveError(
                f"{archive} does not contain the recordings of {release.name}: it has {len(names)} "
                f"of that kind with the digest {digest} where {release.sha256} is expected."
            )
        _put_in_place(fresh, target, temporary, release)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [target / name for name in names]


def download(home: Path, release: Release, *, timeout: float = 60.0) -> list[Path]:
    """Download the archive into `home` and extract it.

    Parameters
    ----------
    home : Path
        Where the archive and the folder ``release.name`` are put.
    release : Release
        What to download.
    timeout : float, default=60.0
        Seconds without an answer until the download fails.

    Returns
    -------
    paths : list of Path
        The recordings, sorted by name.

    Raises
    ------
    OSError
        If the download fails, or what arrived is not the release; it is then removed.
    """
    import pooch

    def process(path: str, action: str, _: object) -> list[Path]:
        try:
            return extract(Path(path), home, release)
        except BadArchiveError as error:
            if action != "fetch":  # just downloaded, so nobody else's file
                Path(path).unlink(missing_ok=True)
            raise BadArchiveError(f"{error} The download was removed; fetch again.") from error

    name = release.archives[0]
    # No hash of the archive: GitHub packs the same files anew from time to time.
    registry = pooch.create(home, base_url="", registry={name: None}, urls={name: release.url})
    downloader = pooch.HTTPDownloader(timeout=timeout)
    try:
        return registry.fetch(name, processor=process, downloader=downloader)
    except BadArchiveError:
        raise
    except OSError as error:  # those of requests are OSErrors too
        raise OSError(
            f"{release.url} could not be downloaded to {home}: {error}. Where there is no "
            f"connection, put the archive there as {name}."
        ) from error


def _unzip(archive: Path, folder: Path, release: Release) -> Iterable[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as zipped:
        members = {}
        for member in zipped.namelist():
            # Only the last part counts: an archive cannot write outside of the folder.
            name = PurePosixPath(member).name
            if re.fullmatch(release.pattern, name):
                members[name] = member
        for name in sorted(members):
            content = zipped.read(members[name])
            (folder / name).write_bytes(content)
            yield name, content


def _put_in_place(fresh: Path, target: Path, temporary: Path, release: Release) -> None:
    try:
        os.rename(fresh, target)
    except OSError:
        if complete_recordings(target, release):  # another process was first
            return
        # Something incomplete is in the way, from a copy that was stopped perhaps.
        with contextlib.suppress(FileNotFoundError):
            os.rename(target, temporary / "old")
        try:
            os.rename(fresh, target)
        except OSError:
            if not complete_recordings(target, release):
                raise

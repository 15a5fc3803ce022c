"""A published folder of recordings: found, downloaded, checked by content, extracted as a whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from atl_sklearn._partial_files import partial_path

_SLACK = 2**10  # bytes that packing may add


def _name_of(path: PurePosixPath) -> str:
    """Return a file's name without its folders."""
    return path.name


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
    sha256 : str or None
        Digest of the recordings as :func:`digest_files` computes it. None where nobody published
        one: names, number and sizes are checked alone then.
    n_files : int
        How many recordings there are.
    largest : int
        Bytes of the largest of them. More is not read, nor written.
    file_name : callable
        From the path of a recording in the archive to its file name here. By default, only the
        last part of the path counts.
    """

    name: str
    url: str
    archives: tuple[str, ...]
    pattern: str
    sha256: str | None
    n_files: int
    largest: int
    file_name: Callable[[PurePosixPath], str] = _name_of

    def has_digest(self, digest: str) -> bool:
        """Tell whether a digest is that of the recordings, as far as one is known."""
        return self.sha256 is None or digest == self.sha256


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
        found = [path.stat() for path in paths]
        if len(paths) != release.n_files or not all(
            stat.S_ISREG(of.st_mode) and of.st_size <= release.largest for of in found
        ):
            return []
        digest = digest_files((path.name, path.read_bytes()) for path in paths)
    except OSError:
        return []
    return paths if release.has_digest(digest) else []


def extract(archive: Path, home: Path, release: Release) -> list[Path]:
    """Extract the recordings of `archive` into `home`, all of them or none.

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
    return put_recordings(_unzip(archive, release), home, release, source=archive)


def put_recordings(
    files: Generator[tuple[str, bytes], None, None], home: Path, release: Release, *, source: Path
) -> list[Path]:
    """Write recordings into `home`, all of them or none.

    They are written to a temporary folder, which gets its name only when it is complete, so
    a process that is killed leaves nothing that looks complete, and two at a time do not meet.

    Parameters
    ----------
    files : generator of (str, bytes)
        Names and contents, sorted by name; closed at the end. Of what it reads, it raises
        BadArchiveErrors alone: other OSErrors are told of as those of `home`.
    home : Path
        Where the folder ``release.name`` is made.
    release : Release
        What the recordings have to be.
    source : Path
        Where they are from, for messages.

    Returns
    -------
    paths : list of Path
        The recordings, sorted by name, in the folder ``release.name`` of `home`.

    Raises
    ------
    BadArchiveError
        If the contents are other ones.
    OSError
        If `home` cannot be written.
    """
    temporary = partial_path(home / release.name)
    fresh = temporary / "new"
    try:
        with _told_of(home), contextlib.closing(files):
            fresh.mkdir(parents=True)
            digest = digest_files(_written(files, fresh))
            if not release.has_digest(digest):
                raise BadArchiveError(
                    f"{source} does not contain the recordings of {release.name}: it has "
                    f"{release.n_files} of that kind with the digest {digest} where "
                    f"{release.sha256} is expected."
                )
            names = sorted(path.name for path in fresh.iterdir())
            _put_in_place(fresh, home / release.name, temporary, release)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [home / release.name / name for name in names]


def _written(files: Iterable[tuple[str, bytes]], folder: Path) -> Iterator[tuple[str, bytes]]:
    for name, content in files:
        (folder / name).write_bytes(content)
        yield name, content


@contextlib.contextmanager
def _told_of(home: Path) -> Iterator[None]:
    """Say of what cannot be written where that is, and how it can be elsewhere."""
    try:
        yield
    except BadArchiveError:
        raise
    except OSError as error:
        told = (
            f"The recordings cannot be put into {home} ({error}). If there is no space or no "
            "permission to write, name another folder by data_home or by the environment variable "
            "ATL_SKLEARN_DATA_HOME"
        )
        raise (OSError(told) if error.errno is None else OSError(error.errno, told)) from error


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

    name = release.archives[0]
    temporary = partial_path(home / name)
    archive = temporary / name
    # No hash of the archive: GitHub packs the same files anew from time to time.
    get = pooch.HTTPDownloader(timeout=timeout)
    try:
        with _told_of(home):
            temporary.mkdir()
        pooch.get_logger().info("Downloading '%s' to '%s'.", release.url, home)
        try:
            get(release.url, str(archive), None)
        except OSError as error:  # those of requests are OSErrors too
            raise OSError(
                f"{release.url} could not be downloaded to {home}: {error}. Where there is no "
                f"connection, put the archive there as {name}."
            ) from error
        try:
            recordings = extract(archive, home, release)
        except BadArchiveError as error:
            told = str(error).replace(str(archive), f"What was downloaded from {release.url}")
            raise BadArchiveError(f"{told} The download was removed; fetch again.") from error
        with _told_of(home):
            os.replace(archive, home / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return recordings


def _unzip(archive: Path, release: Release) -> Generator[tuple[str, bytes], None, None]:
    """Yield the recordings in an archive, if it has as many, and none that is too large."""
    with _opened(archive) as zipped:
        members = {}
        for member in zipped.infolist():
            # A name without a slash: an archive cannot write outside of the folder.
            name = release.file_name(PurePosixPath(member.filename))
            if re.fullmatch(release.pattern, name):
                members[name] = member
        largest = max((member.file_size for member in members.values()), default=0)
        if len(members) != release.n_files or largest > release.largest:
            raise BadArchiveError(
                f"{archive} does not contain the recordings of {release.name}: it has "
                f"{len(members)} of that kind, the largest of {largest} bytes, where "
                f"{release.n_files} are expected, of up to {release.largest} bytes."
            )
        for name in sorted(members):
            yield name, _read(zipped, members[name], archive)


def _opened(archive: Path) -> zipfile.ZipFile:
    with _reading(archive):
        return zipfile.ZipFile(archive)


def _read(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, archive: Path) -> bytes:
    """Return the content of a member: no more than it is said to have, whatever it unpacks to."""
    with _reading(archive):
        if member.compress_size > 2 * member.file_size + _SLACK:
            raise zipfile.BadZipFile(f"{member.filename!r} is larger packed than unpacked")
        with zipped.open(member) as file:
            return file.read(member.file_size)


@contextlib.contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Make one error of those of decompressors, which are of many kinds; the disk's stay."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise BadArchiveError(
            f"{archive} is not a complete zip file ({type(error).__name__}: {error})."
        ) from error


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

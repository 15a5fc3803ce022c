"""Which files of a folder are recordings: found out by trying, and what is left out."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from atl_sklearn._user_warnings import warn_user

_N_SHOWN = 5
_TEXT = 512  # bytes that tell text from other things


class LeftOut(NamedTuple):
    """A file that is not listed.

    Parameters
    ----------
    path : str
        Its path.
    reason : str
        Why it is not.
    """

    path: str
    reason: str


def files_below(folder: Path, left_out: list[LeftOut], *, deep: bool) -> Iterator[Path]:
    """Yield the files in a folder, sorted, without hidden ones.

    Parameters
    ----------
    folder : Path
        The folder.
    left_out : list of LeftOut
        Folders that cannot be read, and those that are not looked into, are appended here.
    deep : bool
        Whether to look into the folders in it.

    Yields
    ------
    path : Path
        The files, and what looks like one.
    """
    yield from _files_below(folder, left_out, deep, frozenset([os.path.realpath(folder)]))


def _files_below(
    folder: Path, left_out: list[LeftOut], deep: bool, above: frozenset[str]
) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        left_out.append(LeftOut(str(folder), f"the folder cannot be read ({error.strerror})"))
        return
    for path in paths:
        if path.name[0] == ".":  # the system's, such as the "._x.wav" that macOS leaves
            continue
        if not path.is_dir():
            yield path
        elif not deep:
            left_out.append(LeftOut(str(path), "it is a folder; with pattern= it is looked into"))
        elif (real := os.path.realpath(path)) in above:
            left_out.append(LeftOut(str(path), "it is a link to a folder that it is in"))
        else:
            yield from _files_below(path, left_out, deep, above | {real})


def reason_against(path: Path) -> str | None:
    """Return why a file cannot be read as audio; None if it can."""
    from atl_sklearn.audio import BadAudioError, audio_info

    if path.is_symlink() and not path.exists():
        return f"it is a link to {os.readlink(path)!r}, which does not exist"
    try:
        audio_info(path, header_only=True)
    except BadAudioError as error:
        return str(error).splitlines()[1].split("): ", 1)[-1]
    return None


def warn_of(left_out: Sequence[LeftOut], n_listed: int, where: str) -> None:
    """Warn of what is left out, once, but for texts, pictures and the like."""
    told = [item for item in left_out if not _is_beside(item.path)]
    if not told:
        return
    lines = [f"{len(told)} of {len(told) + n_listed} files and folders in {where} are left out:"]
    lines += [f"  {_printable(path)}: {reason}" for path, reason in told[:_N_SHOWN]]
    if len(told) > _N_SHOWN:
        lines.append(f"  and {len(told) - _N_SHOWN} more.")
    warn_user("\n".join([*lines, "The attribute left_out lists all of them."]))


def _is_beside(path: str) -> bool:
    """Tell whether a file is what usually lies beside recordings: text, or a picture."""
    kind = mimetypes.guess_type(path)[0] or ""
    if kind.startswith(("audio/", "video/")) or not os.path.isfile(path):
        return False
    if kind and kind != "application/octet-stream":
        return True
    try:
        with open(path, "rb") as file:
            start = file.read(_TEXT)
    except OSError:
        return False
    if not start or b"\0" in start:
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4  # a letter that the end cuts in two
    return True


def _printable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

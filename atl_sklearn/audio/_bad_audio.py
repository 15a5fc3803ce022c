"""Audio that cannot be used: the error, and the record where it is replaced by silence."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

_MOST_SHOWN = 20
MISSING = "it does not exist"
TRUNCATED = "it is truncated"


class BadFile(NamedTuple):
    """A clip that cannot be used.

    Parameters
    ----------
    position : int
        Where it is in X.
    path : str or None
        Its path, if it is a file.
    reason : str
        What is wrong with it.
    """

    position: int
    path: str | None
    reason: str


class UnusableClipError(Exception):
    """A clip cannot be used; the message says why, without its name."""


class BadAudioError(ValueError):
    """Some clips cannot be used; the message names up to 20 of them, each with the reason.

    Parameters
    ----------
    message : str
        What is wrong with which clips.
    indices : sequence of int
        Positions of all of these clips in X.

    Attributes
    ----------
    indices : list of int
        Positions of the bad clips in X, so that you can go on without them.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import BadAudioError, LibrosaFeatures
    >>> clips = [np.ones(100), np.zeros(0)]
    >>> try:
    ...     LibrosaFeatures().fit(clips)
    ... except BadAudioError as error:
    ...     print(error, error.indices)
    1 of 2 clips cannot be used:
      X[1]: it has no samples
    Repair them or leave them out; the attribute indices of this error lists all of them. [1]
    """

    def __init__(self, message: str, indices: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.indices = list(indices)

    def __reduce__(self) -> tuple[type, tuple[str, list[int]]]:
        return type(self), (str(self), self.indices)

    @classmethod
    def from_reasons(cls, bad: Sequence[BadFile], n_clips: int) -> BadAudioError:
        """Return the error for some of the clips.

        Parameters
        ----------
        bad : sequence of (int, str or None, str)
            Position, path if there is one, and what is wrong, for each of these clips.
        n_clips : int
            Number of clips that were looked at, good or bad.

        Returns
        -------
        error : BadAudioError
            The error, to be raised.
        """
        way_out = (
            "Repair them or leave them out; the attribute indices of this error lists all of them."
        )
        return cls(
            "\n".join([*list_bad(bad, n_clips, "cannot be used"), way_out]),
            [found.position for found in bad],
        )


def printable(path: str) -> str:
    """Return a path as it can be printed; bytes that are not UTF-8 as numbers."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def list_bad(bad: Sequence[BadFile], n_clips: int, what: str) -> list[str]:
    """Return the lines of a message that names up to 20 clips."""
    lines = [f"{len(bad)} of {n_clips} clips {what}:"]
    for index, path, reason in bad[:_MOST_SHOWN]:
        lines.append(f"  X[{index}]{'' if path is None else f' ({printable(path)})'}: {reason}")
    if len(bad) > _MOST_SHOWN:
        lines.append(f"  and {len(bad) - _MOST_SHOWN} more.")
    if any(
        found.path is not None and found.reason == MISSING and not os.path.isabs(found.path)
        for found in bad
    ):
        lines.append(
            f"Relative paths were looked for in {os.path.abspath('.')!r}; the parameter root names "
            "another folder."
        )
    if any(found.path is not None and found.reason.startswith(TRUNCATED) for found in bad):
        lines.append(
            "Copy truncated files again from a complete source; if the part that you have is "
            "enough, 'ffmpeg -i old.wav new.wav' writes it with a correct header."
        )
    return lines


def report_bad(bad: Sequence[BadFile], n_clips: int, on_error: str) -> None:
    """Raise or warn, as the user asked for, if there are clips that cannot be used."""
    if not bad:
        return
    if on_error == "raise":
        raise BadAudioError.from_reasons(bad, n_clips)
    import warnings

    lines = list_bad(bad, n_clips, "cannot be used and are replaced by silence")
    lines.append("The attribute bad_files_ lists all of them.")
    warnings.warn("\n".join(lines), BadAudioWarning, stacklevel=3)


class BadAudioWarning(UserWarning):
    """Some clips cannot be used and were replaced by silence; ``on_error="warn"`` asked for it."""

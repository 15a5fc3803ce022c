"""The error for audio that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MOST_SHOWN = 20


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
        Positions of the bad clips in X, for those who want to go on without them.

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

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.indices)

    @classmethod
    def from_reasons(
        cls, reasons: Sequence[tuple[int, str | None, str]], n_clips: int
    ) -> BadAudioError:
        """Return the error for some of the clips.

        Parameters
        ----------
        reasons : sequence of (int, str or None, str)
            Position, path if there is one, and what is wrong, for each of these clips.
        n_clips : int
            Number of clips that were looked at, good or bad.

        Returns
        -------
        error : BadAudioError
            The error, to be raised.
        """
        lines = [f"{len(reasons)} of {n_clips} clips cannot be used:"]
        for index, path, reason in reasons[:_MOST_SHOWN]:
            lines.append(f"  X[{index}]{'' if path is None else f' ({path})'}: {reason}")
        if len(reasons) > _MOST_SHOWN:
            lines.append(f"  and {len(reasons) - _MOST_SHOWN} more.")
        lines.append(
            "Repair them or leave them out; the attribute indices of this error lists all of them."
        )
        return cls("\n".join(lines), [index for index, _, _ in reasons])

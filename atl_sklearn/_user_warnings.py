"""Warnings that point at the user's line."""

from __future__ import annotations

import sys
import warnings

_BETWEEN = {"atl_sklearn", "joblib", "sklearn", "skorch", "torch"}


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside of this package, and of those around it, that led here.

    Parameters
    ----------
    message : str
        What is wrong, and what to do.
    category : type, default=UserWarning
        Kind of warning.
    """
    # Python 3.12 has skip_file_prefixes for this.
    level, frame = 1, sys._getframe()
    while (
        frame.f_back is not None
        and str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN
    ):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)

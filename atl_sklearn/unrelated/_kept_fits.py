"""Fitted unrelated estimators in the folder of `memory`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from atl_sklearn._user_warnings import warn_user
from atl_sklearn.persistence import (
    LEFT_BEHIND,
    CannotSaveError,
    ModelFileError,
    find,
    keep,
    own_parts_of,
)


class KeptFit:
    """A place for what the fit of one estimator makes.

    Parameters
    ----------
    folder : path-like
        Where fits are kept.
    key : str
        What determines the fit.
    source : estimator
        Not fitted. What it is made of is all that a file may name.

    Raises
    ------
    CannotSaveError
        If it holds what cannot be kept; the message says what.
    """

    def __init__(self, folder: Any, key: str, source: Any) -> None:
        self._key = key
        self._source = source
        self._trusted = own_parts_of(source)
        self._path = Path(folder) / f"{key}.safetensors"

    def load(self) -> Any:
        """Return what was kept, or None; a file that cannot be taken is warned of."""
        try:
            found = find(self._key, self._path, self._trusted)
            self._set_parameters(found.estimator)
        except FileNotFoundError:
            return None
        except (AttributeError, ModelFileError, OSError) as error:
            warn_user(
                f"The file {str(self._path)!r} in the 'memory' folder cannot be used: {error} "
                "The estimator is fitted again."
            )
            return None
        return found

    def _set_parameters(self, estimator: Any) -> None:
        params = self._source.get_params() if isinstance(self._source, BaseEstimator) else {}
        stayed = {name: value for name, value in params.items() if value is not None}
        # They belong to a machine; here it is the same one.
        stayed = {n: v for n, v in stayed.items() if n.rpartition("__")[2] in LEFT_BEHIND}
        if stayed:
            estimator.set_params(**stayed)

    def save(self, fitted: Any) -> str:
        """Keep a fit.

        Parameters
        ----------
        fitted : FittedSource
            What the fit made.

        Returns
        -------
        reason : str
            Why it is not kept; empty if it is.
        """
        try:
            keep(fitted, self._key, lambda _: self._path, optimizer=True)
        except CannotSaveError as error:
            return str(error)
        except OSError as error:
            warn_user(
                f"A fit cannot be kept in the 'memory' folder {str(self._path.parent)!r}: {error}. "
                "Others will fit the same again."
            )
        return ""

"""The folder `memory`, which keeps fits and activations for later calls of `fit`."""

from __future__ import annotations

import errno
import os
import warnings
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import BaseEstimator

from atl_sklearn._folders import as_folder
from atl_sklearn._types import Memory, PathLike
from atl_sklearn._user_warnings import warn_user
from atl_sklearn._validation import shown
from atl_sklearn.persistence import (
    LEFT_BEHIND,
    CannotSaveError,
    ModelFileError,
    Trusted,
    find,
    keep,
    own_parts_of,
)

# System errors for a folder that is a valid choice, but cannot be made now.
_NOT_NOW = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def get_memory(memory: Memory, *, warn: bool = False) -> joblib.Memory | None:
    """Return the ``memory`` parameter as a joblib.Memory.

    Parameters
    ----------
    memory : None, str, path-like or joblib.Memory
        A folder, which is made if it is not there, or a Memory.
    warn : bool, default=False
        Whether to warn of a folder for which there is no permission, or no space.

    Returns
    -------
    memory : joblib.Memory or None
        None where nothing is kept: for None, for a Memory without a location, and for a folder
        for which there is no permission or no space.

    Raises
    ------
    ValueError
        If it is none of these, or the folder cannot be made.

    Examples
    --------
    >>> from atl_sklearn.unrelated._memory import get_memory
    >>> print(get_memory(None))
    None
    """
    if isinstance(memory, str | os.PathLike):
        folder = str(as_folder(memory))
        if os.fspath(memory) and not (os.path.lexists(folder) and not os.path.isdir(folder)):
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Unable to write .*gitignore")
                    return joblib.Memory(folder, verbose=0)
            except (OSError, ValueError) as error:
                if getattr(error, "errno", None) in _NOT_NOW:
                    if warn:
                        warn_user(
                            f"The 'memory' folder {folder!r} cannot be made ({error}). This fit "
                            "keeps nothing, and finds nothing that others kept."
                        )
                    return None
                raise ValueError(
                    f"The 'memory' parameter must be a folder that can be made: {error}. "
                    f"Got {shown(memory)} instead."
                ) from error
    elif memory is None or isinstance(memory, joblib.Memory):
        return None if memory is None or memory.location is None else memory
    raise ValueError(
        "The 'memory' parameter must be None, a folder (a str or path), or a joblib.Memory. "
        f"Got {shown(memory)} instead."
    )


def folder_in(memory: joblib.Memory, kind: str) -> Path:
    """Return where `memory` keeps what this package has of one kind; it need not be there yet."""
    return Path(memory.store_backend.location) / "atl_sklearn" / kind


class Kept:
    """A place for what was computed once.

    Parameters
    ----------
    folder : path-like
        Where such things are kept.
    key : str
        What determines it.
    trusted : sequence of str, class or function, default=()
        All that a file may name besides what this package is made of.
    what : str, default="What was computed"
        In messages, before "cannot be kept".
    again : str, default="It is computed again."
        Said where a file cannot be taken.
    """

    def __init__(
        self,
        folder: PathLike,
        key: str,
        trusted: Trusted = (),
        *,
        what: str = "What was computed",
        again: str = "It is computed again.",
    ) -> None:
        self._key = key
        self._trusted = trusted
        self._path = Path(folder) / f"{key}.safetensors"
        self._what, self._again = what, again

    def _found(self) -> Any:
        return find(self._key, self._path, self._trusted)

    def load(self) -> Any:
        """Return what was kept, or None; a file that cannot be taken is warned of."""
        try:
            return self._found()
        except FileNotFoundError:
            return None
        except (AttributeError, ModelFileError, OSError) as error:
            warn_user(
                f"The file {str(self._path)!r} in the 'memory' folder cannot be used: {error} "
                f"{self._again}"
            )
            return None

    def save(self, value: object) -> str:
        """Keep a value.

        Parameters
        ----------
        value : object
            What was computed.

        Returns
        -------
        reason : str
            Why it is not kept; empty if it is.
        """
        try:
            keep(value, self._key, lambda _: self._path, optimizer=True)
        except CannotSaveError as error:
            return str(error)
        except OSError as error:
            warn_user(
                f"{self._what} cannot be kept in the 'memory' folder "
                f"{str(self._path.parent)!r}: {error}. Other fits will repeat it."
            )
        return ""


class KeptFit(Kept):
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

    def __init__(self, folder: PathLike, key: str, source: BaseEstimator) -> None:
        again = "The estimator is fitted again."
        super().__init__(folder, key, own_parts_of(source), what="A fit", again=again)
        self._source = source

    def _found(self) -> Any:
        found = super()._found()
        self._set_parameters(found.estimator)
        return found

    def _set_parameters(self, estimator: BaseEstimator) -> None:
        params = self._source.get_params() if isinstance(self._source, BaseEstimator) else {}
        stayed = {name: value for name, value in params.items() if value is not None}
        # They belong to a machine; here it is the same one.
        stayed = {n: v for n, v in stayed.items() if n.rpartition("__")[2] in LEFT_BEHIND}
        if stayed:
            estimator.set_params(**stayed)

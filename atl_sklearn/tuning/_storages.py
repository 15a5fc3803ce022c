"""Where studies are kept: in memory, in a folder, in a database."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, TypeAlias

from optuna import load_study
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.study import Study
from sqlalchemy.engine import make_url

from atl_sklearn._folders import as_folder
from atl_sklearn._types import PathLike
from atl_sklearn._validation import shown
from atl_sklearn.tuning._database_url import (
    DatabaseUrl,
    as_url,
    is_url,
    without_password,
    without_secrets,
)
from atl_sklearn.tuning._journal import Journal

_JOURNAL = "studies.log"
_DATABASES = ("mysql", "postgresql", "sqlite")
_ATTEMPTS = 5

# What `storage` may be.
Storage: TypeAlias = "PathLike | BaseStorage | None"


def _open_folder(folder: Path) -> BaseStorage:
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            "The 'storage' parameter must be a folder, the URL of a database, or an Optuna "
            f"storage. Got {str(folder)!r}, which is a file. Databases have URLs such as "
            f"'sqlite:///{folder}'."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return JournalStorage(Journal(folder / _JOURNAL))


def _file_of(url: str) -> str:
    """Return the file of a SQLite database; of others the folder here, which is there."""
    parsed = make_url(url)
    return parsed.database or "." if parsed.get_backend_name() == "sqlite" else "."


def _open_database(url: DatabaseUrl) -> BaseStorage:
    kind = url.split(":")[0].split("+")[0]
    if kind not in _DATABASES:
        raise ValueError(
            f"The 'storage' parameter must be a folder, the URL of a database of {_DATABASES}, or "
            f"an Optuna storage. Got {url!r}."
        )
    # Others may hold the lock of a SQLite file for a moment.
    engine: dict[str, dict[str, int]] = (
        {"connect_args": {"timeout": 60}} if kind == "sqlite" else {}
    )
    for attempt in range(_ATTEMPTS):
        try:
            return RDBStorage(str(url), engine_kwargs=engine)
        except ImportError as error:
            raise ImportError(
                f"The 'storage' parameter {url!r} needs a driver that is not installed: "
                f"{without_secrets(str(error), url)}"
            ) from error
        except Exception as error:
            # Two processes that make the tables at once: one of them fails, and finds them then.
            meanwhile = any(word in str(error).lower() for word in ("exist", "unique", "duplicate"))
            if attempt + 1 < _ATTEMPTS and meanwhile and "does not exist" not in str(error):
                time.sleep(0.1 * (attempt + 1))
                continue
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            told = without_secrets(reason, url)
            raise ValueError(
                f"The 'storage' parameter {url!r} cannot be opened: {told}. Check that the "
                "database is there and that its server runs."
            ) from (error if told == reason else None)
    raise AssertionError("unreachable")  # pragma: no cover


def open_storage(storage: Storage) -> BaseStorage:
    """Return an Optuna storage.

    Parameters
    ----------
    storage : None, str, path-like or optuna.storages.BaseStorage
        None for memory; a folder for a journal in it; the URL of a SQLite, PostgreSQL or MySQL
        database.

    Returns
    -------
    storage : optuna.storages.BaseStorage
        Opened.

    Raises
    ------
    ImportError
        If a database's driver is not installed.
    ValueError
        If it is none of these or cannot be opened.
    """
    if storage is None:
        return InMemoryStorage()
    if isinstance(storage, BaseStorage):
        return storage
    if is_url(storage):
        return _open_database(DatabaseUrl(storage))
    if isinstance(storage, str | os.PathLike) and os.fspath(storage):
        return _open_folder(as_folder(storage))
    raise ValueError(
        "The 'storage' parameter must be None, a folder, the URL of a database, or an Optuna "
        f"storage. Got {shown(storage)}."
    )


def reopen_study(storage: Storage, name: str) -> Study:
    """Return a study that is in a storage, to be looked at.

    Parameters
    ----------
    storage : str, path-like or optuna.storages.BaseStorage
        As :func:`open_storage` takes it; nothing is made where there is nothing.
    name : str
        Of the study.

    Returns
    -------
    study : optuna.study.Study
        The study.

    Raises
    ------
    ImportError, OSError, ValueError
        If the storage or the study is not there.
    """
    if storage is not None and not isinstance(storage, BaseStorage):
        path = Path(_file_of(storage)) if is_url(storage) else as_folder(storage) / _JOURNAL
        if not path.exists():
            raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        return load_study(study_name=name, storage=open_storage(storage))
    except KeyError as error:
        raise ValueError("the storage is there, and the study is not") from error


def kept_with(search: dict[str, Any]) -> dict[str, object]:
    """Return the attributes of a search as they are pickled.

    Of one that is fitted, a study that is in a folder or a database stays there, and passwords are
    left out. Others have all that they need in another process.
    """
    if "cv_results_" not in search:
        return search
    study, storage = search["_study"], search["storage"]
    if study is not None and is_shared(study._storage):
        study = None
        if isinstance(storage, RDBStorage):
            storage = storage.url
    if is_url(storage):
        storage = as_url(without_password(storage))
    return {**search, "_study": study, "storage": storage}


def close_storage(storage: BaseStorage) -> None:
    """Close the connections of a storage; it opens new ones if it is used again."""
    storage = getattr(storage, "_backend", storage)  # studies keep a database behind a cache
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def is_shared(storage: Storage) -> bool:
    """Tell whether other processes can see a storage."""
    return not (storage is None or isinstance(storage, InMemoryStorage))

"""Objects that this package keeps in folders, to be found again by their content.

Whoever can write into such a folder can put files there: each says what it is kept as, has a
digest, and may name no classes and functions besides those that the reader has in hand already.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atl_sklearn._partial_files import written_at_once
from atl_sklearn._types import PathLike
from atl_sklearn._versions import versions_here
from atl_sklearn.persistence._allowed import Code, Trusted
from atl_sklearn.persistence._errors import ModelFileError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


def own_parts_of(value: BaseEstimator) -> list[Code]:
    """Return the classes and functions of others in an object, which reading it again trusts.

    Parameters
    ----------
    value : estimator or torch.nn.Module
        As the user gave it, fitted or not.

    Returns
    -------
    parts : list of class and function
        They themselves, so that nothing has to be imported.

    Raises
    ------
    CannotSaveError
        If it holds what cannot be kept.
    """
    from atl_sklearn.persistence._encode import Encoder, Keep

    encoder = Encoder(Keep(optimizer=True, unrelated=True, whole=True))
    encoder.encode(value)
    return list(encoder.own.values())


def keep(
    value: object, name: str, path_of: Callable[[str], PathLike], *, optimizer: bool
) -> tuple[Path, str]:
    """Keep an object in a file.

    Parameters
    ----------
    value : object
        What is kept: all of it, or nothing.
    name : str
        What it is kept as.
    path_of : callable
        Returns the file for a digest of the content; its folder is made.
    optimizer : bool
        Whether the state of trainings is kept.

    Returns
    -------
    path : Path
        The file.
    digest : str
        Of the content.

    Raises
    ------
    CannotSaveError
        If the object holds what cannot be kept.
    OSError
        If the file cannot be written.
    """
    from atl_sklearn.persistence import _file
    from atl_sklearn.persistence._encode import Keep
    from atl_sklearn.persistence._save import as_content

    what = Keep(optimizer=optimizer, unrelated=True, whole=True)
    packed, digest = _file.pack(as_content({"name": name, "value": value}, what))
    path = Path(path_of(digest))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written again where it is there: what lies there may be damaged, or somebody else's.
    with written_at_once(path) as partial:
        partial.write_bytes(packed)
    return path, digest


def find(name: str, path: PathLike, trusted: Trusted, digest: str | None = None) -> Any:
    """Return what was kept in a file.

    Parameters
    ----------
    name : str
        What it was kept as.
    path : path-like
        The file.
    trusted : sequence of str, class or function
        What it may name; see :func:`~atl_sklearn.load`.
    digest : str or None, default=None
        That of the content, where it is known.

    Returns
    -------
    value : object
        What was kept.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is damaged, something else, or of other versions of the packages.
    """
    from atl_sklearn.persistence import _file
    from atl_sklearn.persistence._save import from_content

    content = _file.read(path)
    if digest is not None and content.digest != digest:
        raise ModelFileError("It is another file than the one that was written.")
    if digest is None and content.versions != versions_here():
        raise ModelFileError(f"It was written by other versions: {content.versions}.")
    found = from_content(content, trusted, older=content.versions != versions_here())
    if not isinstance(found, dict) or found.get("name") != name:
        raise ModelFileError("It was kept as something else.")
    return found["value"]

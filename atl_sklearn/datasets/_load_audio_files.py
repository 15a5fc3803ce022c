"""Audio files in a folder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from atl_sklearn._types import Seed
from atl_sklearn._validation import refuse_value
from atl_sklearn.datasets._checks import check_flag, check_folder, check_seed
from atl_sklearn.datasets._random import get_generator

_EXTENSIONS = (".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", ".opus", ".wav")


def _as_strings(name: str, values: object, example: str) -> list[str]:
    found = []
    if isinstance(values, Iterable) and not isinstance(values, str):
        found = list(values)
    if not found or not all(isinstance(value, str) for value in found):
        must = f"a non-empty sequence of str, such as {example}"
        raise refuse_value("load_audio_files", name, must, values)
    return found


def _audio_files(folder: Path, extensions: tuple[str, ...]) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        # hidden ones are the system's, such as the "._x.wav" that macOS leaves
        if path.name.lower().endswith(extensions) and path.name[0] != "." and path.is_file()
    )


def _category_folders(
    root: Path, categories: Sequence[str] | None, extensions: tuple[str, ...]
) -> list[Path]:
    if not root.is_dir():
        reason = "is not a folder" if root.exists() else "does not exist"
        place = "" if root.is_absolute() else f" (it was looked for in {Path.cwd()})"
        raise FileNotFoundError(
            f"{root} {reason}{place}. Give a folder with a sub-folder a category."
        )
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if not folders:
        loose = len(_audio_files(root, extensions))
        hint = "Put the audio files of each category in a sub-folder named after it."
        if loose:
            hint = f"It holds {loose} audio files itself. {hint}"
        raise ValueError(f"{root} has no sub-folders, which are the categories. {hint}")
    if categories is None:
        return folders
    names = [folder.name for folder in folders]
    unknown = sorted(set(categories) - set(names))
    if unknown:
        raise ValueError(f"{root} has no sub-folders {unknown}. Available: {names}.")
    return [folder for folder in folders if folder.name in categories]


def load_audio_files(
    folder: str | os.PathLike[str],
    *,
    description: str | None = None,
    categories: Sequence[str] | None = None,
    extensions: Sequence[str] = _EXTENSIONS,
    shuffle: bool = False,
    random_state: Seed = None,
) -> Bunch:
    """List audio files with the names of their folders as labels; none of them is read.

    The folder holds a sub-folder for each category, and this holds the category's files:

    .. code-block:: text

        folder/
            cat/
                1.wav
                2.wav
            dog/
                1.wav

    Parameters
    ----------
    folder : str or path-like
        Folder with a sub-folder for each category.
    description : str, default=None
        What the data are: their source, licence and so on.
    categories : sequence of str, default=None
        Sub-folders to load; None loads all. Hidden ones, whose names start with a dot, are
        left out, as are hidden files.
    extensions : sequence of str, default=(".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", \
".opus", ".wav")
        Endings of the names of audio files, in upper or lower case.
    shuffle : bool, default=False
        Whether to shuffle the files. Otherwise they are sorted by category and name.
    random_state : int, RandomState instance or None, default=None
        Shuffles the files; pass an int for the same order at every call.

    Returns
    -------
    files : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        paths : ndarray of shape (n_samples,), str
            Paths of the files, to be given to :class:`~atl_sklearn.audio.LibrosaFeatures`.
        target : ndarray of shape (n_samples,), int
            Index of each file's category.
        target_names : ndarray of shape (n_categories,), str
            The categories, sorted.
        DESCR : str or None
            `description`.

    Raises
    ------
    FileNotFoundError
        If `folder` is not a folder.
    ValueError
        If `folder` has no sub-folders or not those in `categories`, or if one of them holds no
        audio file.

    See Also
    --------
    sklearn.datasets.load_files : The same for text.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from atl_sklearn.datasets import load_audio_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ["cat/1.wav", "cat/2.wav", "dog/1.wav"]:
    ...         path = Path(folder, name)
    ...         path.parent.mkdir(exist_ok=True)
    ...         path.touch()
    ...     animals = load_audio_files(folder)
    >>> animals.target
    array([0, 0, 1])
    >>> [str(name) for name in animals.target_names]
    ['cat', 'dog']
    """
    check_folder("load_audio_files", "folder", folder)
    check_flag("load_audio_files", "shuffle", shuffle)
    check_seed("load_audio_files", random_state)
    endings = tuple(e.lower() for e in _as_strings("extensions", extensions, "('.wav', '.flac')"))
    if categories is not None:
        categories = _as_strings("categories", categories, "['cat', 'dog']")
    root = Path(folder).expanduser()
    folders = _category_folders(root, categories, endings)
    files = [_audio_files(category, endings) for category in folders]
    empty = [category.name for category, found in zip(folders, files, strict=True) if not found]
    if empty:
        raise ValueError(
            f"The sub-folders {empty} of {root} hold no audio files, which are those that end in "
            f"{list(endings)}. Name others with extensions=..., or leave folders out with "
            "categories=...."
        )

    paths = np.array([str(path) for found in files for path in found])
    target = np.repeat(np.arange(len(files)), [len(found) for found in files])
    if shuffle:
        order = get_generator(random_state).permutation(len(paths))
        paths, target = paths[order], target[order]
    return Bunch(
        paths=paths,
        target=target,
        target_names=np.array([category.name for category in folders]),
        DESCR=description,
    )

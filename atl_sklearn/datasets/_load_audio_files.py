"""Audio files with labels in their paths."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from atl_sklearn._types import Seed
from atl_sklearn._validation import refuse_value
from atl_sklearn.datasets._checks import check_flag, check_folder, check_seed
from atl_sklearn.datasets._listing import LeftOut, files_below, reason_against, warn_of
from atl_sklearn.datasets._path_labels import check_links, check_pattern, columns_of, labels_of
from atl_sklearn.datasets._random import get_generator


def _as_strings(name: str, values: object, example: str) -> list[str]:
    found = []
    if isinstance(values, Iterable) and not isinstance(values, str):
        found = list(values)
    if not found or not all(isinstance(value, str) for value in found):
        must = f"a non-empty sequence of str, such as {example}"
        raise refuse_value("load_audio_files", name, must, values)
    return found


def _root_of(folder: str | os.PathLike[str]) -> Path:
    root = Path(folder).expanduser()
    if not root.is_dir():
        reason = "is not a folder" if root.exists() else "does not exist"
        if zipfile.is_zipfile(root):
            reason = "is an archive: unpack it first"
        place = "" if root.is_absolute() else f" (it was looked for in {Path.cwd()})"
        raise FileNotFoundError(
            f"{root} {reason}{place}. Give a folder with a sub-folder for each category."
        )
    return root


def _category_folders(
    root: Path, categories: Sequence[str] | None, loose: Sequence[Path]
) -> list[Path]:
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if not folders:
        hint = "Put the audio files of each category in a sub-folder named after it."
        if loose:
            hint = (
                f"It holds {len(loose)} audio files itself. {hint} Or say with pattern= where in "
                "their names the labels are."
            )
        raise ValueError(f"{root} has no sub-folders, which are the categories. {hint}")
    if categories is None:
        return folders
    names = [folder.name for folder in folders]
    unknown = sorted(set(categories) - set(names))
    if unknown:
        raise ValueError(f"{root} has no sub-folders {unknown}. Available: {names}.")
    return [folder for folder in folders if folder.name in categories]


def _is_listed(path: Path, endings: tuple[str, ...] | None, left_out: list[LeftOut]) -> bool:
    """Tell whether a file is listed, and note it where it is not."""
    if endings is None:
        reason = reason_against(path)
    elif not path.name.lower().endswith(endings):
        return False  # which was asked for
    else:
        reason = None if path.is_file() else reason_against(path)
    if reason is not None:
        left_out.append(LeftOut(str(path), reason))
    return reason is None


def load_audio_files(
    folder: str | os.PathLike[str],
    *,
    description: str | None = None,
    categories: Sequence[str] | None = None,
    extensions: Sequence[str] | None = None,
    pattern: str | re.Pattern[str] | None = None,
    shuffle: bool = False,
    random_state: Seed = None,
) -> Bunch:
    """List audio files with the labels in their paths; only headers are read.

    The folder holds a sub-folder for each category, and this holds the category's files:

    .. code-block:: text

        folder/
            cat/
                1.wav
                2.wav
            dog/
                1.wav

    If labels are elsewhere in the paths, `pattern` says where.

    Parameters
    ----------
    folder : str or path-like
        Folder with a sub-folder for each category.
    description : str, default=None
        What the data are: their source, licence and so on.
    categories : sequence of str, default=None
        Sub-folders to load; None loads all. Hidden ones, whose names start with a dot, are
        left out, as are hidden files.
    extensions : sequence of str, default=None
        Endings of the names of audio files, in upper or lower case. None tries all files, whatever
        their names, and lists those that can be read.
    pattern : str or compiled regular expression, default=None
        Where labels are in a path: a regular expression with groups named "target", "nuisance" or
        "group". It is searched for in the path from `folder` on, with "/" between folders, and in
        all sub-folders. Without a group "target", the target is the name of the outermost folder.
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
        nuisance, group : ndarray of shape (n_samples,), str
            The other labels that `pattern` names: for ``fit(..., y_unrelated=nuisance)`` and
            ``cross_validate(..., groups=group)``.
        left_out : list of (str, str)
            Path and reason of each file that is not listed: no audio, damaged, a link to nothing, a
            folder that cannot be read. One warning names them, except texts, pictures and the like.
        DESCR : str or None
            `description`.

    Raises
    ------
    FileNotFoundError
        If `folder` is not a folder.
    ValueError
        If `folder` has no sub-folders or not those in `categories`, or if one of them holds no
        audio file; or if one file is there with two targets, by links.

    See Also
    --------
    load_audio_table : Paths and labels from a table.
    sklearn.datasets.load_files : The same for text.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np, soundfile
    >>> from atl_sklearn.datasets import load_audio_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ["cat/tom_1.wav", "cat/tom_2.wav", "dog/rex_1.wav"]:
    ...         path = Path(folder, name)
    ...         path.parent.mkdir(exist_ok=True)
    ...         soundfile.write(path, np.ones(800) / 2, 8000)
    ...     animals = load_audio_files(folder)
    ...     named = load_audio_files(folder, pattern="/(?P<group>[a-z]+)_")
    >>> animals.target
    array([0, 0, 1])
    >>> [str(name) for name in animals.target_names]
    ['cat', 'dog']
    >>> named.group.tolist()
    ['tom', 'tom', 'rex']
    """
    check_folder("load_audio_files", "folder", folder)
    check_flag("load_audio_files", "shuffle", shuffle)
    check_seed("load_audio_files", random_state)
    endings = None
    if extensions is not None:
        extensions = _as_strings("extensions", extensions, "('.wav', '.flac')")
        endings = tuple(ending.lower() for ending in extensions)
    if categories is not None:
        categories = _as_strings("categories", categories, "['cat', 'dog']")
    regex = None if pattern is None else check_pattern("load_audio_files", pattern)
    root = _root_of(folder)
    left_out: list[LeftOut] = []
    paths, labels = _find(root, categories, endings, regex, left_out)
    columns = columns_of(labels)
    targets = columns.pop("target").tolist()
    check_links(paths, targets)
    warn_of(left_out, len(paths), str(root))
    names = sorted(set(targets)) if categories is None else sorted(set(categories))
    target = np.array([names.index(label) for label in targets])
    order = np.arange(len(paths))
    if shuffle:
        order = get_generator(random_state).permutation(len(paths))
    return Bunch(
        paths=np.array(paths)[order],
        target=target[order],
        target_names=np.array(names),
        **{name: column[order] for name, column in columns.items()},
        left_out=left_out,
        DESCR=description,
    )


def _find(
    root: Path,
    categories: Sequence[str] | None,
    endings: tuple[str, ...] | None,
    pattern: re.Pattern[str] | None,
    left_out: list[LeftOut],
) -> tuple[list[str], list[dict[str, str]]]:
    """Return the paths that are listed, and the labels of each."""
    paths: list[str] = []
    labels: list[dict[str, str]] = []
    if pattern is None:
        loose = [p for p in files_below(root, [], deep=False) if _is_listed(p, endings, [])]
        folders = _category_folders(root, categories, loose)
        reason = "it is in no folder of a category"
        if categories is None:
            left_out += [LeftOut(str(path), reason) for path in loose]
        candidates = [p for f in folders for p in files_below(f, left_out, deep=False)]
    else:
        candidates = list(files_below(root, left_out, deep=True))
    for path in candidates:
        found = labels_of(str(path), str(root), pattern)
        if isinstance(found, str):
            left_out.append(LeftOut(str(path), found))
        elif categories is not None and found["target"] not in categories:
            continue  # which was asked for
        elif _is_listed(path, endings, left_out):
            paths.append(str(path))
            labels.append(found)
    wanted = [f.name for f in folders] if pattern is None else (categories or [])
    empty = sorted(set(wanted) - {label["target"] for label in labels})
    if empty or not paths:
        what = "hold no audio files" if endings is None else f"hold no files in {list(endings)}"
        where = f"The sub-folders {empty} of {root}" if pattern is None else str(root)
        raise ValueError(
            f"{where} {what}. {_some_of(left_out)}Name others with extensions=..., or leave "
            "folders out with categories=...."
        )
    return paths, labels


def _some_of(left_out: list[LeftOut]) -> str:
    if not left_out:
        return ""
    path, reason = left_out[0]
    return f"Of {len(left_out)} that are none the first is {path}: {reason}. "

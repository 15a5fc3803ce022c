"""Audio files and labels from a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from sklearn.utils import Bunch

from atl_sklearn._validation import check_no_missing, did_you_mean, refuse_value, shown

_N_SHOWN = 20
_DELIMITERS = ",;\t|"


class Table(Protocol):
    """A DataFrame, of whatever library."""

    columns: Sequence

    def __getitem__(self, name: str) -> Sequence:
        """Return a column."""
        ...


def load_audio_table(
    table: str | os.PathLike[str] | Mapping[str, Sequence] | Table,
    *,
    path: str = "path",
    target: str | None = None,
    nuisance: str | None = None,
    group: str | None = None,
    root: str | os.PathLike[str] | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8-sig",
    description: str | None = None,
) -> Bunch:
    r"""Return the paths and labels that a table names; the files must exist, but are not read.

    Parameters
    ----------
    table : path-like, DataFrame or dict of columns
        A text file whose first line names the columns, or a table in memory.
    path : str, default="path"
        The column with the paths of the recordings.
    target, nuisance, group : str, default=None
        The columns with what you want to predict, what misleads, and what must not be on both sides
        of a split; None for those that you do not need.
    root : path-like, default=None
        The folder that relative paths start from. None for that of the text file, or for a table in
        memory the current folder.
    delimiter : str, default=None
        What separates the columns of the text file. None takes comma, semicolon, tab or vertical
        line, whichever is most frequent in the first line.
    encoding : str, default="utf-8-sig"
        Of the text file.
    description : str, default=None
        What the data are: their source, licence and so on.

    Returns
    -------
    files : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        paths : ndarray of shape (n_samples,), str
            Paths of the recordings, with their folder.
        target, nuisance, group : ndarray of shape (n_samples,)
            What the columns hold, for ``fit(paths, target, y_unrelated=nuisance)`` and
            ``cross_validate(..., groups=group)``. Columns of a text file become numbers if all
            their entries are numbers ("01" and "1_1" are not), each written in one way only (with
            "1.10" beside "1.1" the column stays text); those of `group` are text.
        DESCR : str or None
            `description`.

    Raises
    ------
    FileNotFoundError
        If the text file or some of the recordings do not exist; up to 20 are named.
    ValueError
        If a column, a label or a path is missing, or a path occurs twice.

    See Also
    --------
    load_audio_files : Labels from the names of folders and files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from atl_sklearn.datasets import load_audio_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ["a.wav", "b.wav"]:
    ...         Path(folder, name).touch()
    ...     table = Path(folder, "labels.csv")
    ...     _ = table.write_text("path,emotion,speaker\na.wav,angry,f01\nb.wav,sad,m02\n")
    ...     files = load_audio_table(table, target="emotion", nuisance="speaker", group="speaker")
    >>> files.target.tolist(), files.nuisance.tolist()
    (['angry', 'sad'], ['f01', 'm02'])
    """
    columns, where, home = _columns_of(table, delimiter, encoding)
    labels = {"target": target, "nuisance": nuisance, "group": group}
    for argument, name in {"path": path, **labels}.items():
        if name is None and argument != "path":
            continue
        if not isinstance(name, str) or name not in columns:
            known = [str(column) for column in columns]
            must = f"a column of {where}, one of {shown(known)}"
            hint = did_you_mean(name, known)
            raise refuse_value("load_audio_table", argument, must, name, hint)
    if root is not None:
        home = Path(root).expanduser()
    paths = [_as_path(value, i, where) for i, value in enumerate(columns[path])]
    full = [os.path.join(home, found) if str(home) != "." else found for found in paths]
    if not full:
        raise ValueError(f"{where} has no rows.")
    _check_files(full, where)
    found = {}
    for argument, name in labels.items():
        if name is None:
            continue
        values = _values_of(columns[name], text=argument == "group")
        check_no_missing(values, f"{argument}={name!r}")
        found[argument] = values
    return Bunch(paths=np.array(full), **found, DESCR=description)


def _columns_of(
    table: object, delimiter: str | None, encoding: str
) -> tuple[dict[str, Sequence], str, Path]:
    """Return the columns by name, what the table is called, and the folder it is in."""
    if isinstance(table, Mapping):
        return dict(table), "the table", Path()
    if hasattr(table, "columns") and hasattr(table, "__getitem__"):
        return {name: table[name] for name in table.columns}, "the table", Path()
    if not isinstance(table, str | os.PathLike):
        must = "the path of a text file, a DataFrame or a dict of columns"
        raise refuse_value("load_audio_table", "table", must, table)
    file = Path(table).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} is no file. It was looked for at {str(file.absolute())!r}."
        )
    with open(file, encoding=encoding, newline="") as opened:
        first = opened.readline()
        opened.seek(0)
        between = delimiter or max(_DELIMITERS, key=first.count)
        rows = list(csv.reader(opened, delimiter=between))
    names = rows[0] if rows else []
    if len(set(names)) < len(names):
        raise ValueError(f"{file} has columns of one name: {shown(names)}.")
    numbered = [(i, row) for i, row in enumerate(rows[1:], 2) if row]
    odd = [i for i, row in numbered if len(row) != len(names)]
    if odd:
        raise ValueError(
            f"{file} has {len(names)} columns, but another number in line {odd[0]}. Name the "
            f"separator with delimiter=; it was taken to be {between!r}."
        )
    return (
        {name: [row[i] for _, row in numbered] for i, name in enumerate(names)},
        str(file),
        (file.parent),
    )


def _as_path(value: object, row: int, where: str) -> str:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError(f"{where} has no path in row {row}, counted from 0, but {shown(value)}.")
    return os.path.expanduser(os.fsdecode(value))


def _check_files(paths: Sequence[str], where: str) -> None:
    missing = [i for i, path in enumerate(paths) if not os.path.isfile(path)]
    if missing:
        named = [f"  row {i}: {paths[i]}" for i in missing[:_N_SHOWN]]
        more = [f"  and {len(missing) - _N_SHOWN} more."] if len(missing) > _N_SHOWN else []
        told = f"{len(missing)} of {len(paths)} files that {where} names do not exist:"
        way_out = "Relative paths start from root=."
        raise FileNotFoundError("\n".join([told, *named, *more, way_out]))
    known: dict[str, int] = {}
    twice = []
    for i, path in enumerate(paths):
        first = known.setdefault(os.path.realpath(path), i)
        if first != i:
            twice.append(f"  rows {first} and {i}: {path}")
    if twice:
        more = [f"  and {len(twice) - _N_SHOWN} more."] if len(twice) > _N_SHOWN else []
        told = f"{len(twice)} files are in {where} more than once:"
        raise ValueError("\n".join([told, *twice[:_N_SHOWN], *more, "Keep one row of each."]))


def _values_of(column: Sequence, *, text: bool) -> np.ndarray:
    """Return labels as an array; numbers where a text file has nothing else."""
    if hasattr(column, "dtype"):
        return np.asarray(column)
    values = [None if isinstance(value, str) and not value.strip() else value for value in column]
    if any(value is None for value in values):
        return np.array(values, dtype=object)
    if text or not all(map(_is_plain_number, values)):
        return np.array(values)
    numbers = np.array(values).astype(np.float64)
    if len({_without_padding(str(value)) for value in values}) > len(set(numbers.tolist())):
        return np.array(values)  # as numbers, different labels would be one
    whole = numbers.astype(np.int64)
    return whole if np.array_equal(whole, numbers) else numbers


def _without_padding(number: str) -> str:
    """Return how a number is written, without spaces and the sign that only rounding gives 0."""
    found = number.strip()
    return found.removeprefix("-") if float(found) == 0 else found


def _is_plain_number(value: object) -> bool:
    if not isinstance(value, str) or "_" in value:  # Python reads 1_1 as 11
        return False
    try:
        number = float(value)
    except ValueError:
        return False
    digits = value.strip().lstrip("+-")
    padded = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()  # a name, such as 01
    return np.isfinite(number) and abs(number) < 2**53 and not padded

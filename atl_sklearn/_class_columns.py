"""What the columns of classes are called in a table that has others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def class_columns(classes: Iterable[Any], others: Sequence[str]) -> list[Any]:
    """Return a column name for each class, none of them that of another column.

    Parameters
    ----------
    classes : iterable
        The labels, each once.
    others : sequence of str
        The columns beside those of the classes.

    Returns
    -------
    columns : list
        The labels. One that is the name of another column has "class " before it, as often as
        it takes.

    Examples
    --------
    >>> from atl_sklearn._class_columns import class_columns
    >>> class_columns(["go", "start"], ["start", "end"])
    ['go', 'class start']
    """
    labels = list(classes)
    columns: list[Any] = []
    for label in labels:
        name = label
        while name in others or (name is not label and name in labels):
            name = f"class {name}"
        columns.append(name)
    return columns

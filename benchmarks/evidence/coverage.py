"""A table of what ran: on how many protocols each method has how many seeds."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.rows import ZERO, Row
from benchmarks.evidence.tables import list_table

_N_SEEDS = 3


def coverage(rows: Sequence[Row]) -> str:
    """Return a table of how much of each method ran.

    Parameters
    ----------
    rows : sequence of Row
        All of them, those with a part of the folds too.

    Returns
    -------
    table : str
        In reStructuredText: numbers of protocols, with the untuned value of each method.
    """
    untuned = [row for row in rows if row.rule == "untuned"]
    n_folds = {row.protocol: row.n_folds for row in untuned if row.method == ZERO}
    cells = [["method", "all folds, three seeds", "all folds, fewer seeds", "some folds"]]
    for name, method in METHODS.items():
        of_method = [row for row in untuned if row.method == name]
        whole = [row for row in of_method if row.n_folds == n_folds[row.protocol]]
        n_three = sum(row.n_runs >= _N_SEEDS * row.n_folds for row in whole)
        counts = (n_three, len(whole) - n_three, len(of_method) - len(whole))
        if of_method:
            cells.append([method.title, *(str(count) if count else "" for count in counts)])
    return "\n".join(list_table(cells))

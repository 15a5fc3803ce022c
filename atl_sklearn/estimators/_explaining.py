"""What unrelated tasks explain of the target, computed once where `memory` keeps it."""

from __future__ import annotations

from collections.abc import Sequence

import joblib
import numpy as np

from atl_sklearn._fingerprint import fingerprint
from atl_sklearn._versions import versions_here
from atl_sklearn.estimators._rule import Explained, explain
from atl_sklearn.persistence import ModelFileError
from atl_sklearn.unrelated import Kept, folder_in

# What is in a file, and how it is computed: another number where one of them changes.
_FORMAT = 1


class _Kept(Kept):
    def _found(self) -> Explained:
        try:
            return Explained(**super()._found())
        except TypeError as error:
            raise ModelFileError(f"It does not hold what is explained: {error}.") from error


def explain_once(
    memory: joblib.Memory | None,
    answers: np.ndarray | Sequence[np.ndarray],
    y: np.ndarray,
    *,
    n_classes: int | None,
    sample_weight: np.ndarray | None = None,
) -> Explained:
    """Find out what answers say of the target, or find it in `memory`.

    Parameters
    ----------
    memory : joblib.Memory or None
        Where it is kept, by all that determines it; None for nowhere.
    answers, y, n_classes, sample_weight
        As :func:`~atl_sklearn.estimators._rule.explain` takes them.

    Returns
    -------
    explained : Explained
        What is explained.

    Warns
    -----
    UserWarning
        If a file in `memory` cannot be used or written.
    """
    if memory is None:
        return explain(answers, y, n_classes=n_classes, sample_weight=sample_weight)
    asked = {"answers": answers, "y": y, "n_classes": n_classes, "sample_weight": sample_weight}
    key = fingerprint({"explained": asked, "format": _FORMAT, "versions": versions_here()})
    kept = _Kept(folder_in(memory, "explained"), key, what="What is explained")
    found: Explained | None = kept.load()
    if found is None:
        found = explain(answers, y, n_classes=n_classes, sample_weight=sample_weight)
        kept.save(vars(found))
    return found

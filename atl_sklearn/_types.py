"""What values are, where several signatures say the same of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import joblib
    from numpy.typing import ArrayLike
    from sklearn.model_selection import BaseCrossValidator

# A file or a folder.
PathLike: TypeAlias = "str | os.PathLike[str]"

# What `random_state` may be; `is_seed` checks it.
Seed: TypeAlias = "int | np.random.RandomState | None"

# What `memory` may be.
Memory: TypeAlias = "PathLike | joblib.Memory | None"

# What `cv` may be: a number of folds, what makes them, or training and test positions.
Folds: TypeAlias = "int | BaseCrossValidator | Iterable[tuple[np.ndarray, np.ndarray]] | None"

# What `scoring` may be; a function takes an estimator, X and y.
Scoring: TypeAlias = "str | Callable[..., float] | None"

# Data of the unrelated side: for all tasks, one for each, or by the name of an input.
Views: TypeAlias = "ArrayLike | list[ArrayLike] | Mapping[str, ArrayLike]"

# Parameters of a candidate, which a study can store.
Params: TypeAlias = "dict[str, str | float | bool | None]"

# JSON, as Python has it.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

"""Adult, the census table of fairness research: income, with sex as the nuisance."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from atl_sklearn.datasets import fetch_adult
from benchmarks.evidence.folds import Clips, Fold

_SIZES = (10_000, 5_000, 4_000, 2_000, 2_000)  # the rest is the test


@functools.cache
def _adult() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    adult = fetch_adult()
    return adult.data, adult.target, (adult.sex == "Male").astype(int)


def adult(
    index: int,
    *,
    sex_is_a_column: bool = False,
    sizes: tuple[int, int, int, int, int] = _SIZES,
    n_probe: int = 2_000,
) -> Fold:
    """Whether the income is high, of random splits of the table; the unrelated task is the sex.

    Strings become a column for each value, missing ones included, and all columns are
    standardised, both as the training rows have it. The split is random, so that the test is in
    the condition of the training: what counts are the gaps between the sexes beside the accuracy.

    Parameters
    ----------
    index : int
        Which split.
    sex_is_a_column : bool, default=False
        Whether "sex" is among the columns. Without it, the unrelated network has to tell it from
        the others, such as "relationship".
    sizes : tuple of int
        Rows for training, for the unrelated network, without labels, and for each of the two
        validation sets; the rest is the test.
    n_probe : int, default=2_000
        Rows of the test on which sex is probed.
    """
    data, income, sex = _adult()
    if not sex_is_a_column:
        data = data.drop(columns="sex")
    parts = np.split(np.random.RandomState(9000 + index).permutation(len(data)), np.cumsum(sizes))
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False),
         make_column_selector(dtype_exclude="number")),
        remainder="passthrough",
    )  # fmt: skip
    encoder = make_pipeline(columns, StandardScaler()).fit(data.iloc[parts[0]])

    def part(rows: np.ndarray) -> Clips:
        X = encoder.transform(data.iloc[rows]).astype(np.float32)
        return Clips(X, income[rows], sex[rows])

    train, unrelated, unlabeled, valid, valid_like_test, test = map(part, parts)
    return Fold(
        train=train,
        unrelated=unrelated,
        unlabeled=unlabeled,
        valid=valid,
        valid_like_test=valid_like_test,
        test=test,
        probe=test.take(np.arange(n_probe)),
        max_epochs=10,
        unrelated_epochs=10,
    )

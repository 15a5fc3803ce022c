"""Adult: a census table, and whether the income is high."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd


def read_adult() -> tuple[pd.DataFrame, np.ndarray]:
    """Read ``adult.zip`` in the folder that ``ATL_SKLEARN_DATA`` names.

    Returns
    -------
    table : DataFrame of shape (32561, 14)
        The columns as they are, strings among them.
    income : ndarray of shape (32561,)
        1 where it is above 50,000 dollars a year.
    """
    with zipfile.ZipFile(Path(os.environ["ATL_SKLEARN_DATA"]) / "adult.zip") as archive:
        table = pd.read_csv(archive.open("adult.csv"), skipinitialspace=True)
    income = table.pop("income-per-year").str.startswith(">50K").to_numpy().astype(int)
    return table, income

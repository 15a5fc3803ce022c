"""What a drawing shows, as a DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def make_frame(
    rows: Sequence[Sequence[object]], columns: Sequence[str], owner: str
) -> pd.DataFrame:
    """Return rows as a DataFrame.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{owner} needs pandas: pip install pandas") from error
    return pd.DataFrame(list(rows), columns=list(columns))

"""What was predicted for the windows of one recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atl_sklearn._class_columns import class_columns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RecordingWindows:
    """Predictions for the windows of a recording, with their times.

    Attributes
    ----------
    recording : int
        Position of the recording in X.
    start : ndarray of shape (n_windows,)
        Where each window begins, in seconds.
    duration : ndarray of shape (n_windows,)
        Its length in seconds; NaN for a window that lasts to the end of the recording.
    predictions : ndarray of shape (n_windows,) or (n_windows, n_outputs)
        Labels or values.
    probabilities : ndarray of shape (n_windows, n_classes) or None
        Probabilities, if the classifier has them.
    classes : ndarray of shape (n_classes,) or None
        The labels, of a classifier.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import RecordingWindows
    >>> windows = RecordingWindows(
    ...     0, np.array([0.0, 0.5]), np.array([1.0, 1.0]), np.array(["a", "b"]), None, None
    ... )
    >>> windows.end.tolist()
    [1.0, 1.5]
    """

    recording: int
    start: np.ndarray
    duration: np.ndarray
    predictions: np.ndarray
    probabilities: np.ndarray | None
    classes: np.ndarray | None

    @property
    def end(self) -> np.ndarray:
        """Where each window ends, in seconds."""
        found: np.ndarray = self.start + self.duration
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each window.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``recording``, ``start``, ``end`` and ``prediction``, and the
            probability of each class under its name. A class that is called like one of these
            columns, such as "start", has the column ``class start``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "RecordingWindows.to_frame needs pandas: pip install pandas"
            ) from error
        frame = pd.DataFrame(
            {
                "recording": self.recording,
                "start": self.start,
                "end": self.end,
                "prediction": list(self.predictions),
            }
        )
        if self.probabilities is not None and self.classes is not None:
            names = class_columns(self.classes.tolist(), frame.columns.tolist())
            for name, column in zip(names, self.probabilities.T, strict=True):
                frame[name] = column
        return frame

"""A recording, and what is predicted for its windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from atl_sklearn._class_columns import class_columns
from atl_sklearn._validation import refuse_value, shown
from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import (
    COLORS,
    HEAT,
    fit_labels,
    need_matplotlib,
    several_axes,
    short,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_N_FFT, _N_MELS = 512, 64


class WindowsDisplay:
    """The spectrogram of a recording, over what is predicted for its windows.

    Parameters
    ----------
    waveform : ndarray of shape (n_times,)
        The recording.
    sr : int
        Its rate in Hz.
    start, duration : ndarray of shape (n_windows,)
        Times of the windows in seconds.
    values : ndarray of shape (n_windows,) or (n_windows, n_classes)
        Values, or probabilities of classes.
    classes : sequence or None, default=None
        The labels; None for values.

    Attributes
    ----------
    ax_ : ndarray of matplotlib.axes.Axes
        The two panels, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure they are in.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.inspection import WindowsDisplay
    >>> display = WindowsDisplay(
    ...     np.zeros(8000),
    ...     8000,
    ...     start=[0, 0.5],
    ...     duration=[0.5, 0.5],
    ...     values=[[0.9, 0.1], [0.2, 0.8]],
    ...     classes=["low", "high"],
    ... )
    >>> display.frame().columns.tolist()
    ['start', 'end', 'low', 'high']
    """

    ax_: np.ndarray
    figure_: Figure | SubFigure

    def __init__(
        self,
        waveform: np.ndarray,
        sr: int,
        *,
        start: ArrayLike,
        duration: ArrayLike,
        values: ArrayLike,
        classes: Sequence | np.ndarray | None = None,
    ) -> None:
        self.waveform = np.asarray(waveform)
        self.sr = sr
        self.start = np.asarray(start, dtype=float)
        self.duration = np.asarray(duration, dtype=float)
        self.values = np.asarray(values)
        self.classes = None if classes is None else list(classes)
        if self.waveform.ndim != 1:
            must = "of shape (n_times,), one channel"
            raise refuse_value("WindowsDisplay", "waveform", must, f"shape {self.waveform.shape}")

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, recording: object, *, sr: int | None = None
    ) -> Self:
        """Predict the windows of a recording.

        Parameters
        ----------
        estimator : fitted SegmentAggregator
            What predicts.
        recording : path-like or ndarray of shape (n_times,)
            One recording; a file that soundfile reads.
        sr : int or None, default=None
            Rate of a waveform in Hz; None for that of the segmenter. Files have their own.

        Returns
        -------
        display : WindowsDisplay
            Not drawn yet.

        Raises
        ------
        TypeError
            If the estimator has no windows.
        """
        if not hasattr(estimator, "predict_windows"):
            raise TypeError(
                "WindowsDisplay.from_estimator takes a SegmentAggregator, which has "
                f"predict_windows. Got {shown(estimator)}."
            )
        (found,) = estimator.predict_windows([recording])
        if isinstance(recording, np.ndarray):
            waveform, rate = recording, sr or getattr(estimator.segmenter_, "sr", None)
            if rate is None:
                raise refuse_value(
                    "WindowsDisplay.from_estimator", "sr", "the rate of the waveform in Hz", sr
                )
        else:
            import soundfile

            segment = estimator.segmenter_.transform([recording])[0]  # it knows the folder
            channels, rate = soundfile.read(segment.path, dtype="float32", always_2d=True)
            waveform = channels.mean(axis=1)
        values = found.predictions if found.probabilities is None else found.probabilities
        if found.probabilities is None and found.classes is not None:
            values = (np.asarray(found.predictions)[:, None] == found.classes).astype(float)
        length = len(waveform) / rate
        duration = np.where(np.isfinite(found.duration), found.duration, length - found.start)
        return cls(
            waveform, int(rate), start=found.start, duration=duration, values=values,
            classes=found.classes,
        )  # fmt: skip

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``start`` and ``end``, and one for each class, or ``value``. The column
            of a class called "start" or "end" is ``class start`` or ``class end``.
        """
        times = ("start", "end")
        names = ["value"] if self.classes is None else class_columns(map(str, self.classes), times)
        values = self.values.reshape(len(self.start), -1)
        if len(names) != values.shape[1]:
            names = [f"value {k}" for k in range(values.shape[1])]
        rows = np.column_stack([self.start, self.start + self.duration, values]).tolist()
        return make_frame(rows, (*times, *names), "WindowsDisplay.frame")

    def plot(self, *, ax: Axes | None = None) -> WindowsDisplay:
        """Draw the spectrogram, and below it the windows at their centres.

        Parameters
        ----------
        ax : array of two matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : WindowsDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        need_matplotlib("WindowsDisplay.plot")
        import librosa
        import librosa.display
        from matplotlib.ticker import MaxNLocator

        axes = several_axes("WindowsDisplay.plot", ax, (2, 1), (8, 5), sharex=ax is None)
        mel = librosa.feature.melspectrogram(
            y=self.waveform.astype(np.float32), sr=self.sr, n_fft=_N_FFT, n_mels=_N_MELS,
            hop_length=_N_FFT // 4,
        )  # fmt: skip
        librosa.display.specshow(
            librosa.power_to_db(mel, ref=1.0), sr=self.sr, hop_length=_N_FFT // 4, x_axis="time",
            y_axis="mel", fmax=self.sr / 2, cmap="gray_r", ax=axes[0],
        )  # fmt: skip
        axes[0].set(ylabel="frequency (Hz)", xlabel="")
        self._draw_windows(axes[1])
        axes[1].set_xlabel("time (s)")
        axes[1].xaxis.set_major_locator(MaxNLocator(8))
        axes[1].xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        self.ax_, self.figure_ = axes, axes[0].figure
        return self

    def _draw_windows(self, ax: Axes) -> None:
        centre = self.start + self.duration / 2
        if self.classes is None:
            ax.plot(centre, self.values, marker="o", markersize=4, color=COLORS[0])
            ax.set_ylabel("value")
            return
        inner = (centre[1:] + centre[:-1]) / 2
        edges = np.r_[self.start[0], inner, self.start[-1] + self.duration[-1]]
        image = ax.pcolormesh(
            edges, np.arange(len(self.classes) + 1) - 0.5, self.values.T, cmap=HEAT, vmin=0, vmax=1
        )
        ax.figure.colorbar(image, ax=ax, label="probability")
        ax.set_ylabel("class")
        fit_labels(ax.yaxis, [short(str(name), 14) for name in self.classes])

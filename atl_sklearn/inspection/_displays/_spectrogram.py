"""The spectrogram of a class, and what of it a network looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples

from atl_sklearn._pipelines import as_innermost_sees, innermost
from atl_sklearn._validation import refuse_value
from atl_sklearn.inspection._arguments import check_count
from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import COLORS, one_axes
from atl_sklearn.inspection._labels import check_length
from atl_sklearn.inspection._saliency import METHODS, saliency_map
from atl_sklearn.inspection._streaming import rows_of, unwrapped_search
from atl_sklearn.unrelated import get_network

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_OWNER = "SpectrogramDisplay.from_estimator"
_MEL = ("log_mel", "mel", "pcen", "power_law")


def _axes_of(estimator: object) -> dict[str, float]:
    """Return what the first step says of time and frequency, if it makes spectrograms."""
    step: BaseEstimator = estimator.steps[0][1] if isinstance(estimator, Pipeline) else None
    if not all(hasattr(step, name) for name in ("sr", "hop_length", "n_fft", "feature")):
        return {}
    hop = step.hop_length or (step.win_length or step.n_fft) // 4
    mel = isinstance(step.feature, str) and step.feature in _MEL
    limits = {"fmin": step.fmin, "fmax": step.fmax or step.sr / 2} if mel else {}
    return {"sr": step.sr, "hop_length": hop, **limits}


class SpectrogramDisplay:
    """A spectrogram, and on top of it what a network looks at.

    Parameters
    ----------
    spectrogram : ndarray of shape (n_bands, n_frames)
        Such as the mean over the clips of a class.
    saliency : ndarray of shape (n_bands, n_frames) or None, default=None
        What matters, not negative; None draws the spectrogram alone.
    sr : int or None, default=None
        Sampling rate in Hz; without it the axes count frames and bands.
    hop_length : int or None, default=None
        Samples from frame to frame.
    fmin, fmax : float or None, default=None
        Ends of the mel bands in Hz; without them bands are counted.
    title : str, default=""
        Written above.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The drawing, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure it is in.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.inspection import SpectrogramDisplay
    >>> SpectrogramDisplay(np.zeros((2, 3)), sr=8000, hop_length=80).frame().time.tolist()
    [0.0, 0.01, 0.02, 0.0, 0.01, 0.02]
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self,
        spectrogram: np.ndarray,
        *,
        saliency: np.ndarray | None = None,
        sr: int | None = None,
        hop_length: int | None = None,
        fmin: float | None = None,
        fmax: float | None = None,
        title: str = "",
    ) -> None:
        self.spectrogram = np.asarray(spectrogram)
        self.saliency = None if saliency is None else np.asarray(saliency)
        self.sr = sr
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax
        self.title = title
        if self.spectrogram.ndim != 2:
            must = "of shape (n_bands, n_frames)"
            got = f"shape {self.spectrogram.shape}"
            raise refuse_value("SpectrogramDisplay", "spectrogram", must, got)
        if self.saliency is not None and self.saliency.shape != self.spectrogram.shape:
            must = f"of the spectrogram's shape {self.spectrogram.shape}"
            got = f"shape {self.saliency.shape}"
            raise refuse_value("SpectrogramDisplay", "saliency", must, got)

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        label: ArrayLike,
        method: str | None = "gradient",
        n_samples: int = 100,
        n_patches: tuple[int, int] = (8, 8),
        random_state: int = 0,
        **kwargs: Any,
    ) -> SpectrogramDisplay:
        """Average the clips of a class, and what a network looks at in them.

        Parameters
        ----------
        estimator : fitted classifier
            A network, or a pipeline that ends in one. Where the pipeline begins with
            :class:`~atl_sklearn.audio.LibrosaFeatures`, its output is what is drawn, with time
            and frequency.
        X : array-like of shape (n_samples, ...)
            Data as `estimator` takes them; the network sees shape (n_samples, n_bands, n_frames),
            or channels of these.
        y : array-like of shape (n_samples,)
            Their classes.
        label : object
            The class.
        method : {"gradient", "occlusion"} or None, default="gradient"
            The magnitude of the gradient of the class's log-probability, or by how much that
            falls where a patch is hidden; None for the spectrogram alone.
        n_samples : int, default=100
            How many clips of the class are averaged at most, drawn at random.
        n_patches : (int, int), default=(8, 8)
            Patches of the occlusion along bands and frames.
        random_state : int, default=0
            Determines the clips.
        **kwargs : dict
            `sr`, `hop_length`, `fmin` and `fmax`, where no step knows them.

        Returns
        -------
        display : SpectrogramDisplay
            Not drawn yet.

        Raises
        ------
        ValueError
            If there is no such class or method, or the network sees no spectrograms.
        """
        if method is not None and method not in METHODS:
            raise refuse_value(_OWNER, "method", f"None or one of {list(METHODS)}", method)
        check_count(_OWNER, "n_samples", n_samples)
        estimator = unwrapped_search(estimator)
        network = get_network(estimator)
        labels = check_length(_OWNER, "y", y, _num_samples(X))
        classes = getattr(innermost(estimator), "classes_", np.unique(labels)).tolist()
        of_class = np.flatnonzero(labels == label)
        if label not in classes or not len(of_class):
            must = f"one of the classes in y, {np.unique(labels).tolist()}"
            raise refuse_value(_OWNER, "label", must, label)
        rng = np.random.default_rng(random_state)
        clips = rows_of(X, np.sort(rng.permutation(of_class)[:n_samples]))
        seen = np.asarray(as_innermost_sees(estimator, clips))
        if seen.ndim < 3:
            raise ValueError(
                "The network is given rows of features, and no spectrograms of shape (n_bands, "
                f"n_frames): of a sample it sees shape {seen.shape[1:]}. Use LibrosaFeatures with "
                "flatten=False, and a network for them."
            )
        known = _axes_of(estimator)
        drawn = np.asarray(estimator.steps[0][1].transform(clips)) if known else seen
        if drawn.shape[-2:] != seen.shape[-2:]:
            drawn = seen
        saliency = None
        if method is not None:
            output = classes.index(label)
            saliency = saliency_map(network, seen, output, method=method, n_patches=n_patches)
        mean = drawn.reshape(-1, *drawn.shape[-2:]).mean(axis=0)
        title = f"{label!s}, mean of {len(seen)} clips"
        return cls(mean, saliency=saliency, title=title, **{**known, **kwargs})

    def _seconds(self) -> np.ndarray:
        frames = np.arange(self.spectrogram.shape[1])
        return frames * self.hop_length / self.sr if self.sr and self.hop_length else frames

    def _hertz(self) -> np.ndarray:
        n = len(self.spectrogram)
        if self.fmax is None:
            return np.arange(n)
        import librosa

        centres: np.ndarray = librosa.mel_frequencies(n + 2, fmin=self.fmin or 0.0, fmax=self.fmax)
        return centres[1:-1]

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``frequency``, ``time``, ``value`` and ``saliency``.
        """
        saliency = np.full(self.spectrogram.shape, np.nan)
        saliency = saliency if self.saliency is None else self.saliency
        rows = [
            (float(f), float(t), float(self.spectrogram[b, k]), float(saliency[b, k]))
            for b, f in enumerate(self._hertz())
            for k, t in enumerate(self._seconds())
        ]
        columns = ("frequency", "time", "value", "saliency")
        return make_frame(rows, columns, "SpectrogramDisplay.frame")

    def plot(self, *, ax: Axes | None = None) -> SpectrogramDisplay:
        """Draw the spectrogram in grey, what matters in orange, and a line around its top tenth.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : SpectrogramDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = one_axes("SpectrogramDisplay.plot", ax, (6.0, 4.0))
        import librosa.display
        from matplotlib.ticker import MaxNLocator

        timed, mel = bool(self.sr and self.hop_length), self.fmax is not None
        image = librosa.display.specshow(
            self.spectrogram, x_axis="time" if timed else None, y_axis="mel" if mel else None,
            sr=self.sr or 22050, hop_length=self.hop_length or 512, fmin=self.fmin or 0.0,
            fmax=self.fmax, cmap="gray_r", ax=ax,
        )  # fmt: skip
        if timed:
            ax.xaxis.set_major_locator(MaxNLocator(6))
        unit = "dB" if float(self.spectrogram.max()) <= 1e-3 and mel else "value"
        ax.figure.colorbar(image, ax=ax, label=unit)
        if self.saliency is not None:
            self._overlay(ax, image)
        ax.set_xlabel("time (s)" if timed else "frame")
        ax.set_ylabel("frequency (Hz)" if mel else "band")
        ax.set_title(self.title, fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _overlay(self, ax: Axes, image: Any) -> None:
        from matplotlib.colors import to_rgb

        assert self.saliency is not None
        smooth = gaussian_filter(self.saliency, sigma=1)
        top = float(smooth.max())
        if top <= 0:
            return
        corners = image.get_coordinates()
        color = np.ones((*smooth.shape, 4))
        color[..., :3] = to_rgb(COLORS[1])
        color[..., 3] = 0.8 * (smooth / top) ** 2
        x = (corners[:-1, :-1, 0] + corners[1:, 1:, 0]) / 2
        y = (corners[:-1, :-1, 1] + corners[1:, 1:, 1]) / 2
        ax.pcolormesh(corners[..., 0], corners[..., 1], color, shading="flat")
        level = float(np.quantile(smooth, 0.9))
        if level < top:
            ax.contour(x, y, smooth, levels=[level], colors="black", linewidths=1)

"""Long recordings, cut into windows that remember where they come from."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._types import PathLike
from atl_sklearn.audio._bad_audio import BadFile, UnusableClipError, report_bad
from atl_sklearn.audio._clips import LONGEST_SECONDS, Audio, Segment, as_clips
from atl_sklearn.audio._files import open_audio
from atl_sklearn.audio._parameters import check_choice, check_input, is_number, refuse


class AudioSegmenter(DocumentationLink, TransformerMixin, BaseEstimator):
    """Cut recordings into windows of one length, which may overlap.

    Each window is a :class:`Segment`, which :class:`LibrosaFeatures` reads later; here only the
    headers of files are read. There are more windows than recordings, so this cannot be a step of a
    scikit-learn pipeline. Put :class:`SegmentAggregator` around the pipeline instead.

    Parameters
    ----------
    duration : float, default=1.0
        Length of a window in seconds; usually that of the features. They refuse longer windows,
        unless their `crop` says which part to read.
    hop : float, default=None
        From the start of a window to that of the next, in seconds; None for half of `duration`.
    last : {"shift", "drop", "pad"}, default="shift"
        What to do if the windows do not fill the recording. "shift": the last window ends with the
        recording. "drop": the end is left out. "pad": the last window reaches beyond the end, and
        the features pad it. A recording shorter than a window is always padded.
    sr : float, default=None
        Sampling rate in Hz of waveforms without their own rate; None if there are none.
    on_error : {"raise", "warn"}, default="raise"
        What to do with recordings that cannot be used: raise an error that names them; or warn,
        list them in `bad_files_`, and return one window for each, which features with
        ``on_error="warn"`` replace by silence.
    root : path-like, default=None
        The folder that relative paths start from; "~" is your home. None for the current folder.
        The windows carry it, so the features need not know it.
    column : str or int, default=None
        Which column of X holds the recordings, if X is a table.
    scale : float or "dtype", default=None
        What to divide integer samples by; see :class:`LibrosaFeatures`.

    Attributes
    ----------
    bad_files_ : list of (int, str or None, str)
        Position, path and reason of each recording that could not be used in the last
        `transform`; the fields are named `position`, `path` and `reason`.

    See Also
    --------
    SegmentAggregator : Train on windows, predict recordings.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import AudioSegmenter
    >>> segmenter = AudioSegmenter(duration=1.0, hop=1.0, sr=8000)
    >>> segments = segmenter.fit_transform([np.ones(20000), np.ones(8000)])
    >>> [(s.recording, s.start) for s in segments]
    [(0, 0.0), (0, 1.0), (0, 1.5), (1, 0.0)]
    """

    def __init__(
        self,
        duration: float = 1.0,
        *,
        hop: float | None = None,
        last: str = "shift",
        sr: float | None = None,
        on_error: str = "raise",
        root: PathLike | None = None,
        column: str | int | None = None,
        scale: float | str | None = None,
    ) -> None:
        self.duration = duration
        self.hop = hop
        self.last = last
        self.sr = sr
        self.on_error = on_error
        self.root = root
        self.column = column
        self.scale = scale

    def fit(self, X: Audio, y: object = None) -> Self:
        """Check the parameters and X; no file is read.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_recordings, n_times)
            Recordings, as :meth:`LibrosaFeatures.transform` takes them.
        y : None
            Ignored.

        Returns
        -------
        self : AudioSegmenter
            The transformer.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the kind of X is wrong.
        BadAudioError
            If waveforms in X are empty, not finite or not floating-point.
        """
        self._check_parameters()
        bad: list[BadFile] = []
        clips = self._clips(X, None if self.on_error == "raise" else bad)
        unusable = {found.position for found in bad}
        for index, clip in enumerate(clips):
            if clip.file is None and index not in unusable:
                self._rate_of(clip)
        self.bad_files_: list[BadFile] = []
        return self

    def transform(self, X: Audio) -> np.ndarray:
        """Return the windows of recordings.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_recordings, n_times)
            Recordings, as :meth:`LibrosaFeatures.transform` takes them.

        Returns
        -------
        segments : ndarray of Segment, of shape (n_windows,)
            One or more for each recording, in their order. The attribute `recording` of each is
            the position of its recording in X.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the kind of X is wrong.
        BadAudioError
            If files are missing, empty, truncated or no audio, or waveforms cannot be used.
        """
        self._check_parameters()
        bad: list[BadFile] = []
        clips = self._clips(X, bad)
        unusable = {found.position for found in bad}
        segments: list[Segment] = []
        for index, clip in enumerate(clips):
            starts, rate = [0.0], clip.rate
            if index not in unusable:
                try:
                    starts = self._starts(self._length(clip))
                except UnusableClipError as error:
                    bad.append(BadFile(index, clip.path, str(error)))
                if clip.file is None:
                    rate = self._rate_of(clip)
            for start in starts:
                segments.append(
                    Segment(clip.source, rate, clip.start + start, self._size_in(clip), index)
                )
        bad.sort(key=lambda found: found.position)
        report_bad(bad, len(clips), self.on_error)
        self.bad_files_ = bad
        windows = np.empty(len(segments), dtype=object)
        windows[:] = segments
        return windows

    def _clips(self, X: Audio, bad: list[BadFile] | None) -> list[Segment]:
        return as_clips(X, bad, self.root, column=self.column, scale=self.scale)

    def _size_in(self, clip: Segment) -> float:
        """Return the length of the windows of a clip, which may be a part of a recording."""
        return self.duration if clip.duration is None else min(self.duration, clip.duration)

    def _length(self, clip: Segment) -> float:
        """Return how long a clip is, in seconds."""
        if clip.file is None:
            rate = self._rate_of(clip)
            total = np.shape(clip.source)[1] / rate
        else:
            with open_audio(clip.file) as file:
                rate = file.rate
                total = file.count_frames() / rate
        # Otherwise there would be as many windows as memory can hold, all of them the same.
        for name in ("duration", "hop"):
            seconds = getattr(self, name)
            if seconds is not None and seconds * rate < 1:
                raise refuse(self, name, f"a sample or more, {1 / rate:g} s at {rate:g} Hz")
        if total <= clip.start:
            raise UnusableClipError("it has no samples")
        length = total - clip.start
        if length > LONGEST_SECONDS:
            raise UnusableClipError(f"it claims to be {length:.3g} s long")
        return length if clip.duration is None else min(length, clip.duration)

    def _rate_of(self, clip: Segment) -> float:
        rate = self.sr if clip.rate is None else clip.rate
        if rate is None:
            raise refuse(
                self,
                "sr",
                "the rate of waveforms without one",
                "Or pass pairs, (waveform, rate).",
            )
        return rate

    def _starts(self, length: float) -> list[float]:
        hop = self.duration / 2 if self.hop is None else self.hop
        rest = length - self.duration
        if rest <= 0:
            return [0.0]
        # Rounding must not add or take away a window; a sample is longer than this.
        n_whole = 1 + int(rest / hop + 1e-9)
        starts = [i * hop for i in range(n_whole)]
        if rest - starts[-1] > 1e-7:
            if self.last == "shift":
                starts.append(rest)
            elif self.last == "pad" and starts[-1] + hop < length:
                starts.append(starts[-1] + hop)
        return starts

    def _check_parameters(self) -> None:
        for name, or_none in (("duration", ""), ("hop", ", or None")):
            value = getattr(self, name)
            if value is None and or_none:
                continue
            if not is_number(value) or not 0 < value <= LONGEST_SECONDS:
                raise refuse(
                    self, name, f"a float in (0, {LONGEST_SECONDS:g}], in seconds{or_none}"
                )
        if self.sr is not None and (not is_number(self.sr) or self.sr <= 0):
            raise refuse(self, "sr", "a number above 0, in Hz, or None")
        check_choice(self, "last", ("shift", "drop", "pad"))
        check_choice(self, "on_error", ("raise", "warn"))
        check_input(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags

"""Audio files or waveforms to arrays of features, in a pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.parallel import Parallel, delayed

from atl_sklearn.audio._bad_audio import BadAudioError
from atl_sklearn.audio._clips import Clip, as_clips
from atl_sklearn.audio._features import get_feature
from atl_sklearn.audio._parameters import check_parameters, n_times_of
from atl_sklearn.audio._reading import UnusableFileError, read_clip

# librosa takes many clips at once much faster than one by one, until the cache is full.
_BATCH_CLIPS = 50
_BATCH_SAMPLES = 2**21

_Reasons = list[tuple[int, str | None, str]]


class LibrosaFeatures(TransformerMixin, BaseEstimator):
    """Turn audio files or waveforms into log-mel spectrograms of one size.

    A clip is averaged over its channels, resampled to `sr`, cut or padded with zeros at its end
    to `duration`, and then given to librosa. Parameters are in librosa's words.

    Parameters
    ----------
    feature : {"log_mel", "mel"} or callable, default="log_mel"
        What is computed: level in mel bands in dB, or their power. A callable is called as
        ``feature(y=clip, sr=sr)`` with each clip of shape (n_times,), as
        ``librosa.feature.mfcc`` can be, and returns an array, always of the same shape; it
        gets none of the parameters from `n_fft` to `ref`.
    sr : int, default=16000
        Sampling rate in Hz. Files of another rate are resampled by soxr ("HQ", as in librosa);
        waveforms must have this rate.
    duration : float, default=1.0
        Length of all clips in seconds: longer ones lose their end, shorter ones get zeros.
    n_fft : int, default=512
        Length of the Fourier transform in samples.
    win_length : int, default=None
        Length of the Hann window in samples; None for `n_fft`.
    hop_length : int, default=None
        Samples from frame to frame; None for a quarter of the window. Frames are centred, so
        there are ``1 + round(duration * sr) // hop_length`` of them.
    n_mels : int, default=64
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency in Hz.
    fmax : float, default=None
        Highest frequency in Hz; None for half of `sr`.
    top_db : float, default=60.0
        The floor of "log_mel": how far below the maximum of a clip its values are cut off, in
        dB; None for no floor.
    ref : "max" or float, default="max"
        The power that is 0 dB in "log_mel": the maximum of each clip, which makes the features
        independent of loudness, or this number.
    n_jobs : int, default=None
        Number of threads that read and transform files; None for 1 unless in a
        :obj:`joblib.parallel_config` context, -1 for all processors.
    verbose : int, default=0
        Verbosity of :class:`joblib.Parallel`.

    Attributes
    ----------
    output_shape_ : tuple of int
        Shape of the features of a clip, (n_bands, n_frames).

    See Also
    --------
    BandStandardizer : Bring each band to mean 0 and variance 1.

    Notes
    -----
    Nothing is learnt from the clips, and they may have other lengths in `transform` than in
    `fit`; `transform` also works without `fit`. There is no ``n_features_in_``.

    A clip's features do not depend on those beside it, but for rounding. A silent clip has the
    value 0 dB throughout where ``ref="max"``, as in librosa: its maximum is its reference.

    Examples
    --------
    >>> from atl_sklearn.audio import LibrosaFeatures
    >>> from atl_sklearn.datasets import make_notes
    >>> notes = make_notes(20, random_state=0)
    >>> features = LibrosaFeatures(sr=notes.sr, duration=0.5, n_fft=256, n_mels=40)
    >>> X = features.fit_transform(notes.data)
    >>> X.shape, X.dtype
    ((20, 40, 63), dtype('float32'))
    >>> features.output_shape_
    (40, 63)
    """

    def __init__(
        self,
        feature: Any = "log_mel",
        *,
        sr: int = 16000,
        duration: float = 1.0,
        n_fft: int = 512,
        win_length: int | None = None,
        hop_length: int | None = None,
        n_mels: int = 64,
        fmin: float = 0.0,
        fmax: float | None = None,
        top_db: float | None = 60.0,
        ref: float | str = "max",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.feature = feature
        self.sr = sr
        self.duration = duration
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.top_db = top_db
        self.ref = ref
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> LibrosaFeatures:
        """Check the parameters and X; no file is read.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Audio, as in :meth:`transform`.
        y : None
            Ignored.

        Returns
        -------
        self : LibrosaFeatures
            The transformer.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the kind of X is wrong.
        BadAudioError
            If waveforms in X are empty, not finite or not floating-point.
        """
        check_parameters(self)
        as_clips(X)
        # noise, as some features warn of silence
        noise = np.random.default_rng(0).normal(0.0, 0.1, (1, n_times_of(self)))
        features = get_feature(self.feature)(noise.astype(np.float32), self)
        self.output_shape_ = features.shape[1:]
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the features of clips.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Audio: paths as str or path-like in a list, array or pandas Series (one alone is one
            clip); or mono waveforms at the rate `sr`, of any lengths in a list or of one length
            in an array, with values of a floating-point type, usually in [-1, 1].

        Returns
        -------
        features : ndarray of shape (n_samples, n_bands, n_frames), float32
            The features.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the kind of X is wrong.
        BadAudioError
            If files are missing, empty, truncated or no audio, or clips are empty or not finite.
            The message names the files, their positions and the reasons.
        """
        check_parameters(self)
        clips = as_clips(X)
        import librosa

        librosa.feature  # noqa: B018 - loaded here once instead of in all threads at once

        size = max(1, min(_BATCH_CLIPS, _BATCH_SAMPLES // n_times_of(self)))
        batches = Parallel(n_jobs=self.n_jobs, verbose=self.verbose, prefer="threads")(
            delayed(self._transform_batch)(clips[start : start + size], start)
            for start in range(0, len(clips), size)
        )
        reasons = [reason for _, batch_reasons in batches for reason in batch_reasons]
        if reasons:
            raise BadAudioError.from_reasons(reasons, len(clips))
        return np.concatenate([features for features, _ in batches])

    def _transform_batch(
        self, clips: list[Clip], start: int
    ) -> tuple[NDArray[np.float32] | None, _Reasons]:
        n_times = n_times_of(self)
        waves = np.zeros((len(clips), n_times), np.float32)
        reasons: _Reasons = []
        for i, clip in enumerate(clips):
            if isinstance(clip, str):
                try:
                    wave = read_clip(clip, self.sr, n_times)
                except UnusableFileError as error:
                    reasons.append((start + i, clip, str(error)))
                    continue
            else:
                wave = clip[:n_times]
            waves[i, : len(wave)] = wave
        if reasons:
            return None, reasons
        features = get_feature(self.feature)(waves, self).astype(np.float32, copy=False)
        finite = np.isfinite(features.reshape(len(clips), -1)).all(axis=1)
        for index in map(int, np.flatnonzero(~finite)):
            clip = clips[index]
            path = clip if isinstance(clip, str) else None
            reasons.append((start + index, path, "its features are not finite"))
        return features, reasons

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags

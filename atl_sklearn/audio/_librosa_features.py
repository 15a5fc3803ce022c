"""Audio files or waveforms to arrays of features, in a pipeline."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._types import Memory, PathLike, Seed
from atl_sklearn.audio._bad_audio import BadFile
from atl_sklearn.audio._cache import folder_of
from atl_sklearn.audio._cache_size import CacheInfo, bytes_of, clear, size_of
from atl_sklearn.audio._clips import Audio, Segment
from atl_sklearn.audio._features import Features, as_list, name_of
from atl_sklearn.audio._inverse import invert_features
from atl_sklearn.audio._parameters import check_parameters, check_windows, is_number
from atl_sklearn.audio._transformation import (
    clips_of,
    feature_shape,
    transform_clips,
    transform_together,
)
from atl_sklearn.audio._trimming import Trim


class LibrosaFeatures(DocumentationLink, TransformerMixin, BaseEstimator):
    """Turn audio files or waveforms into features of one size, such as log-mel spectrograms.

    Each clip begins at `offset`. It is averaged over channels, resampled to `sr`, freed from
    silence at its ends, cropped or padded to `duration`, and given to librosa. Steps that you do
    not ask for are left out. Parameters have librosa's names.

    Parameters
    ----------
    feature : str, callable, or list of these, default="log_mel"
        Which features; :func:`get_feature_names` lists the names, and the user guide describes
        them. A callable is called as ``feature(y=clip, sr=sr)`` with each clip of shape (n_times,),
        like ``librosa.feature.rms``, and returns an array, always of the same shape; it gets none
        of the parameters from `n_fft` to `ref`. A list of features, all of one shape, is stacked as
        channels.
    sr : int, default=16000
        Sampling rate in Hz. Audio of another rate is resampled by soxr ("HQ", as in librosa);
        waveforms without a rate have this one.
    duration : float, default=1.0
        Length of all clips in seconds.
    offset : float, default=0.0
        Where clips begin, in seconds.
    crop : {"start", "center", "random", "loudest"}, default="start"
        Which part of a longer clip is kept. "random" depends only on `random_state` and the clip.
    pad : {"zeros", "wrap", "repeat"}, default="zeros"
        What fills up a shorter clip: silence; the clip again and again, the last time cut; or the
        clip as often as it fits, then silence.
    trim_silence : float, "energy" or callable, default=None
        What to cut off at the start and the end, before cropping. A number: whatever is this many
        dB below the loudest part (``top_db`` of ``librosa.effects.trim``). "energy": whatever is
        not clearly louder than the noise of the clip itself, if it has louder and softer parts. A
        callable, such as a detector of speech, is called as ``trim_silence(y=clip, sr=sr)`` and
        returns the samples at which speech begins and ends, an array of shape (n_intervals, 2).
    normalize : {"peak", "rms"}, default=None
        Scale each clip to a peak, or a root mean square, of 1 before it is padded.
    n_channels : int, default=None
        None averages all channels. With a number, clips must have this many channels, and features
        have an axis of channels; librosa sees each channel alone.
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
        Lowest frequency of the mel bands in Hz.
    fmax : float, default=None
        Their highest frequency in Hz; None for half of `sr`.
    n_mfcc : int, default=20
        Number of coefficients of "mfcc".
    n_deltas : int, default=0
        How many derivatives follow them: 1 for deltas, 2 for the deltas of deltas too.
    exponent : float, default=2/3
        The power to which "power_law" raises the magnitude.
    top_db : float, default=60.0
        The floor of "log_mel": values more than this many dB below the maximum of a clip are cut
        off; None for no floor.
    ref : "max" or float, default="max"
        The power that is 0 dB in "log_mel": this number, or the maximum of each clip, which makes
        the features independent of loudness.
    feature_params : dict of str to dict, default=None
        More arguments for librosa's functions, by name of the feature, such as ``{"cqt": {"n_bins":
        60}}``.
    flatten : bool, default=False
        Whether the features of a clip are one row. Most of scikit-learn's estimators need that, and
        so does ``set_output(transform="pandas")``.
    allow_silence : bool, default=False
        Whether to accept clips whose samples are all 0.
    on_error : {"raise", "warn"}, default="raise"
        What to do with clips that cannot be used: raise an error that names them; or replace them
        by silence, warn, and list them in `bad_files_`.
    root : path-like, default=None
        The folder that relative paths start from; "~" is your home. None for the current folder.
        `memory` does not depend on it.
    column : str or int, default=None
        Which column of X holds the audio, if X is a table: a DataFrame, a Hugging Face data set, or
        a dict of columns.
    scale : float or "dtype", default=None
        What to divide integer samples by: a number, such as 32768; or "dtype" for the largest of
        their type (unsigned ones are centred first). None refuses integers.
    random_state : int, RandomState instance, default=None
        For ``crop="random"``; an int gives a clip the same crop each time.
    memory : path-like or joblib.Memory, default=None
        A folder that keeps the features of each clip. They are found by its content and the
        parameters.
    memory_limit : int or str, default=None
        How many bytes `memory` may take, such as 10**9, "500 MB" or "2 GB"; None for no limit. Any
        process that writes removes the clips that were used longest ago; if you need them again,
        they are computed again.
    memory_map : path-like, default=None
        A folder to which features are written, so that they need no memory; you get a
        :class:`numpy.memmap`. The files stay until you delete them.
    n_jobs : int, default=None
        Number of threads that read and transform clips; None for 1 unless in a
        :obj:`joblib.parallel_config` context, -1 for all processors. With
        ``parallel_config("loky")`` they are processes.
    verbose : int, default=0
        Whether to show progress: a bar on a terminal or in a notebook, otherwise lines of text.

    Attributes
    ----------
    output_shape_ : tuple of int
        Shape of the features of a clip, such as (n_bands, n_frames).
    bad_files_ : list of (int, str or None, str)
        Position, path and reason of each clip that the last `transform` replaced by silence; the
        fields are named `position`, `path` and `reason`.
    cache_hits_, cache_misses_ : int
        How many clips the last `transform` found in `memory`, and how many it did not.

    See Also
    --------
    AudioSegmenter : Cut long recordings into segments.
    Standardizer : Bring each band to mean 0 and variance 1.

    Notes
    -----
    `fit` learns nothing from the clips. They may have other lengths in `transform` than in `fit`;
    `transform` also works without `fit`. There is no ``n_features_in_``.

    A clip's features do not depend on other clips, except for rounding. With ``ref="max"`` a silent
    clip is 0 dB throughout, as in librosa, because its maximum is its reference.

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
    >>> features.set_params(feature=["log_mel", "pcen"]).fit_transform(notes.data).shape
    (20, 2, 40, 63)
    """

    def __init__(
        self,
        feature: Features = "log_mel",
        *,
        sr: int = 16000,
        duration: float = 1.0,
        offset: float = 0.0,
        crop: str = "start",
        pad: str = "zeros",
        trim_silence: Trim = None,
        normalize: str | None = None,
        n_channels: int | None = None,
        n_fft: int = 512,
        win_length: int | None = None,
        hop_length: int | None = None,
        n_mels: int = 64,
        fmin: float = 0.0,
        fmax: float | None = None,
        n_mfcc: int = 20,
        n_deltas: int = 0,
        exponent: float = 2 / 3,
        top_db: float | None = 60.0,
        ref: float | str = "max",
        feature_params: dict[str, dict[str, Any]] | None = None,
        flatten: bool = False,
        allow_silence: bool = False,
        on_error: str = "raise",
        root: PathLike | None = None,
        column: str | int | None = None,
        scale: float | str | None = None,
        random_state: Seed = None,
        memory: Memory = None,
        memory_limit: int | str | None = None,
        memory_map: PathLike | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.feature = feature
        self.sr = sr
        self.duration = duration
        self.offset = offset
        self.crop = crop
        self.pad = pad
        self.trim_silence = trim_silence
        self.normalize = normalize
        self.n_channels = n_channels
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.n_mfcc = n_mfcc
        self.n_deltas = n_deltas
        self.exponent = exponent
        self.top_db = top_db
        self.ref = ref
        self.feature_params = feature_params
        self.flatten = flatten
        self.allow_silence = allow_silence
        self.on_error = on_error
        self.root = root
        self.column = column
        self.scale = scale
        self.random_state = random_state
        self.memory = memory
        self.memory_limit = memory_limit
        self.memory_map = memory_map
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Audio, y: object = None) -> Self:
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
        self._fit(X, None if self.on_error == "raise" else [])
        return self

    def _fit(self, X: Audio, bad: list[BadFile] | None) -> tuple[list[Segment], tuple[int, ...]]:
        """Return what X is as clips, and the shape of the features of each."""
        check_parameters(self)
        clips = clips_of(self, X, bad)
        check_windows(self, clips)
        shape = feature_shape(self)
        self.output_shape_ = (int(np.prod(shape)),) if self.flatten else shape
        self.bad_files_: list[BadFile] = []
        self.cache_hits_ = self.cache_misses_ = 0
        return clips, shape

    def fit_transform(
        self, X: Audio, y: object = None, **fit_params: object
    ) -> NDArray[np.float32]:
        """Fit, and return the features of clips, which are looked at once.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Audio, as in :meth:`transform`.
        y : None
            Ignored.
        **fit_params : dict
            None are known.

        Returns
        -------
        features : ndarray of shape (n_samples, *output_shape_), float32
            The features; a memory map if there is a folder for it.

        Raises
        ------
        TypeError, ValueError, BadAudioError, OSError
            As in :meth:`fit` and :meth:`transform`.
        """
        if fit_params:  # refused as by all transformers
            return super().fit_transform(X, y, **fit_params)
        bad: list[BadFile] = []
        clips, shape = self._fit(X, bad)
        (features,) = transform_clips([self], clips, bad, [shape])
        return features

    def transform(self, X: Audio) -> NDArray[np.float32]:
        """Return the features of clips.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Audio, in one of these forms: paths, as str or path-like, in a list, array or pandas
            Series (a single path is one clip); segments from :class:`AudioSegmenter`; or waveforms
            of shape (n_times,) or (n_channels, n_times), in a list (of any lengths) or an array (of
            one length), with floating-point values, usually in [-1, 1]. For a waveform whose rate
            is not `sr`, pass a pair (waveform, rate).

        Returns
        -------
        features : ndarray of shape (n_samples, *output_shape_), float32
            The features; a memory map if there is a folder for it.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the kind of X is wrong.
        BadAudioError
            If files are missing, empty, truncated or no audio, or clips are empty, silent or not
            finite. The message names the files, their positions and the reasons.
        OSError
            If the folder of `memory_map` cannot be written to, or its disk has too little space.
        """
        (features,) = transform_together([self], X)
        return features

    def inverse_transform(self, X: ArrayLike, *, n_iter: int = 32) -> NDArray[np.float32]:
        """Return sound with given features, to listen to.

        The phase is estimated by the algorithm of Griffin and Lim [1]_. Mel bands are spread over
        the frequencies that they were summed from. With ``ref="max"`` the loudness of clips is
        lost.

        Parameters
        ----------
        X : array-like of shape (n_samples, *output_shape_)
            Features: "stft", "power_law", "mel", "log_mel" or "waveform".
        n_iter : int, default=32
            Number of iterations for the phase.

        Returns
        -------
        waves : ndarray of shape (n_samples, n_times) or (n_samples, n_channels, n_times), float32
            Sound of the rate `sr`.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If there is no way back from these features, or X is of another shape.

        References
        ----------
        .. [1] D. Griffin, J. Lim, "Signal estimation from modified short-time Fourier
           transform", IEEE Transactions on Acoustics, Speech, and Signal Processing 32, 1984.
        """
        check_is_fitted(self)
        if not is_number(n_iter, Integral) or n_iter < 1:
            raise ValueError(
                f"The 'n_iter' argument of inverse_transform must be an int in [1, inf). Got "
                f"{n_iter!r} instead."
            )
        features: np.ndarray = check_array(
            X, dtype="numeric", allow_nd=True, ensure_2d=False, input_name="X"
        )
        if features.shape[1:] != self.output_shape_:
            raise ValueError(
                f"X must have shape (n_samples, *output_shape_) with output_shape_ = "
                f"{self.output_shape_}. Got shape {features.shape} instead."
            )
        shape = feature_shape(self)
        waves = invert_features(features.reshape(-1, *shape[-2:]), self, n_iter)
        if self.n_channels is None:
            return waves
        return waves.reshape(len(features), self.n_channels, -1)

    def cache_info(self) -> CacheInfo:
        """Return how much the folder of `memory` holds, and how often it helped.

        Returns
        -------
        info : CacheInfo
            The fields `hits` and `misses` of the last `transform`, `n_entries` and `n_bytes` of
            the folder, and `limit`.
        """
        folder = folder_of(self.memory)
        n_entries, n_bytes = (0, 0) if folder is None else size_of(folder)
        hits, misses = getattr(self, "cache_hits_", 0), getattr(self, "cache_misses_", 0)
        return CacheInfo(hits, misses, n_entries, n_bytes, bytes_of(self.memory_limit))

    def clear_cache(self) -> int:
        """Remove all that `memory` keeps of features, whatever their parameters.

        Returns
        -------
        n_entries : int
            How many clips had features in it.
        """
        folder = folder_of(self.memory)
        return 0 if folder is None else clear(folder)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return a name for each value of a clip, in the order of the flattened features.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str
            Such as "log_mel_3_10" for band 3 and frame 10; with several channels
            "channel1_log_mel_3_10".
        """
        check_is_fitted(self)
        labels = [name_of(feature) for feature in as_list(self.feature)]
        if self.n_channels is not None and self.n_channels > 1:
            channels = range(self.n_channels)
            labels = [f"channel{i}_{label}" for i in channels for label in labels]
        shape = feature_shape(self)
        if isinstance(self.feature, list | tuple) or self.n_channels is not None:
            shape = shape[1:]
        places = ["_".join(map(str, place)) for place in np.ndindex(shape)]
        return np.asarray([f"{label}_{place}" for label in labels for place in places], object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags

"""Features of tones: constant-Q transform, chroma and tonal centroids."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from atl_sklearn.audio._spectral import Clips, magnitude, options_of, window_of

if TYPE_CHECKING:
    from atl_sklearn.audio._librosa_features import LibrosaFeatures

# librosa's defaults of piptrack, which its estimate of the tuning uses.
_LOWEST, _HIGHEST, _ABOVE = 150.0, 4000.0, 0.1
_TUNING_N_FFT = 2048


def cqt(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return the magnitude of the constant-Q transform."""
    import librosa

    options = options_of(settings, "cqt")
    of_octave = options.get("bins_per_octave", 12)

    def transform(group: Clips, tuning: float) -> np.ndarray:
        given = {"sr": settings.sr, "hop_length": window_of(settings)[1], **options}
        return np.abs(librosa.cqt(group, **{**given, "tuning": tuning}))

    return _by_tuning(clips, options.get("tuning", 0.0), of_octave, settings, transform)


def chroma(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return the energy of the twelve pitch classes, from the short-time Fourier transform."""
    import librosa

    options = options_of(settings, "chroma")
    power = magnitude(clips, settings) ** 2

    def transform(group: np.ndarray, tuning: float) -> np.ndarray:
        given = {"sr": settings.sr, "n_fft": settings.n_fft, **options}
        return librosa.feature.chroma_stft(S=group, **{**given, "tuning": tuning})

    tunings = options.get("tuning")
    if tunings is None:
        tunings = estimate_tuning(power, settings.sr, options.get("n_chroma", 12))
    return _in_groups(power, tunings, transform)


def tonnetz(clips: Clips, settings: LibrosaFeatures) -> np.ndarray:
    """Return the tonal centroids: fifths, minor and major thirds."""
    import librosa

    options = options_of(settings, "tonnetz")
    of_octave = options.get("bins_per_octave", 36) or options.get("n_chroma", 12)

    def transform(group: Clips, tuning: float) -> np.ndarray:
        given = {"sr": settings.sr, "hop_length": window_of(settings)[1], **options}
        found = librosa.feature.chroma_cqt(y=group, **{**given, "tuning": tuning})
        return librosa.feature.tonnetz(chroma=found)

    return _by_tuning(clips, options.get("tuning"), of_octave, settings, transform)


def _by_tuning(
    clips: Clips,
    tuning: float | None,
    bins_per_octave: int,
    settings: LibrosaFeatures,
    transform: Callable[[np.ndarray, float], np.ndarray],
) -> np.ndarray:
    if tuning is not None:
        return transform(clips, tuning)
    import librosa

    spectra = np.abs(librosa.stft(clips, n_fft=_TUNING_N_FFT))
    return _in_groups(clips, estimate_tuning(spectra, settings.sr, bins_per_octave), transform)


def _in_groups(
    values: np.ndarray,
    tunings: ArrayLike,
    transform: Callable[[np.ndarray, float], np.ndarray],
) -> np.ndarray:
    """Transform the clips of each tuning together."""
    tunings = np.broadcast_to(np.asarray(tunings, dtype=np.float64), len(values))
    found: dict[int, np.ndarray] = {}
    for tuning in np.unique(tunings):
        places = np.flatnonzero(tunings == tuning).tolist()
        for place, row in zip(places, transform(values[places], float(tuning)), strict=True):
            found[place] = row
    return np.stack([found[place] for place in range(len(values))])


def estimate_tuning(spectra: np.ndarray, sr: float, bins_per_octave: int) -> np.ndarray:
    """Estimate how far each clip is from A440, as ``librosa.estimate_tuning`` does for one.

    That one goes through functions that numba compiles and caches. Where two processes do so at
    once, the cache may be left such that calling them kills the process (numba's issue 10128);
    here is the same arithmetic [1]_ in NumPy, for many clips.

    Parameters
    ----------
    spectra : ndarray of shape (n_clips, n_bins, n_frames), float32
        Magnitude or power.
    sr : float
        Sampling rate in Hz.
    bins_per_octave : int
        Number of bins in an octave; tunings are fractions of a bin.

    Returns
    -------
    tunings : ndarray of shape (n_clips,)
        From -0.5 to 0.5.

    References
    ----------
    .. [1] J. O. Smith, "Spectral audio signal processing", W3K Publishing, 2011: quadratic
       interpolation of spectral peaks.
    """
    import librosa

    n_bins = spectra.shape[1]
    n_fft = 2 * (n_bins - 1)
    slope = np.gradient(spectra, axis=1)
    below, here, above = spectra[:, :-2], spectra[:, 1:-1], spectra[:, 2:]
    curvature = (above + below).astype(np.float64) - 2.0 * here
    rise = (above - below).astype(np.float64) / 2.0
    shift = np.zeros_like(spectra)
    inside = np.abs(rise) < np.abs(curvature)
    shift[:, 1:-1][inside] = -rise[inside] / curvature[inside]

    loud = spectra * (spectra > _ABOVE * spectra.max(axis=1, keepdims=True))
    peak = np.zeros(spectra.shape, dtype=bool)
    peak[:, 1:-1] = (loud[:, 1:-1] > loud[:, :-2]) & (loud[:, 1:-1] >= loud[:, 2:])
    peak[:, -1] = loud[:, -1] > loud[:, -2]
    frequencies = librosa.fft_frequencies(sr=sr, n_fft=n_fft)
    peak &= ((frequencies >= _LOWEST) & (frequencies < min(_HIGHEST, sr / 2)))[:, np.newaxis]

    heights = spectra + 0.5 * slope * shift
    tunings = np.zeros(len(spectra))
    for i in range(len(spectra)):
        bins, frames = np.nonzero(peak[i])
        pitches = ((bins + shift[i, bins, frames]) * float(sr) / n_fft).astype(spectra.dtype)
        height = heights[i, bins, frames]
        if pitches.any():
            kept = pitches[height >= np.median(height)]
            tunings[i] = librosa.pitch_tuning(kept, bins_per_octave=bins_per_octave)
    return tunings

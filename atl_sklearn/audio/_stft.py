"""Short-time Fourier transform of many clips, a few at a time, for features that sum its bins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Values of the frames that are transformed at once: with their spectra they stay in the
# processor's cache. librosa transforms all clips at once, with frames that lie apart in memory.
_AT_ONCE = 2**17


def magnitudes(
    clips: NDArray[np.float32], n_fft: int, win_length: int, hop_length: int
) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
    """Yield the magnitude of the short-time Fourier transform, of some frames of some clips.

    The values are those of ``np.abs(librosa.stft(clips))`` with its default window ("hann"),
    centred frames and zeros around the clips, but in single precision, where librosa computes in
    double precision before it rounds: bins some 130 dB below the loudest of their frame differ.

    Parameters
    ----------
    clips : ndarray of shape (n_clips, n_times), float32
        Clips of one length.
    n_fft, win_length, hop_length : int
        As in ``librosa.stft``.

    Yields
    ------
    which : slice
        The clips.
    when : slice
        Their frames.
    magnitude : ndarray of shape (n_some_clips, n_some_frames, n_bins)
        The magnitude; the caller may change it.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio._stft import magnitudes
    >>> clips = np.ones((3, 800), np.float32)
    >>> [(which, found.shape) for which, _, found in magnitudes(clips, 200, 200, 100)]
    [(slice(0, 3, None), (3, 9, 101))]
    """
    import librosa

    fft = librosa.get_fftlib()
    window = librosa.filters.get_window("hann", win_length, fftbins=True)
    window = librosa.util.pad_center(window, size=n_fft).astype(clips.dtype)
    padded = np.pad(clips, ((0, 0), (n_fft // 2, n_fft // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::hop_length]
    n_clips, n_frames = frames.shape[:2]
    some_frames = max(1, min(n_frames, _AT_ONCE // n_fft))
    some_clips = max(1, _AT_ONCE // (n_fft * n_frames))
    for i in range(0, n_clips, some_clips):
        for j in range(0, n_frames, some_frames):
            which, when = slice(i, min(i + some_clips, n_clips)), slice(j, j + some_frames)
            yield which, when, np.abs(fft.rfft(frames[which, when] * window, axis=-1))


def n_frames_of(n_times: int, n_fft: int, hop_length: int) -> int:
    """Return how many frames clips have.

    Examples
    --------
    >>> from atl_sklearn.audio._stft import n_frames_of
    >>> n_frames_of(800, 200, 100), n_frames_of(800, 201, 100)
    (9, 8)
    """
    return 1 + (n_times + 2 * (n_fft // 2) - n_fft) // hop_length

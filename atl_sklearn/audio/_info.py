"""What a recording is, without its samples."""

from __future__ import annotations

from typing import NamedTuple

from atl_sklearn.audio._bad_audio import BadAudioError, BadFile, UnusableClipError
from atl_sklearn.audio._clips import as_clips
from atl_sklearn.audio._files import open_audio


class AudioInfo(NamedTuple):
    """The rate, the channels and the length of a recording.

    Parameters
    ----------
    rate : float
        Its sampling rate in Hz.
    n_channels : int
        How many channels it has.
    n_frames : int or None
        How many samples each channel has; None if only decoding tells.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import audio_info
    >>> info = audio_info((np.ones(8000), 16000))
    >>> info.n_frames / info.rate
    0.5
    """

    rate: float
    n_channels: int
    n_frames: int | None


def audio_info(source: object, *, count: bool = False, header_only: bool = False) -> AudioInfo:
    """Return the rate, the channels and the length of a recording, as LibrosaFeatures reads it.

    Parameters
    ----------
    source : path-like, bytes or binary file
        One recording; or samples with their rate, in any form that LibrosaFeatures takes.
    count : bool, default=False
        Whether to decode a file completely if its header does not tell its length.
    header_only : bool, default=False
        Whether to read only the first header of a file. `n_frames` is then that of the first
        recording in it.

    Returns
    -------
    info : AudioInfo
        The fields `rate`, `n_channels` and `n_frames`.

    Raises
    ------
    BadAudioError
        If it cannot be read; the message says why.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import audio_info
    >>> audio_info((np.ones((2, 8000)), 16000))
    AudioInfo(rate=16000.0, n_channels=2, n_frames=8000)
    """
    (clip,) = as_clips([source])
    if clip.file is None:
        samples = clip.samples()
        if clip.rate is None:
            raise ValueError("Samples alone have no rate. Pass a pair, (waveform, rate).")
        return AudioInfo(clip.rate, *samples.shape)
    try:
        with open_audio(clip.file, until=0.0 if header_only and not count else None) as file:
            n_frames = file.count_frames() if count else file.n_frames
            return AudioInfo(float(file.rate), file.n_channels, n_frames)
    except UnusableClipError as error:
        raise BadAudioError.from_reasons([BadFile(0, clip.path, str(error))], 1) from error

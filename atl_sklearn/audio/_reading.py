"""The start of an audio file, as mono samples at a given rate."""

from __future__ import annotations

import os
import re

import numpy as np
from numpy.typing import NDArray

from atl_sklearn.audio._clips import describe_samples

# libsndfile's log tells a file that is shorter than its header says. A rounding byte and the
# huge sizes that streaming programs write are no damage.
_SHORTER = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_STREAMED = 0x7FFF0000
_ENDED_EARLY = ("File ended unexpectedly", "Seems to be a truncated file")
# mp3 decoders drop up to two frames at the ends.
_MP3_SLACK = 2 * 1152


class UnusableFileError(Exception):
    """A file cannot be used; the message says why, without its name."""


def read_clip(path: str, sr: int, n_times: int) -> NDArray[np.float32]:
    """Read the start of an audio file.

    Parameters
    ----------
    path : str
        Any file that libsndfile reads: wav, flac, ogg, mp3 and others.
    sr : int
        Sampling rate of the result in Hz; another rate of the file is converted by soxr.
    n_times : int
        Most samples to return.

    Returns
    -------
    wave : ndarray of shape (at most n_times,), float32
        The samples, averaged over channels.

    Raises
    ------
    UnusableFileError
        If the file is missing, empty, truncated or no audio, or if samples are not finite.
    """
    _check_file(path)
    samples, rate = _decode(path, n_times / sr)
    for channel in samples.T:
        reason = describe_samples(channel)
        if reason:
            raise UnusableFileError(reason)
    wave = samples.mean(axis=1)
    if rate != sr:
        import soxr

        wave = soxr.resample(wave, rate, sr, quality="HQ")
    return wave[:n_times]


def _check_file(path: str) -> None:
    if not os.path.exists(path):
        raise UnusableFileError("it does not exist")
    if os.path.isdir(path):
        raise UnusableFileError("it is a folder, not a file")
    if os.path.getsize(path) == 0:
        raise UnusableFileError("it is an empty file")


def _decode(path: str, seconds: float) -> tuple[NDArray[np.float32], int]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            for declared, actual in _SHORTER.findall(file.extra_info):
                if int(actual) + 1 < int(declared) < _STREAMED:
                    raise UnusableFileError(
                        f"it is truncated: {actual} of {declared} bytes of samples are there"
                    )
            if any(sign in file.extra_info for sign in _ENDED_EARLY):
                raise UnusableFileError("it is truncated")
            rate = file.samplerate
            wanted = min(file.frames, round(seconds * rate))
            samples = file.read(wanted, dtype="float32", always_2d=True)
            slack = _MP3_SLACK if file.format in ("MP3", "MPEG") else 0
    except (soundfile.SoundFileError, OSError) as error:
        detail = getattr(error, "error_string", None) or str(error)
        raise UnusableFileError(
            f"it is damaged, or not audio that libsndfile reads ({detail.strip(' .')})"
        ) from error
    if len(samples) == 0:
        raise UnusableFileError("it has no samples")
    if len(samples) < wanted - slack:
        raise UnusableFileError(f"it is truncated: only {len(samples)} samples can be read")
    return samples, rate

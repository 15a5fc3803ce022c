"""Recordings at another sampling rate."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np

from atl_sklearn.datasets._recordings import BadArchiveError


def resampled(
    recordings: Iterable[tuple[str, Path]], rate: int, sr: int
) -> Generator[tuple[str, bytes], None, None]:
    """Yield recordings at another rate, as flac files of 16 bits.

    Parameters
    ----------
    recordings : iterable of (str, Path)
        The names that they get, and mono files.
    rate, sr : int
        Their sampling rate, and the one they get, in Hz.

    Yields
    ------
    name : str
        As it was given.
    content : bytes
        The samples, resampled by soxr ("HQ") and rounded.

    Raises
    ------
    BadArchiveError
        If a file cannot be read, or has another rate or several channels.
    """
    import soundfile
    import soxr

    for name, path in recordings:
        try:
            samples, found = soundfile.read(path)
        except (OSError, RuntimeError) as error:
            raise BadArchiveError(f"{path} cannot be read ({error}). Replace it.") from error
        if found != rate or samples.ndim != 1:
            raise BadArchiveError(
                f"{path} must be a mono recording at {rate} Hz. Got shape {samples.shape} at "
                f"{found} Hz instead: replace it by what is published."
            )
        # Rounded here: to samples that are whole numbers, soxr adds noise.
        scaled = soxr.resample(samples, rate, sr, quality="HQ") * 2**15
        rounded = np.clip(np.rint(scaled), -(2**15), 2**15 - 1).astype(np.int16)
        file = io.BytesIO()
        soundfile.write(file, rounded, sr, format="FLAC", subtype="PCM_16")
        yield name, file.getvalue()

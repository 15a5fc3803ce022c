"""Recorded noise behind clips, and clips played faster or slower."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from atl_sklearn._types import PathLike, Seed
from atl_sklearn._validation import refuse
from atl_sklearn.audio._augmentation import Augmentation, AugmentationAtRate
from atl_sklearn.audio._bad_audio import BadAudioError, BadFile, UnusableClipError
from atl_sklearn.audio._clips import Segment, as_clips
from atl_sklearn.audio._decibels import with_noise
from atl_sklearn.audio._librosa_features import LibrosaFeatures
from atl_sklearn.audio._reading import read_clip

_MOST_FACTOR = 10.0
_TRIES = 100  # places of recordings, of which one has to have sound


def find_recordings(transformer: BaseEstimator, name: str) -> list[Segment]:
    """Return the recordings of a parameter: those of a folder, or those that it has.

    Parameters
    ----------
    transformer : BaseEstimator
        Whose parameter it is.
    name : str
        Its name.

    Raises
    ------
    ValueError
        If there are none.
    """
    recordings = getattr(transformer, name)
    if not isinstance(recordings, str | os.PathLike):
        return as_clips(recordings)
    folder = Path(recordings).expanduser()
    paths = sorted(path for path in folder.rglob("[!.]*") if path.is_file())
    if not paths:
        raise refuse(transformer, name, "recordings, or a folder that holds some")
    return as_clips(paths)


class AddBackground(AugmentationAtRate):
    """Add recorded noise to training clips; prediction leaves clips alone.

    Parameters
    ----------
    sounds : path-like or sequence
        The noise: a folder of recordings, or recordings in any form that LibrosaFeatures takes. For
        each clip, a recording and a place in it are drawn, and drawn again if it is silent there.
        Short recordings are repeated. Pass the clips themselves, with a high `snr`, to mix in
        others quietly.
    snr : float or (float, float), default=(5.0, 20.0)
        Signal-to-noise ratio in dB, from -200 to 200. A pair is a range; each clip draws its own.
    sr : int, default=16000
        Sampling rate of the clips in Hz; noise of another rate is resampled.
    probability : float, default=1.0
        Share of the clips to change.
    random_state : int, RandomState instance, default=None
        Seed of the random choices.

    See Also
    --------
    AddNoise : Add noise that is computed.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import AddBackground
    >>> X = np.sin(np.arange(4000.0)).reshape(2, 2000)
    >>> hum = np.sin(np.arange(9000.0) / 50)
    >>> behind = AddBackground([hum], snr=10.0, random_state=0)
    >>> round(10 * float(np.log10(np.mean(X**2) / np.mean((behind.fit_transform(X) - X) ** 2))))
    10
    """

    def __init__(
        self,
        sounds: PathLike | Sequence,
        snr: float | tuple[float, float] = (5.0, 20.0),
        *,
        sr: int = 16000,
        probability: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.sounds = sounds
        self.snr = snr
        self.sr = sr
        self.probability = probability
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_decibels("snr")
        self._clips = find_recordings(self, "sounds")

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for _ in range(_TRIES):
            index = int(rng.integers(len(self._clips)))
            noise = self._read(index, clip.shape[-1], int(rng.integers(2**31 - 1)))
            if noise.any():
                return with_noise(clip, noise, self._draw("snr", rng))
        raise ValueError(
            f"The 'sounds' parameter of {type(self).__name__} must be recordings of some sound: at "
            f"{_TRIES} places that were drawn of {len(self._clips)} recordings all samples are 0. "
            "Leave out those that are silent."
        )

    def _read(self, index: int, n_times: int, seed: int) -> NDArray[np.float32]:
        sound = self._clips[index]
        duration = n_times / self.sr
        settings = LibrosaFeatures(
            "waveform", sr=self.sr, duration=duration, crop="random", pad="wrap", allow_silence=True
        )
        try:
            return read_clip(sound, settings, seed)[0]
        except UnusableClipError as error:
            bad = BadFile(index, sound.path, str(error))
            told = str(BadAudioError.from_reasons([bad], len(self._clips)))
            raise BadAudioError(f"Of the 'sounds' {told}", [index]) from error


class RandomSpeed(Augmentation):
    """Play training clips faster or slower, as a tape; prediction leaves them alone.

    The pitch changes with the speed. Clips keep their lengths: slower ones are cut, faster ones
    followed by silence.

    Parameters
    ----------
    factor : float or (float, float), default=(0.9, 1.1)
        How much faster, from 0.1 to 10. A pair is a range; each clip draws its own.
    probability : float, default=1.0
        Share of the clips to change.
    random_state : int, RandomState instance, default=None
        Seed of the random choices.

    See Also
    --------
    RandomShift : Move clips in time.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import RandomSpeed
    >>> X = np.sin(np.arange(4000.0) / 10).reshape(1, 4000)
    >>> faster = RandomSpeed(2.0, random_state=0).fit_transform(X)
    >>> bool(np.allclose(faster[0, 100:1900], X[0, 200:3800:2], atol=0.01))
    True
    """

    def __init__(
        self,
        factor: float | tuple[float, float] = (0.9, 1.1),
        *,
        probability: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.factor = factor
        self.probability = probability
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_range("factor", 1 / _MOST_FACTOR, _MOST_FACTOR)

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        import soxr

        factor = self._draw("factor", rng)
        n_times = clip.shape[-1]
        rows = np.ascontiguousarray(clip.reshape(-1, n_times))
        changed = np.zeros_like(rows)
        for row, source in zip(changed, rows, strict=True):
            played = soxr.resample(source, factor, 1.0, quality="HQ")[:n_times]
            row[: len(played)] = played
        return changed.reshape(clip.shape)

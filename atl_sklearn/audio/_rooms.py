"""Rooms that clips sound in, and voices that are higher or lower."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from atl_sklearn._types import PathLike, Seed
from atl_sklearn.audio._augmentation import Augmentation, AugmentationAtRate
from atl_sklearn.audio._background import find_recordings
from atl_sklearn.audio._bad_audio import BadAudioError, BadFile, UnusableClipError
from atl_sklearn.audio._files import open_audio
from atl_sklearn.audio._reading import resample

_LONGEST = 10.0  # seconds of reverberation
_FALL = 3 * np.log(10)  # of the amplitude, to a thousandth: 60 dB
_MOST_SEMITONES = 24.0
_LARGEST_FFT = 2048


class AddReverberation(AugmentationAtRate):
    """Let training clips sound in rooms; prediction leaves clips alone.

    Each clip is convolved with the impulse response of a room: a recorded one, or noise that decays
    exponentially [1]_ behind the direct sound. Its length, its root mean square and the place of
    the direct sound stay.

    Parameters
    ----------
    responses : path-like, sequence or None, default=None
        Impulse responses: a folder of recordings, or recordings in any form that LibrosaFeatures
        takes. One is drawn for each clip; its first channel is used, from the peak on. None
        computes a response for each clip.
    duration : float or (float, float), default=(0.2, 0.8)
        Reverberation time of a computed response, in seconds, from 0.01 to 10: the time in which it
        falls by 60 dB. A pair is a range; each clip draws its own.
    direct : float or (float, float), default=(0.0, 10.0)
        How much louder than the reverberation the direct sound of a computed response is, in dB,
        from -200 to 200. A pair is a range; each clip draws its own.
    sr : int, default=16000
        Sampling rate of the clips in Hz; responses of another rate are resampled.
    probability : float, default=1.0
        Share of the clips to change.
    random_state : int, RandomState instance, default=None
        Seed of the random choices.

    See Also
    --------
    AddBackground : Add recorded noise.

    References
    ----------
    .. [1] J.-D. Polack, "La transmission de l'energie sonore dans les salles", thesis, Universite
       du Maine, 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import AddReverberation
    >>> click = np.zeros((1, 8000))
    >>> click[0, 1000] = 1
    >>> heard = AddReverberation(duration=0.5, direct=0.0, random_state=0).fit_transform(click)
    >>> int(np.argmax(np.abs(heard))), bool(np.abs(heard[0, 2000:4000]).mean() > 0.001)
    (1000, True)
    """

    def __init__(
        self,
        responses: PathLike | Sequence | None = None,
        *,
        duration: float | tuple[float, float] = (0.2, 0.8),
        direct: float | tuple[float, float] = (0.0, 10.0),
        sr: int = 16000,
        probability: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.responses = responses
        self.duration = duration
        self.direct = direct
        self.sr = sr
        self.probability = probability
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_decibels("direct")
        self._check_range("duration", 0.01, _LONGEST, what="a number of seconds")
        self._responses = None if self.responses is None else self._read()

    def _read(self) -> list[np.ndarray]:
        found: list[np.ndarray] = []
        bad: list[BadFile] = []
        clips = find_recordings(self, "responses")
        for index, clip in enumerate(clips):
            try:
                if clip.file is None:
                    wave, rate = clip.samples(), self.sr if clip.rate is None else clip.rate
                else:
                    with open_audio(clip.file) as file:
                        wave, rate = file.read(0, round(_LONGEST * file.rate)), file.rate
                if not wave[0].any():
                    raise UnusableClipError("its first channel is silent: all samples are 0")
                response = resample(np.asarray(wave[:1], np.float32), rate, self.sr)[0]
                found.append(response[np.argmax(np.abs(response)) :])
            except UnusableClipError as error:
                bad.append(BadFile(index, clip.path, str(error)))
        if bad:
            told = str(BadAudioError.from_reasons(bad, len(clips)))
            raise BadAudioError(f"Of the 'responses' {told}", [one.position for one in bad])
        return found

    def _make(self, n_times: int, rng: np.random.Generator) -> np.ndarray:
        seconds = self._draw("duration", rng)
        n_tail = max(2, min(n_times, round(seconds * self.sr)))
        tail = rng.normal(size=n_tail) * np.exp(-_FALL * np.arange(n_tail) / (seconds * self.sr))
        tail[0] = 0
        ratio = 10 ** (self._draw("direct", rng) / 20)
        response = tail / (np.sqrt(np.sum(tail**2)) * ratio)
        response[0] = 1
        return response

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        from scipy.signal import oaconvolve

        n_times = clip.shape[-1]
        if self._responses is None:
            response = self._make(n_times, rng)
        else:
            response = self._responses[int(rng.integers(len(self._responses)))]
        shape = [1] * (clip.ndim - 1) + [len(response)]
        heard = oaconvolve(clip, response.reshape(shape), axes=-1)[..., :n_times]
        before, after = (np.sqrt(np.mean(np.square(x, dtype=np.float64))) for x in (clip, heard))
        return (heard * (before / after) if after > 0 else heard).astype(clip.dtype)


class RandomPitch(Augmentation):
    """Make training clips higher or lower, as fast as they were; prediction leaves them alone.

    It uses the phase vocoder of ``librosa.effects.pitch_shift``, which takes some milliseconds for
    a second of sound, and blurs clicks.

    Parameters
    ----------
    semitones : float or (float, float), default=(-2.0, 2.0)
        How much higher, in semitones, from -24 to 24. A pair is a range; each clip draws its own.
    probability : float, default=1.0
        Share of the clips to change.
    random_state : int, RandomState instance, default=None
        Seed of the random choices.

    See Also
    --------
    RandomSpeed : Change pitch and speed together, which is faster and blurs nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import RandomPitch
    >>> X = np.sin(2 * np.pi * 500 * np.arange(8000) / 8000).reshape(1, 8000)
    >>> higher = RandomPitch(12.0, random_state=0).fit_transform(X)
    >>> int(np.argmax(np.abs(np.fft.rfft(higher[0]))))
    1000
    """

    def __init__(
        self,
        semitones: float | tuple[float, float] = (-2.0, 2.0),
        *,
        probability: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.semitones = semitones
        self.probability = probability
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_range("semitones", -_MOST_SEMITONES, _MOST_SEMITONES)

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        import librosa

        # Frames of at most a quarter of the clip.
        n_fft = min(_LARGEST_FFT, 2 ** int(np.log2(max(clip.shape[-1] // 4, 4))))
        with warnings.catch_warnings():
            # Of librosa 1.0, which hands itself what it has deprecated.
            warnings.filterwarnings("ignore", message="The `(hop_length|n_fft)` parameter is depr")
            return librosa.effects.pitch_shift(
                clip,
                sr=16000,  # pitch is moved by a ratio, at any rate
                n_steps=self._draw("semitones", rng),
                n_fft=n_fft,
            ).astype(clip.dtype)

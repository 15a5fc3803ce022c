"""Noise, gain and shift."""

from __future__ import annotations

import numpy as np

from atl_sklearn._types import Seed
from atl_sklearn.audio._augmentation import Augmentation
from atl_sklearn.audio._decibels import with_noise
from atl_sklearn.audio._parameters import check_choice, is_number, refuse


class AddNoise(Augmentation):
    """Add noise to training clips; prediction leaves clips alone.

    Parameters
    ----------
    snr : float or (float, float), default=(10.0, 30.0)
        Signal-to-noise ratio in dB, from -200 to 200. A pair is a range; each clip draws its own.
    color : {"white", "pink"}, default="white"
        Whether all frequencies are equally strong, or all octaves.
    probability : float, default=1.0
        Share of the clips to change.
    random_state : int, RandomState instance, default=None
        Seed of the random choices.

    See Also
    --------
    RandomGain : Change the loudness.
    TimeFrequencyMask : Mask parts of spectrograms.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import AddNoise
    >>> X = np.sin(np.arange(4000.0)).reshape(2, 2000)
    >>> noise = AddNoise(snr=20.0, random_state=0)
    >>> round(10 * float(np.log10(np.mean(X**2) / np.mean((noise.fit_transform(X) - X) ** 2))))
    20
    >>> bool((noise.transform(X) == X).all())
    True
    """

    def __init__(
        self,
        snr: float | tuple[float, float] = (10.0, 30.0),
        *,
        color: str = "white",
        probability: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.snr = snr
        self.color = color
        self.probability = probability
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_decibels("snr")
        check_choice(self, "color", ("white", "pink"))

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = rng.normal(size=clip.shape)
        if self.color == "pink":
            spectrum = np.fft.rfft(noise)
            spectrum[..., 1:] /= np.sqrt(np.arange(1, spectrum.shape[-1]))
            noise = np.fft.irfft(spectrum, clip.shape[-1])
        return with_noise(clip, noise, self._draw("snr", rng))


class RandomGain(Augmentation):
    """Change the loudness of training clips; prediction leaves clips alone.

    It only matters if your features depend on loudness: not with ``ref="max"``.

    Parameters
    ----------
    gain : float or (float, float), default=(-6.0, 6.0)
        How much louder clips become, in dB, from -200 to 200. A pair is a range; each clip draws
        its own.
    probability : float, default=1.0
        Share of the clips to change.
    random_state : int, RandomState instance, default=None
        Seed of the random choices.

    See Also
    --------
    AddNoise : Add noise.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import RandomGain
    >>> RandomGain(gain=20.0).fit_transform([[0.01, -0.02, 0.03]]).round(6).tolist()
    [[0.1, -0.2, 0.3]]
    """

    def __init__(
        self,
        gain: float | tuple[float, float] = (-6.0, 6.0),
        *,
        probability: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.gain = gain
        self.probability = probability
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_decibels("gain")

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (clip * 10 ** (self._draw("gain", rng) / 20)).astype(clip.dtype)


class RandomShift(Augmentation):
    """Move training clips in time, or in frequency; prediction leaves them alone.

    Parameters
    ----------
    max_shift : float, default=0.1
        The largest shift, forwards or backwards, as a share of the length of a clip, or of its
        bands.
    fill : {"zeros", "wrap", "edge"}, default="zeros"
        What fills the gap: zeros; what went out at the other end; or the values at the edge, which
        suits levels in dB.
    axis : {"time", "bands"}, default="time"
        What to move: "time", the last axis of waveforms and features; or "bands", the axis before
        it in features, as if a voice were higher or lower.
    probability : float, default=1.0
        Share of the clips to change.
    random_state : int, RandomState instance, default=None
        Seed of the random choices.

    See Also
    --------
    TimeFrequencyMask : Mask parts of spectrograms.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import RandomShift
    >>> shift = RandomShift(0.5, fill="wrap", random_state=0)
    >>> shift.fit_transform([[1.0, 2.0, 3.0, 4.0]]).tolist()
    [[3.0, 4.0, 1.0, 2.0]]
    """

    def __init__(
        self,
        max_shift: float = 0.1,
        *,
        fill: str = "zeros",
        axis: str = "time",
        probability: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.max_shift = max_shift
        self.fill = fill
        self.axis = axis
        self.probability = probability
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not is_number(self.max_shift) or not 0 <= self.max_shift <= 1:
            raise refuse(self, "max_shift", "a float in [0, 1]")
        check_choice(self, "fill", ("zeros", "wrap", "edge"))
        check_choice(self, "axis", ("time", "bands"))

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        axis = -1 if self.axis == "time" else -2
        if clip.ndim < -axis:
            raise ValueError(
                f"{type(self).__name__} with axis='bands' expects clips of shape (..., n_bands, "
                f"n_frames). Got shape {clip.shape}. Put LibrosaFeatures before it."
            )
        most = int(self.max_shift * clip.shape[axis])
        shift = int(rng.integers(-most, most + 1))
        moved = np.roll(clip, shift, axis=axis)
        if self.fill != "wrap" and shift:
            came_in = np.moveaxis(moved, axis, 0)[
                slice(None, shift) if shift > 0 else slice(shift, None)
            ]
            end = np.moveaxis(clip, axis, 0)[0 if shift > 0 else -1]
            came_in[:] = 0 if self.fill == "zeros" else end
        return moved

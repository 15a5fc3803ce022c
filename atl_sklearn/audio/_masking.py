"""Masks over bands and frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from atl_sklearn._types import Seed
from atl_sklearn.audio._augmentation import Augmentation
from atl_sklearn.audio._parameters import is_number, refuse

_MOST_MASKS = 1000


class TimeFrequencyMask(Augmentation):
    """Mask bands and frames of training spectrograms; prediction masks none.

    The masking of SpecAugment [1]_, without its warping of time.

    Parameters
    ----------
    n_bands : int, default=1
        Number of masks over bands.
    max_bands : float, default=0.2
        Largest height of each, as a share of all bands; it is drawn from 0 to this.
    n_frames : int, default=1
        Number of masks over frames.
    max_frames : float, default=0.2
        Largest width of each, as a share of all frames; it is drawn from 0 to this.
    fill : "mean", "min" or float, default="mean"
        What masked values become: the mean or the minimum of the clip, or this.
    probability : float, default=1.0
        Share of the clips to change.
    random_state : int, RandomState instance, default=None
        Seed of the random choices.

    See Also
    --------
    AddNoise : Add noise.

    References
    ----------
    .. [1] D. S. Park et al., "SpecAugment: a simple data augmentation method for automatic speech
       recognition", Interspeech 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.audio import TimeFrequencyMask
    >>> X = np.ones((1, 10, 20))
    >>> masked = TimeFrequencyMask(max_frames=0.5, fill=0.0, random_state=1).fit_transform(X)
    >>> bool(0 < masked.mean() < 1)
    True
    """

    def __init__(
        self,
        *,
        n_bands: int = 1,
        max_bands: float = 0.2,
        n_frames: int = 1,
        max_frames: float = 0.2,
        fill: str | float = "mean",
        probability: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.n_bands = n_bands
        self.max_bands = max_bands
        self.n_frames = n_frames
        self.max_frames = max_frames
        self.fill = fill
        self.probability = probability
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name in ("n_bands", "n_frames"):
            value = getattr(self, name)
            if not is_number(value, int | np.integer) or not 0 <= value <= _MOST_MASKS:
                raise refuse(self, name, f"an int in [0, {_MOST_MASKS}]")
        for name in ("max_bands", "max_frames"):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value <= 1:
                raise refuse(self, name, "a float in [0, 1]")
        if not is_number(self.fill) and (
            not isinstance(self.fill, str) or self.fill not in ("mean", "min")
        ):
            raise refuse(self, "fill", "'mean', 'min' or a float")

    def _check(self, X: ArrayLike | Sequence, *, reset: bool) -> np.ndarray:
        given = super()._check(X, reset=reset)
        if is_number(self.fill) and not isinstance(given, list):
            most = float(np.finfo(given.dtype).max)
            if abs(self.fill) > most:
                raise refuse(self, "fill", f"in [{-most:.3g}, {most:.3g}], as X is {given.dtype}")
        if isinstance(given, list) or given.ndim < 3:
            got = "waveforms" if isinstance(given, list) else f"shape {given.shape}"
            raise ValueError(
                f"{type(self).__name__} expects X of shape (n_samples, ..., n_bands, n_frames). "
                f"Got {got} instead. "
                "Reshape your data, or put LibrosaFeatures before it."
            )
        return given

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        masked = clip.copy()
        fill = self.fill if is_number(self.fill) else getattr(clip, str(self.fill))()
        for axis, n_masks, share in (
            (-2, self.n_bands, self.max_bands),
            (-1, self.n_frames, self.max_frames),
        ):
            length = clip.shape[axis]
            for _ in range(n_masks):
                width = int(rng.integers(0, int(share * length) + 1))
                start = int(rng.integers(0, length - width + 1))
                np.moveaxis(masked, axis, 0)[start : start + width] = fill
        return masked

"""A clip brought to its length and its loudness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shift(surplus: int, how: str, fraction: float) -> int:
    """Return where the part begins, of so many places after the first."""
    return surplus // 2 if how == "center" else int(fraction * (surplus + 1))


def crop(wave: NDArray[np.float32], n_times: int, how: str, fraction: float) -> NDArray[np.float32]:
    """Return the part of a clip that is kept, where it is too long."""
    surplus = wave.shape[1] - n_times
    if surplus <= 0:
        return wave
    if how == "start":
        first = 0
    elif how == "loudest":
        energy = np.square(wave, dtype=np.float64).sum(axis=0).cumsum()
        before = np.concatenate([[0.0], energy[:surplus]])
        first = int(np.argmax(energy[n_times - 1 :] - before))
    else:
        first = shift(surplus, how, fraction)
    return wave[:, first : first + n_times]


def normalize(wave: NDArray[np.float32], how: str | None) -> NDArray[np.float32]:
    """Return a clip with its peak, or its root mean square, at 1."""
    if how is None or not wave.any():
        return wave
    if how == "peak":
        return wave / np.abs(wave).max()
    rms = np.sqrt(np.square(wave, dtype=np.float64).mean())
    return (wave / rms).astype(np.float32)


def pad(wave: NDArray[np.float32], n_times: int, how: str) -> NDArray[np.float32]:
    """Return a clip of the right length, with silence or itself after it."""
    length = wave.shape[1]
    if length == n_times:
        return wave
    if how == "wrap":
        return np.tile(wave, -(-n_times // length))[:, :n_times]
    padded = np.zeros((wave.shape[0], n_times), np.float32)
    copies = n_times // length if how == "repeat" else 1
    padded[:, : copies * length] = np.tile(wave, copies)
    return padded

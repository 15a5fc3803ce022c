"""Synthetic notes with two labels, timbre and pitch, that can be made to depend on each other."""

from __future__ import annotations

import math
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from atl_sklearn._types import Seed
from atl_sklearn._validation import is_number, refuse_value
from atl_sklearn.datasets._checks import check_flag, check_seed
from atl_sklearn.datasets._instruments import INSTRUMENTS, play_note
from atl_sklearn.datasets._random import get_generator

_LOWEST = 220.0  # Hz, the note A3
_LOWEST_SEMITONE = 9 + 3 * 12  # A3, counted from C0
_MOST_PITCHES = 1000
_MOST_NOISE = 1e6
_MOST_VALUES = 2**31
_STEP = 2  # semitones between neighbouring pitches
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

_DESCR = """\
Synthetic notes
---------------
{n_samples} waveforms of {duration:g} s at {sr} Hz: {n_timbres} timbres (the target) playing
{n_pitches} pitches (the nuisance) at random loudness in white noise.

Cramer's V between timbre and group of pitches: {correlation:g}
(0: every timbre plays every pitch equally often; 1: each timbre has pitches of its own).
"""


def _check_parameters(
    n_samples: object,
    n_timbres: object,
    n_pitches: object,
    correlation: object,
    sr: object,
    duration: object,
    loudness: object,
    noise: object,
    return_X_y: object,
    random_state: object,
) -> None:
    most = len(INSTRUMENTS)
    if not is_number(n_timbres, Integral) or not 2 <= n_timbres <= most:
        raise refuse_value("make_notes", "n_timbres", f"an int in [2, {most}]", n_timbres)
    if not is_number(n_samples, Integral) or n_samples < n_timbres:
        must = f"an int in [{n_timbres}, inf), at least one for each timbre"
        raise refuse_value("make_notes", "n_samples", must, n_samples)
    if (
        not is_number(n_pitches, Integral)
        or n_pitches % n_timbres
        or not (1 <= n_pitches <= _MOST_PITCHES)
    ):
        raise refuse_value(
            "make_notes",
            "n_pitches",
            f"a multiple of n_timbres={n_timbres}, from 1 to {_MOST_PITCHES}",
            n_pitches,
            "Each timbre has a group of pitches, and the groups are of one size.",
        )
    if not is_number(correlation) or not 0 <= correlation <= 1:
        raise refuse_value("make_notes", "correlation", "a float in [0, 1]", correlation)
    if not is_number(sr, Integral) or sr < 1:
        raise refuse_value("make_notes", "sr", "an int in [1, inf)", sr)
    highest = _frequencies(n_pitches)[-1]
    if highest > sr / 4:
        raise refuse_value(
            "make_notes",
            "sr",
            f"at least {math.ceil(4 * highest)}, as the highest of {n_pitches} pitches is "
            f"{highest:.0f} Hz",
            sr,
            "Raise sr or lower n_pitches.",
        )
    if not is_number(duration) or duration < 0.1:
        raise refuse_value("make_notes", "duration", "a float in [0.1, inf), in seconds", duration)
    if (
        not isinstance(loudness, tuple | list)
        or len(loudness) != 2
        or not all(map(is_number, loudness))
        or not loudness[0] <= loudness[1] <= 0
    ):
        must = "a pair (lowest, highest) of floats in (-inf, 0], in dB"
        raise refuse_value("make_notes", "loudness", must, loudness, "0 dB is a peak of 1.")
    if not is_number(noise) or not 0 <= noise <= _MOST_NOISE:
        must = f"a float in [0, {_MOST_NOISE:g}]"
        raise refuse_value("make_notes", "noise", must, noise, "Notes have a peak of 1 at most.")
    n_values = n_samples * sr * duration
    if n_values > _MOST_VALUES:
        raise ValueError(
            f"The 'n_samples', 'sr' and 'duration' parameters of make_notes ask for {n_values:.3g} "
            f"values; {_MOST_VALUES:.3g} is the most. Lower one of them."
        )
    check_flag("make_notes", "return_X_y", return_X_y)
    check_seed("make_notes", random_state)


def _frequencies(n_pitches: int) -> NDArray[np.float64]:
    return _LOWEST * 2 ** (_STEP * np.arange(n_pitches) / 12)


def _pitch_name(pitch: int) -> str:
    octave, note = divmod(_LOWEST_SEMITONE + _STEP * pitch, 12)
    return f"{_NAMES[note]}{octave}"


def _spread(values: np.ndarray, size: int, generator: np.random.RandomState) -> np.ndarray:
    """Take `size` of `values`, each equally often but for a random remainder."""
    rounds, remainder = divmod(size, len(values))
    return np.concatenate([np.tile(values, rounds), generator.permutation(values)[:remainder]])


def _draw_labels(
    n_samples: int,
    n_timbres: int,
    n_pitches: int,
    correlation: float,
    generator: np.random.RandomState,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    pitches = np.arange(n_pitches)
    groups = pitches.reshape(n_timbres, -1)
    timbre = np.sort(_spread(np.arange(n_timbres), n_samples, generator))
    pitch = np.empty_like(timbre)
    for label, own in enumerate(groups):
        size = int(np.count_nonzero(timbre == label))
        n_own = round(correlation * size)
        pitch[timbre == label] = np.concatenate(
            [_spread(own, n_own, generator), _spread(pitches, size - n_own, generator)]
        )
    order = generator.permutation(n_samples)
    return timbre[order], pitch[order]


def make_notes(
    n_samples: int = 400,
    *,
    n_timbres: int = 4,
    n_pitches: int = 8,
    correlation: float = 0.0,
    sr: int = 8000,
    duration: float = 0.5,
    loudness: tuple[float, float] = (-24.0, -3.0),
    noise: float = 0.01,
    return_X_y: bool = False,
    random_state: Seed = None,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Make notes of several instruments, as waveforms labeled with timbre and pitch.

    Timbre is the target and pitch the nuisance. With a high `correlation` a network may tell the
    instrument by its pitch instead of its timbre, and fails on notes made with ``correlation=0``.
    This is a small case for anti-transfer learning, without a download.

    Parameters
    ----------
    n_samples : int, default=400
        Number of notes, shared evenly among the timbres.
    n_timbres : int, default=4
        Number of instruments, 2 to 8. An instrument is the same for every `random_state`; its
        notes differ in detuning, phases and slightly in spectrum and envelope.
    n_pitches : int, default=8
        Number of pitches, a multiple of `n_timbres`: whole tones upwards from 220 Hz.
    correlation : float, default=0.0
        How far the pitch tells the timbre. 0 makes the two independent, and 1 gives each timbre
        pitches of its own. In between it is Cramér's V of timbre and group of pitches: neighbouring
        pitches form `n_timbres` groups of one size; of the notes of a timbre, this share (rounded
        to whole notes) is spread evenly over the timbre's own group, and the rest evenly over all
        pitches.
    sr : int, default=8000
        Sampling rate in Hz, at least four times the highest pitch.
    duration : float, default=0.5
        Length of a note in seconds, at least 0.1.
    loudness : pair of floats, default=(-24.0, -3.0)
        Lowest and highest peak of a note in dB, where 0 dB is 1; drawn evenly in between.
    noise : float, default=0.01
        Standard deviation of the white noise added to every note, the same for loud and soft.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    random_state : int, RandomState instance or None, default=None
        Draws the labels, their order, the deviations and the noise. Pass an int for the same
        notes at every call.

    Returns
    -------
    notes : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray of shape (n_samples, n_times), float32
            The waveforms; ``n_times = round(duration * sr)``.
        target, timbre : ndarray of shape (n_samples,), int
            Instrument of each note, under two names.
        pitch : ndarray of shape (n_samples,), int
            Index of each note's pitch.
        loudness : ndarray of shape (n_samples,)
            Peak of each note in dB, before the noise.
        target_names : ndarray of shape (n_timbres,), str
            Names of the instruments.
        pitch_names : ndarray of shape (n_pitches,), str
            Names of the pitches, "A3" the first.
        pitch_frequencies : ndarray of shape (n_pitches,)
            The pitches in Hz.
        sr : int
            Sampling rate in Hz.
        DESCR : str
            Description of the notes.
    (data, target) : tuple of ndarrays
        If `return_X_y` is True.

    Raises
    ------
    ValueError
        If a parameter has a wrong type or value. The message names it, what it must be and what it
        is.

    See Also
    --------
    fetch_fsdd : Real recordings with two labels, digit and speaker.

    Examples
    --------
    >>> from atl_sklearn.datasets import make_notes
    >>> train = make_notes(200, correlation=0.9, random_state=0)
    >>> train.data.shape, train.data.dtype
    ((200, 4000), dtype('float32'))
    >>> [str(name) for name in train.target_names]
    ['reed', 'string', 'brass', 'plucked']
    >>> test = make_notes(200, correlation=0, random_state=1)
    >>> [str(name) for name in test.pitch_names[:3]]
    ['A3', 'B3', 'C#4']
    """
    _check_parameters(
        n_samples, n_timbres, n_pitches, correlation, sr, duration, loudness, noise, return_X_y,
        random_state,
    )  # fmt: skip
    generator = get_generator(random_state)
    timbre, pitch = _draw_labels(n_samples, n_timbres, n_pitches, correlation, generator)
    frequencies = _frequencies(n_pitches)
    levels = generator.uniform(*loudness, n_samples)
    time = np.arange(round(duration * sr)) / sr

    data = np.empty((n_samples, time.size), dtype=np.float32)
    for i in range(n_samples):
        note = play_note(INSTRUMENTS[timbre[i]], frequencies[pitch[i]], time, generator)
        note *= 10 ** (levels[i] / 20)
        data[i] = note + generator.normal(0.0, noise, time.size)

    if return_X_y:
        return data, timbre
    descr = _DESCR.format(
        n_samples=n_samples,
        duration=duration,
        sr=sr,
        n_timbres=n_timbres,
        n_pitches=n_pitches,
        correlation=correlation,
    )
    return Bunch(
        data=data,
        target=timbre,
        timbre=timbre.copy(),
        pitch=pitch,
        loudness=levels,
        target_names=np.array([instrument.name for instrument in INSTRUMENTS[:n_timbres]]),
        pitch_names=np.array([_pitch_name(p) for p in range(n_pitches)]),
        pitch_frequencies=frequencies,
        sr=sr,
        DESCR=descr,
    )

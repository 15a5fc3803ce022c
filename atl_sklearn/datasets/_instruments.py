"""Synthetic instruments: what a timbre is, and how one note of it sounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Instrument:
    """The sound of an instrument, whatever it plays.

    Attributes
    ----------
    name : str
        Its name.
    slope : float
        How much weaker a harmonic is than that an octave below, in dB.
    even : float
        Level of the even harmonics beside the odd ones, in dB.
    formant : float
        Frequency around which the harmonics are 8 dB stronger, in Hz.
    attack : float
        Seconds until the note is at full level.
    decay : float
        Seconds in which it then falls to 1 / e.
    """

    name: str
    slope: float
    even: float
    formant: float
    attack: float
    decay: float


# Only the sound of the real ones is hinted at. Neighbours in the list differ most.
INSTRUMENTS = (
    Instrument("reed", slope=5.0, even=-5.0, formant=1100.0, attack=0.040, decay=0.9),
    Instrument("string", slope=6.0, even=0.0, formant=2300.0, attack=0.060, decay=0.8),
    Instrument("brass", slope=4.0, even=1.0, formant=900.0, attack=0.050, decay=0.9),
    Instrument("plucked", slope=7.0, even=-1.0, formant=1600.0, attack=0.015, decay=0.4),
    Instrument("flute", slope=10.0, even=-2.0, formant=700.0, attack=0.070, decay=1.0),
    Instrument("struck", slope=8.0, even=-4.0, formant=2600.0, attack=0.010, decay=0.3),
    Instrument("organ", slope=4.0, even=-3.0, formant=2000.0, attack=0.025, decay=1.5),
    Instrument("bowed bass", slope=8.0, even=1.0, formant=500.0, attack=0.090, decay=1.1),
)

_FORMANT_GAIN = 8.0  # dB
_FORMANT_WIDTH = 0.6  # octaves
_HARMONIC_SPREAD = 2.5  # dB, from note to note
_TIME_SPREAD = 0.3  # of the logarithm of attack and decay, from note to note
_DETUNING = 0.1  # semitones
_RELEASE = 0.02  # seconds


def play_note(
    instrument: Instrument,
    frequency: float,
    time: NDArray[np.float64],
    generator: np.random.RandomState,
) -> NDArray[np.float64]:
    """Play one note; no two are the same.

    Parameters
    ----------
    instrument : Instrument
        Who plays.
    frequency : float
        Pitch in Hz, well below half the sampling rate.
    time : ndarray of shape (n_times,)
        Evenly spaced times from 0, in seconds.
    generator : numpy.random.RandomState
        Draws detuning, phases, and deviations from the usual spectrum and envelope.

    Returns
    -------
    note : ndarray of shape (n_times,)
        The note with a peak of 1.
    """
    step = time[1] - time[0]
    frequency = frequency * 2 ** (generator.uniform(-_DETUNING, _DETUNING) / 12)
    harmonic = np.arange(1, max(1, int(0.475 / (step * frequency))) + 1)

    octaves = np.log2(harmonic * frequency / instrument.formant) / _FORMANT_WIDTH
    level = -instrument.slope * np.log2(harmonic)
    level += np.where(harmonic % 2 == 0, instrument.even, 0.0)
    level += _FORMANT_GAIN * np.exp(-0.5 * octaves**2)
    level += generator.normal(0.0, _HARMONIC_SPREAD, harmonic.size)
    phase = generator.uniform(0.0, 2 * np.pi, harmonic.size)
    amplitude = 10 ** (level / 20) * np.exp(1j * phase)

    # Horner: sum of amplitude[h] * z**h with one complex product a harmonic, no sine
    z = np.exp(2j * np.pi * frequency * time)
    total = np.zeros_like(z)
    for value in amplitude[::-1]:
        total += value
        total *= z

    attack, decay = np.exp(generator.normal(0.0, _TIME_SPREAD, 2)) * (
        instrument.attack,
        instrument.decay,
    )
    envelope = np.minimum(time / attack, 1.0) * np.exp(-time / decay)
    envelope *= np.minimum((time[-1] + step - time) / _RELEASE, 1.0)
    note = total.imag * envelope
    return note / np.abs(note).max()

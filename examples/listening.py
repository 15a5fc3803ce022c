"""Listen to real speech
=====================

A page of players, or players in a notebook.

Each recording is turned into features and back into sound. With fewer bands less is kept, and on
what is lost here no network can lean that is given the features. Beside each player stands how far
its spectrum is from that of the recording, in dB: the log-spectral distance of A. Gray and
J. Markel, "Distance measures for speech processing", IEEE Transactions on Acoustics, Speech, and
Signal Processing 24, 1976.

.. code-block:: bash

   python examples/listening.py               # synthetic notes, nothing to download
   python examples/listening.py --data fsdd   # real speech (downloads 16 MB once)

In a notebook, with IPython:

.. code-block:: python

   from listening import load_notes, players

   players(load_notes())
"""

import argparse
import os
from dataclasses import dataclass
from html import escape

import librosa
import numpy as np
import soundfile

from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import fetch_fsdd, make_notes

SR = 8000  # Hz
WINDOW = {"n_fft": 512, "hop_length": 128}
KINDS = {
    "the recording": {"feature": "waveform"},
    "magnitudes of the spectrum": {"feature": "stft", **WINDOW},
    "log-mel, 80 bands": {"feature": "log_mel", "n_mels": 80, "ref": 1.0, **WINDOW},
    "log-mel, 40 bands": {"feature": "log_mel", "n_mels": 40, "ref": 1.0, **WINDOW},
    "log-mel, 20 bands": {"feature": "log_mel", "n_mels": 20, "ref": 1.0, **WINDOW},
    "log-mel, 10 bands": {"feature": "log_mel", "n_mels": 10, "ref": 1.0, **WINDOW},
}


@dataclass
class Sound:
    """What can be heard of a recording."""

    recording: str
    kind: str
    wave: np.ndarray
    distance: float  # dB


def load_notes():
    """Return a low and a high synthetic note, by what they are."""
    notes = make_notes(100, sr=SR, random_state=0)
    chosen = [np.flatnonzero(notes.pitch == pitch)[0] for pitch in np.unique(notes.pitch)[[0, -1]]]
    return {f"timbre {notes.timbre[k]}, pitch {notes.pitch[k]}": notes.data[k] for k in chosen}


def load_digits():
    """Return the digit seven by two speakers."""
    fsdd = fetch_fsdd()
    chosen = [
        np.flatnonzero((fsdd.digit == 7) & (fsdd.speaker == speaker))[0]
        for speaker in np.unique(fsdd.speaker)[:2]
    ]
    return {f"seven, {fsdd.speaker[k]}": str(fsdd.paths[k]) for k in chosen}


def log_spectral_distance(wave, other):
    """Return the root mean square distance of two spectra in dB, over the loudest 60 dB."""
    levels = [
        librosa.amplitude_to_db(abs(librosa.stft(w, **WINDOW)), ref=1.0) for w in (wave, other)
    ]
    floor = max(level.max() for level in levels) - 60
    first, second = (np.maximum(level, floor) for level in levels)
    return float(np.sqrt(np.mean((first - second) ** 2)))


def sounds(recordings, duration=0.6, n_iter=32):
    """Return each recording by each kind of features, made sound again."""
    found = []
    for kind, params in KINDS.items():
        features = LibrosaFeatures(sr=SR, duration=duration, **params)
        X = features.fit_transform(list(recordings.values()))
        waves = features.inverse_transform(X, n_iter=n_iter)
        found += [Sound(name, kind, w, 0.0) for name, w in zip(recordings, waves, strict=True)]
    originals = {sound.recording: sound.wave for sound in found[: len(recordings)]}
    for sound in found:
        sound.distance = log_spectral_distance(originals[sound.recording], sound.wave)
    return found


def players(recordings):
    """Show the players in a notebook."""
    from IPython.display import Audio, display

    for sound in sounds(recordings):
        print(f"{sound.recording}, {sound.kind}: {sound.distance:.1f} dB from the recording")
        display(Audio(sound.wave, rate=SR, normalize=True))


def write_page(found, folder):
    """Write the sounds, and a page with a player for each; return the page's path."""
    os.makedirs(folder, exist_ok=True)
    rows = []
    for number, sound in enumerate(found):
        name = f"{number:02}.wav"
        peak = max(abs(sound.wave).max(), 1e-9)
        soundfile.write(os.path.join(folder, name), 0.9 * sound.wave / peak, SR)
        cells = [escape(sound.recording), escape(sound.kind), f"{sound.distance:.1f} dB"]
        cells.append(f'<audio controls src="{name}"></audio>')
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(
        f"<th>{title}</th>" for title in ("recording", "features", "distance to it", "listen")
    )
    page = os.path.join(folder, "index.html")
    with open(page, "w", encoding="utf-8") as file:
        file.write(
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            "<title>What features keep</title><h1>What features keep</h1>"
            f"<table><tr>{head}</tr>{''.join(rows)}</table></html>\n"
        )
    return page


def main():
    """Write the page that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--data", choices=["notes", "fsdd"], default="notes")
    parser.add_argument("--folder", default=None, help="listening_DATA beside this file")
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    folder = options.folder or os.path.join(here, f"listening_{options.data}")
    found = sounds(load_digits() if options.data == "fsdd" else load_notes())
    for sound in found:
        print(f"{sound.recording:24} {sound.kind:28} {sound.distance:5.1f} dB from the recording")
    print(write_page(found, folder))


if __name__ == "__main__":
    main()

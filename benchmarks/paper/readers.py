"""The paper's own sets, in the folders in which they are published."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.paper.corpora import Corpus

# Speech Commands: its digits are the classes. IEMOCAP: its four emotions.
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_EMOTIONS = ("neu", "ang", "hap", "sad")
# Good-Sounds: what may be wrong with a sound, and the name under which another class counts.
_GOODNESS = {
    "good-sound": "good-sound",
    "bad-dynamics": "bad-dynamics",
    "bad-attack": "bad-attack",
    "bad-timbre": "bad-timbre",
    "bad-richness": "bad-timbre",
}
_NSYNTH_PARTS = ("nsynth-train", "nsynth-valid", "nsynth-test")


def _corpus(rows: Iterable[tuple[str, ...]], names: tuple[str, ...], duration: float) -> Corpus:
    """Return the corpus of rows of a path and its labels."""
    table = sorted(rows)
    if not table:
        raise ValueError("the folder has the right layout, and no recording with a label in it")
    columns = [np.array(column) for column in zip(*table, strict=True)]
    return Corpus(columns[0], dict(zip(names, columns[1:], strict=True)), duration)


def _is_speech_commands(folder: Path) -> bool:
    return (folder / "zero").is_dir() and any(folder.glob("zero/*_nohash_*.wav"))


def _speech_commands(folder: Path) -> Corpus:
    """Read WORD/SPEAKER_nohash_N.wav."""
    rows = (
        (str(path), word, path.name.split("_nohash_")[0])
        for word in _DIGITS
        for path in (folder / word).glob("*_nohash_*.wav")
    )
    return _corpus(rows, ("word", "speaker"), 1.0)


def _is_good_sounds(folder: Path) -> bool:
    return (folder / "database.sqlite").is_file() and (folder / "sound_files").is_dir()


def _goodness(klass: str) -> str | None:
    """Return what a sound is, as the authors count: scales and sounds of several faults do not.

    Of the latter those with a bad pitch do, since they are few.
    """
    if "scale" in klass:
        return None
    if "bad-pitch" in klass:
        return "bad-pitch"
    if " " in klass or klass.count("bad") > 1:
        return None
    return next((label for part, label in _GOODNESS.items() if part in klass), None)


def _good_sounds(folder: Path) -> Corpus:
    """Read database.sqlite and sound_files/PACK/MICROPHONE/NAME.wav, one microphone of each."""
    with closing(
        sqlite3.connect(f"{(folder / 'database.sqlite').as_uri()}?mode=ro", uri=True)
    ) as at:
        found = at.execute(
            "SELECT packs.name, sounds.pack_filename, sounds.klass, sounds.instrument "
            "FROM sounds JOIN packs ON packs.id = sounds.pack_id"
        ).fetchall()

    def rows() -> Iterator[tuple[str, ...]]:
        for pack, name, klass, instrument in found:
            label = _goodness(str(klass))
            takes = sorted((folder / "sound_files" / str(pack)).glob(f"*/{name}"))
            if label is not None and takes:
                yield str(takes[0]), label, str(instrument)

    return _corpus(rows(), ("goodness", "instrument"), 6.0)


def _is_nsynth(folder: Path) -> bool:
    return any((folder / part / "examples.json").is_file() for part in _NSYNTH_PARTS)


def _nsynth(folder: Path) -> Corpus:
    """Read PART/examples.json and PART/audio/NOTE.wav."""

    def rows() -> Iterator[tuple[str, ...]]:
        for part in _NSYNTH_PARTS:
            table = folder / part / "examples.json"
            if not table.is_file():
                continue
            for note, about in json.loads(table.read_text()).items():
                path = table.parent / "audio" / f"{note}.wav"
                if path.is_file():
                    pitch = str(about["pitch"])
                    yield str(path), about["instrument_family_str"], pitch

    return _corpus(rows(), ("instrument", "pitch"), 6.0)


def _is_iemocap(folder: Path) -> bool:
    return any(folder.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt"))


def _iemocap(folder: Path) -> Corpus:
    """Read SessionN/dialog/EmoEvaluation/DIALOG.txt and SessionN/sentences/wav/DIALOG/TURN.wav."""
    line = re.compile(r"^\[[\d.]+ - [\d.]+\]\t(\S+)\t(\S+)\t", re.MULTILINE)

    def rows() -> Iterator[tuple[str, ...]]:
        for table in folder.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt"):
            session = table.parents[2]
            for turn, emotion in line.findall(table.read_text(errors="replace")):
                path = session / "sentences" / "wav" / table.stem / f"{turn}.wav"
                if emotion in _EMOTIONS and path.is_file():
                    # The speakers of a session are a woman and a man: of this turn, F or M.
                    speaker = f"{turn[:5]}{turn.rsplit('_', 1)[1][0]}"
                    yield str(path), emotion, speaker, session.name

    return _corpus(rows(), ("emotion", "speaker", "session"), 4.0)


def _is_librispeech(folder: Path) -> bool:
    return (folder / "SPEAKERS.TXT").is_file()


def _librispeech(folder: Path) -> Corpus:
    """Read SPEAKERS.TXT and PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER-N.flac."""
    sexes = {}
    for line in (folder / "SPEAKERS.TXT").read_text().splitlines():
        if not line.startswith(";"):
            number, sex, *_ = (cell.strip() for cell in line.split("|"))
            sexes[number] = sex
    rows = (
        (str(path), path.parents[1].name, sexes[path.parents[1].name])
        for path in folder.glob("*/*/*/*.flac")
        if path.parents[1].name in sexes
    )
    return _corpus(rows, ("speaker", "sex"), 4.0)


_READERS: dict[str, tuple[Callable[[Path], bool], Callable[[Path], Corpus]]] = {
    "speech-commands": (_is_speech_commands, _speech_commands),
    "good-sounds": (_is_good_sounds, _good_sounds),
    "nsynth": (_is_nsynth, _nsynth),
    "iemocap": (_is_iemocap, _iemocap),
    "librispeech": (_is_librispeech, _librispeech),
}


def find_sets(folder: Path) -> dict[str, Callable[[], Corpus]]:
    """Return the sets that are there, by name, each as what reads it.

    Parameters
    ----------
    folder : Path
        One of the sets as it is unpacked, or what has them in folders of any name.

    Returns
    -------
    sets : dict of str to callable
        Of ``"speech-commands"``, ``"good-sounds"``, ``"nsynth"``, ``"iemocap"`` and
        ``"librispeech"``.

    Raises
    ------
    FileNotFoundError
        If the folder is not there, or has none of them.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"--data must be a folder. Got {str(folder)!r}, which is none.")
    found: dict[str, Callable[[], Corpus]] = {}
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        for name, (is_there, read) in _READERS.items():
            if name not in found and is_there(place):
                found[name] = lambda read=read, place=place: read(place)  # type: ignore[misc]
    if not found:
        raise FileNotFoundError(
            f"--data must have at least one of {list(_READERS)} in the folders in which they are "
            f"published. Got {str(folder)!r}, where none is found: pass the folder that has "
            "theirs, such as LibriSpeech/ with SPEAKERS.TXT in it."
        )
    return found

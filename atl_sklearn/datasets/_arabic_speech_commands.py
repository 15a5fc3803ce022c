"""The Arabic Speech Commands Dataset."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath

import numpy as np
from sklearn.utils import Bunch

from atl_sklearn._partial_files import remove_left_over
from atl_sklearn._validation import refuse_value
from atl_sklearn.datasets._checks import check_flag, check_folder
from atl_sklearn.datasets._data_home import get_data_home
from atl_sklearn.datasets._published_file import find_file, places_of, retrieve
from atl_sklearn.datasets._recordings import (
    BadArchiveError,
    Release,
    complete_recordings,
    extract,
    put_recordings,
)
from atl_sklearn.datasets._resampled import resampled

_PAGE = "https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset"
_PUBLISHED = re.compile(r"([a-z ]+)/0{6}(\d\d)_NO_(\d\d)\.wav")
_WORDS = (
    "backward", "cancel", "close", "digit", "direction", "disable", "down", "eight", "enable",
    "enter", "five", "forward", "four", "left", "move", "next", "nine", "no", "ok", "one", "open",
    "options", "previous", "receive", "record", "right", "rotate", "send", "seven", "six",
    "start", "stop", "three", "two", "undo", "up", "yes", "zero", "zoom in", "zoom out",
)  # fmt: skip


def _flat_name(path: PurePosixPath) -> str:
    """Return "word_speaker_take.wav" of what is published as "word/speaker_NO_take.wav"."""
    found = _PUBLISHED.fullmatch(f"{path.parent.name}/{path.name}")
    return "_".join(found.groups()) + ".wav" if found else path.name


_RELEASES = {
    # Each of the 12,000 names that the pattern allows has to be there.
    "full": Release(
        name="arabic-speech-commands",
        url=f"{_PAGE}/archive/refs/heads/master.zip",
        archives=("arabic-speech-commands-dataset-master.zip", "arabic-speech-commands.zip"),
        pattern=rf"({'|'.join(_WORDS)})_(0[1-9]|[12]\d|30)_(0[1-9]|10)\.wav",
        sha256=None,
        n_files=12_000,
        largest=2**18,
        file_name=_flat_name,
    ),
    "8k": Release(
        name="arabic-speech-commands-8k",
        url=_PAGE,
        archives=("arabic_speech_commands_8k.zip",),
        pattern=r"[a-z]+_\d\d_\d\d\.flac",
        sha256="c2ad7868510fc90bca1e6c5b866f66ea23fb99784a10942bb396eaaf40e5668a",
        n_files=3_600,
        largest=11_849,
    ),
}
# What is made of the full version where nobody has the file above. It has no digest: encoders
# of flac differ from version to version.
_PART_WORDS = (
    "close", "down", "eight", "five", "four", "left", "nine", "no", "one", "open", "right",
    "seven", "six", "start", "stop", "three", "two", "up", "yes", "zero",
)  # fmt: skip
_IN_PART = rf"({'|'.join(_PART_WORDS)})_\d\d_0[1-6]"
_MADE = Release(
    name="arabic-speech-commands-8k-resampled",
    url=_PAGE,
    archives=(),
    pattern=rf"{_IN_PART}\.flac",
    sha256=None,
    n_files=3_600,
    largest=2**18,
)
_FOLDERS = ("arabic-speech-commands-dataset-master", "arabic-speech-commands-dataset")
_SR = {"full": 16_000, "8k": 8_000}  # Hz
_VALIDATION_SPEAKERS = (2, 7, 8, 12, 21, 25)
_TEST_SPEAKERS = (3, 4, 10, 14, 26, 28)
_SUBSETS = ("all", "train", "val", "test")

_DESCR = f"""\
Arabic Speech Commands Dataset
------------------------------
Recordings of one second of Arabic words, which are named in English: 40 words, 30 speakers, 10
takes of each; 12,000 mono wav files at 16 kHz. The part "8k" has 20 of the words and the takes 1
to 6: 3,600 flac files at 8 kHz. The published split has 18 speakers for training, 6 for
validation and 6 for tests; no speaker is in two of them.

Paths in the folder "{_MADE.name}" are of a part "8k" that was made here,
of the full version: its samples may differ from those of the packed part.

Licence: Creative Commons Attribution 4.0 International (CC BY 4.0),
https://creativecommons.org/licenses/by/4.0/.
Authors: A. Ghandoura, F. Hjabo, O. Al Dakkak, "Building and benchmarking an Arabic Speech
Commands dataset for small-footprint keyword spotting", Engineering Applications of Artificial
Intelligence 102, 2021.
Source: {_PAGE}
"""


def fetch_arabic_speech_commands(
    *,
    version: str = "full",
    subset: str = "all",
    data_home: str | os.PathLike[str] | None = None,
    sha256: str | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load the Arabic Speech Commands Dataset: words by thirty speakers.

    Recordings with two labels: the word is the target, the speaker the nuisance (or the other
    way round).

    ================  =============================
    Classes                       40, of "8k" 20
    Speakers                              30
    Samples total     12000, of "8k" 3600
    Sampling rate     16 kHz, of "8k" 8 kHz
    Licence           CC BY 4.0
    ================  =============================

    Parameters
    ----------
    version : {"full", "8k"}, default="full"
        What is published, or a part of it at half the sampling rate. The part is packed in a file
        that is not published. Where that is not found, the part is made of the full version; see
        the notes.
    subset : {"all", "train", "val", "test"}, default="all"
        Which recordings, by the published split of the speakers: 18, 6 and 6.
    data_home : str or path-like, default=None
        Folder of the extracted recordings; see :func:`get_data_home` for None. Recordings are
        looked for there and in the folder that the environment variable ``ATL_SKLEARN_DATA``
        names, to which nothing is written: the published folder
        ``arabic-speech-commands-dataset`` (with or without ``-master``), its archive
        ``arabic-speech-commands-dataset-master.zip`` or, for "8k" and first,
        ``arabic_speech_commands_8k.zip``.
    sha256 : str or None, default=None
        SHA-256 digest of the archive of the full version, in 64 hexadecimal digits. With it, the
        archive is downloaded if it is missing (about 384 MB), and compared if it is there. The
        authors publish no digest, so without one of your own nothing is downloaded. For "8k" it
        counts only if the part has to be made of the full version.
    return_X_y : bool, default=False
        Whether to return ``(paths, target)`` instead of a Bunch.

    Returns
    -------
    commands : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes below, in the order of word, speaker, take.

        paths : ndarray of shape (n_samples,), str
            Paths of the recordings.
        target : ndarray of shape (n_samples,), int
            The word, as an index into `target_names`.
        word : ndarray of shape (n_samples,), str
            The word, in English.
        speaker, take : ndarray of shape (n_samples,), int
            Who speaks, from 1 to 30, and which repetition it is, from 1.
        target_names : ndarray of shape (40,) or (20,), str
            The words, sorted.
        sr : int
            Sampling rate in Hz.
        DESCR : str
            Description, with the licence.
    (paths, target) : tuple of ndarrays
        If `return_X_y` is True.

    Raises
    ------
    OSError
        If the recordings are not found, the download fails, an archive is damaged, or it lacks
        recordings, has others or, for the packed part and with `sha256`, other contents; if a
        recording of which the part is made is not mono at 16 kHz; or if `data_home` cannot be
        written.
    ValueError
        If `version` or `subset` is unknown, or `sha256` is no digest.

    See Also
    --------
    fetch_fsdd : English digits by six speakers, which are downloaded.

    Notes
    -----
    Of the full version there is no published digest. It is complete if each of the 40 words has
    each of the 10 takes of the 30 speakers; what the files contain is not compared.

    Where the packed part "8k" is not found, the takes 1 to 6 of its 20 words are resampled from the
    full version by soxr ("HQ", as in librosa), rounded to 16 bits, and kept in the folder
    ``arabic-speech-commands-8k-resampled`` of `data_home`. How the packed part was resampled is not
    recorded. So the samples may differ from its own by rounding and, near 4 kHz, by the filter of
    the resampler; what is computed of them may differ a little.

    Examples
    --------
    >>> from atl_sklearn.datasets import fetch_arabic_speech_commands
    >>> commands = fetch_arabic_speech_commands(subset="test")  # doctest: +SKIP
    >>> commands.paths.shape, commands.word[0], commands.speaker[0]  # doctest: +SKIP
    ((2400,), 'backward', 3)
    """
    name = "fetch_arabic_speech_commands"
    if not isinstance(version, str) or version not in _RELEASES:
        raise refuse_value(name, "version", f"one of {list(_RELEASES)}", version)
    if not isinstance(subset, str) or subset not in _SUBSETS:
        raise refuse_value(name, "subset", f"one of {list(_SUBSETS)}", subset)
    if sha256 is not None and not (
        isinstance(sha256, str) and re.fullmatch("[0-9a-fA-F]{64}", sha256)
    ):
        raise refuse_value(name, "sha256", "None or 64 hexadecimal digits", sha256)
    check_flag(name, "return_X_y", return_X_y)
    if data_home is not None:
        check_folder(name, "data_home", data_home)
    home = Path(get_data_home(data_home))

    recordings = []
    find = {"full": _full, "8k": _part}[version]
    remove_left_over(home)
    for file_name, path in find(home, sha256):
        word, speaker, take = file_name.partition(".")[0].split("_")
        recordings.append((word, int(speaker), int(take), str(path)))
    recordings.sort()
    words, speakers, takes, paths = map(np.array, zip(*recordings, strict=True))
    target_names, target = np.unique(words, return_inverse=True)
    if subset != "all":
        is_val = np.isin(speakers, _VALIDATION_SPEAKERS)
        is_test = np.isin(speakers, _TEST_SPEAKERS)
        keep = {"val": is_val, "test": is_test, "train": ~is_val & ~is_test}[subset]
        paths, target, words = paths[keep], target[keep], words[keep]
        speakers, takes = speakers[keep], takes[keep]
    if return_X_y:
        return paths, target
    return Bunch(
        paths=paths,
        target=target,
        word=words,
        speaker=speakers,
        take=takes,
        target_names=target_names,
        sr=_SR[version],
        DESCR=_DESCR,
    )


def _full(home: Path, sha256: str | None) -> list[tuple[str, Path]]:
    """Return the recordings with their names as ``word_speaker_take``."""
    release = _RELEASES["full"]
    extracted = complete_recordings(home / release.name, release)
    if not extracted:
        published = _published_folder(release, home)
        if published:
            return published
        archive = find_file(release.archives, home)
        if archive is None:
            archive = _download(release, home, sha256)
        elif sha256 is not None and _digest_of(archive) != sha256.lower():
            raise BadArchiveError(
                f"{archive} does not have the digest {sha256}. Correct sha256, or delete the "
                f"archive to have that of {release.url} downloaded."
            )
        extracted = extract(archive, home, release)
    return [(path.name, path) for path in extracted]


def _part(home: Path, sha256: str | None) -> list[tuple[str, Path]]:
    """Return the recordings of the part, which is made of the full version if it is not there."""
    packed = _RELEASES["8k"]
    found = complete_recordings(home / packed.name, packed)
    archive = None if found else find_file(packed.archives, home)
    if archive is not None:
        found = extract(archive, home, packed)
    if not found:
        found = complete_recordings(home / _MADE.name, _MADE)
    if not found:
        try:
            full = _full(home, sha256)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{packed.archives[0]} was not found, and neither what it can be made of. {error}"
            ) from error
        chosen = [
            (f"{name.removesuffix('.wav')}.flac", path)
            for name, path in sorted(full)
            if re.fullmatch(rf"{_IN_PART}\.wav", name)
        ]
        files = resampled(chosen, _SR["full"], _SR["8k"])
        found = put_recordings(files, home, _MADE, source=full[0][1].parent)
    return [(path.name, path) for path in found]


def _published_folder(release: Release, home: Path) -> list[tuple[str, Path]]:
    """Return the recordings of a folder as it is published; none if it is not complete."""
    for place in places_of(home):
        for folder in _FOLDERS:
            found = [
                (_flat_name(PurePosixPath(path.as_posix())), path)
                for path in sorted((place / folder / "dataset").glob("*/*.wav"))
            ]
            found = [(name, path) for name, path in found if re.fullmatch(release.pattern, name)]
            if len(found) == release.n_files:
                return found
    return []


def _digest_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(release: Release, home: Path, sha256: str | None) -> Path:
    if sha256 is not None:
        return retrieve(release.archives[0], release.url, f"sha256:{sha256.lower()}", home)
    looked = " or ".join(map(str, places_of(home)))
    raise FileNotFoundError(
        f"The Arabic Speech Commands were not found in {looked}, complete. Download "
        f"{release.url} and put it there as {release.archives[0]}, or what it contains as "
        f"{_FOLDERS[0]}. To have it downloaded, pass sha256, the digest that you know it to have: "
        "the authors publish none."
    )

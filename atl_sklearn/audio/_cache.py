"""Features of clips on disk, found by the content of the clip and the parameters."""

from __future__ import annotations

import copy
import functools
import os
import stat
import time
import zlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xxhash
from numpy.typing import NDArray

from atl_sklearn._fingerprint import fingerprint, fingerprint_file
from atl_sklearn._folders import as_folder
from atl_sklearn._partial_files import partial_path, remove_left_over
from atl_sklearn._types import Memory, PathLike
from atl_sklearn.audio._cache_size import INDEX, shrink
from atl_sklearn.audio._clips import Segment
from atl_sklearn.audio._entries import from_bytes, put, size_of_entry, to_bytes
from atl_sklearn.audio._features import as_list
from atl_sklearn.audio._lengths import LENGTHS, signature_of

if TYPE_CHECKING:
    from atl_sklearn.audio._librosa_features import LibrosaFeatures

# What is in the cache depends on these, and on how they are used here.
_LIBRARIES = ("librosa", "numpy", "scipy", "soundfile", "soxr")
_FORMAT = 4
# What changes nothing in the features of a clip.
_IRRELEVANT = {"flatten", "memory", "memory_map", "n_jobs", "on_error", "random_state", "root"}
_IRRELEVANT |= {"column", "memory_limit", "scale", "verbose"}

_LENGTHS = "frames-"  # before the stamp of a file whose frames had to be counted
# Not to wait for a pipe where an entry should be.
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# A file that changed as recently as this may change again without another time stamp.
_SETTLED = 2.0


def key_of_settings(settings: LibrosaFeatures, seed: int | None) -> str:
    """Return a key of all that features depend on but the clip.

    Parameters
    ----------
    settings : LibrosaFeatures
        The parameters.
    seed : int or None
        That of random crops.

    Returns
    -------
    key : str
        Hexadecimal digits.

    Raises
    ------
    Unidentifiable
        If a parameter cannot be told faithfully from others, as a function that holds an open
        file.
    """
    relevant = {
        name: value
        for name, value in settings.get_params(deep=False).items()
        if name not in _IRRELEVANT
    }
    relevant["feature"] = as_list(settings.feature)
    several = isinstance(settings.feature, list | tuple)
    return fingerprint(
        {**relevant, "seed": seed, "several": several, "versions": _versions(), "format": _FORMAT}
    )


def stamp_of(path: str, signature: tuple[int, ...]) -> str | None:
    """Return a key of a file as it was at a time; None if it may change without a trace."""
    if time.time() - max(signature[1:3]) / 1e9 < _SETTLED:
        return None
    return _hash_of(os.path.abspath(path), *signature)


def _hash_of(*plain: str | int | float | tuple[int, ...] | None) -> str:
    """Return a digest of a few plain values.

    It takes a tenth of what blake2b takes, and of 128 bits no two that differ by chance are equal.
    Who would make two that are may as well write the folder's files.
    """
    return xxhash.xxh3_128_hexdigest(repr(plain).encode("utf-8", "surrogatepass"))


def _hash_of_samples(samples: NDArray[np.float32]) -> str:
    content = xxhash.xxh3_128_hexdigest(np.ascontiguousarray(samples).data)
    return _hash_of(content, samples.shape, samples.dtype.str)


@functools.cache
def _versions() -> list[str]:
    return [version(library) for library in _LIBRARIES]


class ClipCache:
    """A folder of features, a file for each clip.

    Each is a .npy file, which ``numpy.load`` reads; after the array there is a checksum of all
    before it. It is written under another name first: one that was not written to its end, or
    was changed, is computed anew. Several processes may use the same folder.

    Parameters
    ----------
    folder : path-like
        The folder.
    key : str
        What :func:`key_of_settings` returned.
    """

    def __init__(self, folder: PathLike, key: str) -> None:
        self._folder = os.path.join(folder, key)
        self._partial = Path(folder) / "partial"
        self._index = Path(folder) / INDEX
        self._digests: dict[str, str] = {}  # of contents, by stamps of files
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}  # signature and digest, by path
        self._lengths: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self._new: list[str] = []
        self.n_written = 0  # bytes
        self.failure: str | None = None

    def load_index(self) -> None:
        """Read which contents the files had that were seen before, by their stamps.

        What killed processes left is removed.
        """
        remove_left_over(self._partial)
        if not self._index.is_file():
            return
        try:
            lines = self._index.read_text("ascii", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            stamp, _, rest = line.partition(" ")
            digest, _, check = rest.partition(" ")
            if check == _check_of(stamp, digest):
                self._digests[stamp] = digest

    def part_for(self, clips: list[Segment]) -> ClipCache:
        """Return the cache with what is known of these clips alone, to be sent to a worker."""
        part = copy.copy(self)
        part._digests, part._known, part._lengths, part._new = {}, {}, {}, []
        for path in {clip.path for clip in clips if clip.path is not None}:
            signature = signature_of(path)
            stamp = None if signature is None else stamp_of(path, signature)
            if signature is not None and stamp in self._digests:
                part._known[path] = signature, self._digests[stamp]
                lengths = self._digests.get(_LENGTHS + stamp, "")
                if lengths:
                    part._lengths[path] = signature, tuple(map(int, lengths.split(",")))
        return part

    def tell_lengths(self) -> None:
        """Let this process know the lengths of files that were counted in others."""
        for path, (signature, lengths) in self._lengths.items():
            LENGTHS.keep(path, signature, lengths)

    def save_index(self, lines: list[str]) -> None:
        """Append what was learnt about files."""
        if not lines or self.failure:
            return
        try:
            self._index.parent.mkdir(parents=True, exist_ok=True)
            if (
                self._index.exists() and not self._index.is_file()
            ):  # a pipe, which may never take it
                raise OSError(f"{str(self._index)!r} is no regular file")
            # One write at the end of the file: those of other processes do not mix with it. The
            # line break before it parts it from a line that was cut off.
            with open(self._index, "ab", buffering=0) as file:
                file.write(("\n" + "\n".join(lines) + "\n").encode("ascii"))
        except OSError as error:
            self.failure = str(error)

    def take_new_lines(self) -> list[str]:
        """Return what was learnt about files since the last call."""
        for path, (signature, _) in self._known.items():
            lengths = LENGTHS.get(path, signature)
            stamp = stamp_of(path, signature)
            if lengths is not None and stamp is not None and path not in self._lengths:
                key, text = _LENGTHS + stamp, ",".join(map(str, lengths))
                self._new.append(f"{key} {text} {_check_of(key, text)}")
                self._lengths[path] = signature, lengths
        lines, self._new = self._new, []
        return lines

    def key_of(self, clip: Segment) -> str | None:
        """Return the key of a clip; None if it cannot be read."""
        if clip.path is not None:
            digest = self._digest(clip.path)
            if digest is None:
                return None
        elif clip.file is not None:
            digest = fingerprint(clip.file)
        else:
            samples = clip.samples()
            if samples.size == 0:
                return None
            digest = _hash_of_samples(samples)
        place = [None if x is None else float(x) for x in (clip.rate, clip.start, clip.duration)]
        return _hash_of(digest, np.shape(clip.source), *place)

    def _digest(self, path: str) -> str | None:
        if path not in self._known:
            signature = signature_of(path)
            if signature is None:
                return None
            try:
                digest = fingerprint_file(path)
            except OSError:
                return None
            if signature != signature_of(path):
                return None
            self._known[path] = signature, digest
            stamp = stamp_of(path, signature)
            if stamp is not None:
                self._new.append(f"{stamp} {digest} {_check_of(stamp, digest)}")
        return self._known[path][1]

    def load(self, key: str, row: NDArray[np.float32]) -> bool:
        """Read the features of a clip into `row`; return whether they are there and intact."""
        path = self._path(key)
        try:
            entry = os.open(path, _READING)
        except OSError:
            return False
        try:
            found, size = os.fstat(entry), size_of_entry(row)
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                return False
            if not from_bytes(os.read(entry, size), row):
                return False
            with suppress(OSError):  # when it was used last, for the limit
                os.utime(entry if os.utime in os.supports_fd else path)
        except OSError:
            return False
        finally:
            os.close(entry)
        return True

    def save(self, key: str, clip: Segment, row: NDArray[np.float32]) -> None:
        """Write the features of a clip; where that fails, the attribute `failure` says why."""
        if self.failure:
            return
        if clip.path is not None and signature_of(clip.path) != self._known[clip.path][0]:
            return  # it changed after its key was made
        path = self._path(key)
        partial = partial_path(self._partial / f"{key}.npy")
        content = to_bytes(row)
        try:
            try:
                put(content, partial, path)
            except FileNotFoundError:
                for folder in (self._partial, os.path.dirname(path)):
                    os.makedirs(folder, exist_ok=True)
                put(content, partial, path)
            self.n_written += len(content)
        except OSError as error:
            self.failure = str(error)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def shrink(self, limit: int) -> None:
        """Remove what was used longest ago, if there is more than the limit, in bytes."""
        shrink(self._index.parent, limit)

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, key[:2], f"{key[2:]}.npy")


def _check_of(stamp: str, digest: str) -> str:
    return f"{zlib.crc32(f'{stamp} {digest}'.encode()):08x}"


def folder_of(memory: Memory) -> Path | None:
    """Return the folder of the cache that `memory` names.

    Parameters
    ----------
    memory : None, path-like or joblib.Memory
        The parameter.

    Returns
    -------
    folder : Path or None
        For a :class:`joblib.Memory`, one in its store, which its ``clear`` empties too.
    """
    if memory is None:
        return None
    if isinstance(memory, str | os.PathLike):
        return as_folder(memory) / "atl_sklearn" / "clips"
    store = memory.store_backend
    return None if store is None else Path(store.location) / "atl_sklearn" / "clips"

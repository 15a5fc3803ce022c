"""Samples and features between the processes of a machine: by files in place of pickles.

A pickle is copied three times and squeezed through a pipe of 64 KiB; a file in memory is written
once and read once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from joblib import effective_n_jobs
from joblib.parallel import LokyBackend, MultiprocessingBackend, get_active_backend
from numpy.typing import NDArray

from atl_sklearn._partial_files import partial_path, remove_left_over
from atl_sklearn._types import PathLike
from atl_sklearn.audio._clips import Segment

_IN_MEMORY = "/dev/shm"  # a disk in memory, on Linux
_MOST_TRIES = 20
_PAUSE = 0.05  # seconds
_WRITING = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)


def workers_share_memory(n_jobs: int | None) -> bool:
    """Tell whether joblib's workers are threads, or this one alone.

    Parameters
    ----------
    n_jobs : int or None
        Their number, as joblib has it.

    Examples
    --------
    >>> from joblib import parallel_config
    >>> from atl_sklearn.audio._exchange import workers_share_memory
    >>> with parallel_config("loky"):
    ...     print(workers_share_memory(2), workers_share_memory(1))
    False True
    """
    backend, _ = get_active_backend(prefer="threads")
    return effective_n_jobs(n_jobs) == 1 or getattr(backend, "supports_sharedmem", False)


@dataclass
class SentClips:
    """Clips whose samples are in a file.

    Parameters
    ----------
    path : str
        The file; it holds one array after the other.
    arrays : list of (tuple of int, str)
        Shape and dtype of each.
    clips : list of tuple
        For each clip its file, or the index of its array, and the other fields of its Segment.
    """

    path: str
    arrays: list[tuple[tuple[int, ...], str]]
    clips: list[tuple]

    def receive(self) -> list[Segment]:
        """Return the clips, whose samples stay where they are."""
        content = np.memmap(self.path, np.uint8, mode="r").view(np.ndarray)
        found, start = [], 0
        for shape, dtype in self.arrays:
            stop = start + int(np.prod(shape)) * np.dtype(dtype).itemsize
            found.append(content[start:stop].view(dtype).reshape(shape))
            start = stop
        return [
            Segment(found[source] if isinstance(source, int) else source, *others)
            for source, *others in self.clips
        ]


@dataclass
class SentFeatures:
    """Features in a file.

    Parameters
    ----------
    path : str
        The file.
    """

    path: str

    def receive(self, out: NDArray[np.float32]) -> None:
        """Read the features.

        Parameters
        ----------
        out : ndarray of shape (n_clips, ...), float32, in C order
            Where they are read to.

        Raises
        ------
        OSError
            If some are missing.
        """
        with open(self.path, "rb", buffering=0) as file:
            if file.readinto(out.data.cast("B")) != out.nbytes:
                raise OSError(f"The file of features {self.path!r} was changed meanwhile.")


@dataclass
class Slot:
    """A place in the exchange for what one task is sent, and sends back.

    Parameters
    ----------
    path : str
        How its files begin.
    """

    path: str

    def send_clips(self, clips: list[Segment]) -> SentClips | list[Segment]:
        """Return what a worker receives clips by: the clips themselves if there is no space."""
        arrays: list[np.ndarray] = []
        indices: dict[int, int] = {}  # many clips may be of one recording
        sent = []
        for clip in clips:
            source = clip.source
            if isinstance(source, np.ndarray) and id(source) not in indices:
                indices[id(source)] = len(arrays)
                arrays.append(source)
            place = indices.get(id(source), source)
            sent.append((place, clip.rate, clip.start, clip.duration, clip.recording))
        path = f"{self.path}-clips"
        if not any(array.size for array in arrays) or not _write(path, arrays):
            return clips
        return SentClips(path, [(array.shape, array.dtype.str) for array in arrays], sent)

    def send_features(
        self, features: NDArray[np.float32], name: str
    ) -> SentFeatures | NDArray[np.float32]:
        """Return what features are received by: they themselves if there is no space."""
        path = f"{self.path}-{name}"
        return SentFeatures(path) if _write(path, [features]) else features


class Exchange:
    """A folder of this machine through which processes hand samples and features to each other.

    Files are written again and again: that is a copy, where the pages of new files have to be made
    first. As a context manager the folder is removed at the end, whatever happens; what processes
    left that were killed is removed by the next one.

    Parameters
    ----------
    folder : path-like
        The folder.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = os.fspath(folder)
        self._free: list[Slot] = []
        self._n_slots = 0

    @classmethod
    def between_workers(cls) -> Self | None:
        """Return one if workers are processes of this machine and there is a place, or None."""
        backend, _ = get_active_backend(prefer="threads")
        if not isinstance(backend, LokyBackend | MultiprocessingBackend):
            return None  # they may be on other machines
        for root in (_IN_MEMORY, tempfile.gettempdir()):
            remove_left_over(root)
            folder = partial_path(Path(root) / "atl_sklearn")
            with suppress(OSError):
                folder.mkdir(mode=0o700)
                return cls(folder)
        return None

    def take_slot(self) -> Slot:
        """Return a slot that no task has."""
        try:
            return self._free.pop()
        except IndexError:
            self._n_slots += 1
            return Slot(os.path.join(self.folder, str(self._n_slots)))

    def free_slot(self, slot: Slot) -> None:
        """Take back the slot of a task whose features have been received."""
        self._free.append(slot)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for _ in range(_MOST_TRIES):  # a worker that is being stopped may still write into it
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder):
                return
            time.sleep(_PAUSE)


def _write(path: str, arrays: list[np.ndarray]) -> bool:
    try:
        with open(os.open(path, _WRITING, 0o600), "wb", buffering=0) as file:
            for array in arrays:
                left = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
                while left.nbytes:
                    left = left[file.write(left) :]
    except OSError:
        return False
    return True

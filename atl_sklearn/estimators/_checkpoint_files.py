"""Checkpoints on disk: each is complete or absent, and each fit has a folder of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from atl_sklearn._partial_files import remove_left_over, written_at_once
from atl_sklearn._user_warnings import warn_user
from atl_sklearn.persistence import unpack_state

_KEPT = 2  # the last one, and the one before, should the last be damaged
_IDENTITY = "identity.json"

# Abandoned fits that this process has warned of.
_told: set[Path] = set()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _lock_in(folder: Path) -> FileLock:
    return FileLock(folder / "lock", timeout=0, thread_local=False)


class CheckpointFiles:
    """The checkpoints of one fit, in a folder of their own.

    A file's name holds its digest, so that a torn or changed file is noticed. The file gets this
    name when it is complete. A killed process leaves no lock behind: the system releases it.

    Parameters
    ----------
    parent : Path
        The folder that the user named.
    identity : mapping of str to str
        What makes the fit, by name: its parameters, data and versions. Another fit has another
        folder.
    """

    def __init__(self, parent: Path, identity: Mapping[str, str]) -> None:
        self._identity = dict(sorted(identity.items()))
        name = _digest(json.dumps(self._identity).encode())
        self.folder = parent / name
        self._lock: FileLock | None = None
        self._complained = False

    def open(self) -> bool:
        """Make the folder this fit's own; tell whether it is.

        Warns
        -----
        UserWarning
            If it cannot be written, or another process is at the same fit. Also if the user's
            folder has checkpoints of another fit that no process continues.
        """
        try:
            self._make()
            lock = _lock_in(self.folder)
            lock.acquire()
        except Timeout:
            warn_user(
                f"Another fit with the same parameters and data keeps its checkpoints in "
                f"{self.folder} at this moment. This one trains without checkpoints."
            )
            return False
        except (OSError, NotImplementedError) as error:
            self._complain(error)
            return False
        self._lock = lock
        remove_left_over(self.folder)
        if not self._names():
            self._tell_of_others()
        return True

    def _make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / _IDENTITY).exists():
            self._write(_IDENTITY, json.dumps(self._identity, indent=1).encode())

    def _write(self, name: str, data: bytes) -> None:
        with written_at_once(self.folder / name) as partial, open(partial, "wb") as file:
            file.write(data)

    def _names(self) -> list[str]:
        return sorted((path.name for path in self.folder.glob("epoch-*.safetensors")), reverse=True)

    def _tell_of_others(self) -> None:
        found = []
        for path in self.folder.parent.glob(f"*/{_IDENTITY}"):
            folder = path.parent
            if folder == self.folder or folder in _told or not any(folder.glob("epoch-*")):
                continue
            try:
                theirs = json.loads(path.read_text())
                with _lock_in(folder):  # held while it trains
                    pass
            except (OSError, ValueError, Timeout, NotImplementedError):
                continue
            names = self._identity.keys() | theirs.keys()
            differ = [name for name in names if self._identity.get(name) != theirs.get(name)]
            found.append((len(differ), sorted(differ), folder))
        if found:
            _told.update(folder for _, _, folder in found)
            _, differ, folder = min(found)
            warn_user(
                f"{self.folder.parent} has a checkpoint of another fit, which was interrupted: "
                f"{', '.join(differ)} differ. This fit begins anew. With the same parameters and "
                f"data that one goes on; delete {folder} if it is not needed."
            )

    def load(self) -> Any:
        """Return the newest checkpoint that is whole, or None.

        Warns
        -----
        UserWarning
            If one is damaged.
        """
        for name in self._names():
            try:
                data = (self.folder / name).read_bytes()
                if _digest(data) != name.removesuffix(".safetensors").rpartition("-")[2]:
                    raise ValueError("its content is not what was written")
                return unpack_state(data)
            except Exception as error:
                warn_user(
                    f"The checkpoint {self.folder / name} is damaged ({error}); the one before "
                    "it is taken, or the fit begins anew."
                )
                with suppress(OSError):
                    (self.folder / name).unlink()
        return None

    def save(self, data: bytes, epoch: int) -> None:
        """Write a checkpoint, and remove those that are no longer needed.

        Parameters
        ----------
        data : bytes
            The state.
        epoch : int
            How many epochs have ended.

        Warns
        -----
        UserWarning
            The first time that it cannot be written: the disk is full, say.
        """
        try:
            self._make()
            self._write(f"epoch-{epoch:08d}-{_digest(data)}.safetensors", data)
            for name in self._names()[_KEPT:]:
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: BaseException) -> None:
        if not self._complained:
            self._complained = True
            warn_user(
                f"The checkpoint cannot be written to {self.folder} ({error}). The training goes "
                "on without it."
            )

    def close(self, *, finished: bool) -> None:
        """Let go of the folder.

        Parameters
        ----------
        finished : bool
            Whether the fit came to its end; its checkpoints are removed then.
        """
        if self._lock is None:
            return
        if finished:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()
        self._lock = None

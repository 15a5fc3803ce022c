"""The journal of a folder of studies: a line of JSON for each thing that happened."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock

from atl_sklearn._types import Json

_SHOWN = 60  # characters of a line in an error
_BLOCK = 4096  # bytes


class Journal(JournalFileBackend):
    """Optuna's journal, which survives writers that are killed and disks that are full.

    All others would fail on a line that was not finished, so it is cut off before the next one is
    written.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ValueError
        If it is a pipe, a device or a folder, which would be waited for, or never ends.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_file():
            raise ValueError(
                f"The journal {str(path)!r}, in the folder of the 'storage' parameter, is no "
                "regular file. Remove it, or name another folder."
            )
        # Symbolic links, which network drives make at once, need rights on Windows.
        kind: type[JournalFileOpenLock | JournalFileSymlinkLock] = (
            JournalFileOpenLock if os.name == "nt" else JournalFileSymlinkLock
        )
        self._path = path
        self._writers = kind(str(path))
        super().__init__(str(path), lock_obj=self._writers)
        with path.open("rb") as file:  # which may be all that is allowed, to look at a study
            torn = _end_of_lines(file) < file.seek(0, os.SEEK_END)
        if torn:
            with self._opened():
                pass

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Open the file for this writer alone, at the end of its last whole line."""
        self._writers.acquire()
        try:
            with self._path.open("rb+", buffering=0) as file:
                end = _end_of_lines(file)
                if end < file.seek(0, os.SEEK_END):
                    file.truncate(end)
                    file.seek(end)
                yield file
        finally:
            self._writers.release()

    def append_logs(self, logs: list[dict[str, Json]]) -> None:
        """Write lines, all of them or none; see Optuna."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self._opened() as file:
            end = file.tell()
            try:
                written = 0
                while written < len(lines):
                    written += file.write(lines[written:])
                os.fsync(file.fileno())
            except BaseException:  # no space: whoever finds some is not to go on in this line
                file.truncate(end)
                raise

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Json]]:  # type: ignore[override]
        """Read lines; see Optuna.

        Raises
        ------
        ValueError
            If one is not what Optuna wrote; the message has the file and the line's number.
        """
        try:
            for number, log in enumerate(super().read_logs(log_number_from), log_number_from):
                if not (isinstance(log, dict) and {"op_code", "worker_id"} <= log.keys()):
                    raise self._bad(number + 1)
                yield log
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise self._bad(self._first_bad(), str(error)) from error

    def _first_bad(self) -> int:
        number = 1
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    json.loads(line)
                except ValueError:
                    return number
        return number

    def _bad(self, number: int, reason: str = "it is no record of a study") -> ValueError:
        with self._path.open("rb") as file:
            line = next((line for place, line in enumerate(file, 1) if place == number), b"")
        text = line.rstrip(b"\n").decode(errors="backslashreplace")
        text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        return ValueError(
            f"Line {number} of the journal {str(self._path)!r}, in the folder of the 'storage' "
            f"parameter, cannot be read ({reason}): {text!r}. The file was damaged. Trials before "
            f"that line can be kept, by cutting it and all that follows off (keep a copy; head "
            f"-n {number - 1} prints what stays); or name another folder."
        )


def _end_of_lines(file: BinaryIO) -> int:
    """Return the position after the last line that was finished."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0

"""What was found out about files, remembered for as long as they are the same."""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Signature = tuple[int, ...]
Found = TypeVar("Found")
_MOST = 20_000


def signature_of(path: str) -> Signature | None:
    """Return what changes when a file changes, without reading it; None if there is no file.

    A pipe and a device are none: reading them may never end.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    # ctime cannot be set by users, so it also tells a file whose mtime was set back.
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


class OfFiles(Generic[Found]):
    """What was found out about files, in this process; the latest 20,000 of them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Signature], Found] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str, signature: Signature | None) -> Found | None:
        """Return what is known of a file as it was; None for nothing."""
        if signature is None:
            return None
        with self._lock:
            return self._kept.get((os.path.abspath(path), signature))

    def keep(self, path: str, signature: Signature | None, found: Found) -> None:
        """Keep what was found out, unless the file has changed since."""
        if signature is None or signature != signature_of(path):
            return
        with self._lock:
            self._kept[os.path.abspath(path), signature] = found
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)


# The numbers of frames of the recordings in a file, where only decoding tells them.
LENGTHS: OfFiles[tuple[int, ...]] = OfFiles()

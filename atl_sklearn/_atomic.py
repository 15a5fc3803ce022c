"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from atl_sklearn._partial_files import partial_path, remove_left_over


@contextmanager
def written_at_once(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the path of a new file, which takes the place of `path` if the block succeeds.

    A file that was there stays as it is until then, and for good if the block fails.

    Parameters
    ----------
    path : path-like
        The file to be written.

    Yields
    ------
    partial : Path
        A file beside it, which the block writes. It has the permissions that new files have.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from atl_sklearn._atomic import written_at_once
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_at_once(Path(folder) / "a.txt") as partial:
    ...         _ = partial.write_text("all of it")
    ...     [file.name for file in Path(folder).iterdir()]
    ['a.txt']
    """
    path = Path(path)
    remove_left_over(path.parent)
    partial = partial_path(path)
    try:
        # mkstemp would make it for this user alone.
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise

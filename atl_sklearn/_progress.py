"""How far something is: a bar where there is somebody to watch it, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
import warnings
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

_LINES = 10  # at most as many plain lines, unless they are rare
_RARE = 60.0  # seconds after which there is a plain line in any case


class Progress:
    """Show how much of a known total is done, and the time left.

    On a terminal and in a notebook it is a bar of tqdm; bars within a bar vanish when they end.
    Anything else, such as a log file, gets lines of text: one for each tenth of the total, or
    each minute where that takes longer. It is a context manager that closes itself.

    Parameters
    ----------
    total : int
        What is to be done; no more than that is ever shown.
    desc : str
        What is going on.
    unit : str, default="step"
        The singular of what is counted; an "s" makes its plural.
    initial : int, default=0
        What had been done before, which tells nothing about the time left.
    file : text stream or None, default=None
        Where to; None for standard error.

    Examples
    --------
    >>> import sys
    >>> from atl_sklearn._progress import Progress
    >>> with Progress(2, "digits", unit="epoch", file=sys.stdout) as progress:
    ...     progress.update(note="loss 0.5")
    ...     progress.update(note="loss 0.25")  # doctest: +ELLIPSIS
    digits: 1/2 epochs, 00:0... gone, 00:0... left, loss 0.5
    digits: 2/2 epochs, 00:0... gone, loss 0.25
    """

    def __init__(
        self,
        total: int,
        desc: str,
        *,
        unit: str = "step",
        initial: int = 0,
        file: TextIO | None = None,
    ) -> None:
        self.total = total
        self.n = min(initial, total)
        in_notebook = file is None and "ipykernel.zmqshell" in sys.modules
        file = sys.stderr if file is None else file
        self._view: tqdm | _Lines | None
        if total < 1 or file is None:  # there is no standard error under pythonw
            self._view = None
        elif in_notebook or (hasattr(file, "isatty") and file.isatty()):
            columns = None if in_notebook else _columns(file)
            self._view = _bar(total, desc, unit=unit, initial=self.n, file=file, columns=columns)
        else:
            self._view = _Lines(total, desc, unit=unit, initial=self.n, file=file)

    def update(self, n: int = 1, *, note: str = "") -> None:
        """Count what was done since the last time.

        Parameters
        ----------
        n : int, default=1
            How much that is.
        note : str, default=""
            Something to be seen beside it, such as the loss.
        """
        self.advance_to(self.n + n, note=note)

    def advance_to(self, n: int, *, note: str = "") -> None:
        """Show that `n` of the total are done; neither back, nor beyond the total.

        Parameters
        ----------
        n : int
            What is done of the total.
        note : str, default=""
            Something to be seen beside it.
        """
        step = max(0, min(n, self.total) - self.n)
        self.n += step
        if self._view is not None:
            if note:
                self._view.set_postfix_str(note, refresh=False)
            self._view.update(step)

    def write(self, text: str) -> None:
        """Print a line to standard output, which does not run into the bar.

        Parameters
        ----------
        text : str
            The line.
        """
        if self._view is None:
            print(text)
        else:
            self._view.write(text)

    def close(self) -> None:
        """Leave the last state visible; nothing is shown afterwards."""
        view, self._view = self._view, None
        if view is not None:
            view.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _bar(
    total: int, desc: str, *, unit: str, initial: int, file: TextIO, columns: int | None
) -> tqdm:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a notebook without widgets, where text will do
        from tqdm.auto import tqdm
    return tqdm(
        total=total,
        desc=desc,
        unit=unit,
        initial=initial,
        file=file,
        leave=None,  # if it is the outermost
        ncols=None if columns is None else columns or 80,  # some terminals say that they have none
        dynamic_ncols=bool(columns),
    )


def _columns(file: TextIO) -> int:
    try:
        return os.get_terminal_size(file.fileno()).columns
    except (AttributeError, OSError, ValueError):
        return 0


class _Lines:
    """Lines of text under the names that tqdm has for a bar."""

    def __init__(self, total: int, desc: str, *, unit: str, initial: int, file: TextIO) -> None:
        self._total, self._desc, self._unit, self._file = total, desc, unit, file
        self._initial = self._n = self._shown = initial
        self._start = self._last = time.monotonic()
        self._note = ""
        if initial:
            self._print()

    def set_postfix_str(self, note: str, *, refresh: bool) -> None:
        self._note = note

    def update(self, n: int) -> None:
        before = self._n * _LINES // self._total
        self._n += n
        after = self._n * _LINES // self._total
        if after > before or (n and time.monotonic() - self._last >= _RARE):
            self._print()

    def write(self, text: str) -> None:
        print(text)

    def close(self) -> None:
        if self._n > self._shown:
            self._print()

    def _print(self) -> None:
        from tqdm import tqdm

        self._last = time.monotonic()
        self._shown = self._n
        gone = self._last - self._start
        parts = [f"{self._desc}: {self._n}/{self._total} {self._unit}s"]
        if self._n > self._initial:
            parts.append(f"{tqdm.format_interval(gone)} gone")
            if self._n < self._total:
                left = gone * (self._total - self._n) / (self._n - self._initial)
                parts.append(f"{tqdm.format_interval(left)} left")
        if self._note:
            parts.append(self._note)
        print(", ".join(parts), file=self._file, flush=True)

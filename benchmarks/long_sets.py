"""Measure the memory of what reads sets that are longer than it should be.

The clips are in a memory-mapped file. Each use runs in a process of its own, whose resident memory
at its most is told, pages of the file among it: one copy of the clips would be seen beside them.

    python -m benchmarks.long_sets                  # some ten minutes and a gigabyte of disk
    python -m benchmarks.long_sets --clips 10000
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import (
    confounding_report,
    extract_activations,
    invariance_report,
    layer_study,
    probe_score,
)
from atl_sklearn.modules import ConvNet
from benchmarks.machine import Load, machine
from benchmarks.pages import RESULTS, Aim, Page, Rows, write
from benchmarks.peak_memory import peak_mb, printed_by

N_CLIPS = 50_000
SHAPE = (1, 64, 64)
AIM_GB = 1.5  # of all clips
_STATUS = Path("/proc/self/status")
_FEW = 500  # clips of the fits that come before what is measured
_SETTINGS = {
    "module": ConvNet,
    "module__channels": (8, 16),
    "max_epochs": 1,
    "random_state": 0,
    "device": "cpu",
}


@dataclass(frozen=True)
class LongSet:
    """Clips in a mapped file, their words and speakers.

    Parameters
    ----------
    X : numpy.memmap of shape (n_samples, 1, 64, 64)
        The clips.
    """

    X: np.ndarray

    @property
    def words(self) -> np.ndarray:
        """What is learnt."""
        return np.arange(len(self.X)) % 4

    @property
    def speakers(self) -> np.ndarray:
        """What shall not be."""
        return np.arange(len(self.X)) // 4 % 3

    @cached_property
    def unrelated(self) -> AntiTransferClassifier:
        """A network that has learnt speakers of a few clips."""
        return AntiTransferClassifier(**_SETTINGS).fit(self.X[:_FEW], self.speakers[:_FEW])

    @cached_property
    def word(self) -> AntiTransferClassifier:
        """A network with a penalty, fitted on a few clips."""
        return self.make().fit(self.X[:_FEW], self.words[:_FEW])

    def make(self) -> AntiTransferClassifier:
        """Return a network with a penalty that is not fitted."""
        return AntiTransferClassifier(unrelated=self.unrelated, weight=1.0, **_SETTINGS)

    def halves(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return clips, words and speakers of each half."""
        half = len(self.X) // 2
        for part in (slice(half), slice(half, None)):
            yield self.X[part], self.words[part], self.speakers[part]


def _report(data: LongSet) -> object:
    (seen, *_), (X, words, speakers) = data.halves()
    return invariance_report(data.word, X, words, speakers, X_train=seen, n_resamples=20)


def _study(data: LongSet) -> object:
    train, test = data.halves()
    return layer_study(data.make(), *train, layers=["last"], weights=[1.0], test=test)


USES: dict[str, Callable[[LongSet], object]] = {
    "fit": lambda data: data.make().fit(data.X, data.words),
    # But for one clip the same pages, so that a copy of either is seen.
    "fit, unlabeled data": lambda data: data.make().fit(data.X, data.words, X_unlabeled=data.X[1:]),
    "predict": lambda data: data.word.predict(data.X),
    "extract_activations": lambda data: extract_activations(data.word, data.X),
    "probe_score": lambda data: probe_score(data.word, data.X, data.speakers),
    "invariance_report": _report,
    "confounding_report": lambda data: confounding_report(
        data.words, data.speakers, X=data.X, unrelated=data.unrelated, n_resamples=20
    ),
    "layer_study": _study,
}


def write_clips(path: Path, n_clips: int) -> None:
    """Write clips of noise, a few at a time.

    Parameters
    ----------
    path : Path
        The file, with the end ``.npy``.
    n_clips : int
        How many.
    """
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_clips, *SHAPE))
    rng = np.random.default_rng(0)
    for start in range(0, n_clips, 1000):
        part = X[start : start + 1000]
        part[...] = rng.standard_normal(part.shape, dtype=np.float32)
    X.flush()


def peak_of(use: str, path: Path) -> dict[str, Any]:
    """Return what memory this process has taken at most, before a use and after it.

    Parameters
    ----------
    use : str
        A key of ``USES``.
    path : Path
        The clips.
    """
    data = LongSet(np.load(path, mmap_mode="r"))
    assert isinstance(data.word, AntiTransferClassifier)  # fitted before
    before, pages, start = peak_mb(), _pages_mb(), time.perf_counter()
    USES[use](data)
    seconds, peak = time.perf_counter() - start, peak_mb()
    if pages is not None:
        pages = _gigabytes((_pages_mb() - pages) * 2**20)
    return {
        "use": use,
        "clips": len(data.X),
        "of the file GB": _gigabytes(data.X.nbytes),
        "before GB": _gigabytes(before * 2**20),
        "peak GB": _gigabytes(peak * 2**20),
        "pages of the file afterwards GB": pages,
        "s": seconds,
    }


def _pages_mb() -> float | None:
    """Return how much of files is in the memory of this process; None where nothing says so."""
    try:
        return int(_STATUS.read_text().split("RssFile:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return None


def _gigabytes(n_bytes: float) -> float:
    return n_bytes / 1e9


def measure(n_clips: int, uses: Sequence[str] = tuple(USES)) -> Rows:
    """Measure the memory of each use in a process of its own.

    Parameters
    ----------
    n_clips : int
        How many clips there are.
    uses : sequence of str
        Keys of ``USES``.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clips.npy"
        write_clips(path, n_clips)
        for use in uses:
            rows.append(printed_by("benchmarks.long_sets", "--peak", use, str(path)))
            print(f"  {use}: {rows[-1]['s']:.0f} s, {rows[-1]['peak GB']:.2f} GB", flush=True)
    return rows


def _aims(rows: Rows) -> Iterator[Aim]:
    for row in rows:
        if row["clips"] >= N_CLIPS:  # of fewer it would say nothing
            yield Aim(f"{row['use']}: peak, GB", AIM_GB, "at most", row["peak GB"])


PAGE = Page(
    "long_sets",
    {"uses": "Clips of 64 x 64 in a memory-mapped file: memory of a process at its most"},
    {"uses": _aims},
)


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long_sets", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--clips", type=int, default=N_CLIPS, help="of 16 KiB each (50000)")
    parser.add_argument("--uses", nargs="+", choices=list(USES), default=list(USES),
                        help="all by default; what is measured replaces the page")  # fmt: skip
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where JSON and tables go")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        torch.set_num_threads(1)
        warnings.simplefilter("ignore")  # of noise, nothing is learnt
        print(json.dumps(peak_of(options.peak[0], Path(options.peak[1]))))
        return
    with Load() as load:
        rows = measure(options.clips, options.uses)
    on = {"threads": 1, **machine(), **load.found}
    print(write(PAGE, {"uses": rows}, on, options.folder))


if __name__ == "__main__":
    main()

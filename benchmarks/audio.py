"""Measure LibrosaFeatures against a loop of librosa's own calls, and against torch.stft.

All ways are run in turns, so that a machine that gets busier meanwhile slows all of them; of each
round the ratios to others are taken, and of these the medians. Each way uses one thread for each of
its jobs.

    python -m benchmarks.audio              # about five minutes on two cores
    python -m benchmarks.audio --sr 8000    # the same of clips with half of the samples
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import librosa
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from atl_sklearn.audio import LibrosaFeatures
from benchmarks.machine import Load, machine
from benchmarks.pages import RESULTS, Aim, Page, Rows, write
from benchmarks.peak_memory import peak_mb, printed_by

SETTINGS = {"duration": 1.0, "n_fft": 512, "hop_length": 128, "n_mels": 64}
RATES = (16000, 8000)
# How many times faster a way is at least than another.
AIMS = [
    ("arrays", "one job", "loop", 2.5),
    ("arrays", "one job", "torch.stft", 1.0),
    ("arrays", "two processes", "one job", 1.8),
    ("files", "two processes", "one job", 1.8),
    ("arrays", "warm cache", "loop", 20.0),
    ("files", "warm cache", "loop", 20.0),
]
MEMORY_AIM_MB = 400


def one_clip(wave, sr):
    """Return the features of one clip, as one calls librosa."""
    power = librosa.feature.melspectrogram(
        y=wave, sr=sr, n_fft=512, hop_length=128, win_length=512, n_mels=64
    )
    return librosa.power_to_db(power, ref=np.max, top_db=60)


def loop(clips, sr):
    """Return the features of arrays or files, one by one."""
    return np.stack(
        [
            one_clip(clip if isinstance(clip, np.ndarray) else librosa.load(clip, sr=sr)[0], sr)
            for clip in clips
        ]
    )


def by_torch(clips, sr, n_at_once=50):
    """Return the features of arrays by torch.stft, many at once, with one thread."""
    import torch  # not where memory is measured

    torch.set_num_threads(1)
    window = torch.hann_window(512)
    bands = torch.from_numpy(librosa.filters.mel(sr=sr, n_fft=512, n_mels=64))
    found = []
    for start in range(0, len(clips), n_at_once):
        some = torch.from_numpy(np.stack(clips[start : start + n_at_once]))
        spectra = torch.stft(
            some, 512, 128, window=window, pad_mode="constant", return_complex=True
        )
        level = 10 * torch.log10((bands @ spectra.abs() ** 2).clamp(min=1e-10))
        level -= level.amax(dim=(1, 2), keepdim=True)
        found.append(level.clamp(min=-60))
    return torch.cat(found).numpy()


def ours(clips, sr, backend=None, n_jobs=1, memory=None):
    """Return the features of all clips by LibrosaFeatures."""
    features = LibrosaFeatures(sr=sr, **SETTINGS, memory=memory)
    options = {"inner_max_num_threads": 1} if backend == "loky" else {}
    with joblib.parallel_config(backend or "threading", n_jobs=n_jobs, **options):
        return features.fit_transform(clips)


def write_clips(folder, n_clips, sr):
    """Write wav files of noise, and return their paths and samples as they can be read."""
    rng = np.random.default_rng(0)
    paths, waves = [], []
    for i in range(n_clips):
        wave = (3000 * rng.standard_normal(sr, dtype=np.float32)).clip(-32767, 32767)
        paths.append(str(Path(folder) / f"{i}.wav"))
        soundfile.write(paths[-1], wave.astype(np.int16), sr)
        waves.append(wave.astype(np.int16).astype(np.float32) / 32768)
    return paths, waves


def measure_speed(n_clips, n_repeats, sr):
    """Return the seconds that each way took in each round."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        paths, waves = write_clips(folder, n_clips, sr)
        time.sleep(2.5)  # the cache does not trust the time stamps of files younger than this
        expected = loop(waves[:20], sr)
        for kind, clips in (("arrays", waves), ("files", paths)):
            warm = Path(folder) / f"warm_{kind}"
            ways = {
                "loop": loop,
                "one job": ours,
                "two threads": functools.partial(ours, backend="threading", n_jobs=2),
                "two processes": functools.partial(ours, backend="loky", n_jobs=2),
                "cold cache": lambda clips, sr, kind=kind: ours(
                    clips, sr, memory=tempfile.mkdtemp(prefix=f"cold_{kind}", dir=folder)
                ),
                "warm cache": functools.partial(ours, memory=warm),
            }
            if kind == "arrays":
                ways["torch.stft"] = by_torch
            ours(clips, sr, memory=warm)
            for way in ways.values():  # compile, start processes, fill the disk's cache
                np.testing.assert_allclose(way(clips[:20], sr), expected, atol=1e-3)
            for _ in range(n_repeats):
                for name, way in ways.items():
                    start = time.perf_counter()
                    way(clips, sr)
                    seconds.setdefault((kind, name), []).append(time.perf_counter() - start)
    return seconds


def peak_memory(n_clips, folder, sr):
    """Print what memory this process takes, before and after features go to a memory map."""
    imports = peak_mb()
    paths = [str(Path(folder) / f"{i % 2000}.wav") for i in range(n_clips)]
    LibrosaFeatures(sr=sr, **SETTINGS).fit_transform(paths[:1])
    first = peak_mb()
    features = LibrosaFeatures(
        sr=sr, **SETTINGS, memory_map=Path(folder) / "features"
    ).fit_transform(paths)
    peak = peak_mb()
    assert features.shape[0] == n_clips
    print(
        json.dumps(
            {
                "clips": n_clips,
                "features MiB": features.nbytes / 2**20,
                "peak MiB": peak,
                "after one clip MiB": first,
                "after imports MiB": imports,
                "torch is loaded": "torch" in sys.modules,
            }
        )
    )


def measure_memory(n_clips, sr):
    """Return what :func:`peak_memory` prints in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_clips(folder, min(n_clips, 2000), sr)
        return printed_by("benchmarks.audio", "--sr", str(sr), "--peak", str(n_clips), folder)


def ratio(seconds, kind, name, base):
    """Return how many times faster a way is than another, by rounds."""
    pairs = zip(seconds[kind, base], seconds[kind, name], strict=True)
    return statistics.median(slow / fast for slow, fast in pairs)


def speed_rows(seconds: dict[tuple[str, str], list[float]], n_clips: int) -> Rows:
    """Return clips per second, and how many times faster than others each way is."""
    rows = []
    for kind, name in seconds:
        row: dict[str, Any] = {"clips": kind, "way": name}
        row["clips / s"] = n_clips / statistics.median(seconds[kind, name])
        for base in ("loop", "one job", "torch.stft"):
            if (kind, base) in seconds:
                row[f"speed / {base}"] = ratio(seconds, kind, name, base)
        rows.append(row)
    return rows


def _of_speed(rows: Rows, at: str) -> Iterator[Aim]:
    by_way = {(row["clips"], row["way"]): row for row in rows}
    for kind, name, base, limit in AIMS:
        if (kind, name) in by_way:
            what = f"{at}, {kind}: speed of {name} / {base}"
            yield Aim(what, limit, "at least", by_way[kind, name][f"speed / {base}"])


def _of_memory(rows: Rows, at: str) -> Iterator[Aim]:
    for row in rows:
        what = f"{at}: memory of {row['clips']} files, MiB"
        yield Aim(what, MEMORY_AIM_MB, "at most", row["peak MiB"])


def audio_page() -> Page:
    """Return the page, with sections for each sampling rate."""
    titles, aims = {}, {}
    for sr in RATES:
        at = f"{sr} Hz"
        titles[f"speed {sr}"] = f"Clips of a second at {at}, as multiples of other ways"
        titles[f"memory {sr}"] = f"A memory map of the features of clips at {at}"
        aims[f"speed {sr}"] = functools.partial(_of_speed, at=at)
        aims[f"memory {sr}"] = functools.partial(_of_memory, at=at)
    return Page("audio", titles, aims)


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.audio", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--clips", type=int, default=2000, help="clips of a second (2000)")
    parser.add_argument("--sr", type=int, choices=RATES, default=RATES[0], help="hertz (16000)")
    parser.add_argument("--repetitions", type=int, default=5, help="rounds (5)")
    parser.add_argument("--memory-clips", type=int, default=20000, help="0 leaves it out (20000)")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where JSON and tables go")
    parser.add_argument("--peak", nargs=2, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        peak_memory(int(options.peak[0]), options.peak[1], options.sr)
        return
    page, on = audio_page(), machine("librosa", "numpy")
    with threadpool_limits(1), Load() as load:
        seconds = measure_speed(options.clips, options.repetitions, options.sr)
    rows = speed_rows(seconds, options.clips)
    of_run = {"clips": options.clips, "repetitions": options.repetitions}
    text = write(
        page, {f"speed {options.sr}": rows}, {**of_run, **on, **load.found}, options.folder
    )
    if options.memory_clips:
        with Load() as load:
            row = measure_memory(options.memory_clips, options.sr)
        text = write(page, {f"memory {options.sr}": [row]}, {**on, **load.found}, options.folder)
    print(text)


if __name__ == "__main__":
    main()

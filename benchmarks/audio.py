"""Measure LibrosaFeatures against a loop of librosa's own calls, and against torch.stft.

All ways are run in turns, so that a machine that gets busier meanwhile slows all of them; of each
round the ratios to the loop are taken, and of these the medians. Each way uses one thread for
each of its jobs.

    python -m benchmarks.audio                       # about five minutes on two cores
    python -m benchmarks.audio --json figures.json   # and write all figures
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import librosa
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from atl_sklearn.audio import LibrosaFeatures
from benchmarks.peak_memory import peak_mb

SR = 16000
SETTINGS = {"sr": SR, "duration": 1.0, "n_fft": 512, "hop_length": 128, "n_mels": 64}
AIMS = {
    ("arrays", "one job"): ("loop", 2.5),
    ("arrays", "two processes"): ("one job", 1.8),
    ("files", "two processes"): ("one job", 1.8),
    ("arrays", "warm cache"): ("loop", 20.0),
    ("files", "warm cache"): ("loop", 20.0),
}
MEMORY_AIM_MB = 400


def one_clip(wave):
    """Return the features of one clip, as one calls librosa."""
    power = librosa.feature.melspectrogram(
        y=wave, sr=SR, n_fft=512, hop_length=128, win_length=512, n_mels=64
    )
    return librosa.power_to_db(power, ref=np.max, top_db=60)


def loop(clips):
    """Return the features of arrays or files, one by one."""
    return np.stack(
        [
            one_clip(clip if isinstance(clip, np.ndarray) else librosa.load(clip, sr=SR)[0])
            for clip in clips
        ]
    )


def by_torch(clips, n_at_once=50):
    """Return the features of arrays by torch.stft, many at once, with one thread."""
    import torch  # not where memory is measured

    torch.set_num_threads(1)
    window = torch.hann_window(512)
    bands = torch.from_numpy(librosa.filters.mel(sr=SR, n_fft=512, n_mels=64))
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


def ours(clips, backend=None, n_jobs=1, memory=None):
    """Return the features of all clips by LibrosaFeatures."""
    features = LibrosaFeatures(**SETTINGS, memory=memory)
    options = {"inner_max_num_threads": 1} if backend == "loky" else {}
    with joblib.parallel_config(backend or "threading", n_jobs=n_jobs, **options):
        return features.fit_transform(clips)


def write_clips(folder, n_clips):
    """Write wav files of noise, and return their paths and samples as they can be read."""
    rng = np.random.default_rng(0)
    paths, waves = [], []
    for i in range(n_clips):
        wave = (3000 * rng.standard_normal(SR, dtype=np.float32)).clip(-32767, 32767)
        paths.append(str(Path(folder) / f"{i}.wav"))
        soundfile.write(paths[-1], wave.astype(np.int16), SR)
        waves.append(wave.astype(np.int16).astype(np.float32) / 32768)
    return paths, waves


def measure_speed(n_clips, n_repeats):
    """Return the seconds that each way took in each round."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        paths, waves = write_clips(folder, n_clips)
        time.sleep(2.5)  # the cache does not trust the time stamps of files younger than this
        expected = loop(waves[:20])
        for kind, clips in (("arrays", waves), ("files", paths)):
            warm = Path(folder) / f"warm_{kind}"
            ways = {
                "loop": loop,
                "one job": ours,
                "two threads": lambda c: ours(c, "threading", 2),
                "two processes": lambda c: ours(c, "loky", 2),
                "cold cache": lambda c, kind=kind: ours(
                    c, memory=tempfile.mkdtemp(prefix=f"cold_{kind}", dir=folder)
                ),
                "warm cache": lambda c, warm=warm: ours(c, memory=warm),
            }
            if kind == "arrays":
                ways["torch.stft"] = by_torch
            ours(clips, memory=warm)
            for way in ways.values():  # compile, start processes, fill the disk's cache
                np.testing.assert_allclose(way(clips[:20]), expected, atol=1e-3)
            for _ in range(n_repeats):
                for name, way in ways.items():
                    start = time.perf_counter()
                    way(clips)
                    seconds.setdefault((kind, name), []).append(time.perf_counter() - start)
    return seconds


def peak_memory(n_clips, folder):
    """Print what memory this process takes, before and after features go to a memory map."""
    imports = peak_mb()
    paths = [str(Path(folder) / f"{i % 2000}.wav") for i in range(n_clips)]
    LibrosaFeatures(**SETTINGS).fit_transform(paths[:1])
    first = peak_mb()
    features = LibrosaFeatures(**SETTINGS, memory_map=Path(folder) / "features").fit_transform(
        paths
    )
    peak = peak_mb()
    assert features.shape[0] == n_clips
    print(
        json.dumps(
            {
                "n_clips": n_clips,
                "size_of_the_features_mb": round(features.nbytes / 2**20),
                "peak_mb": round(peak),
                "of_it_after_the_first_clip_mb": round(first),
                "of_it_after_the_imports_mb": round(imports),
                "torch_is_loaded": "torch" in sys.modules,
            }
        )
    )


def measure_memory(n_clips):
    """Return what :func:`peak_memory` prints in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_clips(folder, min(n_clips, 2000))
        command = [sys.executable, "-m", "benchmarks.audio", "--peak", str(n_clips), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout.splitlines()[-1])


def ratio(seconds, kind, name, base):
    """Return how many times faster a way is than another, by rounds."""
    pairs = zip(seconds[kind, base], seconds[kind, name], strict=True)
    return statistics.median(slow / fast for slow, fast in pairs)


def print_table(seconds, n_clips):
    """Print clips per second, ratios and aims."""
    print(f"{'':8}{'':16}{'clips/s':>9}{'of the loop':>13}   aim")
    for kind, name in seconds:
        speed = n_clips / statistics.median(seconds[kind, name])
        line = f"{kind:8}{name:16}{speed:9.0f}{ratio(seconds, kind, name, 'loop'):12.2f}x"
        if (kind, name) in AIMS:
            base, aim = AIMS[kind, name]
            found = ratio(seconds, kind, name, base)
            verdict = "reached" if found >= aim else "missed"
            line += f"   {aim} times the {base}: {found:.2f}, {verdict}"
        print(line)


def main():
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=2000, help="clips of a second (2000)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (5)")
    parser.add_argument("--memory-clips", type=int, default=20000, help="0 leaves it out (20000)")
    parser.add_argument("--json", default=None, help="where all figures are written")
    parser.add_argument("--peak", nargs=2, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        peak_memory(int(options.peak[0]), options.peak[1])
        return
    with threadpool_limits(1):
        seconds = measure_speed(options.clips, options.repeats)
    print(f"{options.clips} clips of a second at {SR} Hz, log-mel of {SETTINGS['n_mels']} bands")
    print_table(seconds, options.clips)
    memory = measure_memory(options.memory_clips) if options.memory_clips else None
    if memory:
        verdict = "reached" if memory["peak_mb"] <= MEMORY_AIM_MB else "missed"
        print(f"memory map: {memory}; aim {MEMORY_AIM_MB} MB, {verdict}")
    if options.json:
        figures = {
            "clips": options.clips,
            "seconds": {f"{kind}, {name}": found for (kind, name), found in seconds.items()},
            "memory": memory,
            "python": platform.python_version(),
            "librosa": librosa.__version__,
            "processors": os.cpu_count(),
        }
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Read damaged audio files; run as a program, so that a crash or a hang is seen from outside.

    python tests/audio/fuzzing.py FOLDER N_FILES SEED

Prints a line with the number of each file before it is read, and a JSON object at the end.
"""

import collections
import importlib.util
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import soundfile
from encoding import FOREIGN, can_encode, encode_foreign
from lying_files import lies

from atl_sklearn.audio import BadAudioError, LibrosaFeatures
from benchmarks.peak_memory import peak_mb

SR = 8000
KINDS = {
    "wav": ("WAV", "PCM_16"),
    "wav24": ("WAV", "PCM_24"),
    "float": ("WAV", "FLOAT"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", None),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "alac": ("CAF", "ALAC_16"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "adpcm": ("WAV", "IMA_ADPCM"),
    "gsm": ("WAV", "GSM610"),
}
MUTATIONS = ["flip", "header", "cut", "delete", "insert", "zero", "noise", "swap", "grow", "number"]


def mutate(content, mutation, rng):
    """Damage the content of a file."""
    data = bytearray(content)
    n = len(data)
    start, stop = sorted(rng.integers(0, n, 2))
    stop = min(stop, start + int(rng.integers(1, 2000)))
    if mutation == "flip":
        for place in rng.integers(0, n, rng.integers(1, 20)):
            data[place] ^= 1 << rng.integers(8)
    elif mutation == "header":
        for place in rng.integers(0, min(n, 120), rng.integers(1, 6)):
            data[place] = rng.integers(256)
    elif mutation == "cut":
        del data[start:]
    elif mutation == "delete":
        del data[start:stop]
    elif mutation == "insert":
        data[start:start] = rng.bytes(int(rng.integers(1, 500)))
    elif mutation == "zero":
        data[start:stop] = bytes(stop - start)
    elif mutation == "noise":
        data[start:stop] = rng.bytes(int(stop - start))
    elif mutation == "swap":
        half = n // 2
        data = data[half:] + data[:half] if rng.random() < 0.5 else data[:start] + data[start:] * 2
    elif mutation == "grow":
        data += rng.bytes(int(rng.integers(1, 5000)))
    else:  # a field of the header, at its extremes
        place = int(rng.integers(0, min(n, 80) - 4))
        value = int(rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00FFFFFF]))
        data[place : place + 4] = value.to_bytes(4, "little")
    return bytes(data)


def make_originals(folder, rng):
    """Write a good file of each kind and return their contents."""
    contents = {}
    for name, (container, subtype) in KINDS.items():
        n_channels = 1 + (name in ("flac", "mp3", "caf"))
        samples = 0.1 * rng.normal(size=(SR, n_channels)).cumsum(axis=0) / 10
        path = folder / f"original_{name}"
        soundfile.write(path, np.clip(samples, -1, 1), SR, format=container, subtype=subtype)
        contents[name] = path.read_bytes()
    for name, (content, _) in lies().items():
        contents[f"lie: {name}"] = content
    if importlib.util.find_spec("av") is not None:
        for name in filter(can_encode, FOREIGN):
            contents[f"av: {name}"] = encode_foreign(name)[0]
    return contents


def main(folder, n_files, seed):
    """Damage files and read each; any error but BadAudioError ends the program."""
    folder, rng = Path(folder), np.random.default_rng(seed)
    contents = make_originals(folder, rng)
    names = [str(name) for name in rng.permutation(list(contents))]
    outcomes, reasons, slowest = collections.Counter(), collections.Counter(), (0.0, "")
    base = {"sr": SR, "duration": 0.5, "n_fft": 256, "n_mels": 8}
    variants = [
        LibrosaFeatures(**base),
        LibrosaFeatures(**base, crop="center", offset=0.1, pad="wrap"),
        LibrosaFeatures(**base, crop="loudest", trim_silence=40, normalize="peak"),
        LibrosaFeatures("waveform", **base, crop="random", random_state=0, n_channels=1),
        LibrosaFeatures("mfcc", **{**base, "sr": 11025}, n_mfcc=5, normalize="rms"),
    ]
    for i in range(n_files):
        kind = names[i % len(names)]
        mutation = MUTATIONS[(i + i // len(names)) % len(MUTATIONS)]
        # the ending of a name must not matter
        path = folder / f"{i}.{rng.choice(['wav', 'flac', 'ogg', 'mp3', 'x'])}"
        path.write_bytes(mutate(contents[kind], mutation, rng))
        features = variants[int(rng.integers(len(variants)))]
        print(i, kind, mutation, path.name, flush=True)
        start = time.perf_counter()
        try:
            Xt = features.transform([path])
        except BadAudioError as error:
            outcomes["refused"] += 1
            reason = str(error).splitlines()[1].split("): ", 1)[1]
            assert len(str(error)) < 2000, error
            reasons["".join(c for c in reason if not c.isdigit())[:60]] += 1
        else:
            outcomes["read"] += 1
            assert np.isfinite(Xt).all(), f"{path} became features that are not finite"
            assert Xt.shape[0] == 1
        slowest = max(slowest, (time.perf_counter() - start, f"{i} {kind} {mutation}"))
        path.unlink()
    print(
        json.dumps(
            {
                "outcomes": outcomes,
                "reasons": dict(reasons.most_common()),
                "slowest": slowest,
                "peak_mb": int(peak_mb()),
            }
        )
    )


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

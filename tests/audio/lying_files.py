"""Good recordings whose headers are wrong, unfinished or followed by more, and what they hold."""

import io

import numpy as np
import soundfile

RATE = 16000


def sound(seconds=1.0, seed=0):
    """Noise, loud and soft by turns, so that mp3 of variable rate varies."""
    n_samples = round(seconds * RATE)
    loudness = np.where(np.arange(n_samples) // 4000 % 2 == 0, 0.2, 0.001)
    noise = np.random.default_rng(seed).normal(size=n_samples)
    return np.clip(noise * loudness, -1, 1).astype(np.float32)


def encode(samples, kind, subtype=None, rate=RATE, **options):
    """Return a file of a kind that libsndfile writes, as bytes."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype, **options)
    return file.getvalue()


def decode(content):
    """Return the samples of a file with a good header."""
    return soundfile.read(io.BytesIO(content), dtype="float32")[0]


def put(content, place, new):
    """Return a file with some bytes replaced."""
    return content[:place] + new + content[place + len(new) :]


def mp3(samples, *, tag=True):
    """Return an mp3 file of variable rate, with or without the frame that tells its length."""
    content = encode(samples, "MP3", bitrate_mode="VARIABLE")
    if tag:
        return content
    start = content.index(content[:2], 4)
    return content[start:]


def id3(n_bytes=100_000):
    """Return a tag such as holds the picture of a cover."""
    size = bytes(n_bytes >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + bytes(n_bytes)


def whole_mp3(samples):
    """Return all samples that libsndfile finds in mp3 without a tag, where it guesses long enough.

    A tag of zeros before it makes the guess longer, and changes no sample.
    """
    return decode(id3(2**20) + mp3(samples, tag=False))


def lies():
    """Return, by name, files whose headers do not tell the truth, and their samples or a reason."""
    x, y = sound(), sound(0.5, 1)
    wav, au, caf, flac = (encode(x, kind) for kind in ("WAV", "AU", "CAF", "FLAC"))
    float_wav = encode(x, "WAV", "FLOAT")
    data = float_wav.index(b"data") + 4
    none, all_ones = bytes(4), b"\xff" * 4
    first = mp3(x), mp3(y)
    bare = whole_mp3(x)
    found = {
        "mp3 without a tag": (mp3(x, tag=False), bare),
        "mp3 without a tag after a cover": (id3() + mp3(x, tag=False), bare),
        "mp3 without a tag before another": (mp3(x, tag=False) + b"TAG" + bytes(125), bare),
        "mp3 joined": (first[0] + first[1], np.concatenate([decode(f) for f in first])),
        "mp3 joined with covers": (
            id3() + first[0] + id3() + first[1],
            np.concatenate([decode(f) for f in first]),
        ),
        "mp3 joined, the first without": (
            mp3(x, tag=False) + first[1],
            np.concatenate([bare, decode(first[1])]),
        ),
        "mp3 joined, the second without": (
            first[1] + mp3(x, tag=False),
            np.concatenate([decode(first[1]), bare]),
        ),
        "wav of size 0": (put(float_wav, data, none), x),
        "wav of size 0 throughout": (put(put(float_wav, data, none), 4, none), x),
        "wav of size -1": (put(put(float_wav, data, all_ones), 4, all_ones), x),
        "wav without end": (put(float_wav, data, b"\xff\xff\xff\x7f"), x),
        "wav, a tag after": (float_wav + b"TAG" + bytes(125), x),
        "wav, an unfinished size": (
            put(wav * 3, 40, (600).to_bytes(4, "little")),
            "its header says 600 bytes of samples, and .* more bytes follow: .* -ignore_length",
        ),
        "wav, empty": (put(float_wav, data, none)[: data + 4], "it has no samples"),
        "wav, empty with a chunk": (
            put(float_wav, data, none)[: data + 4] + b"LIST" + b"\4\0\0\0INFO",
            "it has no samples",
        ),
        "wav joined": (float_wav + encode(y, "WAV", "FLOAT"), np.concatenate([x, y])),
        "au of size 0": (put(au, 8, none), decode(au)),
        "au of size -1": (put(au, 8, all_ones), decode(au)),
        "caf of size 0": (put(caf, caf.index(b"data") + 4, bytes(8)), decode(caf)),
        "caf of size -1": (put(caf, caf.index(b"data") + 4, b"\xff" * 8), decode(caf)),
        "flac of no length": (put(put(flac, 21, bytes([flac[21] & 0xF0])), 22, none), decode(flac)),
        "flac that says too little": (put(flac, 22, (1000).to_bytes(4, "big")), decode(flac)),
        "flac that says a frame too little": (
            put(flac, 22, (len(decode(flac)) - 100).to_bytes(4, "big")),
            decode(flac),
        ),
        "flac that is longer": (
            put(flac, 22, (10**6).to_bytes(4, "big")),
            "it is truncated, or damaged: the last of the 1000000 samples",
        ),
    }
    for kind, subtype in (
        ("AIFF", None), ("AU", None), ("CAF", None), ("FLAC", None), ("OGG", "OPUS"),
        ("OGG", "VORBIS"), ("RF64", None), ("W64", None),
    ):  # fmt: skip
        parts = encode(x, kind, subtype), encode(y, kind, subtype)
        name = (subtype or kind).lower()
        found[f"{name} joined"] = b"".join(parts), np.concatenate([decode(p) for p in parts])
    for kind in ("RF64", "W64"):
        content = encode(x, kind)
        found[f"{kind.lower()} truncated"] = content[: len(content) // 2], "it is truncated: .* of"
    other_rate = encode(x, "OGG", rate=8000)
    found["ogg of two rates"] = (
        encode(x, "OGG") + other_rate,
        "it is 2 recordings one after the other, of 8000 and 16000 Hz; split it",
    )
    found["ogg of two widths"] = (
        encode(x, "OGG") + encode(np.stack([x, x], axis=1), "OGG"),
        "of 1 and 2 channels; split it",
    )
    return found

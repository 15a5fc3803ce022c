"""Recordings in formats that libsndfile does not write, by PyAV."""

import io
from fractions import Fraction

import numpy as np

# Container, codec, rate, and by how many samples the sound is late.
FOREIGN = {
    "m4a": ("ipod", "aac", 16000, 0),
    "mp4": ("mp4", "aac", 16000, 0),
    "mov": ("mov", "alac", 16000, 0),
    "3gp": ("3gp", "aac", 16000, 0),
    "webm": ("webm", "libopus", 48000, 0),
    "mkv": ("matroska", "flac", 16000, 0),
    "wma": ("asf", "wmav2", 44100, None),
    "amr": ("amr", "libopencore_amrnb", 8000, None),
    "aac": ("adts", "aac", 16000, 1024),
    "avi": ("avi", "mp3", 16000, None),
    "ts": ("mpegts", "aac", 16000, 1024),
    "mpg": ("mpeg", "mp2", 16000, None),
    "flv": ("flv", "mp3", 22050, None),
    "ac3": ("ac3", "ac3", 32000, None),
    "wv": ("wv", "wavpack", 16000, 0),
    "tta": ("tta", "tta", 16000, 0),
}


def chirp(seconds, rate):
    """Return a tone that rises, float32."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (300 + 200 * t) * t)).astype(np.float32)


def encode_by_av(samples, container, codec, rate, *, n_tracks=1, video=False, title=""):
    """Return a file as bytes, of samples of shape (n_times,) or (n_channels, n_times)."""
    import av

    samples = np.atleast_2d(samples)
    layout = {1: "mono", 2: "stereo"}[len(samples)]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        output.metadata["title"] = title
        tracks = [output.add_stream(codec, rate=rate, layout=layout) for _ in range(n_tracks)]
        if codec == "wmav2":
            tracks[0].bit_rate = 128_000
        picture = output.add_stream("mpeg4", rate=10) if video else None
        if picture is not None:
            picture.width = picture.height = 32
            picture.pix_fmt = "yuv420p"
        for track in tracks:
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            for packet in [*track.encode(frame), *track.encode(None)]:
                output.mux(packet)
        if picture is not None:
            for i in range(20):
                image = av.VideoFrame.from_ndarray(np.zeros((48, 32), np.uint8), format="yuv420p")
                image.pts = i
                for packet in picture.encode(image):
                    output.mux(packet)
            for packet in picture.encode(None):
                output.mux(packet)
    return file.getvalue()


def can_encode(name):
    """Tell whether the installed PyAV writes a format in FOREIGN; from 19 on it writes no amr."""
    import av

    return FOREIGN[name][1] in av.codecs_available


def encode_foreign(name, seconds=1.0):
    """Return a file of a format in FOREIGN, and the samples that went in."""
    container, codec, rate, _ = FOREIGN[name]
    samples = chirp(seconds, rate)
    if name == "wma":
        samples = np.stack([samples, samples])
    return encode_by_av(samples, container, codec, rate), np.atleast_2d(samples)[0]

"""What FLAC files say of their length, against the frames that are there."""

import io

import numpy as np
import pytest
import soundfile

from atl_sklearn.audio._bytes import FileBytes
from atl_sklearn.audio._flac_frames import head_without_length

KINDS = [
    (rate, n_channels, subtype)
    for rate in (8000, 11025, 44100, 96000)
    for n_channels in (1, 2)
    for subtype in ("PCM_S8", "PCM_16", "PCM_24")
]


def flac(n_times, rate, n_channels, subtype):
    samples = np.random.default_rng(n_times).uniform(-0.5, 0.5, (n_times, n_channels))
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format="FLAC")
    return file.getvalue()


def head_of(content):
    return head_without_length(FileBytes(io.BytesIO(content)), 0, len(content))


@pytest.mark.parametrize(("rate", "n_channels", "subtype"), KINDS)
def test_what_is_right_is_believed_and_too_little_is_not(rate, n_channels, subtype):
    for n_times in (17, 1000, 4096, 4097, 30_011):
        content = flac(n_times, rate, n_channels, subtype)
        assert head_of(content) == b""
        too_little = bytearray(content)
        too_little[22:26] = (n_times - 1).to_bytes(4, "big")
        head = head_of(bytes(too_little))
        with soundfile.SoundFile(io.BytesIO(head + content[len(head) :])) as file:
            assert file.frames > 2**60  # it does not say
        assert head[:21] == content[:21]
        assert head_of(bytes(too_little) + b"TAG" + bytes(125)) == b""  # no frame is at its end


def test_what_is_no_flac_is_left_alone():
    for content in (b"", b"fLaC", b"fLaC" + bytes(60), b"\xff" * 300, b"fLaC" + b"\xff\xf8" * 400):
        assert head_of(content) == b""

"""Reading of audio files, good and bad."""

import librosa
import numpy as np
import pytest
import soundfile

from atl_sklearn.audio._reading import UnusableFileError, read_clip

SR = 8000


@pytest.fixture
def tone():
    return (0.5 * np.sin(np.arange(3 * SR) / 8)).astype(np.float32)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE"])
def test_wav_subtypes(tmp_path, tone, subtype):
    path = str(tmp_path / "a.wav")
    soundfile.write(path, tone, SR, subtype=subtype)
    wave = read_clip(path, SR, 1000)
    assert wave.shape == (1000,)
    assert wave.dtype == np.float32
    np.testing.assert_allclose(wave, tone[:1000], atol=0.01 if subtype == "PCM_U8" else 1e-4)


@pytest.mark.parametrize("extension", ["flac", "ogg", "aiff", "au", "mp3"])
def test_formats(tmp_path, tone, extension):
    path = str(tmp_path / f"a.{extension}")
    soundfile.write(path, tone, SR)
    whole = read_clip(path, SR, 10 * SR)
    assert abs(len(whole) - len(tone)) <= 2 * 1152
    np.testing.assert_allclose(whole.std(), tone.std(), rtol=0.05)


def test_channels_are_averaged(tmp_path):
    path = str(tmp_path / "a.wav")
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 3))
    soundfile.write(path, samples, SR, subtype="FLOAT")
    np.testing.assert_allclose(read_clip(path, SR, 500), samples.mean(axis=1), atol=1e-6)


# librosa.load imports audioread, and that what Python 3.13 removed
@pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("rate", [SR, 11025, 44100])
def test_same_as_librosa_load(tmp_path, rate):
    path = str(tmp_path / "a.wav")
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (rate, 2))
    soundfile.write(path, samples, rate)
    expected, _ = librosa.load(path, sr=SR, duration=0.6)
    wave = read_clip(path, SR, round(0.6 * SR))
    np.testing.assert_allclose(wave, expected[: len(wave)], atol=1e-6)
    assert len(expected) - len(wave) in (0, 1)


def test_a_short_file_is_returned_as_it_is(tmp_path, tone):
    path = str(tmp_path / "a.wav")
    soundfile.write(path, tone[:77], SR)
    assert read_clip(path, SR, 1000).shape == (77,)


def _cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        ("wav", "it is truncated: 31985 of 48000 bytes"),
        ("aiff", "it is truncated"),
        ("flac", "it is damaged"),
        ("ogg", "it is truncated|it has no samples"),
        ("au", "it is truncated"),
    ],
)
def test_truncated_files(tmp_path, tone, extension, reason):
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, tone, SR)
    _cut(path, 2 / 3)
    with pytest.raises(UnusableFileError, match=reason):
        read_clip(str(path), SR, 10 * SR)


def test_a_truncated_wav_is_bad_even_if_its_start_would_do(tmp_path, tone):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone, SR)
    _cut(path, 2 / 3)
    with pytest.raises(UnusableFileError, match="it is truncated"):
        read_clip(str(path), SR, 100)


def test_a_streamed_wav_has_no_true_size_in_its_header(tmp_path, tone):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone, SR)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    np.testing.assert_allclose(read_clip(str(path), SR, 500), tone[:500], atol=1e-4)


def test_files_that_are_no_audio(tmp_path):
    text, empty, headless = (tmp_path / name for name in ("text.wav", "empty.wav", "none.wav"))
    text.write_text("not audio at all " * 20)
    empty.touch()
    soundfile.write(headless, np.zeros(0), SR)
    for path, reason in [
        (text, r"it is damaged, or not audio that libsndfile reads \(Format not recognised\)"),
        (empty, "it is an empty file"),
        (headless, "it has no samples"),
        (tmp_path, "it is a folder, not a file"),
        (tmp_path / "missing.wav", "it does not exist"),
    ]:
        with pytest.raises(UnusableFileError, match=reason):
            read_clip(str(path), SR, 100)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite(tmp_path, bad):
    path = str(tmp_path / "a.wav")
    samples = np.zeros((50, 2))
    samples[7] = [bad, -bad]
    soundfile.write(path, samples, SR, subtype="FLOAT")
    with pytest.raises(UnusableFileError, match="at sample 7"):
        read_clip(path, SR, 100)
    assert read_clip(path, SR, 7).shape == (7,)

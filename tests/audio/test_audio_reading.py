"""Reading of audio files, good and bad."""

import os

import librosa
import numpy as np
import pytest
import soundfile

from atl_sklearn.audio import LibrosaFeatures, Segment
from atl_sklearn.audio import _reading as reading
from atl_sklearn.audio._bad_audio import UnusableClipError

SR = 8000


def read_clip(path, sr, n_times, seed=None, **parameters):
    """Read as LibrosaFeatures does; the first channel."""
    clip = path if isinstance(path, Segment) else Segment(str(path))
    settings = LibrosaFeatures(sr=sr, duration=n_times / sr, **parameters)
    wave = reading.read_clip(clip, settings, seed)
    assert wave.dtype == np.float32
    assert wave.shape == (parameters.get("n_channels") or 1, n_times)
    return wave[0] if len(wave) == 1 else wave


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
    whole = read_clip(path, SR, len(tone))
    np.testing.assert_allclose(whole.std(), tone.std(), rtol=0.05)
    assert np.corrcoef(whole, tone)[0, 1] > 0.99


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
    np.testing.assert_allclose(wave[:-1], expected[: len(wave) - 1], atol=1e-6)


@pytest.mark.parametrize(
    ("pad", "expected"),
    [
        ("zeros", [1, 2, 3, 0, 0, 0, 0, 0]),
        ("wrap", [1, 2, 3, 1, 2, 3, 1, 2]),
        ("repeat", [1, 2, 3, 1, 2, 3, 0, 0]),
    ],
)
def test_short_clips_are_padded(tmp_path, pad, expected):
    wave = np.array([1, 2, 3], np.float32) / 4
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, SR, subtype="FLOAT")
    for clip in (path, Segment(wave[np.newaxis])):
        np.testing.assert_array_equal(4 * read_clip(clip, SR, 8, pad=pad), expected)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("crop", ["start", "center", "random", "loudest"])
def test_crops_of_files_are_those_of_their_samples(tmp_path, crop, extension):
    rng = np.random.default_rng(0)
    path = tmp_path / f"a.{extension}"
    loudness = np.exp(-((np.arange(4 * SR) - 2.6 * SR) ** 2) / SR**2)
    soundfile.write(path, 0.1 * rng.normal(size=4 * SR) * loudness, SR)
    whole, _ = soundfile.read(path, dtype="float32")
    found = read_clip(path, SR, 3000, seed=1, crop=crop, offset=0.5)
    places = np.lib.stride_tricks.sliding_window_view(whole, 3000)
    start = int(np.argmin(np.abs(places[:, ::100] - found[::100]).max(axis=1)))
    np.testing.assert_allclose(found, whole[start : start + 3000], atol=1e-6)
    rest = len(whole) - 4000
    if crop == "start":
        assert start == 4000
    elif crop == "center":
        assert start == 4000 + (rest - 3000) // 2
    elif crop == "loudest":
        energy = np.square(places[4000:], dtype=np.float64).sum(axis=1)
        assert start == 4000 + np.argmax(energy)
    else:
        assert 4000 <= start <= len(whole) - 3000


def test_random_crops_depend_on_seed_and_clip_alone(tmp_path):
    waves = [np.random.default_rng(i).normal(0, 0.1, 4 * SR) for i in range(4)]
    waves[3] = waves[0]
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for path, wave in zip(paths, waves, strict=True):
        soundfile.write(path, wave, SR)
    settings = {"crop": "random", "sr": SR, "duration": 0.1, "feature": "waveform"}
    features = LibrosaFeatures(random_state=0, **settings)
    drawn = features.fit_transform(paths)
    np.testing.assert_array_equal(features.transform(paths[2:]), drawn[2:])
    np.testing.assert_array_equal(drawn[0], drawn[3])
    other = LibrosaFeatures(random_state=1, **settings).fit_transform(paths)
    anew = LibrosaFeatures(random_state=None, **settings).fit(paths)
    assert not np.array_equal(drawn, other)
    assert not np.array_equal(anew.transform(paths), anew.transform(paths))


def test_trim_normalize_and_offset(tmp_path, tone):
    path = tmp_path / "a.wav"
    silence = np.zeros(SR)
    soundfile.write(path, np.concatenate([silence, 0.1 * tone, silence]), SR, subtype="FLOAT")
    trimmed = read_clip(path, SR, 4 * SR, trim_silence=40)
    expected, _ = librosa.effects.trim(soundfile.read(path, dtype="float32")[0], top_db=40)
    assert 3 * SR <= len(expected) < 3.5 * SR
    np.testing.assert_array_equal(trimmed[: len(expected)], expected)
    assert np.abs(read_clip(path, SR, 2 * SR, normalize="peak")).max() == 1
    loud = read_clip(path, SR, SR, normalize="rms", offset=1.5)
    np.testing.assert_allclose(np.sqrt(np.mean(loud**2)), 1, rtol=1e-5)
    part = 0.1 * tone[SR // 2 :][:SR]
    np.testing.assert_allclose(loud, part / np.sqrt(np.mean(part**2)), atol=1e-5)
    with pytest.raises(UnusableClipError, match=r"trim_silence=0 dB leaves nothing of it"):
        read_clip(path, SR, SR, trim_silence=0)
    with pytest.raises(UnusableClipError, match=r"it ends after 5 s, before offset=5\.0 s"):
        read_clip(path, SR, 100, offset=5.0)


def test_channels_are_kept_if_asked_for(tmp_path):
    path = tmp_path / "a.wav"
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 2)).astype(np.float32)
    soundfile.write(path, samples, SR, subtype="FLOAT")
    np.testing.assert_array_equal(read_clip(path, SR, 400, n_channels=2), samples[:400].T)
    with pytest.raises(UnusableClipError, match="it has 2 channels, not n_channels=3"):
        read_clip(path, SR, 400, n_channels=3)


def test_waveforms_of_another_rate_are_resampled_as_files_are(tmp_path, tone):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone, 11025, subtype="FLOAT")
    for crop in ("start", "center", "loudest"):
        np.testing.assert_array_equal(
            read_clip(path, SR, 2000, crop=crop),
            read_clip(Segment(tone[np.newaxis], 11025), SR, 2000, crop=crop),
        )


def test_segments_are_parts(tmp_path, tone):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone, SR, subtype="FLOAT")
    part = Segment(str(path), start=1.0, duration=0.25)
    np.testing.assert_array_equal(read_clip(part, SR, 2000), tone[SR : SR + 2000])
    np.testing.assert_array_equal(read_clip(part, SR, 3000)[2000:], 0)
    np.testing.assert_array_equal(
        read_clip(part, SR, 1000, crop="center"), tone[SR + 500 : SR + 1500]
    )
    with pytest.raises(UnusableClipError, match="it ends after 3 s, before this segment"):
        read_clip(Segment(str(path), start=3.0, duration=1.0), SR, 100)


def _cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        ("wav", "it is truncated: 31985 of 48000 bytes"),
        ("aiff", "it is truncated"),
        ("flac", "it is truncated, or damaged: the last of the 24000 samples"),
        ("ogg", "it is truncated"),
        ("mp3", "it is truncated: [0-9]+ of [0-9]+ bytes"),
        ("au", "it is truncated"),
    ],
)
def test_truncated_files(tmp_path, tone, extension, reason):
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, tone, SR)
    _cut(path, 2 / 3)
    with pytest.raises(UnusableClipError, match=reason):
        read_clip(str(path), SR, 10 * SR)


def test_a_truncated_wav_is_bad_even_if_its_start_would_do(tmp_path, tone):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone, SR)
    _cut(path, 2 / 3)
    with pytest.raises(UnusableClipError, match="it is truncated"):
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
        with pytest.raises(UnusableClipError, match=reason):
            read_clip(str(path), SR, 100)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff", "opus"])
def test_nothing_is_silently_shortened(tmp_path, tone, extension):
    """A file cut anywhere is either refused, or what is read of it is what was there."""
    path, cut = tmp_path / "a", tmp_path / "cut"
    subtype = "OPUS" if extension == "opus" else None
    container = "OGG" if extension == "opus" else extension.upper()
    soundfile.write(path, tone, SR, format=container, subtype=subtype)
    content = path.read_bytes()
    whole, _ = soundfile.read(path, dtype="float32")
    refused = 0
    for size in np.linspace(10, len(content) - 2, 23).astype(int):
        cut.write_bytes(content[:size])
        for crop, start in (("start", 0), ("center", (len(whole) - 500) // 2)):
            try:
                found = read_clip(cut, SR, 500, crop=crop)
            except UnusableClipError:
                refused += 1
            else:
                np.testing.assert_allclose(found, whole[start : start + 500], atol=1e-4)
    assert refused >= 40


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite(tmp_path, bad):
    path = str(tmp_path / "a.wav")
    samples = np.zeros((50, 2))
    samples[7] = [bad, -bad]
    soundfile.write(path, samples, SR, subtype="FLOAT")
    with pytest.raises(UnusableClipError, match="at sample 7"):
        read_clip(path, SR, 100)
    assert not read_clip(path, SR, 7, allow_silence=True).any()


def test_silence_is_refused_unless_allowed(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(500), SR)
    for normalize in (None, "peak", "rms"):
        with pytest.raises(UnusableClipError, match="it is silent: all samples are 0"):
            read_clip(path, SR, 100, normalize=normalize)
        assert not read_clip(path, SR, 100, allow_silence=True, normalize=normalize).any()
    cancels = np.random.default_rng(0).normal(size=(1, 500)).astype(np.float32)
    with pytest.raises(UnusableClipError, match="silent"):
        read_clip(Segment(np.concatenate([cancels, -cancels])), SR, 100)


def test_absurd_headers(tmp_path, tone):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone, SR)
    content = path.read_bytes()

    def rewrite(place, value, size):
        path.write_bytes(content[:place] + value.to_bytes(size, "little") + content[place + size :])
        return path

    for place, size in ((22, 2), (24, 4)):  # channels, rate
        with pytest.raises(UnusableClipError, match=r"damaged|channels at"):
            read_clip(rewrite(place, 0, size), SR, 100)
    for crop in ("start", "loudest"):
        with pytest.raises(UnusableClipError, match="nothing is left of it at 8000 Hz"):
            read_clip(rewrite(24, 2**31 - 1, 4), SR, 100, crop=crop)
        with pytest.raises(UnusableClipError, match="its rate is 1 Hz, too low to be audio"):
            read_clip(rewrite(24, 1, 4), SR, 100, crop=crop)
    long = Segment(np.ones((1, 2**24), np.float32), 50.0)
    with pytest.raises(UnusableClipError, match="it is too long at 8000 Hz; its rate is 50 Hz"):
        read_clip(long, SR, 100, crop="loudest")
    slow = tmp_path / "slow.flac"
    soundfile.write(slow, np.full(100_000, 0.1), 1)
    with pytest.raises(UnusableClipError, match="100000 samples at 1 Hz are too long"):
        read_clip(slow, SR, 100, crop="loudest")


def test_a_streamed_flac_does_not_say_how_long_it_is(tmp_path, tone):
    path = tmp_path / "a.flac"
    soundfile.write(path, tone, SR)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the number of samples, after the rate and the format
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_allclose(read_clip(path, SR, 500), tone[:500], atol=1e-4)
    center = (len(tone) - 500) // 2
    found = read_clip(path, SR, 500, crop="center")
    np.testing.assert_allclose(found, tone[center : center + 500], atol=1e-4)
    _cut(path, 2 / 3)
    with pytest.raises(UnusableClipError, match=r"it is truncated, or damaged after \d+ samples"):
        read_clip(path, SR, 500, crop="center")


def test_what_is_no_file(tmp_path):
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    with pytest.raises(UnusableClipError, match="it is no regular file"):
        read_clip(pipe, SR, 100)
    with pytest.raises(UnusableClipError, match="it is damaged, or not audio"):
        (tmp_path / "a.raw").write_bytes(b"12345678")
        read_clip(tmp_path / "a.raw", SR, 100)

"""How long a recording is: counted where its header does not tell, or does not tell the truth."""

import numpy as np
import pytest
import soundfile
from lying_files import RATE, encode, lies, mp3, put, sound, whole_mp3

from atl_sklearn.audio import (
    AudioSegmenter,
    BadAudioError,
    LibrosaFeatures,
    _cache,
    _files,
    _sound_file,
    audio_info,
)
from atl_sklearn.audio._bad_audio import UnusableClipError
from atl_sklearn.audio._files import open_audio

LIES = lies()


@pytest.mark.parametrize("name", LIES)
def test_headers_that_lie(name, tmp_path):
    content, expected = LIES[name]
    path = tmp_path / "a.x"
    path.write_bytes(content)
    for source in (str(path), content):
        if isinstance(expected, str):
            with pytest.raises(UnusableClipError, match=expected), open_audio(source) as file:
                file.read(0, None)
            continue
        n_frames = len(expected)
        for start, stop in ((0, None), (n_frames - 700, n_frames), (9000, 9500), (100, 300)):
            with open_audio(source) as file:
                assert file.count_frames() == n_frames
                part = file.read(start, stop)
            np.testing.assert_allclose(part[0], expected[start:stop], atol=1e-5)


@pytest.mark.parametrize(
    "name", ["mp3 without a tag", "mp3 joined", "flac joined", "wav of size 0"]
)
@pytest.mark.parametrize("crop", ["start", "center", "random", "loudest"])
def test_windows_and_crops_of_them(name, crop, tmp_path):
    content, expected = LIES[name]
    path = tmp_path / "a.x"
    path.write_bytes(content)
    settings = {"sr": RATE, "duration": 0.2, "feature": "waveform", "crop": crop}
    features = LibrosaFeatures(**settings, random_state=0)
    found = features.fit_transform([str(path)])
    if crop == "random":
        place = np.argmin(np.abs(expected[: len(expected) - 20] - found.flat[0]))
        np.testing.assert_allclose(found.ravel(), expected[place:][: found.size], atol=1e-4)
    else:
        np.testing.assert_allclose(found, features.transform([(expected, RATE)]), atol=1e-5)
    windows = AudioSegmenter(0.2, hop=0.2).fit_transform([str(path)])
    samples = LibrosaFeatures("waveform", sr=RATE, duration=0.2).fit_transform(windows)
    assert windows[-1].start == len(expected) / RATE - 0.2
    np.testing.assert_allclose(samples[-1].ravel(), expected[-found.size :], atol=1e-5)


@pytest.mark.parametrize("rate_mode", ["VARIABLE", "CONSTANT"])
def test_mp3_in_blocks_is_as_mp3_at_once(tmp_path, monkeypatch, rate_mode):
    """soundfile seeks after each read, and what is read after that lacks a part of its sound."""
    path = tmp_path / "a.mp3"
    soundfile.write(path, sound(4.0), RATE, bitrate_mode=rate_mode)
    whole = soundfile.read(path, dtype="float32")[0]
    monkeypatch.setattr(_sound_file, "BLOCK", 4400)
    with open_audio(str(path)) as file:
        np.testing.assert_allclose(file.read(0, None)[0], whole, atol=1e-5)
        np.testing.assert_allclose(file.read(20_000, 50_000)[0], whole[20_000:50_000], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "GSM610"), ("WAV", "G721_32"), ("AU", "G723_24")]
)
def test_what_cannot_seek_is_read_from_its_start(tmp_path, kind, subtype):
    path = tmp_path / "a.x"
    soundfile.write(path, sound(), 8000, format=kind, subtype=subtype)
    whole = soundfile.read(path, dtype="float32")[0]
    with open_audio(str(path)) as file:
        for start in (9000, 3000):
            np.testing.assert_array_equal(file.read(start, start + 500)[0], whole[start:][:500])


def test_counts_are_kept_with_the_features(tmp_path, monkeypatch):
    monkeypatch.setattr(_cache, "_SETTLED", -1e9)
    monkeypatch.setattr(_cache.LENGTHS, "_kept", type(_cache.LENGTHS._kept)())
    counted = []
    original = _sound_file.AudioFile.count_frames

    def count(file):
        if file.n_frames is None:
            counted.append(file)
        return original(file)

    monkeypatch.setattr(_sound_file.AudioFile, "count_frames", count)
    path = tmp_path / "a.mp3"
    path.write_bytes(mp3(sound(), tag=False))
    settings = {"sr": RATE, "duration": 0.2, "crop": "center", "memory": tmp_path / "cache"}
    LibrosaFeatures(**settings).fit_transform([path])
    assert len(counted) == 1
    LibrosaFeatures(**settings, n_mels=20).fit_transform([path])
    assert len(counted) == 1
    _cache.LENGTHS._kept.clear()  # as in another process
    LibrosaFeatures(**settings, n_mels=30).fit_transform([path])
    assert len(counted) == 1
    path.write_bytes(mp3(sound(0.5), tag=False))
    (found,) = LibrosaFeatures("waveform", **settings).fit_transform([path])
    assert len(counted) == 2
    expected = whole_mp3(sound(0.5))
    start = (len(expected) - found.size) // 2
    np.testing.assert_allclose(found[0], expected[start : start + found.size], atol=1e-5)


def test_long_files_are_not_searched_for_what_follows(tmp_path, monkeypatch):
    path = tmp_path / "a.flac"
    path.write_bytes(encode(sound(), "FLAC"))
    asked = []
    original = _files.find_pieces
    monkeypatch.setattr(
        _files, "find_pieces", lambda data, scan: asked.append(scan) or original(data, scan=scan)
    )
    LibrosaFeatures(sr=RATE, duration=0.5).fit_transform([path])
    assert asked == [False]
    LibrosaFeatures(sr=RATE, duration=1.5).fit_transform([path])
    assert asked == [False, False, True]


def test_audio_info(tmp_path):
    path = tmp_path / "a.x"
    joined, whole = LIES["vorbis joined"]
    path.write_bytes(joined)
    assert audio_info(path) == audio_info(joined) == (RATE, 1, len(whole))
    content, whole = LIES["mp3 without a tag"]
    path.write_bytes(content)
    assert audio_info(path) == (RATE, 1, None)
    assert audio_info(path, count=True) == audio_info(path) == (RATE, 1, len(whole))
    with pytest.raises(BadAudioError, match=r"nowhere.* does not exist"):
        audio_info("nowhere")
    with pytest.raises(ValueError, match="Samples alone have no rate"):
        audio_info(whole)


def test_the_error_names_what_to_do(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encode(sound(), "WAV")[:9000])
    with pytest.raises(
        BadAudioError, match=r"it is truncated: 8956 of 32000 bytes(.|\n)*ffmpeg -i"
    ):
        LibrosaFeatures(sr=RATE).fit_transform([path])
    path.write_bytes(put(encode(sound(), "FLAC"), 300, bytes(3000)))
    with pytest.raises(BadAudioError, match="damaged"):
        LibrosaFeatures(sr=RATE).fit_transform([path])

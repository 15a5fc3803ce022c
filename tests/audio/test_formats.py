"""Formats that libsndfile does not read: with the extra, and without."""

import re
import sys

import numpy as np
import pytest
from encoding import FOREIGN, can_encode, chirp, encode_by_av, encode_foreign

from atl_sklearn.audio import AudioSegmenter, BadAudioError, LibrosaFeatures
from atl_sklearn.audio._bad_audio import UnusableClipError
from atl_sklearn.audio._files import open_audio
from atl_sklearn.audio._formats import foreign_format

# The first bytes of files, and what is said of them where nothing reads them.
HEADS = {
    "m4a (MPEG-4)": b"\0\0\0\x1cftypM4A \0\0\2\0M4A isomiso2",
    "mp4, m4a or mov (MPEG-4)": b"\0\0\0\x1cftypisom\0\0\2\0",
    "3gp (MPEG-4)": b"\0\0\0\x1cftyp3gp4\0\0\2\0",
    "webm or mkv (Matroska)": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81",
    "wma or wmv (ASF)": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "amr": b"#!AMR\n<",
    "aac (ADTS)": b"\xff\xf1\x60\x40",
    "avi": b"RIFF\0\0\0\0AVI LIST",
}


@pytest.mark.parametrize("name", HEADS)
def test_without_the_extra_the_error_names_the_ways_out(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "voice memo"
    path.write_bytes(HEADS[name] + bytes(500))
    message = (
        re.escape(f"it is {name}, which libsndfile does not read. Install the extra formats")
        + r", pip install 'atl_sklearn\[formats\]'.*to wav or flac.*pass \(waveform, rate\)"
    )
    with pytest.raises(BadAudioError, match=message):
        LibrosaFeatures().fit_transform([path])


def test_what_libsndfile_reads_is_not_foreign():
    for head in (
        b"RIFF\0\0\0\0WAVEfmt ",
        b"ID3\3",
        b"\xff\xfb\x90\xc4",
        b"fLaC",
        b"OggS\0\2",
        b"text",
    ):
        assert foreign_format(head.ljust(300, b"\0")) is None


def encoded(name):
    pytest.importorskip("av")
    if not can_encode(name):
        pytest.skip("this PyAV does not write it")
    return encode_foreign(name)


@pytest.mark.parametrize("name", FOREIGN)
def test_formats_by_av(name, tmp_path):
    content, expected = encoded(name)
    rate, late = FOREIGN[name][2:]
    path = tmp_path / "a.x"  # the ending of a name does not matter
    path.write_bytes(content)
    for source in (str(path), content):
        with open_audio(source) as file:
            assert file.rate == rate
            n_frames = file.count_frames()
            whole = file.read(0, None)
            assert whole.shape == (file.n_channels, n_frames)
            assert n_frames >= 0.95 * len(expected)
            for start, stop in ((5000, 5500), (2000, 2300), (n_frames - 100, n_frames)):
                np.testing.assert_array_equal(file.read(start, stop), whole[:, start:stop])
    np.testing.assert_allclose(whole[0].std(), expected.std(), rtol=0.25)
    if late is not None:
        found = whole[0][late : late + len(expected)]
        assert np.corrcoef(found, expected[: len(found)])[0, 1] > 0.99
    found = LibrosaFeatures(sr=rate, duration=0.5, crop="center").fit_transform([path])
    assert found.shape[0] == 1


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_cut_off_is_refused_where_it_can_be_told(name):
    content, _ = encoded(name)
    for share in (0.5, 0.7, 0.9):
        cut = content[: int(len(content) * share)]
        if name in ("ts", "mpg", "ac3", "amr", "aac"):
            continue  # no header says how much there is; a frame that is cut in two is refused
        with pytest.raises(UnusableClipError), open_audio(cut) as file:
            file.count_frames()


def test_video_tracks_and_changes():
    pytest.importorskip("av")
    samples = chirp(2.0, 16000)
    with open_audio(encode_by_av(samples, "mp4", "aac", 16000, video=True)) as file:
        assert 0 <= file.count_frames() - len(samples) < 1024
    two = encode_by_av(samples, "matroska", "flac", 16000, n_tracks=2)
    with pytest.raises(UnusableClipError, match=r"it has 2 sound tracks; extract .* -map 0:a:0"):
        open_audio(two).__enter__()
    silent = encode_by_av(samples, "mp4", "aac", 16000, n_tracks=0, video=True)
    with pytest.raises(UnusableClipError, match="it has no sound"):
        open_audio(silent).__enter__()
    stereo = np.stack([samples, -samples])
    with open_audio(encode_by_av(stereo, "matroska", "flac", 16000)) as file:
        np.testing.assert_allclose(file.read(100, 300), stereo[:, 100:300], atol=1e-4)


def test_windows_of_a_video(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "film.mkv"
    path.write_bytes(encode_by_av(chirp(2.0, 16000), "matroska", "flac", 16000))
    windows = AudioSegmenter(0.5, hop=0.5).fit_transform([path])
    assert [window.start for window in windows] == [0.0, 0.5, 1.0, 1.5]
    found = LibrosaFeatures("waveform", duration=0.5).fit_transform(windows)
    np.testing.assert_allclose(found.ravel(), chirp(2.0, 16000), atol=1e-4)


def test_titles_may_be_in_any_encoding():
    pytest.importorskip("av")
    content = encode_by_av(chirp(1.0, 16000), "matroska", "flac", 16000, title="a title")
    content = content.replace(b"a title", "Müllers".encode("latin1"))
    with open_audio(content) as file:
        assert file.count_frames() == 16000


def test_texts_that_name_other_files_are_not_followed(tmp_path):
    pytest.importorskip("av")
    other = tmp_path / "other.wav"
    other.write_bytes(b"secret")
    for text in (f"ffconcat version 1.0\nfile {other}\n", f"#EXTM3U\n#EXTINF:1,\n{other}\n"):
        path = tmp_path / "list.m4a"
        path.write_text(text)
        with pytest.raises(BadAudioError, match="not audio that libsndfile reads"):
            LibrosaFeatures().fit_transform([path])

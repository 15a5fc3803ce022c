"""Arabic Speech Commands: small imitations, from a local server too, and the real ones."""

import hashlib
import io
import os
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from atl_sklearn.datasets import _arabic_speech_commands as module
from atl_sklearn.datasets import fetch_arabic_speech_commands, get_data_home
from atl_sklearn.datasets._recordings import digest_files
from atl_sklearn.datasets._resampled import resampled
from tests.loopback import serving

DATA = os.environ.get("ATL_SKLEARN_DATA", "")
FULL, PART = module._RELEASES["full"], module._RELEASES["8k"]
KEYS = [(w, s, t) for w in ("no", "zoom in") for s in (1, 2, 3, 30) for t in (1, 10)]
PUBLISHED = {f"{w}/{s:08d}_NO_{t:02d}.wav": f"{w[0]}{s}{t}".encode() for w, s, t in KEYS}
FLACS = {f"{w[:2]}_{s:02d}_{t:02d}.flac": f"{w[0]}{s}{t}".encode() for w, s, t in KEYS}


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Make both versions small, and without an address, unless a test serves one."""
    monkeypatch.setitem(
        module._RELEASES, "full", replace(FULL, n_files=16, url="http://127.0.0.1:9/master.zip")
    )
    digest = digest_files(sorted(FLACS.items()))
    monkeypatch.setitem(module._RELEASES, "8k", replace(PART, n_files=16, sha256=digest))
    monkeypatch.delenv("ATL_SKLEARN_DATA", raising=False)
    monkeypatch.setenv("ATL_SKLEARN_DATA_HOME", str(tmp_path / "home"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
def home():
    return Path(get_data_home())


def zipped(contents, prefix="arabic-speech-commands-dataset-master/dataset/"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("arabic-speech-commands-dataset-master/train.csv", "file,class")
        archive.writestr("__MACOSX/dataset/no/._00000001_NO_01.wav", "not audio")
        for name, content in contents.items():
            archive.writestr(prefix + name, content)
    return file.getvalue()


def check(found, keys=tuple(KEYS)):
    assert list(zip(found.word, found.speaker, found.take, strict=True)) == list(keys)
    assert list(found.target_names) == sorted({w for w, _, _ in keys})
    np.testing.assert_array_equal(found.target_names[found.target], found.word)
    for (word, speaker, take), path in zip(keys, found.paths, strict=True):
        assert Path(path).read_bytes() == f"{word[0]}{speaker}{take}".encode()


@pytest.mark.parametrize("name", FULL.archives)
def test_archive_as_it_is_published(home, name):
    (home / name).write_bytes(zipped(PUBLISHED))
    for _ in range(2):
        found = fetch_arabic_speech_commands()
        check(found)
        assert found.sr == 16_000
        assert "CC BY 4.0" in found.DESCR
        (home / name).unlink(missing_ok=True)  # it is extracted
    assert [path.name for path in home.iterdir()] == ["arabic-speech-commands"]


@pytest.mark.parametrize("name", module._FOLDERS)
def test_folder_as_it_is_published_is_only_read(home, tmp_path, monkeypatch, name):
    shared = tmp_path / "shared"
    for path, content in PUBLISHED.items():
        file = shared / name / "dataset" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (shared / name / "dataset" / "no" / ".DS_Store").touch()
    monkeypatch.setenv("ATL_SKLEARN_DATA", str(shared))
    found = fetch_arabic_speech_commands()
    check(found)
    assert all(str(shared) in path for path in found.paths)
    assert list(home.iterdir()) == []
    (shared / name / "dataset" / "no" / "00000001_NO_01.wav").unlink()
    with pytest.raises(OSError, match=f"not found in .*{shared}, complete. Download"):
        fetch_arabic_speech_commands()


def test_part(home):
    (home / "arabic_speech_commands_8k.zip").write_bytes(zipped(FLACS, prefix="clips/"))
    found = fetch_arabic_speech_commands(version="8k")
    check(found, [(w[:2], s, t) for w, s, t in KEYS])
    assert found.sr == 8_000
    (home / "arabic-speech-commands-8k" / "no_01_01.flac").write_bytes(b"other")
    (home / "arabic_speech_commands_8k.zip").write_bytes(
        zipped({**FLACS, "no_01_01.flac": b"ot"}, prefix="clips/")
    )
    with pytest.raises(OSError, match="it has 16 of that kind with the digest"):
        fetch_arabic_speech_commands(version="8k")


def test_subsets(home):
    (home / FULL.archives[0]).write_bytes(zipped(PUBLISHED))
    speakers = {"train": {1, 30}, "val": {2}, "test": {3}, "all": {1, 2, 3, 30}}
    for subset, expected in speakers.items():
        found = fetch_arabic_speech_commands(subset=subset)
        assert set(found.speaker) == expected
        check(found, [key for key in KEYS if key[1] in expected])
    paths, target = fetch_arabic_speech_commands(return_X_y=True)
    np.testing.assert_array_equal(paths, found.paths)
    np.testing.assert_array_equal(target, found.target)


def test_download_needs_a_digest(home):
    with serving() as server:
        module._RELEASES["full"] = replace(module._RELEASES["full"], url=f"{server.url}/master.zip")
        content = zipped(PUBLISHED)
        server.files["/master.zip"] = (content, len(content))
        with pytest.raises(OSError, match="pass sha256, the digest that you know it to have"):
            fetch_arabic_speech_commands()
        assert server.requests == []
        with pytest.raises(OSError, match="as it was published"):
            fetch_arabic_speech_commands(sha256="0" * 64)
        assert list(home.iterdir()) == []
        digest = hashlib.sha256(content).hexdigest()
        for _ in range(2):
            check(fetch_arabic_speech_commands(sha256=digest.upper()))
        assert server.requests == ["/master.zip"] * 2


def test_another_archive_is_refused_and_stays(home):
    archive = home / FULL.archives[0]
    for content, match in [
        (b"no archive", "is not a complete zip file"),
        (zipped({**PUBLISHED, "no/00000004_NO_01.wav": b""}), "it has 17 of that kind"),
        (zipped(dict(list(PUBLISHED.items())[1:])), "it has 15 of that kind"),
        (zipped({**PUBLISHED, "no/00000001_NO_01.wav": bytes(2**18 + 1)}), "262145 bytes"),
    ]:
        archive.write_bytes(content)
        with pytest.raises(OSError, match=match):
            fetch_arabic_speech_commands()
        assert list(home.iterdir()) == [archive]
        assert archive.read_bytes() == content
    archive.write_bytes(zipped(PUBLISHED))
    with pytest.raises(OSError, match="does not have the digest 000"):
        fetch_arabic_speech_commands(sha256="0" * 64)


SPOKEN = [(w, s, t) for w in ("no", "one", "zoom in") for s in (3, 30) for t in range(1, 8)]
OF_PART = [(w, s, t) for w, s, t in SPOKEN if w != "zoom in" and t <= 6]


def wav(number, rate=16_000, n_channels=1, subtype="PCM_16"):
    """Return a file of 0.1 s: what is above 4 kHz has no place at half the rate."""
    time = np.arange(rate // 10) / rate
    wave = 0.6 * np.sin(2 * np.pi * 100 * (number + 1) * time)
    wave += 0.3 * np.sin(2 * np.pi * 6000 * time)
    file = io.BytesIO()
    wave = np.column_stack([wave] * n_channels)
    soundfile.write(file, wave, rate, format="WAV", subtype=subtype)
    return file.getvalue()


WAVS = {f"{w}/{s:08d}_NO_{t:02d}.wav": wav(n) for n, (w, s, t) in enumerate(SPOKEN)}


@pytest.fixture
def spoken(monkeypatch):
    """Have full versions of recordings that can be read."""
    full = replace(module._RELEASES["full"], n_files=len(SPOKEN))
    monkeypatch.setitem(module._RELEASES, "full", full)
    monkeypatch.setattr(module, "_MADE", replace(module._MADE, n_files=len(OF_PART)))


def check_made(found, home):
    assert list(zip(found.word, found.speaker, found.take, strict=True)) == OF_PART
    assert found.sr == 8_000 and found.target_names.tolist() == ["no", "one"]
    for key, path in zip(OF_PART, found.paths, strict=True):
        assert Path(path).parent == home / "arabic-speech-commands-8k-resampled"
        samples, rate = soundfile.read(path, dtype="int16")
        assert (rate, len(samples), soundfile.info(path).subtype) == (8_000, 800, "PCM_16")
        low = (
            0.6 * 2**15 * np.sin(2 * np.pi * 100 * (SPOKEN.index(key) + 1) * np.arange(800) / rate)
        )
        # The filter of the resampler has no neighbours at the ends.
        np.testing.assert_allclose(samples[150:-150], low[150:-150], atol=20)


def test_the_part_is_made_of_the_full_archive(home, spoken):
    (home / FULL.archives[0]).write_bytes(zipped(WAVS))
    check_made(fetch_arabic_speech_commands(version="8k"), home)
    assert "may differ from those of the packed part" in fetch_arabic_speech_commands().DESCR
    # Once made, it needs the full version no longer, and is left as it is.
    (home / FULL.archives[0]).unlink()
    shutil.rmtree(home / FULL.name)
    made = {path: path.stat().st_mtime_ns for path in (home / module._MADE.name).iterdir()}
    check_made(fetch_arabic_speech_commands(version="8k"), home)
    assert made == {path: path.stat().st_mtime_ns for path in (home / module._MADE.name).iterdir()}
    found = fetch_arabic_speech_commands(version="8k", subset="test")
    assert set(found.speaker) == {3} and len(found.paths) == 12
    # One that is not complete is not taken.
    next(iter(made)).unlink()
    with pytest.raises(OSError, match=r"8k.zip was not found, and neither what it can be made of"):
        fetch_arabic_speech_commands(version="8k")


def test_the_part_is_made_of_a_folder_that_is_only_read(home, spoken, tmp_path, monkeypatch):
    folder = tmp_path / "shared" / module._FOLDERS[0] / "dataset"
    for path, content in WAVS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    monkeypatch.setenv("ATL_SKLEARN_DATA", str(tmp_path / "shared"))
    check_made(fetch_arabic_speech_commands(version="8k"), home)
    assert [path.name for path in home.iterdir()] == [module._MADE.name]
    assert len(list((tmp_path / "shared").rglob("*.*"))) == len(WAVS)


def test_the_part_is_made_of_what_is_downloaded_with_a_digest(home, spoken):
    content = zipped(WAVS)
    digest = hashlib.sha256(content).hexdigest()
    with serving() as server:
        full = replace(module._RELEASES["full"], url=f"{server.url}/master.zip")
        module._RELEASES["full"] = full
        server.files["/master.zip"] = (content, len(content))
        with pytest.raises(OSError, match=r"8k.zip was not found.*pass sha256, the digest"):
            fetch_arabic_speech_commands(version="8k")
        with pytest.raises(OSError, match="as it was published"):
            fetch_arabic_speech_commands(version="8k", sha256="0" * 64)
        assert list(home.iterdir()) == []
        for _ in range(2):
            check_made(fetch_arabic_speech_commands(version="8k", sha256=digest), home)
        assert server.requests == ["/master.zip"] * 2


def test_the_packed_part_comes_before_one_that_is_made(home, spoken):
    (home / FULL.archives[0]).write_bytes(zipped(WAVS))
    check_made(fetch_arabic_speech_commands(version="8k"), home)
    (home / PART.archives[0]).write_bytes(zipped(FLACS, prefix="clips/"))
    for _ in range(2):
        check(fetch_arabic_speech_commands(version="8k"), [(w[:2], s, t) for w, s, t in KEYS])
        (home / PART.archives[0]).unlink(missing_ok=True)  # it is extracted


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"no audio", r"one_30_06\.wav cannot be read"),
        (wav(0, rate=8_000), r"one_30_06\.wav must be a mono recording at 16000 Hz.*at 8000 Hz"),
        (wav(0, n_channels=2), r"one_30_06\.wav must be a mono.*shape \(1600, 2\)"),
    ],
)
def test_nothing_is_made_of_other_recordings(home, spoken, content, match):
    archive = zipped({**WAVS, "one/00000030_NO_06.wav": content})
    (home / FULL.archives[0]).write_bytes(archive)
    with pytest.raises(OSError, match=match):
        fetch_arabic_speech_commands(version="8k")
    assert {path.name for path in home.iterdir()} == {FULL.archives[0], FULL.name}


def test_loud_samples_are_clipped_and_do_not_wrap_around(tmp_path):
    path = tmp_path / "loud.wav"
    wave = np.sin(2 * np.pi * 100 * np.arange(1600) / 16_000 + 0.1)
    square = np.sign(wave)  # what is left of it below 4 kHz goes beyond 1
    soundfile.write(path, square, 16_000, subtype="PCM_16")
    [(name, content)] = resampled([("loud.flac", path)], 16_000, 8_000)
    samples = soundfile.read(io.BytesIO(content), dtype="int16")[0]
    assert name == "loud.flac" and samples.max() == 2**15 - 1 and samples.min() == -(2**15)
    between = np.abs(wave[::2]) > 0.1
    np.testing.assert_array_equal(np.sign(samples)[between], square[::2][between])


def test_the_part_that_is_made_is_that_of_the_packed_file():
    names = [f"{w}_{s:02d}_{t:02d}" for w in module._WORDS for s in range(1, 31)
             for t in range(1, 11)]  # fmt: skip
    chosen = [name for name in names if re.fullmatch(module._IN_PART, name)]
    assert len(chosen) == module._MADE.n_files == PART.n_files
    assert all(re.fullmatch(PART.pattern, f"{name}.flac") for name in chosen)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": "16k"}, "version"),
        ({"subset": "dev"}, "subset"),
        ({"sha256": "abc"}, "sha256"),
        ({"data_home": 3}, "data_home"),
        ({"return_X_y": "yes"}, "return_X_y"),
    ],
)
def test_bad_parameters_are_named(change, named):
    match = f"'{named}' parameter of fetch_arabic_speech_commands"
    with pytest.raises(ValueError, match=match):
        fetch_arabic_speech_commands(**change)


def test_the_full_version_is_all_words_of_all_speakers():
    names = [
        f"{w}_{s:02d}_{t:02d}.wav" for w in module._WORDS for s in range(40) for t in range(20)
    ]
    assert sum(re.fullmatch(FULL.pattern, name) is not None for name in names) == FULL.n_files


@pytest.mark.skipif(
    not os.path.exists(os.path.join(DATA, PART.archives[0])),
    reason="ATL_SKLEARN_DATA names no folder with arabic_speech_commands_8k.zip",
)
@pytest.mark.slow
def test_the_real_part(monkeypatch):
    monkeypatch.setitem(module._RELEASES, "8k", PART)
    monkeypatch.setenv("ATL_SKLEARN_DATA", DATA)
    found = fetch_arabic_speech_commands(version="8k")
    assert len(found.paths) == 3_600
    assert len(found.target_names) == 20
    assert (np.unique(found.speaker, return_counts=True)[1] == 120).all()
    sizes = [len(fetch_arabic_speech_commands(version="8k", subset=s).paths)
             for s in ("train", "val", "test")]  # fmt: skip
    assert sizes == [2_160, 720, 720]
    # What is made of the full version has these words, speakers and takes.
    assert all(re.fullmatch(module._MADE.pattern, Path(path).name) for path in found.paths)

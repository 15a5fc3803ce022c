"""Arabic Speech Commands: small imitations, from a local server too, and the real ones."""

import hashlib
import io
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atl_sklearn.datasets import _arabic_speech_commands as module
from atl_sklearn.datasets import fetch_arabic_speech_commands, get_data_home
from atl_sklearn.datasets._recordings import digest_files
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


def test_the_part_has_no_address():
    with pytest.raises(OSError, match=r"8k.zip was not found in .*take version='full'"):
        fetch_arabic_speech_commands(version="8k")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": "16k"}, "version"),
        ({"subset": "dev"}, "subset"),
        ({"sha256": "abc"}, "sha256"),
        ({"sha256": "0" * 64, "version": "8k"}, "sha256"),
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

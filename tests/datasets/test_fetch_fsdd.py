"""The Free Spoken Digit Dataset: a small imitation from a local server, and the real one."""

import errno
import io
import os
import pickle
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from atl_sklearn._partial_files import partial_path
from atl_sklearn.datasets import _fsdd, _recordings, fetch_fsdd, get_data_home
from atl_sklearn.datasets._recordings import complete_recordings, digest_files, extract
from tests.loopback import serving

REAL = _fsdd._FSDD
DATA = os.environ.get("ATL_SKLEARN_DATA", "")

NAMES = [f"{d}_{s}_{t}.wav" for d in (0, 7) for s in ("ann", "bob") for t in (0, 4, 5, 10)]


def wav(seed):
    samples = np.random.default_rng(seed).uniform(-0.1, 0.1, 300)
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="WAV")
    return file.getvalue()


CONTENTS = {name: wav(seed) for seed, name in enumerate(NAMES)}


def pack(path, contents, prefix="free-spoken-digit-dataset-1.0.10/recordings/", **kwargs):
    with zipfile.ZipFile(path, "w", **kwargs) as archive:
        archive.writestr("free-spoken-digit-dataset-1.0.10/README.md", "Some digits.")
        archive.writestr("__MACOSX/recordings/._0_ann_0.wav", "not audio")
        for name, content in contents.items():
            archive.writestr(prefix + name, content)


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Make the release a small one that cannot be downloaded, unless a test serves it."""
    release = replace(
        _fsdd._FSDD,
        url="http://127.0.0.1:9/fsdd.zip",
        sha256=digest_files(sorted(CONTENTS.items())),
        n_files=len(CONTENTS),
        largest=max(map(len, CONTENTS.values())),
    )
    monkeypatch.setattr(_fsdd, "_FSDD", release)
    monkeypatch.delenv("ATL_SKLEARN_DATA", raising=False)
    monkeypatch.setenv("ATL_SKLEARN_DATA_HOME", str(tmp_path / "home"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    return release


@pytest.fixture
def home():
    return Path(get_data_home())


@pytest.fixture
def server(monkeypatch, tiny):
    with serving() as running:
        monkeypatch.setattr(_fsdd, "_FSDD", replace(tiny, url=f"{running.url}/v1.0.10.zip"))
        yield running


def zipped(contents=CONTENTS, **kwargs):
    file = io.BytesIO()
    pack(file, contents, **kwargs)
    return file.getvalue()


def check(fsdd, folder):
    assert [Path(path).name for path in fsdd.paths] == [
        f"{d}_{s}_{t}.wav" for d, s, t in sorted((n[0], n[2:5], int(n[6:-4])) for n in NAMES)
    ]
    assert {Path(path).parent for path in fsdd.paths} == {folder / "fsdd-1.0.10"}
    assert all(Path(path).read_bytes() == CONTENTS[Path(path).name] for path in fsdd.paths)
    # nothing temporary is left
    assert {path.name for path in folder.iterdir()} <= {"fsdd-1.0.10", "fsdd.zip"}


def test_download(server, home):
    content = zipped()
    server.files["/v1.0.10.zip"] = (content, len(content))
    fsdd = fetch_fsdd()
    check(fsdd, home)
    np.testing.assert_array_equal(fsdd.target, np.repeat([0, 7], 8))
    np.testing.assert_array_equal(fsdd.target, fsdd.digit)
    assert list(fsdd.speaker[:8]) == ["ann"] * 4 + ["bob"] * 4
    assert list(fsdd.take[:4]) == [0, 4, 5, 10]
    assert list(fsdd.target_names) == list("0123456789")
    assert fsdd.sr == 8000
    assert "CC BY-SA 4.0" in fsdd.DESCR

    check(fetch_fsdd(download_if_missing=False), home)
    assert server.requests == ["/v1.0.10.zip"]


def test_failed_downloads_leave_nothing(server, home):
    with pytest.raises(OSError, match=r"v1.0.10.zip could not be downloaded .*404.*put the arch"):
        fetch_fsdd()
    content = zipped()
    server.files["/v1.0.10.zip"] = (content[:-100], len(content))
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch_fsdd()
    server.files["/v1.0.10.zip"] = (content[:-100], len(content) - 100)
    with pytest.raises(OSError, match=r"not a complete zip file .* The download was removed"):
        fetch_fsdd()
    assert list(home.iterdir()) == []
    server.files["/v1.0.10.zip"] = (content, len(content))
    check(fetch_fsdd(), home)


def test_no_connection_names_the_ways_out(home):
    with pytest.raises(OSError, match=r"could not be downloaded .* put the archive there as fsdd"):
        fetch_fsdd()
    with pytest.raises(OSError, match=r"not found in .*home, and download_if_missing is False"):
        fetch_fsdd(download_if_missing=False)


@pytest.mark.parametrize("name", ["fsdd.zip", "free-spoken-digit-dataset-1.0.10.zip"])
def test_local_archive_in_another_folder_is_only_read(home, tmp_path, monkeypatch, name):
    shared = tmp_path / "shared"
    shared.mkdir()
    pack(shared / name, CONTENTS)
    shared.chmod(0o555)
    monkeypatch.setenv("ATL_SKLEARN_DATA", str(shared))
    try:
        check(fetch_fsdd(download_if_missing=False), home)
        assert [path.name for path in shared.iterdir()] == [name]
    finally:
        shared.chmod(0o755)


def test_local_archive_in_data_home(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    pack(folder / "fsdd.zip", CONTENTS)
    check(fetch_fsdd(data_home=folder), folder)


def test_subsets_and_return_X_y(home):
    pack(home / "fsdd.zip", CONTENTS)
    train, test = fetch_fsdd(subset="train"), fetch_fsdd(subset="test")
    assert set(train.take) == {5, 10}
    assert set(test.take) == {0, 4}
    assert len(train.paths) == len(train.speaker) == len(train.target) == 8
    paths, y = fetch_fsdd(subset="test", return_X_y=True)
    np.testing.assert_array_equal(paths, test.paths)
    np.testing.assert_array_equal(y, test.target)
    with pytest.raises(ValueError, match=r"'subset' .* \['all', 'train', 'test'\]. Got 'dev'"):
        fetch_fsdd(subset="dev")


def test_the_same_recordings_packed_otherwise(home):
    contents = dict(reversed(CONTENTS.items()))
    pack(home / "fsdd.zip", contents, prefix="other/", compression=zipfile.ZIP_DEFLATED)
    check(fetch_fsdd(), home)


def test_damaged_archives_are_named(home, tiny):
    archive = home / "fsdd.zip"
    whole = zipped(compression=zipfile.ZIP_DEFLATED)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (b"", b"<html>Not found</html>", whole[: len(whole) // 2], bytes(flipped)):
        archive.write_bytes(content)
        with pytest.raises(OSError, match=r"is not a complete zip file .* Replace it") as caught:
            fetch_fsdd()
        assert str(archive) in str(caught.value)
        assert tiny.url in str(caught.value)
        assert [path.name for path in home.iterdir()] == ["fsdd.zip"]


@pytest.mark.parametrize("change", ["missing", "other", "renamed", "more"])
def test_other_contents_are_refused(home, change):
    contents = dict(CONTENTS)
    if change in ("missing", "renamed"):
        last = contents.pop(NAMES[-1])
    if change == "renamed":
        contents["8_bob_10.wav"] = last
    if change == "other":
        contents[NAMES[0]] = wav(99)
    if change == "more":
        contents["9_ann_0.wav"] = wav(99)
    pack(home / "fsdd.zip", contents)
    with pytest.raises(OSError, match=f"it has {len(contents)} of that kind(,| with the digest)"):
        fetch_fsdd()
    assert [path.name for path in home.iterdir()] == ["fsdd.zip"]


def test_an_archive_cannot_write_elsewhere(home, tmp_path, tiny):
    pack(home / "fsdd.zip", CONTENTS, prefix="../../")
    check(fetch_fsdd(), home)
    assert not (tmp_path / NAMES[0]).exists()
    assert not (tmp_path.parent / NAMES[0]).exists()


@pytest.mark.parametrize("damage", ["half", "shortened", "empty", "file"])
def test_an_incomplete_folder_is_replaced(home, damage):
    pack(home / "fsdd.zip", CONTENTS)
    folder = home / "fsdd-1.0.10"
    fetch_fsdd()
    if damage == "half":
        for name in NAMES[:8]:
            (folder / name).unlink()
    if damage == "shortened":
        (folder / NAMES[3]).write_bytes(CONTENTS[NAMES[3]][:-10])
    if damage in ("empty", "file"):
        shutil.rmtree(folder)
        folder.touch() if damage == "file" else folder.mkdir()
    check(fetch_fsdd(), home)


def test_other_files_in_the_folder_do_not_matter(home):
    pack(home / "fsdd.zip", CONTENTS)
    fetch_fsdd()
    (home / "fsdd-1.0.10" / ".DS_Store").touch()
    (home / "fsdd-1.0.10" / "mine.wav").touch()
    assert len(fetch_fsdd().paths) == len(NAMES)


@pytest.mark.parametrize("in_the_way", [False, True])
def test_several_at_the_same_time(home, in_the_way):
    pack(home / "fsdd.zip", CONTENTS)
    if in_the_way:
        (home / "fsdd-1.0.10").mkdir()
        (home / "fsdd-1.0.10" / NAMES[0]).touch()
    barrier = threading.Barrier(8)

    def fetch(_):
        barrier.wait()
        return fetch_fsdd()

    with ThreadPoolExecutor(8) as pool:
        fetched = list(pool.map(fetch, range(8)))
    for fsdd in fetched:
        check(fsdd, home)


def test_killed_while_extracting(home, tiny, monkeypatch):
    pack(home / "fsdd.zip", CONTENTS)

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_recordings.os, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            extract(home / "fsdd.zip", home, tiny)
    assert not complete_recordings(home / "fsdd-1.0.10", tiny)
    assert [path.name for path in home.iterdir()] == ["fsdd.zip"]


def test_rename_that_fails_for_another_reason_is_reported(home, tiny, monkeypatch):
    pack(home / "fsdd.zip", CONTENTS)

    def refused(*args):
        raise PermissionError(errno.EACCES, "no renaming here")

    monkeypatch.setattr(_recordings.os, "rename", refused)
    with pytest.raises(PermissionError, match=r"cannot be put into .*no renaming here.*data_home"):
        fetch_fsdd()


# ---- archives that are not what they say ---------------------------------------------------


def written(monkeypatch):
    """Return a list, to which the bytes of each file that is written are added."""
    sizes = []
    original = Path.write_bytes

    def write(self, content):
        sizes.append(len(content))
        return original(self, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    return sizes


def refused(home, message):
    with pytest.raises(OSError, match=message) as caught:
        fetch_fsdd(download_if_missing=False)
    assert type(caught.value) is _recordings.BadArchiveError
    assert [path.name for path in home.iterdir()] == ["fsdd.zip"]


def test_a_bomb_is_refused_before_anything_is_written(home, monkeypatch):
    """A few kilobytes that unpack to many megabytes, in files of the right kind."""
    contents = dict.fromkeys(CONTENTS, bytes(10_000_000))
    pack(home / "fsdd.zip", contents, compression=zipfile.ZIP_DEFLATED)
    sizes = written(monkeypatch)
    refused(home, r"it has 16 of that kind, the largest of 10000000 bytes, where 16 .* of up to")
    pack(home / "fsdd.zip", {f"0_x{'a' * n}_0.wav": b"" for n in range(500)})
    refused(home, "it has 500 of that kind")
    assert sizes == []


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_a_member_is_not_larger_than_it_says(home, compression, monkeypatch):
    """Both of its headers lie about what it unpacks to."""
    contents = {**CONTENTS, NAMES[0]: bytes(5_000_000)}
    pack(home / "fsdd.zip", contents, compression=compression)
    content = bytearray((home / "fsdd.zip").read_bytes())
    said = (5_000_000).to_bytes(4, "little")
    assert content.count(said) == 2
    size = len(CONTENTS[NAMES[0]])
    (home / "fsdd.zip").write_bytes(content.replace(said, size.to_bytes(4, "little")))
    sizes = written(monkeypatch)
    refused(home, "is not a complete zip file")
    assert sum(sizes) <= sum(map(len, CONTENTS.values()))


def test_a_member_that_is_larger_packed_is_refused(home):
    noise = np.random.default_rng(0).bytes(100_000)
    pack(home / "fsdd.zip", {**CONTENTS, NAMES[0]: noise}, compression=zipfile.ZIP_LZMA)
    content = (home / "fsdd.zip").read_bytes()
    said = (100_000).to_bytes(4, "little")
    (home / "fsdd.zip").write_bytes(content.replace(said, (500).to_bytes(4, "little")))
    refused(home, "is larger packed than unpacked")


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=str,
)
def test_whatever_a_decompressor_raises_is_named(home, compression):
    """A byte here and there is another one; nothing but a BadArchiveError comes of it."""
    file = io.BytesIO()
    pack(file, CONTENTS, compression=compression)
    whole = file.getvalue()
    assert len(extract_of(home, whole)) == len(NAMES)
    kinds = set()
    for place in np.linspace(0, len(whole) - 1, 60).astype(int):
        content = bytearray(whole)
        content[place : place + 8] = bytes(b ^ 0xA5 for b in content[place : place + 8])
        try:
            extract_of(home, bytes(content))
        except _recordings.BadArchiveError as error:
            kinds.add(str(error).partition("(")[2].partition(":")[0])
    assert kinds  # of what does not matter (names of other files, dates) nothing is said
    if compression == zipfile.ZIP_LZMA:
        assert "LZMAError" in kinds


def extract_of(home, content):
    shutil.rmtree(home / "fsdd-1.0.10", ignore_errors=True)
    (home / "fsdd.zip").write_bytes(content)
    return extract(home / "fsdd.zip", home, _fsdd._FSDD)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_among_the_recordings_is_not_read(home):
    pack(home / "fsdd.zip", CONTENTS)
    fetch_fsdd()
    odd = home / "fsdd-1.0.10" / NAMES[0]
    odd.unlink()
    os.mkfifo(odd)
    check(fetch_fsdd(), home)


# ---- folders and processes -------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="there are no permissions of this kind")
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_are_for_whom_the_umask_says(server, tmp_path, mask):
    content = zipped()
    server.files["/v1.0.10.zip"] = (content, len(content))
    before = os.umask(mask)
    try:
        fetch_fsdd(data_home=tmp_path / "new" / "home")
    finally:
        os.umask(before)
    for path in (tmp_path / "new").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~mask, path
    assert {path.name for path in (tmp_path / "new" / "home").iterdir()} == {
        "fsdd.zip",
        "fsdd-1.0.10",
    }


@pytest.mark.skipif(os.name != "posix", reason="processes are asked for by POSIX")
def test_what_killed_processes_left_is_removed(home, monkeypatch):
    pack(home / "fsdd.zip", CONTENTS)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process.pid)
        left = partial_path(home / "fsdd-1.0.10")
    (left / "new").mkdir(parents=True)
    (left / "new" / NAMES[0]).touch()
    check(fetch_fsdd(), home)
    assert not left.exists()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="sizes cannot be limited")
def test_a_disk_that_gets_full_leaves_nothing(home, monkeypatch):
    import resource

    pack(home / "fsdd.zip", CONTENTS)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"cannot be put into .*File too large.*data_home"):
            fetch_fsdd()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in home.iterdir()] == ["fsdd.zip"]
    check(fetch_fsdd(), home)


def test_a_folder_that_vanishes_is_an_error_that_names_it(home, tiny, monkeypatch):
    pack(home.parent / "fsdd.zip", CONTENTS)
    original = _recordings._read

    def vanishing(*args):
        shutil.rmtree(home, ignore_errors=True)
        return original(*args)

    monkeypatch.setattr(_recordings, "_read", vanishing)
    with pytest.raises(FileNotFoundError, match=rf"cannot be put into {home}"):
        extract(home.parent / "fsdd.zip", home, tiny)


@pytest.mark.slow  # processes that are killed
@pytest.mark.skipif(os.name != "posix", reason="there is no kill -9")
def test_killed_at_any_moment(home, tiny):
    pack(home / "fsdd.zip", CONTENTS, compression=zipfile.ZIP_LZMA)
    program = (
        "import pathlib, pickle, sys\n"
        "from atl_sklearn.datasets._recordings import extract\n"
        "release, home = pickle.loads(bytes.fromhex(sys.argv[1])), pathlib.Path(sys.argv[2])\n"
        "print('begun', flush=True)\n"
        "while True:\n"
        "    extract(home / 'fsdd.zip', home, release)\n"
    )
    rng = np.random.default_rng(0)
    for _ in range(8):
        shutil.rmtree(home / "fsdd-1.0.10", ignore_errors=True)
        process = subprocess.Popen(
            [sys.executable, "-c", program, pickle.dumps(tiny).hex(), str(home)],
            stdout=subprocess.PIPE,
        )
        assert process.stdout.readline() == b"begun\n"
        threading.Event().wait(rng.uniform(0, 0.05))
        process.kill()
        process.communicate()
        folder = home / "fsdd-1.0.10"
        assert not folder.exists() or complete_recordings(folder, tiny)
        check(fetch_fsdd(), home)


@pytest.mark.skipif(
    not DATA or not Path(DATA, "fsdd.zip").is_file(),
    reason="ATL_SKLEARN_DATA does not name a folder that holds fsdd.zip, the real recordings",
)
def test_the_real_recordings(tmp_path, monkeypatch):
    monkeypatch.setattr(_fsdd, "_FSDD", REAL)
    monkeypatch.setenv("ATL_SKLEARN_DATA", DATA)
    fsdd = fetch_fsdd(data_home=tmp_path, download_if_missing=False)
    assert fsdd.paths.shape == (3000,)
    assert set(Counter(zip(fsdd.digit, fsdd.speaker, strict=True)).values()) == {50}
    assert len(set(fsdd.speaker)) == 6
    assert set(fsdd.take) == set(range(50))
    assert len(fetch_fsdd(data_home=tmp_path, subset="test").paths) == 300
    wave, rate = soundfile.read(fsdd.paths[0])
    assert rate == fsdd.sr
    assert wave.ndim == 1

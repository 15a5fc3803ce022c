"""Features kept on disk: the cache of clips, and memory maps."""

import errno
import io
import os
import shutil
import socket
import zlib
from functools import partial

import joblib
import librosa
import numpy as np
import pytest
import soundfile
from joblib import parallel_config
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from atl_sklearn.audio import (
    AudioSegmenter,
    BadAudioError,
    LibrosaFeatures,
    Segment,
    _batches,
    _cache,
)

SR = 8000


@pytest.fixture(scope="module")
def waves():
    return [np.random.default_rng(i).normal(0, 0.1, 3000 + i).astype(np.float32) for i in range(8)]


@pytest.fixture
def paths(waves, tmp_path):
    """Files that were written some time ago."""
    names = [str(tmp_path / f"{i}.wav") for i in range(len(waves))]
    for name, wave in zip(names, waves, strict=True):
        soundfile.write(name, wave, SR)
    return names


@pytest.fixture
def settled(monkeypatch):
    """Trust the time stamps of files that have just been written."""
    monkeypatch.setattr(_cache, "_SETTLED", -1e9)


@pytest.fixture
def features(tmp_path):
    return LibrosaFeatures(sr=SR, duration=0.3, n_fft=256, n_mels=8, memory=tmp_path / "cache")


@pytest.fixture
def work(monkeypatch):
    """Count what is read, decoded and computed."""
    counts = {"decoded": 0, "computed": 0, "hashed": 0}

    def counting(module, name, what, amount):
        original = getattr(module, name)

        def count(*arguments):
            counts[what] += amount(arguments)
            return original(*arguments)

        monkeypatch.setattr(module, name, count)

    counting(_batches, "read_clip", "decoded", lambda arguments: 1)
    counting(_batches, "compute_features", "computed", lambda arguments: len(arguments[0]))
    counting(_cache, "fingerprint_file", "hashed", lambda arguments: 1)

    def take():
        taken = tuple(counts.values())
        counts.update(dict.fromkeys(counts, 0))
        return taken

    return take


def entries(features):
    return sorted(_cache.folder_of(features.memory).rglob("*.npy"))


def test_a_second_time_reads_no_audio(features, paths, work, settled):
    expected = features.fit_transform(paths)
    assert work() == (8, 8, 8)
    np.testing.assert_array_equal(features.transform(paths), expected)
    np.testing.assert_array_equal(features.transform(paths[5:2:-1]), expected[5:2:-1])
    assert work() == (0, 0, 0)


def test_folders_of_the_home_are_there_and_not_here(features, paths, work, settled, home):
    features.set_params(memory="~/kept", memory_map="~/maps")
    features.fit_transform(paths)
    assert work()[1] == 8
    features.set_params(memory=home / "kept", memory_map=None).transform(paths)
    assert work()[1] == 0
    assert len(list((home / "maps").glob("*.npy"))) == 1
    (home / "file").touch()
    with pytest.raises(ValueError, match=r"'memory_map' parameter .* a folder or None"):
        features.set_params(memory_map="~/file").transform(paths)


def test_entries_are_npy_files(features, paths):
    expected = features.fit_transform(paths)
    kept = [np.load(entry, allow_pickle=False) for entry in entries(features)]
    order = np.lexsort(np.reshape(kept, (8, -1)).T), np.lexsort(expected.reshape(8, -1).T)
    np.testing.assert_array_equal(np.array(kept)[order[0]], expected[order[1]])


@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder"])
@pytest.mark.parametrize("crop", ["start", "random"])
def test_what_never_ends_is_not_read(features, paths, kind, crop, tmp_path):
    """Reading it would wait for ever; it is refused as it is without a cache."""
    path = tmp_path / "odd.wav"
    reason = "it is no regular file"
    if kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("there are no named pipes")
        os.mkfifo(path)
    elif kind == "device":
        if not os.path.exists("/dev/zero"):
            pytest.skip("there is no /dev/zero")
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        if not hasattr(socket, "AF_UNIX"):
            pytest.skip("there are no sockets with names")
        with socket.socket(socket.AF_UNIX) as listening:
            before = os.getcwd()
            os.chdir(tmp_path)  # its path must be short
            try:
                listening.bind("odd.wav")
            finally:
                os.chdir(before)
    else:
        path.mkdir()
        reason = "it is a folder"
    features.set_params(crop=crop, random_state=0)
    for transformer in (features, clone(features).set_params(memory=None), AudioSegmenter(0.1)):
        with pytest.raises(BadAudioError, match=rf"1 of 9 clips .*\n  X\[8\] .*: {reason}"):
            transformer.fit([*paths, path]).transform([*paths, path])


def test_odd_things_in_the_cache_are_passed_by(features, paths, settled):
    """Pipes in the place of the index and of an entry: whoever made them, nobody waits."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes")
    expected = features.fit_transform(paths)
    entry = entries(features)[0]
    index = _cache.folder_of(features.memory) / "files.txt"
    for path in (entry, index):
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    with pytest.warns(UserWarning, match=r"could not be kept .*files.txt' is no regular file"):
        found = features.transform(paths)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    assert entry.is_file()


def test_a_search_reads_each_file_once(features, paths, work, settled):
    pipe = make_pipeline(features.set_params(flatten=True), LogisticRegression())
    search = GridSearchCV(pipe, {"logisticregression__C": [0.1, 1.0]}, cv=2, error_score="raise")
    search.fit(paths, [0, 1] * 4)
    assert work() == (8, 8, 8)
    search.fit(paths, [0, 1] * 4)
    assert work() == (0, 0, 0)


def test_files_that_may_still_change_are_hashed_again(features, paths, work):
    features.fit_transform(paths)
    features.transform(paths)
    assert work() == (8, 8, 16)


def test_content_counts_not_the_name(features, paths, waves, work, settled, tmp_path):
    expected = features.fit_transform(paths)
    copies = [shutil.copy(path, tmp_path / f"copy{i}.wav") for i, path in enumerate(paths)]
    np.testing.assert_array_equal(features.transform(copies), expected)
    assert work() == (8, 8, 16)
    soundfile.write(paths[0], waves[1], SR)
    np.testing.assert_allclose(features.transform(paths)[0], expected[1], atol=1e-4)
    assert work() == (0, 0, 1)


def test_waveforms_are_cached_with_rate_and_place(features, waves, work):
    stereo = np.stack([waves[0], waves[0]])
    variants = [waves[0], (waves[0], 11025), stereo, Segment(waves[:1][0][np.newaxis], start=0.1)]
    expected = features.fit_transform(variants)
    assert work()[:2] == (4, 4)
    np.testing.assert_array_equal(features.transform(variants), expected)
    assert work()[:2] == (0, 0)
    assert len(entries(features)) == 4


@pytest.mark.parametrize(
    "parameters",
    [
        {"sr": 4000},
        {"n_mels": 9},
        {"feature": "mel"},
        {"feature": ["log_mel"]},
        {"feature_params": {"log_mel": {"htk": True}}},
        {"offset": 0.01},
        {"normalize": "peak"},
        {"crop": "random", "random_state": 3},
        {"feature": partial(librosa.feature.mfcc, n_mfcc=5)},
        {"feature": lambda y, sr: y[:50]},
    ],
    ids="-".join,
)
def test_other_parameters_are_other_features(features, paths, work, parameters):
    features.fit_transform(paths)
    work()
    features.set_params(**parameters)
    expected = features.fit_transform(paths)
    assert work()[:2] == (8, 8)
    np.testing.assert_array_equal(features.transform(paths), expected)
    assert work()[:2] == (0, 0)


def test_what_changes_nothing_finds_the_same(features, paths, work):
    features.fit_transform(paths)
    work()
    features.set_params(n_jobs=2, verbose=1, flatten=True, on_error="warn", random_state=1)
    features.transform(paths)
    assert work()[:2] == (0, 0)


def test_functions_are_told_apart_by_code_and_closure():
    def make(k):
        return lambda y, sr: k * y[:50]

    def recursive(y, sr):
        return y[:50] if len(y) < 60 else recursive(y[:50], sr)

    key = partial(_cache.key_of_settings, seed=None)
    keys = [key(LibrosaFeatures(f)) for f in (make(1), make(2), lambda y, sr: y[1:51])]
    assert len({*keys, key(LibrosaFeatures(recursive))}) == 4
    assert key(LibrosaFeatures(make(2))) == keys[1]


def test_functions_without_a_source_file_are_told_apart(features, paths):
    def typed(source):
        scope = {}
        exec(compile(source, "<stdin>", "single"), scope)
        return scope["f"]

    two = lambda y, sr: y[:50], lambda y, sr: 2 * y[:50]
    two += tuple(typed(f"f = lambda y, sr: {factor} * y[:50]") for factor in (3, 4))
    found = [features.set_params(feature=f).fit_transform(paths) for f in two]
    for factor, Xt in enumerate(found, start=1):
        np.testing.assert_array_equal(Xt, factor * found[0])


def test_functions_that_cannot_be_told_apart_are_not_kept(features, paths, tmp_path, capsys):
    with open(paths[0], "rb") as opened:
        features.set_params(feature=lambda y, sr: y[: 50 + 0 * opened.fileno()], verbose=1)
        features.set_params(memory_map=tmp_path / "maps").fit_transform(paths)
        assert "not kept in 'memory': feature > closure > opened: " in capsys.readouterr().out
        assert entries(features) == []
        kept = features.transform(paths[:3])
    assert kept.shape == (3, 50)
    assert len(list((tmp_path / "maps").iterdir())) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_pipes_are_refused_at_once(features, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    os.symlink("/dev/zero", tmp_path / "zero.wav")
    for name in ("pipe.wav", "zero.wav"):
        with pytest.raises(BadAudioError, match=r"(not a|no) (regular )?file"):
            features.fit_transform([str(tmp_path / name)])


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:5],
        lambda content: content + b"x",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"x" + content[1:],
        lambda content: bytes(len(content)),
    ],
)
def test_damaged_entries_are_computed_anew(features, paths, work, damage):
    expected = features.fit_transform(paths)
    for entry in entries(features)[:3]:
        entry.write_bytes(damage(entry.read_bytes()))
    work()
    np.testing.assert_allclose(features.transform(paths), expected, rtol=1e-5, atol=1e-4)
    assert work()[:2] == (3, 3)
    features.transform(paths)
    assert work()[:2] == (0, 0)


def test_entries_of_the_form_before_are_computed_anew(features, paths, work):
    """They had a shorter checksum after the same array."""
    expected = features.fit_transform(paths)
    work()
    entry = entries(features)[0]
    content = io.BytesIO()
    np.save(content, np.load(entry) + 1)
    checksum = zlib.crc32(content.getvalue()).to_bytes(4, "little")
    entry.write_bytes(content.getvalue() + checksum)
    np.testing.assert_allclose(features.transform(paths), expected, rtol=1e-5, atol=1e-4)
    assert work()[:2] == (1, 1)


def test_the_version_of_the_form_is_part_of_the_key(features, monkeypatch):
    now = _cache.key_of_settings(features, None)
    monkeypatch.setattr(_cache, "_FORMAT", _cache._FORMAT - 1)
    assert _cache.key_of_settings(features, None) != now


def test_a_damaged_index_is_not_trusted(features, paths, work, settled):
    expected = features.fit_transform(paths)
    index = _cache.folder_of(features.memory) / "files.txt"
    lines = index.read_text().split("\n")
    stamps, digests, checks = zip(*(line.split() for line in lines if line), strict=True)
    swapped = [f"{s} {d} {c}" for s, d, c in zip(stamps, digests[1:], checks, strict=False)]
    index.write_bytes("\n".join(swapped).encode() + b"\n\xff\xfe garbage\n" + b"a b")
    work()
    np.testing.assert_array_equal(features.transform(paths), expected)
    assert work() == (0, 0, 8)
    np.testing.assert_array_equal(features.transform(paths), expected)
    assert work() == (0, 0, 0)


def test_a_file_that_changes_while_it_is_read_is_not_kept(features, paths, waves, monkeypatch):
    original = _batches.read_clip

    def change_and_read(clip, *arguments):
        soundfile.write(clip.path, waves[0][:2000], SR)
        return original(clip, *arguments)

    monkeypatch.setattr(_batches, "read_clip", change_and_read)
    features.fit_transform(paths)
    assert entries(features) == []


def test_bad_clips_are_not_kept(features, paths, work, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    with pytest.raises(BadAudioError, match="1 of 9 clips"):
        features.fit_transform([*paths, str(text)])
    assert entries(features) == []  # of its batch
    with pytest.warns(UserWarning, match="1 of 9 clips"):
        features.set_params(on_error="warn").transform([*paths, str(text)])
    assert len(entries(features)) == 8


def test_a_joblib_memory_can_be_cleared(features, paths, work, tmp_path):
    memory = joblib.Memory(tmp_path / "memory", verbose=0)
    features.set_params(memory=memory).fit_transform(paths)
    assert len(entries(features)) == 8
    memory.clear(warn=False)
    assert entries(features) == []
    features.transform(paths)
    assert work()[:2] == (16, 16)
    features.set_params(memory=joblib.Memory(None)).transform(paths)
    assert work()[:2] == (8, 8)


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_several_processes_share_it(features, paths, backend, settled):
    expected = LibrosaFeatures(**{**features.get_params(), "memory": None}).fit_transform(paths)
    with parallel_config(backend, n_jobs=2):
        for _ in range(2):
            np.testing.assert_allclose(
                features.fit_transform(paths * 20), np.tile(expected, (20, 1, 1)), atol=1e-3
            )
    assert len(entries(features)) == 8
    assert not list(_cache.folder_of(features.memory).rglob("*.partial"))


def test_a_full_disk_leaves_features_uncached(features, paths, monkeypatch):
    expected = LibrosaFeatures(**{**features.get_params(), "memory": None}).fit_transform(paths)

    def full(path, *arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_cache.os, "replace", full)
    with pytest.warns(UserWarning, match="'memory' folder .*No space left on device.* complete"):
        Xt = features.fit_transform(paths)
    np.testing.assert_allclose(Xt, expected, atol=1e-4)
    assert entries(features) == []
    assert not list(_cache.folder_of(features.memory).rglob("*.partial"))


def test_memory_maps(paths, waves, tmp_path, monkeypatch):
    monkeypatch.setattr(_batches, "_BATCH_CLIPS", 3)
    settings = {"sr": SR, "duration": 0.3, "n_fft": 256, "n_mels": 8}
    expected = LibrosaFeatures(**settings).fit_transform(paths)
    folder = tmp_path / "maps"
    features = LibrosaFeatures(**settings, memory_map=folder)
    for backend in ("threading", "loky"):
        with parallel_config(backend, n_jobs=2):
            Xt = features.fit_transform(paths)
        assert isinstance(Xt, np.memmap)
        assert Xt.dtype == np.float32
        np.testing.assert_allclose(Xt, expected, rtol=1e-5, atol=1e-4)
        (file,) = folder.iterdir()  # the same data again take the same place
        np.testing.assert_array_equal(np.load(file), Xt)
    with pytest.raises(ValueError, match="read-only"):
        Xt[0] = 0
    other = features.set_params(flatten=True).transform(waves[:3])
    assert isinstance(other, np.memmap)
    np.testing.assert_allclose(other, expected[:3].reshape(3, -1), atol=5e-3)
    assert len(list(folder.iterdir())) == 2


def test_memory_maps_that_fail_leave_nothing(paths, tmp_path, monkeypatch):
    features = LibrosaFeatures(sr=SR, duration=0.3, n_fft=256, memory_map=tmp_path / "maps")
    with pytest.raises(BadAudioError):
        features.fit_transform([*paths, "missing.wav"])
    assert list((tmp_path / "maps").iterdir()) == []

"""Samples and features between processes: the same results, and no file is left."""

import os
import subprocess
import sys

import numpy as np
import pytest
from joblib import parallel_config

from atl_sklearn._partial_files import partial_path
from atl_sklearn.audio import AudioSegmenter, BadAudioError, LibrosaFeatures, Segment, _exchange
from atl_sklearn.audio._clips import NOTHING
from atl_sklearn.audio._exchange import Exchange, SentClips, SentFeatures, Slot

SR = 8000


@pytest.fixture
def root(monkeypatch, tmp_path):
    """Where the folder is made, and from which it must vanish."""
    monkeypatch.setattr(_exchange, "_IN_MEMORY", str(tmp_path))
    return tmp_path


@pytest.fixture
def waves():
    return [np.random.default_rng(i).normal(0, 0.1, 3000 + i).astype(np.float32) for i in range(9)]


def test_clips_arrive_as_they_were(tmp_path, waves):
    stereo = np.stack([waves[0], waves[0][::-1]])[:, ::2]  # not contiguous
    clips = [
        Segment(stereo, rate=11025.0),
        Segment("a.wav", start=0.5, recording=3),
        Segment(b"the content of a file"),
        Segment(waves[1][np.newaxis], duration=0.25),
        Segment(NOTHING),  # what could not be used
    ]
    sent = Slot(str(tmp_path / "1")).send_clips(clips)
    assert isinstance(sent, SentClips)
    for found, clip in zip(sent.receive(), clips, strict=True):
        np.testing.assert_array_equal(found.source, clip.source)
        for name in ("rate", "start", "duration", "recording"):
            assert getattr(found, name) == getattr(clip, name)


def test_a_recording_is_sent_once_for_all_its_windows(tmp_path, waves):
    windows = AudioSegmenter(duration=0.1, sr=SR).transform(waves[:1])
    assert len(windows) > 5
    sent = Slot(str(tmp_path / "1")).send_clips(windows)
    assert os.path.getsize(sent.path) == waves[0].nbytes
    first, *_, last = sent.receive()
    assert first.source is last.source


def test_a_slot_is_used_again(tmp_path, waves):
    slot = Slot(str(tmp_path / "1"))
    slot.send_clips([Segment(wave[np.newaxis]) for wave in waves])
    sent = slot.send_clips([Segment(waves[5][np.newaxis, :100])])
    np.testing.assert_array_equal(sent.receive()[0].source, waves[5][np.newaxis, :100])
    features = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    out = np.zeros((1, 3, 2), np.float32)
    slot.send_features(features, "a")
    sent = slot.send_features(features[1:], "a")
    assert isinstance(sent, SentFeatures)
    sent.receive(out)
    np.testing.assert_array_equal(out, features[1:])
    with pytest.raises(OSError, match="was changed meanwhile"):
        sent.receive(np.zeros((9, 3, 2), np.float32))


def test_without_space_they_are_sent_themselves(tmp_path, waves):
    slot = Slot(str(tmp_path / "no folder" / "1"))
    clips = [Segment(waves[0][np.newaxis])]
    assert slot.send_clips(clips) is clips
    nothing = [Segment(NOTHING)]
    assert Slot(str(tmp_path / "1")).send_clips(nothing) is nothing
    assert slot.send_features(waves[0], "a") is waves[0]


def test_slots_are_given_to_one_task_at_a_time(tmp_path):
    exchange = Exchange(tmp_path)
    first, second = exchange.take_slot(), exchange.take_slot()
    assert first != second
    exchange.free_slot(first)
    assert exchange.take_slot() is first


def test_threads_and_other_machines_have_none():
    assert Exchange.between_workers() is None
    with parallel_config("threading"):
        assert Exchange.between_workers() is None
        assert _exchange.workers_share_memory(2)


def test_processes_return_the_same_and_leave_nothing(root, waves, monkeypatch):
    monkeypatch.setattr("atl_sklearn.audio._batches._BATCH_CLIPS", 2)
    features = LibrosaFeatures(sr=SR, duration=0.3, n_fft=256, n_mels=8)
    expected = features.fit_transform(waves)
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: ended.pid)
        left = partial_path(root / "atl_sklearn")
    left.mkdir()  # of a process that was killed
    slots = []
    take = Exchange.take_slot
    monkeypatch.setattr(Exchange, "take_slot", lambda self: slots.append(take(self)) or slots[-1])
    with parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        np.testing.assert_allclose(features.transform(waves), expected, rtol=1e-5, atol=1e-4)
        assert len(slots) == 5
        assert os.path.dirname(slots[0].path).startswith(str(root))
        assert os.listdir(root) == []
        broken = [*waves, np.full(3000, np.nan)]
        with pytest.raises(BadAudioError, match=r"1 of 10"):
            features.transform(broken)
        silent = [*waves, np.zeros(3000, np.float32)]
        with pytest.raises(BadAudioError, match=r"it is silent"):
            features.transform(silent)
        assert os.listdir(root) == []
        failing = LibrosaFeatures(_fails_on_loud, sr=SR, duration=0.3)
        loud = np.ones(3000, np.float32)
        with pytest.raises(ValueError, match="too loud"):
            failing.transform([*waves, loud, *waves])
        assert os.listdir(root) == []


def _fails_on_loud(y):
    if y.max() >= 1:
        raise RuntimeError("too loud")
    return y[:10, np.newaxis]

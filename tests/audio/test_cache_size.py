"""The limit of the folder of kept features, what is in it, and how it is emptied."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from filelock import FileLock
from joblib import Parallel, delayed
from sklearn.base import clone

from atl_sklearn.audio import LibrosaFeatures, _cache, _cache_size

SR = 8000


@pytest.fixture(scope="module")
def waves():
    return [np.random.default_rng(i).normal(0, 0.1, 800).astype(np.float32) for i in range(12)]


@pytest.fixture
def features(tmp_path):
    return LibrosaFeatures("waveform", sr=SR, duration=0.1, memory=tmp_path / "cache")


@pytest.fixture
def folder(features):
    return _cache.folder_of(features.memory)


@pytest.fixture
def n_bytes(features, waves):
    """Return how large the entry of a clip is."""
    features.fit_transform(waves[:1])
    size = features.cache_info().n_bytes
    assert features.clear_cache() == 1
    return size


@pytest.fixture
def clock(monkeypatch):
    """Have each use of an entry be a second after the last, whatever the disk's time stamps."""
    now = [1_600_000_000]
    original = os.utime

    def tick(path):
        now[0] += 1
        original(path, (now[0], now[0]))

    monkeypatch.setattr(_cache.os, "utime", tick)
    put = _cache.put
    monkeypatch.setattr(
        _cache, "put", lambda content, partial, path: (put(content, partial, path), tick(path))
    )


def test_hits_misses_and_size(features, waves, n_bytes):
    assert features.cache_info() == (0, 1, 0, 0, None)
    features.transform(waves[:4])
    assert features.cache_info() == (0, 4, 4, 4 * n_bytes, None)
    features.set_params(memory_limit="1 GB").transform(waves[2:5])
    assert features.cache_info() == (2, 1, 5, 5 * n_bytes, 10**9)
    assert features.clear_cache() == 5
    assert features.cache_info()[2:4] == (0, 0)
    features.transform(waves[:4])
    assert (features.cache_hits_, features.cache_misses_) == (0, 4)
    features.set_params(memory=None).transform(waves[:4])
    assert features.cache_info() == (0, 0, 0, 0, 10**9)
    assert features.clear_cache() == 0


def test_what_was_used_longest_ago_goes_first(features, waves, n_bytes, clock):
    features.set_params(memory_limit=10 * n_bytes)
    features.transform(waves[:10])
    assert features.cache_info().n_entries == 10
    features.transform(waves[:3])  # now these are the latest
    assert features.cache_hits_ == 3
    features.transform(waves[10:])
    info = features.cache_info()
    assert info.n_bytes <= info.limit
    assert info.n_entries == 9
    features.set_params(memory_limit=None).transform([*waves[:3], *waves[6:]])
    assert features.cache_misses_ == 0
    features.transform(waves[3:6])
    assert features.cache_misses_ == 3


def test_it_stays_below_while_much_is_added(features, waves, n_bytes, folder, monkeypatch):
    sizes = []
    original = _cache_size.shrink
    monkeypatch.setattr(
        _cache, "shrink", lambda *a: (original(*a), sizes.append(_cache_size.size_of(folder)))
    )
    monkeypatch.setattr("atl_sklearn.audio._batches._BATCH_CLIPS", 2)
    features.set_params(memory_limit=4 * n_bytes).transform(waves)
    assert len(sizes) >= 4
    assert max(n_entries for n_entries, _ in sizes) <= 4
    expected = clone(features).set_params(memory=None).transform(waves)
    np.testing.assert_array_equal(features.transform(waves), expected)


def test_one_process_empties_and_others_go_on(features, waves, n_bytes, folder):
    features.set_params(memory_limit=n_bytes)
    with FileLock(folder / "limit.lock"):
        features.transform(waves)
    assert features.cache_info().n_entries == len(waves)
    features.transform(waves[:1])
    assert features.cache_info().n_entries == len(waves)  # nothing was added
    features.clear_cache()
    features.transform(waves[:3])
    assert features.cache_info().n_entries == 0


def _transform_often(features, waves, seed):
    rng = np.random.default_rng(seed)
    wrong = 0
    for _ in range(10):
        some = rng.permutation(len(waves))[:6]
        found = features.transform([waves[i] for i in some])
        wrong += not all(
            np.array_equal(f.ravel(), waves[i]) for f, i in zip(found, some, strict=True)
        )
        if rng.random() < 0.2:
            features.clear_cache()
    return wrong


@pytest.mark.parametrize("kind", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_several_at_a_time(features, waves, n_bytes, kind):
    features.set_params(memory_limit=3 * n_bytes)
    several = [clone(features) for _ in range(4)]
    if kind == "threads":
        with ThreadPoolExecutor(4) as pool:
            wrong = list(pool.map(_transform_often, several, [waves] * 4, range(4)))
    else:
        wrong = Parallel(4, backend="loky")(
            delayed(_transform_often)(each, waves, i) for i, each in enumerate(several)
        )
    assert wrong == [0, 0, 0, 0]
    features.transform(waves[:3])
    assert features.cache_info().n_bytes <= 6 * n_bytes


@pytest.mark.parametrize("limit", [0, -1, "much", "5 XB", True, np.nan, [1], "0"])
def test_bad_limits(features, waves, limit):
    with pytest.raises(ValueError, match=r"'memory_limit' parameter .* '2 GB', or None"):
        features.set_params(memory_limit=limit).fit(waves)


@pytest.mark.parametrize(
    ("limit", "n_bytes"),
    [("1", 1), ("2kB", 2000), ("1.5 MB", 1_500_000), (" 3 g", 3 * 10**9), ("1TB", 10**12), (7, 7)],
)
def test_limits_in_words(limit, n_bytes):
    assert _cache_size.bytes_of(limit) == n_bytes

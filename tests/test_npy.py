"""Npy files, read by several threads."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from atl_sklearn._npy import load_npy


@pytest.fixture
def threads_take_turns():
    """Let another thread run wherever memory is cleared up, in the parser too."""

    def give_way(phase, info):
        time.sleep(0)

    before = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(5)
    yield
    gc.callbacks.remove(give_way)
    gc.set_threshold(*before)


@pytest.mark.parametrize("mode", ["r", None])
def test_several_threads_read(mode, tmp_path, threads_take_turns):
    expected = np.arange(300)
    np.save(tmp_path / "array.npy", expected)

    def read(worker):
        return [load_npy(tmp_path / "array.npy", mmap_mode=mode).sum() for _ in range(300)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, range(4)))
    assert set(np.ravel(found)) == {expected.sum()}


def test_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_npy(tmp_path / "objects.npy")

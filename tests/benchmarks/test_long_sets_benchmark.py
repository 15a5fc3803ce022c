"""The benchmark of long sets: every use reads a mapped file, and memory is that of its process."""

import numpy as np
import pytest

from benchmarks import long_sets
from benchmarks.long_sets import N_CLIPS, PAGE, USES, LongSet, measure, write_clips

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:.*did not learn.*:UserWarning",
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "clips.npy"
    write_clips(path, 96)
    return path


def test_the_clips_are_drawn_to_the_end(clips):
    X = np.load(clips, mmap_mode="r")
    assert isinstance(X, np.memmap)
    assert (X.shape, X.dtype) == ((96, *long_sets.SHAPE), np.float32)
    assert X[0].std() == pytest.approx(1, abs=0.1)
    assert X[-1].std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("use", USES)
def test_every_use_takes_a_mapped_file(clips, use):
    assert USES[use](LongSet(np.load(clips, mmap_mode="r"))) is not None


def test_the_memory_is_that_of_a_process():
    (row,) = measure(64, ["predict"])
    assert (row["use"], row["clips"]) == ("predict", 64)
    assert row["of the file GB"] == pytest.approx(64 * 64 * 64 * 4 / 1e9, rel=0.01)
    assert 0.05 < row["before GB"] <= row["peak GB"]
    pages = row["pages of the file afterwards GB"]
    assert pages is None or 0 <= pages < row["peak GB"]


def test_aims_are_those_of_all_clips():
    rows = [{"use": "fit", "clips": clips, "peak GB": 1.51} for clips in (N_CLIPS - 1, N_CLIPS)]
    ((aim, _),) = PAGE.aims_of({"uses": rows})
    assert (aim.what, aim.allows(aim.value)) == ("fit: peak, GB", False)

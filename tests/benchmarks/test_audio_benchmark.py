"""The benchmark of the audio: that it compares what it says."""

import numpy as np
import pytest

from benchmarks import audio


# librosa.load imports audioread, and that what Python 3.13 removed
@pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")
def test_both_ways_give_the_same(tmp_path):
    paths, waves = audio.write_clips(tmp_path, 3)
    expected = audio.loop(waves)
    ours = audio.ours(paths), audio.ours(waves, memory=tmp_path)
    for found in (audio.loop(paths), audio.by_torch(waves, 2), *ours):
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_ratios_are_medians_over_rounds(capsys):
    ways = ("loop", "one job", "two processes", "warm cache")
    rounds = {"loop": [2.0, 6.0, 3.0], "one job": [1.0, 2.0, 1.0], "two processes": [1.0, 2.0, 0.5]}
    seconds = {("arrays", way): rounds.get(way, [0.1, 0.2, 0.2]) for way in ways}
    assert audio.ratio(seconds, "arrays", "one job", "loop") == 3
    audio.print_table(seconds, 1000)
    out = capsys.readouterr().out
    assert "2.5 times the loop: 3.00, reached" in out
    assert "1.8 times the one job: 1.00, missed" in out
    assert audio.peak_mb() > 10

"""The benchmark of the audio: that it compares what it says."""

import numpy as np
import pytest

from benchmarks import audio


# librosa.load imports audioread, and that what Python 3.13 removed
@pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("sr", audio.RATES)
def test_all_ways_give_the_same(tmp_path, sr):
    paths, waves = audio.write_clips(tmp_path, 3, sr)
    assert [len(wave) for wave in waves] == [sr] * 3
    expected = audio.loop(waves, sr)
    ours = audio.ours(paths, sr), audio.ours(waves, sr, memory=tmp_path)
    for found in (audio.loop(paths, sr), audio.by_torch(waves, sr, 2), *ours):
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_ratios_are_medians_over_rounds():
    rounds = {
        "loop": [2.0, 6.0, 3.0],
        "one job": [1.0, 2.0, 1.0],
        "two processes": [1.0, 2.0, 0.5],
        "torch.stft": [1.0, 1.0, 1.0],
        "warm cache": [0.1, 0.2, 0.2],
    }
    seconds = {("arrays", way): values for way, values in rounds.items()}
    seconds |= {("files", way): rounds[way] for way in rounds if way != "torch.stft"}
    assert audio.ratio(seconds, "arrays", "one job", "loop") == 3
    rows = audio.speed_rows(seconds, 1000)
    assert rows[1] == {
        "clips": "arrays",
        "way": "one job",
        "clips / s": 1000.0,
        "speed / loop": 3.0,
        "speed / one job": 1.0,
        "speed / torch.stft": 1.0,
    }
    assert "speed / torch.stft" not in rows[-1]
    page = audio.audio_page()
    aims = page.aims_of({"speed 8000": rows, "memory 16000": [{"clips": 9, "peak MiB": 400.5}]})
    assert {aim.what: aim.allows(aim.value) for aim, _ in aims} == {
        "16000 Hz: memory of 9 files, MiB": False,
        "8000 Hz, arrays: speed of one job / loop": True,
        "8000 Hz, arrays: speed of one job / torch.stft": True,
        "8000 Hz, arrays: speed of two processes / one job": False,
        "8000 Hz, files: speed of two processes / one job": False,
        "8000 Hz, arrays: speed of warm cache / loop": True,
        "8000 Hz, files: speed of warm cache / loop": True,
    }
    assert audio.peak_mb() > 10

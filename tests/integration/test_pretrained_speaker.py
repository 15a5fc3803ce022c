"""The example with a pretrained speaker encoder."""

import importlib.util

import numpy as np
import pytest
import torch

from examples import pretrained_speaker

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("resemblyzer") is None,
    reason="Resemblyzer, which brings the weights, is not installed: "
    "pip install --no-deps resemblyzer",
)


def clips(takes=(0, 12, 16), n_frames=12):
    """Return noise in which each speaker, and faintly each digit, has bands of its own."""
    digit, speaker, take = (x.ravel() for x in np.meshgrid(range(10), range(6), takes))
    rng = np.random.RandomState(0)
    X = rng.normal(size=(len(digit), 40, n_frames)).astype("float32")
    X[np.arange(len(X)), 20 + 2 * digit] += 1
    mel = np.exp(rng.normal(size=(len(digit), 40, 2 * n_frames)) - 1).astype("float32")
    bands = np.arange(40) // 7 == speaker[:, None]
    return {
        "X": X + 3 * bands[:, :, None],
        "mel": mel + 300 * bands[:, :, None].astype("float32"),
        "digit": digit,
        "speaker": speaker,
        "take": take,
    }


@pytest.fixture
def encoder():
    return pretrained_speaker.SpeakerEncoder()


@needs_weights
def test_the_encoder_has_its_weights_and_hears_groups(encoder):
    data = clips()
    with torch.no_grad():
        found = encoder(torch.from_numpy(data["mel"]))
    assert found.shape == (len(data["mel"]), 256)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(found)))
    groups = pretrained_speaker.find_groups(encoder, data["mel"], max_groups=8)
    labels = groups(torch.from_numpy(data["mel"])).argmax(dim=1).numpy()
    # Whoever belongs to a group, hears one speaker, however many groups there are.
    assert len(groups.centers) >= 4
    purity = [np.bincount(data["speaker"][labels == g]).max() for g in np.unique(labels)]
    assert sum(purity) / len(labels) > 0.8


@needs_weights
def test_the_comparison_runs(encoder):
    methods = ("plain", "groups")
    results = pretrained_speaker.compare(clips(), [0], encoder, methods, max_epochs=1)
    assert set(results) == set(methods)
    for found in results.values():
        assert found.shape == (1, 2)
        assert ((found >= 0) & (found <= 1)).all()


def test_digits_and_speakers_go_along_in_training_only():
    data = clips(takes=(*range(8), *range(12, 40)))
    parts = pretrained_speaker.split(data, 0)
    digit, speaker = data["digit"], data["speaker"]
    counts = np.zeros((10, 6), dtype=int)
    np.add.at(counts, (digit[parts["train"]], speaker[parts["train"]]), 1)
    assert sorted(set(counts.ravel())) == [0, 1, 24]
    assert (counts.sum(axis=1) == 25).all()
    for name, each in (("unlabeled", 4), ("test", 8)):
        counts[:] = 0
        np.add.at(counts, (digit[parts[name]], speaker[parts[name]]), 1)
        assert (counts == each).all()
    assert not (parts["train"] & (parts["unlabeled"] | parts["test"])).any()


def test_without_the_weights_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install --no-deps resemblyzer"):
        pretrained_speaker.SpeakerEncoder()

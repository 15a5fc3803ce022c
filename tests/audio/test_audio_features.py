"""The registry of features, and decibels."""

import librosa
import numpy as np
import pytest

from atl_sklearn.audio import LibrosaFeatures, get_feature, get_feature_names
from atl_sklearn.audio._features import to_decibels

CLIPS = np.random.default_rng(0).normal(0, 0.1, (3, 2000)).astype(np.float32)


@pytest.mark.parametrize("name", get_feature_names())
def test_every_feature_keeps_the_laws(name):
    settings = LibrosaFeatures(name, sr=8000, n_fft=256, n_mels=10)
    compute = get_feature(name)
    features = compute(CLIPS, settings)
    assert features.dtype == np.float32
    assert features.ndim == 3
    assert len(features) == 3
    one = compute(CLIPS[1:2], settings)
    np.testing.assert_allclose(features[1:2], one, rtol=1e-5, atol=1e-5)
    assert np.isfinite(compute(np.zeros_like(CLIPS), settings)).all()
    assert get_feature(compute) is not compute  # a callable is given clips one by one


@pytest.mark.parametrize("name", ["mfccs", None, 3, ["log_mel"]])
def test_unknown_names_list_the_known(name):
    with pytest.raises(ValueError, match=r"must be a callable or one of \['log_mel', 'mel'\]"):
        get_feature(name)


@pytest.mark.parametrize("top_db", [60.0, 20, 0, None])
@pytest.mark.parametrize("ref", ["max", 1.0, 0.25, 10])
def test_decibels_are_librosas_for_each_clip(ref, top_db):
    power = np.random.default_rng(0).exponential(1, (4, 6, 7)).astype(np.float32) ** 8
    power[1] *= 1e-6
    power[2] = 0
    level = to_decibels(power, ref=ref, top_db=top_db)
    assert level.dtype == np.float32
    for i, clip in enumerate(power):
        reference = np.max if ref == "max" else ref
        expected = librosa.power_to_db(clip, ref=reference, top_db=top_db)
        np.testing.assert_allclose(level[i], expected, rtol=1e-5, atol=1e-5)

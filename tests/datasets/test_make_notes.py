"""Synthetic notes: what they promise of labels and sound, and that the confound matters."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import make_notes
from atl_sklearn.datasets._instruments import INSTRUMENTS


def groups_of(notes):
    return notes.pitch // (len(notes.pitch_names) // len(notes.target_names))


def cramers_v(notes):
    """Cramér's V of timbre and group of pitches."""
    table = confusion_matrix(notes.timbre, groups_of(notes))
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return np.sqrt(chi2 / table.sum() / (len(table) - 1))


def test_contents():
    notes = make_notes(60, random_state=0)
    assert notes.data.shape == (60, 4000)
    assert notes.data.dtype == np.float32
    assert np.isfinite(notes.data).all()
    np.testing.assert_array_equal(notes.target, notes.timbre)
    assert list(notes.pitch_names) == ["A3", "B3", "C#4", "D#4", "F4", "G4", "A4", "B4"]
    np.testing.assert_allclose(notes.pitch_frequencies[[0, 6]], [220, 440])
    assert notes.sr == 8000
    assert "60 waveforms of 0.5 s at 8000 Hz" in notes.DESCR
    X, y = make_notes(60, random_state=0, return_X_y=True)
    np.testing.assert_array_equal(X, notes.data)
    np.testing.assert_array_equal(y, notes.target)


@pytest.mark.parametrize("correlation", [0, 0.25, 0.5, 0.8, 0.95, 1])
@pytest.mark.parametrize(("n_timbres", "n_pitches"), [(2, 4), (4, 8), (5, 5)])
def test_correlation_is_cramers_v(correlation, n_timbres, n_pitches):
    notes = make_notes(
        40 * n_timbres * n_pitches,
        n_timbres=n_timbres,
        n_pitches=n_pitches,
        correlation=correlation,
        duration=0.1,
        random_state=0,
    )
    assert cramers_v(notes) == pytest.approx(correlation, abs=0.02)
    assert np.ptp(np.bincount(notes.timbre)) == 0
    assert np.ptp(np.bincount(notes.pitch)) <= 2 * n_timbres


def test_extremes_of_correlation():
    own = make_notes(100, correlation=1, duration=0.1, random_state=0)
    np.testing.assert_array_equal(groups_of(own), own.timbre)
    independent = make_notes(320, correlation=0, duration=0.1, random_state=0)
    table = confusion_matrix(independent.timbre, independent.pitch)[:4]
    np.testing.assert_array_equal(table, 10)


@pytest.mark.parametrize("n_samples", [4, 5, 33, 101])
def test_timbres_are_balanced_whatever_the_number(n_samples):
    notes = make_notes(n_samples, correlation=0.7, duration=0.1, random_state=0)
    assert len(notes.data) == n_samples
    assert np.ptp(np.bincount(notes.timbre, minlength=4)) <= 1


def test_random_state():
    first, same, other = (make_notes(40, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.data, same.data)
    np.testing.assert_array_equal(first.pitch, same.pitch)
    assert not np.array_equal(first.data, other.data)
    np.testing.assert_array_equal(first.target_names, other.target_names)
    generator = np.random.RandomState(0)
    np.testing.assert_array_equal(make_notes(40, random_state=generator).data, first.data)
    assert not np.array_equal(make_notes(40, random_state=generator).data, first.data)


def test_numpys_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = make_notes(8, duration=0.1), make_notes(8, duration=0.1)
    assert not np.array_equal(one.data, two.data)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_pitch_is_that_of_the_label():
    notes = make_notes(80, duration=1.0, noise=0, random_state=0)
    spectra = np.abs(np.fft.rfft(notes.data.astype(float) * np.hanning(8000)))
    for spectrum, frequency in zip(spectra, notes.pitch_frequencies[notes.pitch], strict=True):
        multiples = [h * frequency for h in range(1, int(3800 / frequency) + 1)]
        share = sum((spectrum[int(m * 0.98) - 4 : int(m * 1.02) + 5] ** 2).sum() for m in multiples)
        assert share > 0.98 * (spectrum**2).sum()


def test_loudness_and_noise():
    notes = make_notes(40, loudness=(-30, -10), noise=0, random_state=0)
    peaks = 20 * np.log10(np.abs(notes.data).max(axis=1))
    np.testing.assert_allclose(peaks, notes.loudness, atol=1e-3)
    assert notes.loudness.min() >= -30
    assert notes.loudness.max() <= -10
    noisy = make_notes(40, loudness=(-200, -200), noise=0.1, random_state=0)
    assert noisy.data.std() == pytest.approx(0.1, rel=0.01)


def test_instruments_differ():
    assert len({instrument.name for instrument in INSTRUMENTS}) == len(INSTRUMENTS)
    notes = make_notes(16, n_timbres=8, n_pitches=8, random_state=0)
    assert list(notes.target_names) == [instrument.name for instrument in INSTRUMENTS]


def test_a_confound_misleads_a_plain_classifier():
    classifier = make_pipeline(
        LibrosaFeatures(sr=8000, duration=0.5, n_fft=256, hop_length=96, n_mels=40),
        FunctionTransformer(lambda X: X.reshape(len(X), -1)),
        StandardScaler(),
        LogisticRegression(C=0.01, tol=0.01),
    )
    train = make_notes(600, correlation=0.95, random_state=0)
    same = make_notes(400, correlation=0.95, random_state=1)
    balanced = make_notes(400, random_state=2)
    classifier.fit(train.data, train.target)
    predicted = classifier.predict(balanced.data)
    assert classifier.score(same.data, same.target) > 0.95
    assert 0.4 < (predicted == balanced.target).mean() < 0.7  # 0.25 is chance
    assert (predicted == groups_of(balanced)).mean() > 0.5

    # the timbre can be heard: without the confound the same classifier learns it
    train = make_notes(600, random_state=3)
    classifier.fit(train.data, train.target)
    assert classifier.score(balanced.data, balanced.target) > 0.85


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples": 3}, r"'n_samples' parameter of make_notes must be an int in \[4, inf\)"),
        ({"n_samples": 10.0}, "'n_samples' parameter"),
        ({"n_timbres": 1}, r"'n_timbres' .* an int in \[2, 8\]. Got 1"),
        ({"n_timbres": 9}, "'n_timbres' .* Got 9"),
        ({"n_pitches": 10}, "'n_pitches' .* a multiple of n_timbres=4, .* Got 10 .* of one size"),
        ({"n_pitches": 0}, "'n_pitches'"),
        ({"correlation": 1.5}, r"'correlation' .* a float in \[0, 1\]. Got 1.5"),
        ({"correlation": np.nan}, "'correlation'"),
        ({"correlation": "high"}, "'correlation'"),
        ({"sr": 0}, "'sr' .* an int"),
        ({"sr": 1900}, "'sr' .* at least 1976, as the highest of 8 pitches is 494 Hz"),
        ({"duration": 0.01}, "'duration' .* in seconds. Got 0.01"),
        ({"loudness": -3}, r"'loudness' .* a pair .* Got -3 .* 0 dB is a peak of 1"),
        ({"loudness": (-3, -10)}, "'loudness'"),
        ({"loudness": (-3, 10)}, "'loudness'"),
        ({"noise": -0.1}, "'noise'"),
        ({"n_samples": 10**400}, "'n_samples' parameter"),
        ({"n_samples": 2**40}, "'n_samples', 'sr' and 'duration' .* ask for 8.8e.* Lower one"),
        ({"duration": 1e300}, "'n_samples', 'sr' and 'duration' parameters"),
        ({"n_pitches": 2**40}, "'n_pitches' .* from 1 to 1000"),
        ({"noise": 1e300}, r"'noise' .* a float in \[0, 1e\+06\]. Got 1e\+300"),
        ({"return_X_y": np.zeros(2)}, "'return_X_y' parameter of make_notes must be True or Fal"),
        ({"random_state": -1}, r"'random_state' parameter of make_notes .* Got -1 instead"),
        ({"random_state": "seed"}, "'random_state' parameter of make_notes .* Got 'seed'"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_notes(**{"n_samples": 8, "duration": 0.1, **parameters})

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import extract_activations, probe_score


@pytest.fixture(scope="module")
def data():
    X = np.random.RandomState(0).normal(size=(60, 5))
    return X, (X[:, 0] > 0).astype(int), (X[:, 1] > 0).astype(int)


def maximum(activations):
    return activations.amax(dim=2)


def test_activations_are_those_of_the_layer():
    module = nn.Sequential(nn.Conv1d(1, 3, 2), nn.ReLU(inplace=True), nn.Conv1d(3, 4, 1), nn.ReLU())
    X = np.random.RandomState(0).normal(size=(7, 1, 6)).astype(np.float32)
    tensor = torch.tensor(X)
    with torch.no_grad():
        first, last = module[0](tensor), module(tensor)
    features = extract_activations(module, X, batch_size=3)
    np.testing.assert_allclose(features, last.mean(dim=2), rtol=1e-5)
    features = extract_activations(module, X, layer="0", aggregation="none")
    np.testing.assert_allclose(features, first.flatten(1), rtol=1e-5)
    features = extract_activations(module, X, layer=0, aggregation=maximum)
    np.testing.assert_allclose(features, first.relu().amax(dim=2), rtol=1e-5)


def test_a_pipeline_takes_what_it_was_fitted_on(data):
    X, y, _ = data
    pipeline = make_pipeline(StandardScaler(), AntiTransferClassifier(max_epochs=1))
    pipeline.fit(10 * X + 3, y)
    expected = extract_activations(pipeline[-1], pipeline[0].transform(10 * X + 3))
    np.testing.assert_array_equal(extract_activations(pipeline, 10 * X + 3), expected)


def test_the_probe_reads_what_is_there_and_no_more(data):
    X, y, other = data
    identity = nn.Sequential(nn.Linear(5, 5))
    nn.init.eye_(identity[0].weight)
    assert probe_score(identity, X, y) > 0.85
    assert probe_score(identity, X, X[:, 2]) > 0.9  # ridge, R2
    with torch.no_grad():
        identity[0].weight[1] = 0
    assert probe_score(identity, X, other) < 0.7
    dummy = DummyClassifier(strategy="constant", constant=1)
    assert probe_score(identity, X, y, probe=dummy) == pytest.approx(y.mean(), abs=0.02)
    groups = np.arange(60) % 6
    assert 0.8 < probe_score(identity, X, y, cv=GroupKFold(3), groups=groups, scoring="f1") <= 1


def test_bad_arguments_are_refused(data):
    X, y, _ = data
    with pytest.raises(NotFittedError):
        probe_score(AntiTransferClassifier(), X, y)
    with pytest.raises(TypeError, match=r"must be a fitted Anti.* no layers"):
        probe_score(DummyClassifier(), X, y)
    with pytest.raises(ValueError, match=r"'aggregation' .* \['none', 'spatial_mean'\].*'mean'"):
        extract_activations(nn.Sequential(nn.Linear(5, 2)), X, aggregation="mean")
    with pytest.raises(ValueError, match="'nope'"):
        extract_activations(nn.Sequential(nn.Linear(5, 2)), X, layer="nope")
    with pytest.raises(ValueError, match=r"Sequential cannot take .* \(2, 4\)"):
        extract_activations(nn.Sequential(nn.Linear(5, 2)), X[:, :4])


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, None, "a"])
def test_batch_sizes_that_cannot_be(data, batch_size):
    X, _, _ = data
    with pytest.raises(ValueError, match=r"'batch_size' parameter .* int in \[1, inf\). Got"):
        extract_activations(nn.Sequential(nn.Linear(5, 2)), X, batch_size=batch_size)


def test_batch_sizes_of_any_kind_of_int(data):
    X, _, _ = data
    # In double precision: products of other matrix sizes differ by 1e-7 in float32.
    X, module = X.astype(np.float64), nn.Sequential(nn.Linear(5, 2)).double()
    expected = extract_activations(module, X)
    for batch_size in (np.int64(7), 10**30):
        found = extract_activations(module, X, batch_size=batch_size)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def average(activations):
    return activations.mean()


def as_array(activations):
    return activations.numpy()


def test_aggregations_and_probes_that_cannot_be(data):
    X, y, _ = data
    module = nn.Sequential(nn.Linear(5, 2))
    for aggregation in ([], {}, np.ones(2), int):
        with pytest.raises(ValueError, match="'aggregation' parameter must be a callable or one"):
            extract_activations(module, X, aggregation=aggregation)
    for aggregation, got in ((average, r"\(\)"), (as_array, "ndarray")):
        with pytest.raises(ValueError, match=f"row for each of the 60 samples .* Got {got} for"):
            extract_activations(module, X, aggregation=aggregation)
    for probe in (3, "ridge", DummyClassifier):
        with pytest.raises(ValueError, match="'probe' parameter of probe_score must be None or"):
            probe_score(module, X, y, probe=probe)

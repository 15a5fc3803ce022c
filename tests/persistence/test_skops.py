"""Files of skops, which know the types in them."""

import re
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.audio import Standardizer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 8, 6)).astype("f4")
y = np.array(["a", "b"])[np.arange(40) % 2]
FAST = {"max_epochs": 1, "random_state": 0, "weight": 1.0}
DOCUMENTED = Path(__file__).parents[2] / "docs" / "guide" / "saving.rst"


@pytest.fixture(scope="module")
def speaker():
    return AntiTransferClassifier(**FAST).fit(X, X[:, 0, 0] > 0)


def documented_types():
    text = DOCUMENTED.read_text().split("SKOPS_TYPES = [")[1].split("]")[0]
    return re.findall(r'"([\w.]+)"', text)


@pytest.mark.parametrize("kind", ["plain", "target", "adversarial", "regressor", "pipeline"])
def test_fitted_estimators_are_dumped_and_loaded(kind, speaker):
    net = {
        "plain": AntiTransferClassifier(**FAST),
        "target": AntiTransferClassifier(unrelated=speaker, target_similarity=0.1, **FAST),
        "adversarial": AntiTransferClassifier(unrelated=speaker, metric="adversarial", **FAST),
        "regressor": AntiTransferRegressor(**FAST),
        "pipeline": make_pipeline(Standardizer(), AntiTransferClassifier(**FAST)),
    }[kind]
    target = X[:, 0, 0] if kind == "regressor" else y
    net.fit(X, target)
    data = skops.io.dumps(net)
    types = skops.io.get_untrusted_types(data=data)
    assert set(types) <= set(documented_types())
    loaded = skops.io.loads(data, trusted=documented_types())
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))
    if kind != "pipeline":  # the training goes on where it was
        for each in (net, loaded):
            each.partial_fit(X, target)
        np.testing.assert_array_equal(loaded.predict(X), net.predict(X))

"""One rule by which searches and fits seed an estimator and its parts."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.estimators import set_seeds

FAST = {"max_epochs": 1, "module__hidden_layer_sizes": (4,)}


def seeds_of(estimator):
    return {n: v for n, v in estimator.get_params().items() if n.endswith("random_state")}


def test_what_has_a_seed_keeps_it(unrelated):
    drawn = np.random.RandomState(3)
    net = AntiTransferClassifier(
        unrelated=[unrelated, AntiTransferClassifier(random_state=drawn), AntiTransferClassifier()]
    )
    pipeline = set_seeds(make_pipeline(PCA(random_state=5), net), 7)
    assert seeds_of(pipeline)["pca__random_state"] == 5
    assert [net.random_state, *(part.random_state for part in net.unrelated)] == [7, 0, drawn, 7]
    set_seeds(pipeline, 8, all_of_them=True)
    assert set(seeds_of(pipeline).values()) == {8}
    assert [part.random_state for part in net.unrelated] == [0, 8, 8]  # the first is fitted


@pytest.mark.filterwarnings("ignore:The 'unrelated.*' estimator did not learn")
def test_a_fit_that_may_go_on_seeds_its_unrelated_estimators(tabular, tmp_path):
    X, y, nuisance = tabular
    given = [AntiTransferClassifier(**FAST), make_pipeline(PCA(), AntiTransferClassifier(**FAST))]
    net = AntiTransferClassifier(checkpoint_dir=tmp_path, random_state=0, **FAST)
    net.set_params(unrelated=given).fit(X, y, y_unrelated=np.column_stack([nuisance, nuisance]))
    seed = net._stream().seed
    for place, (one, fitted) in enumerate(zip(given, net.unrelated_, strict=True)):
        assert set(seeds_of(fitted).values()) == {seed + place}
        assert seeds_of(fitted) == seeds_of(set_seeds(clone(one), seed + place))
        assert set(seeds_of(one).values()) == {None}


@pytest.mark.filterwarnings("ignore:The 'unrelated.*' estimator did not learn")
@pytest.mark.parametrize("given", [AntiTransferClassifier(**FAST), RandomForestClassifier(5)])
def test_a_seeded_fit_seeds_its_unrelated_estimators(tabular, given):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=given, random_state=0, weight=1, **FAST)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - whatever libraries draw from
    one, other = (clone(net).fit(X, y, y_unrelated=nuisance) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert given.random_state is None

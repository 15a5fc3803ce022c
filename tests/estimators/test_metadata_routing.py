"""With metadata routing enabled, nothing has to be requested; without it, errors say the line."""

import numpy as np
import pytest
import sklearn
from optuna.distributions import CategoricalDistribution
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.tuning import AntiTransferSearchCV

# A dozen samples held out are near chance on one processor and not on another; what is tested here
# does not depend on how well a network learnt.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'unrelated' estimator did not learn:UserWarning"
)

LINE = r"sklearn\.set_config\(enable_metadata_routing=True\)"
GROUPS = np.arange(80) % 6
WEIGHTS = [0.5, 1.0]


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def pipeline():
    net = AntiTransferClassifier(
        unrelated=AntiTransferClassifier(max_epochs=20, lr=0.02, random_state=0),
        max_epochs=1,
        random_state=0,
    )
    return make_pipeline(StandardScaler(), net)


@pytest.mark.parametrize("estimator", [AntiTransferClassifier, AntiTransferRegressor])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_is_asked_for(estimator, method, routing):
    requests = dict(getattr(estimator()._get_metadata_request(), method).requests)
    requests.pop("classes", None)  # of partial_fit, listed by some versions of scikit-learn
    own = ("X_unlabeled", "X_unrelated", "X_unrelated_unlabeled", "Z_unlabeled", "Z_unrelated")
    assert requests == dict.fromkeys((*own, "y_unrelated"), True) | {"sample_weight": None}
    changed = getattr(estimator(), f"set_{method}_request")(y_unrelated=False)
    assert getattr(changed._get_metadata_request(), method).requests["y_unrelated"] is False


def test_a_pipeline_hands_labels_on(pipeline, tabular, routing):
    X, y, nuisance = tabular
    fitted = pipeline.fit(X, y, y_unrelated=nuisance + 5)[-1]
    assert fitted.unrelated_.classes_.tolist() == [5, 6]


@pytest.mark.parametrize("by_groups", [False, True])
def test_cross_validation_splits_them(by_groups, pipeline, tabular, routing):
    X, y, nuisance = tabular
    params = {"y_unrelated": nuisance, **({"groups": GROUPS} if by_groups else {})}
    found = cross_validate(
        pipeline,
        X,
        y,
        cv=GroupKFold(3) if by_groups else 3,
        params=params,
        return_estimator=True,
        error_score="raise",
    )
    assert len(found["estimator"]) == 3
    for fitted in found["estimator"]:
        assert fitted[-1].unrelated_.classes_.tolist() == [0, 1]


def test_searches_do(pipeline, tabular, routing):
    X, y, nuisance = tabular
    given = {"y_unrelated": nuisance, "groups": GROUPS}
    grid = GridSearchCV(
        pipeline,
        {"antitransferclassifier__weight": WEIGHTS},
        cv=GroupKFold(3),
        error_score="raise",
    ).fit(X, y, **given)
    assert grid.best_estimator_[-1].unrelated_.classes_.tolist() == [0, 1]
    space = {"antitransferclassifier__weight": CategoricalDistribution((0.0, 1.0))}
    search = AntiTransferSearchCV(pipeline, space, n_trials=1, cv=GroupKFold(3), random_state=0)
    found = cross_validate(search, X, y, cv=GroupKFold(2), params=given, error_score="raise")
    assert len(found["test_score"]) == 2
    around = make_pipeline(StandardScaler(), search).fit(X, y, **given)
    assert around[-1].n_splits_ == 3


def test_the_error_says_the_line_where_it_was_not_run(pipeline, tabular):
    X, y, nuisance = tabular
    with pytest.raises(ValueError, match=LINE):
        pipeline.fit(X, y)
    with pytest.raises(ValueError, match=LINE):
        pipeline.fit(X, y, antitransferclassifier__X_unlabeled=X[:31])
    search = AntiTransferSearchCV(pipeline, n_trials=1, cv=2)
    with pytest.raises(ValueError, match=LINE):
        search.fit(X, y)
    search.set_params(cv=GroupKFold(3))
    with pytest.raises(ValueError, match=rf"pass them as groups to fit.* {LINE}"):
        search.fit(X, y, y_unrelated=nuisance)


def test_but_not_where_it_was(pipeline, tabular, routing):
    X, y, _ = tabular
    with pytest.raises(ValueError, match="y_unrelated=") as raised:
        pipeline.fit(X, y)
    assert "set_config" not in str(raised.value)

"""Paired comparisons: same folds, same seeds, and intervals that hold what they say."""

import joblib
import numpy as np
import pytest
import sklearn
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import layer_study
from atl_sklearn.tuning import AntiTransferSearchCV, Comparison, compare
from atl_sklearn.tuning._intervals import paired_interval

LEARNS = {"max_epochs": 20, "lr": 0.02, "random_state": 0}


class Recording(ClassifierMixin, BaseEstimator):
    """Remembers the samples and the seed of each fit."""

    seen = []  # noqa: RUF012

    def __init__(self, name="", random_state=None):
        self.name = name
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Recording.seen.append((self.name, X[:, 0].tolist(), self.random_state))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class SeesRouting(AntiTransferClassifier):
    """Remembers in each fit whether metadata are routed."""

    seen = []  # noqa: RUF012

    def fit(self, X, y, **fit_params):
        SeesRouting.seen.append(sklearn.get_config()["enable_metadata_routing"])
        return super().fit(X, y, **fit_params)


@pytest.mark.parametrize("tool", ["compare", "search", "layer_study"])
def test_workers_have_the_settings_of_scikit_learn(tool, tabular, unrelated):
    X, y, nuisance = tabular
    net = SeesRouting(max_epochs=1, random_state=0, unrelated=unrelated)
    SeesRouting.seen.clear()
    with sklearn.config_context(enable_metadata_routing=True), joblib.parallel_config("threading"):
        if tool == "compare":
            compare({"a": net, "b": net}, X, y, cv=2, n_jobs=2)
        elif tool == "search":
            AntiTransferSearchCV(net, n_trials=2, cv=2, n_jobs=2, refit=False).fit(X, y)
        else:
            layer_study(net, X, y, nuisance, layers=["last"], weights=[1], cv=2, n_jobs=2)
    assert len(SeesRouting.seen) >= 2 and all(SeesRouting.seen)


def test_folds_and_seeds_are_the_same_for_all(tabular):
    X, y, _ = tabular
    Recording.seen.clear()
    found = compare({"a": Recording("a"), "b": Recording("b")}, X, y, cv=3, n_repeats=2)
    of = {name: [(x, seed) for n, x, seed in Recording.seen if n == name] for name in "ab"}
    assert of["a"] == of["b"]
    assert len({seed for _, seed in of["a"]}) == 6
    assert len({tuple(x) for x, _ in of["a"]}) == 6  # each repetition has other folds
    assert found.scores.shape == (2, 2, 3)
    assert found.differences["b"].mean == 0 == found.differences["b"].wins


def test_scores_are_those_of_cross_validation(tabular):
    X, y, _ = tabular
    estimators = {"dummy": DummyClassifier(), "logistic": LogisticRegression()}
    found = compare(estimators, X, y, cv=KFold(4), scoring="balanced_accuracy")
    expected = [
        cross_val_score(e, X, y, cv=KFold(4), scoring="balanced_accuracy")
        for e in estimators.values()
    ]
    np.testing.assert_allclose(found.scores[:, 0], expected)
    difference = found.differences["logistic"]
    paired = expected[1] - expected[0]
    assert difference.mean == pytest.approx(paired.mean())
    assert difference.wins == (paired > 0).sum()
    error = np.sqrt(paired.var(ddof=1) * (1 / 4 + 23 / 67))  # the first fold's samples
    assert difference.high - difference.mean == pytest.approx(stats.t.ppf(0.975, 3) * error)


def test_networks_labels_unlabeled_data_and_searches_go_together(tabular):
    X, y, nuisance = tabular
    plain = AntiTransferClassifier(max_epochs=2)
    anti = AntiTransferClassifier(unrelated=AntiTransferClassifier(**LEARNS), max_epochs=2)
    search = AntiTransferSearchCV(clone(anti), n_trials=2, cv=2)
    found = compare(
        {
            "plain": plain,
            "anti-transfer": make_pipeline(anti),
            "search": search,
            "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        },
        X, y, y_unrelated=nuisance, X_unlabeled=X[:20], cv=2,
    )  # fmt: skip
    assert np.isfinite(found.scores).all()
    frame = found.to_frame()
    assert frame.index.tolist() == ["plain", "anti-transfer", "search", "logistic"]
    assert np.isnan(frame.loc["plain", "difference"])
    assert frame.loc["search", "difference"] == found.differences["search"].mean
    ax = found.plot()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list(found.names[1:])
    assert found.plot(ax=ax, color="k") is ax


def test_weight_zero_is_no_difference_at_all(tabular, unrelated):
    X, y, _ = tabular
    plain = AntiTransferClassifier(max_epochs=2)
    zero = AntiTransferClassifier(unrelated=unrelated, weight=0, max_epochs=2)
    found = compare({"plain": plain, "zero": zero}, X, y, cv=2, n_repeats=2)
    np.testing.assert_array_equal(found.scores[0], found.scores[1])


def test_several_of_one_class_have_numbers(tabular):
    X, y, _ = tabular
    ridges = [Ridge(), Ridge(alpha=100.0)]
    found = compare([ridges[0], LogisticRegression(), ridges[1]], X, y, cv=3, scoring="r2")
    assert found.names == ("Ridge-1", "LogisticRegression", "Ridge-2")
    named = compare({"a": ridges[0], "b": ridges[1]}, X, y, cv=3, scoring="r2")
    np.testing.assert_array_equal(found.scores[[0, 2]], named.scores)
    assert list(found.differences) == ["LogisticRegression", "Ridge-2"]


def test_unfitted_networks_in_a_list_have_seeds_too(tabular):
    X, y, nuisance = tabular
    several = [AntiTransferClassifier(max_epochs=1), AntiTransferClassifier(max_epochs=1)]
    anti = AntiTransferClassifier(unrelated=several, max_epochs=1, weight=30.0)
    first, second = (
        compare(
            [AntiTransferClassifier(max_epochs=1), anti],
            X,
            y,
            y_unrelated=np.c_[nuisance, nuisance],
            cv=2,
            scoring="neg_log_loss",
        ).scores
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert [part.random_state for part in several] == [None, None]


class Within(ClassifierMixin, BaseEstimator):
    """Hands all arguments of `fit` on, as a SegmentAggregator and scikit-learn's searches do."""

    def __init__(self, estimator=None):
        self.estimator = estimator

    def fit(self, X, y, **params):
        self.estimator_ = clone(self.estimator).fit(X, y, **params)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        return self.estimator_.predict(X)


def test_estimators_within_others_get_what_they_take(tabular):
    X, y, nuisance = tabular
    anti = AntiTransferClassifier(unrelated=AntiTransferClassifier(**LEARNS), max_epochs=2)
    alone = make_pipeline(StandardScaler(), anti)
    found = compare(
        {"alone": alone, "within": Within(alone), "logistic": Within(LogisticRegression())},
        X, y, y_unrelated=nuisance, cv=2,
    )  # fmt: skip
    np.testing.assert_array_equal(found.scores[0], found.scores[1])


def test_groups_are_kept_together(tabular):
    X, y, _ = tabular
    Recording.seen.clear()
    X = X.copy()
    X[:, 0] = groups = np.arange(90) % 6
    compare([Recording(), DummyClassifier()], X, y, groups=groups, cv=3)
    assert all(len(set(x)) == 4 for _, x, _ in Recording.seen)


@pytest.mark.slow
def test_processes_find_the_same(tabular):
    X, y, _ = tabular
    estimators = {"ridge": Ridge(), "other": Ridge(alpha=100.0)}
    alone, parallel = (compare(estimators, X, y * 1.0, cv=3, n_jobs=n) for n in (None, 2))
    np.testing.assert_array_equal(alone.scores, parallel.scores)


def test_iterables_and_seeded_splitters_repeat(tabular):
    X, y, _ = tabular
    two = [DummyClassifier(), LogisticRegression()]
    assert compare(two, X, y, cv=iter(list(KFold(3).split(X))), n_repeats=2).scores.shape[1:] == (
        2,
        3,
    )
    shuffled = compare(two, X, y, cv=ShuffleSplit(3, random_state=0), n_repeats=2).scores
    assert not np.array_equal(shuffled[1, 0], shuffled[1, 1])


def test_corrected_intervals_cover_what_they_say():
    """Scores on overlapping training sets: Student's interval is too narrow, this one is not."""
    rng = np.random.RandomState(0)
    # Folds that share 4/5 of their training data have correlated differences; the correction
    # takes their correlation for the share of the test samples.
    n_folds, rho = 5, 0.2
    covariance = np.full((n_folds, n_folds), rho) + (1 - rho) * np.eye(n_folds)
    samples = rng.multivariate_normal(np.zeros(n_folds), covariance, size=2000)
    found = [paired_interval(sample, test_ratio=0.25) for sample in samples]
    coverage = np.mean([one.low <= 0 <= one.high for one in found])
    student = np.mean([abs(stats.ttest_1samp(sample, 0).pvalue) > 0.05 for sample in samples])
    assert 0.93 <= coverage <= 0.98
    assert student < 0.9


def test_bootstrap_intervals():
    differences = np.array([0.1, 0.2, 0.0, 0.3])
    found = paired_interval(differences, method="bootstrap", confidence=0.9)
    assert differences.min() <= found.low < found.mean < found.high <= differences.max()
    assert found == paired_interval(differences, method="bootstrap", confidence=0.9)
    one = paired_interval([0.2])
    assert one.mean == 0.2
    assert np.isnan(one.low)


def test_folds_may_be_masks(tabular):
    X, y, _ = tabular
    estimators = {"dummy": DummyClassifier(), "logistic": LogisticRegression()}
    masks = [(np.arange(90) % 3 != i, np.arange(90) % 3 == i) for i in range(3)]
    positions = [tuple(map(np.flatnonzero, fold)) for fold in masks]
    found, expected = (compare(estimators, X, y, cv=cv) for cv in (masks, positions))
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.differences == expected.differences


# ---- what it looks like -------------------------------------------------------------------


def comparison(scores, names=("plain", "anti-transfer"), **parameters):
    scores = np.asarray(scores, dtype=float)
    differences = {
        name: paired_interval((scores[place] - scores[0]).ravel(), **parameters)
        for place, name in enumerate(names)
        if place
    }
    return Comparison(tuple(names), scores, differences, "corrected_t")


def test_it_prints_as_a_table():
    found = comparison([[[0.5, 0.7], [0.6, 0.6]], [[0.7, 0.8], [0.6, 0.5]]], confidence=0.9)
    low, high = found.differences["anti-transfer"].low, found.differences["anti-transfer"].high
    title, head, first, second = repr(found).splitlines()
    assert title == (
        "Comparison on 2 folds in 2 repetitions; differences to plain with 90 % intervals "
        "(corrected_t)"
    )
    assert head.split(maxsplit=5) == [
        "estimator", "mean", "std", "difference", "interval", "won : lost"
    ]  # fmt: skip
    assert first == "plain          0.600  0.071"
    expected = f"anti-transfer 0.650 0.112 +0.050 [{low:+.3f}, {high:+.3f}] 2 : 1 of 4"
    assert second.split() == expected.split()
    assert len(head) == len(second)  # the columns are aligned
    assert head.index("mean") + 4 == first.index("0.600") + 5 == second.index("0.650") + 5


def test_scores_of_any_size_are_readable():
    assert "-1.23e+04" in repr(comparison([[[-12345.0, -12345.0]], [[-12000.0, -12100.0]]]))
    assert " 0.00012 " in repr(comparison([[[1.2e-4, 1.2e-4]], [[2e-4, 3e-4]]]))
    assert "nan" in repr(comparison([[[np.nan, 0.5]], [[0.5, 0.5]]]))
    alone = repr(comparison([[[0.5]], [[0.75]]]))  # one fold has no interval
    assert alone.startswith("Comparison on 1 fold; ")
    assert alone.splitlines()[-1].split() == [
        "anti-transfer",
        "0.750",
        "0.000",
        "+0.250",
        "1",
        ":",
        "0",
        "of",
        "1",
    ]
    assert repr(comparison([[[0.5, 0.5]], [[0.5, 0.5]]], names=[0, 1])).count("0.500") == 2


def test_notebooks_show_the_same_table():
    found = comparison([[[0.5, 0.7]], [[0.7, 0.8]]], names=("plain", "a < b"))
    html = found._repr_html_()
    assert "a &lt; b" in html and "a < b" not in html
    assert html.count("<tr>") == html.count("</tr>") == 3
    for text in ("0.600", "+0.150", "2 : 0 of 2", "95 % intervals"):
        assert text in html


@pytest.mark.parametrize(
    ("estimators", "arguments", "error", "message"),
    [
        ([DummyClassifier()], {}, ValueError, "at least two estimators"),
        (3, {}, ValueError, "'estimators' parameter of compare must be a list. Got 3"),
        ({"a": DummyClassifier(), "b": 3}, {}, TypeError, "must hold estimators. Got 3 for 'b'"),
        (None, {"interval": "wilcoxon"}, ValueError, "'interval' .* must be one of"),
        (None, {"interval": np.ones(2)}, ValueError, "'interval' parameter of compare"),
        (None, {"n_repeats": 0}, ValueError, r"'n_repeats' .* must be an int in \[1, inf\)"),
        (None, {"n_repeats": True}, ValueError, "'n_repeats' parameter of compare"),
        (None, {"confidence": 95}, ValueError, r"'confidence' .* must be a float in \(0, 1\)"),
        (None, {"confidence": "95"}, ValueError, "'confidence' parameter of compare"),
        (None, {"n_jobs": 0}, ValueError, "'n_jobs' .* but not 0. Got 0 instead. -1 stands"),
        (None, {"n_jobs": 3.5}, ValueError, "'n_jobs' parameter of compare"),
        (None, {"random_state": -1}, ValueError, r"'random_state' .* \[0, 4294967295\].* Got -1"),
        (
            None,
            {"scoring": ["accuracy"]},
            ValueError,
            "'scoring' parameter of compare .* one score",
        ),
        (None, {"cv": 1}, ValueError, r"'cv' parameter must be an int in \[2, 90\].* Got 1"),
        (None, {"cv": 91}, ValueError, "'cv' parameter must be an int .* Got 91"),
        (
            None,
            {"cv": 2.5},
            ValueError,
            "'cv' parameter must be None, an int, a splitter.* Got 2.5",
        ),
        (None, {"cv": b"x"}, ValueError, "'cv' parameter must be None, an int, a splitter"),
        (None, {"cv": []}, ValueError, r"'cv' parameter must be .* Got \[\], which has no fold"),
        (None, {"cv": [1, 2]}, ValueError, "'cv' parameter must be .* Got the fold 1"),
        (None, {"cv": [([0], [90])]}, ValueError, "some of the 90 samples. The test positions"),
        (None, {"cv": [([], [1])]}, ValueError, "The training positions of a fold are"),
        (None, {"cv": [([0.5], [1])]}, ValueError, "The training positions of a fold are"),
        (None, {"y_unrelated": [0]}, ValueError, "y_unrelated must have shape"),
        (None, {"groups": [0] * 90, "cv": 3}, ValueError, "too few for the folds"),
        (None, {"X_unlabeled": np.zeros((90, 6))}, ValueError, "X_unlabeled has 90 samples"),
    ],
)
def test_bad_input_is_told_before_any_fit(estimators, arguments, error, message, tabular):
    X, y, _ = tabular
    Recording.seen.clear()
    estimators = estimators or {"a": Recording(), "b": Recording()}
    with pytest.raises(error, match=message):
        compare(estimators, X, y, **arguments)
    assert not Recording.seen

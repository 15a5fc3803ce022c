"""What estimators of scikit-learn's say of samples."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import DBSCAN, KMeans, MeanShift
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from atl_sklearn.unrelated._answers import Answers, answer_method

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] > 0) + 2 * (X[:, 1] > 0)


class Rule(ClassifierMixin, BaseEstimator):
    """Predicts classes and says nothing else."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(np.asarray(X)[:, 0] > 0).astype(int)]


class Grid(BaseEstimator):
    """Predicts numbers of cells, of which it has no list."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.round(np.asarray(X)[:, 0])


CASES = {
    "probabilities": (LogisticRegression(), Y, "predict_proba", 4),
    "gradient boosting": (HistGradientBoostingClassifier(max_iter=2), Y, "predict_proba", 4),
    "discriminants": (LinearDiscriminantAnalysis(), Y, "predict_proba", 4),
    "several targets": (
        MultiOutputClassifier(LogisticRegression()), np.c_[Y, Y > 1], "predict_proba", 6,
    ),
    "forest of several targets": (
        RandomForestClassifier(2, random_state=0), np.c_[Y, Y > 1], "predict_proba", 6,
    ),
    "scores": (SVC(), Y, "decision_function", 4),
    "one score": (RidgeClassifier(), Y > 1, "decision_function", 1),
    "components": (PCA(3), None, "transform", 3),
    "distances": (KMeans(5, n_init=1, random_state=0), None, "transform", 5),
    "classes": (Rule(), np.array(["a", "b"])[Y % 2], "predict", 2),
    "numbers": (LinearRegression(), X[:, 1], "predict", 1),
    "several numbers": (LinearRegression(), X[:, :2], "predict", 2),
    "a pipeline": (make_pipeline(StandardScaler(), LogisticRegression()), Y, "predict_proba", 4),
    "a pipeline of transformers": (make_pipeline(StandardScaler(), PCA(2)), None, "transform", 2),
    "nothing at its end": (make_pipeline(PCA(2), "passthrough"), None, "transform", 2),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_an_estimator_says(name):
    estimator, y, method, n_columns = CASES[name]
    assert answer_method(estimator) == method
    fitted = estimator.fit(X) if y is None else estimator.fit(X, y)
    for known in (fitted, FrozenEstimator(fitted)):
        found = Answers(known)(X)
        assert found.shape == (60, n_columns)
        said = getattr(fitted, method)(X)
        if method == "predict" and name == "classes":
            said = said[:, None] == fitted.classes_
        said = np.hstack(said) if isinstance(said, list) else np.asarray(said)
        np.testing.assert_array_equal(found, said.reshape(60, n_columns))


def test_clusters_that_are_predicted_are_classes():
    fitted = MeanShift(bandwidth=1.0).fit(X)
    assert answer_method(fitted) == "predict"
    found = Answers(fitted)(X)
    np.testing.assert_array_equal(found.argmax(axis=1), fitted.predict(X))
    assert (found.sum(axis=1) == 1).all()


def test_classes_nobody_lists_are_those_of_the_first_samples():
    answers = Answers(Grid().fit(X))
    first = answers(np.array([[0.0], [1.0], [2.0]]))
    np.testing.assert_array_equal(first, np.eye(3))
    np.testing.assert_array_equal(answers(np.array([[2.0], [0.0]])), np.eye(3)[[2, 0]])
    with pytest.raises(ValueError, match=r"predicts classes that it did not before: \[7.0\]"):
        answers(np.array([[7.0]]))


def test_images_are_rows_for_who_was_fitted_on_as_many_features():
    images = X.reshape(60, 1, 2, 2)
    fitted = LogisticRegression().fit(X, Y)
    np.testing.assert_array_equal(Answers(fitted)(images), fitted.predict_proba(X))
    other = LogisticRegression().fit(X[:, :3], Y)
    with pytest.raises(ValueError, match="dim 4"):
        Answers(other)(images)


def test_sparse_answers_stay_sparse():
    fitted = TfidfVectorizer().fit(["one two", "two three"])
    assert Answers(fitted)(["two"]).format == "csr"


def test_who_says_nothing_of_new_samples_is_told_from_others():
    assert answer_method(DBSCAN()) == ""
    assert answer_method(make_pipeline(StandardScaler(), DBSCAN())) == ""

"""What a scikit-learn estimator says of samples, in the place of the activations of a layer."""

from __future__ import annotations

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, is_regressor

from atl_sklearn._pipelines import innermost

_METHODS = ("predict_proba", "decision_function", "transform", "predict")


def answer_method(estimator: BaseEstimator) -> str:
    """Return the method by which an estimator says what it knows of samples; "" for none.

    Regressors predict; others give probabilities, else scores, else what they make of the
    samples, else classes.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.linear_model import LogisticRegression, Ridge
    >>> from atl_sklearn.unrelated._answers import answer_method
    >>> [answer_method(estimator) for estimator in (LogisticRegression(), PCA(), Ridge())]
    ['predict_proba', 'transform', 'predict']
    """
    methods = ("predict",) if is_regressor(estimator) else _METHODS
    return next((name for name in methods if hasattr(estimator, name)), "")


class Answers:
    """What an estimator says of samples, a row for each.

    Parameters
    ----------
    estimator : estimator
        Fitted.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> from atl_sklearn.unrelated._answers import Answers
    >>> Answers(SVC().fit([[0.0], [1.0]], ["a", "b"]))([[0.0], [1.0]]).shape
    (2, 1)
    """

    def __init__(self, estimator: BaseEstimator) -> None:
        self._estimator = estimator
        self._method = answer_method(estimator)
        self._classes: list[np.ndarray] | None = None

    @property
    def are_probabilities(self) -> bool:
        """Whether they are probabilities, or numbers that are predicted."""
        return self._method in ("predict_proba", "predict")

    def __call__(self, X: object) -> object:
        """Return what the estimator says of samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Data as the estimator takes them, or images of as many numbers as it has features.

        Returns
        -------
        answers : ndarray or sparse matrix of shape (n_samples, n_answers)
            Numbers.

        Raises
        ------
        ValueError
            If it predicts a class that it did not know before.
        """
        found = getattr(self._estimator, self._method)(_flattened(self._estimator, X))
        if self._method == "predict" and not is_regressor(self._estimator):
            return self._one_hot(np.asarray(found))
        if isinstance(found, list):  # probabilities of several targets
            found = np.hstack(found)
        if issparse(found):
            return found.tocsr()
        found = np.asarray(found)
        return found[:, np.newaxis] if found.ndim == 1 else found

    def _one_hot(self, predicted: np.ndarray) -> np.ndarray:
        columns = predicted.reshape(len(predicted), -1).T
        if self._classes is None:
            self._classes = self._known_classes(columns)
        parts = []
        for column, classes in zip(columns, self._classes, strict=True):
            unknown = np.setdiff1d(column, classes)
            if len(unknown):
                raise ValueError(f"it predicts classes that it did not before: {unknown.tolist()}")
            parts.append(column[:, np.newaxis] == classes)
        return np.hstack(parts).astype(np.float32)

    def _known_classes(self, columns: np.ndarray) -> list[np.ndarray]:
        inner = innermost(self._estimator)
        found = getattr(inner, "classes_", None)
        if found is None:  # of a clusterer the clusters
            found = getattr(inner, "labels_", None)
        if found is None:
            return [np.unique(column) for column in columns]
        several = isinstance(found, list)
        return [np.unique(known) for known in found] if several else [np.unique(found)]


def _flattened(estimator: BaseEstimator, X: object) -> object:
    """Return images as rows, for an estimator that was fitted on as many features."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) <= 2 or issparse(X):
        return X
    n_features = getattr(estimator, "n_features_in_", None)
    fits = n_features == int(np.prod(shape[1:])) and n_features != shape[1]
    return X.reshape(shape[0], -1) if fits else X  # type: ignore[attr-defined]

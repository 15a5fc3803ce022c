"""An estimator that is given one view of recordings, and its unrelated network another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._validation import refuse
from atl_sklearn.audio._clips import Audio
from atl_sklearn.audio._views import AudioViews


def _estimator_has(name: str) -> Callable[[TwoViews], bool]:
    def check(views: TwoViews) -> bool:
        getattr(getattr(views, "estimator_", views.estimator), name)  # its own error says why
        return True

    return check


class TwoViews(DocumentationLink, MetaEstimatorMixin, BaseEstimator):
    """Train on one view of recordings, and show an unrelated network another.

    X holds recordings. `fit` reads each once, and makes of it what `estimator` sees and its
    ``X_unrelated``; so for the recordings in `X_unlabeled`. Prediction makes the first view only.

    Parameters
    ----------
    estimator : AntiTransferClassifier, AntiTransferRegressor or Pipeline that ends in one
        The estimator to train.
    views : AudioViews
        Makes the two views.

    Attributes
    ----------
    estimator_ : estimator
        The trained estimator.
    views_ : AudioViews
        Made the two views.

    Examples
    --------
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.audio import AudioViews, LibrosaFeatures, TwoViews
    >>> from atl_sklearn.datasets import make_notes
    >>> notes = make_notes(20, random_state=0)
    >>> clips = [(wave, notes.sr) for wave in notes.data]
    >>> views = AudioViews(
    ...     LibrosaFeatures("log_mel", sr=8000, duration=0.5, n_fft=256, n_mels=8),
    ...     LibrosaFeatures("mfcc", sr=16000, duration=0.5, n_mfcc=5),
    ... )
    >>> settings = {"max_epochs": 1, "verbose": 0, "random_state": 0}
    >>> timbres = AntiTransferClassifier(**settings)
    >>> timbres = timbres.fit(views.fit_transform(clips).X_unrelated, notes.timbre)
    >>> pitches = AntiTransferClassifier(unrelated=timbres, **settings)
    >>> TwoViews(pitches, views).fit(clips, notes.pitch).predict(clips).shape
    (20,)
    """

    def __init__(self, estimator: BaseEstimator, views: AudioViews) -> None:
        self.estimator = estimator
        self.views = views

    def fit(
        self,
        X: Audio,
        y: ArrayLike | None = None,
        *,
        X_unlabeled: Audio | None = None,
        **params: object,
    ) -> Self:
        """Read recordings once, and train.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Recordings, as :meth:`LibrosaFeatures.transform` takes them.
        y : array-like of shape (n_samples,), default=None
            Labels.
        X_unlabeled : like X, default=None
            Recordings without labels.
        **params : dict
            Passed on to the estimator's `fit`.

        Returns
        -------
        self : TwoViews
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter is wrong.
        BadAudioError
            If recordings cannot be used.
        """
        if not isinstance(self.views, AudioViews):
            raise refuse(self, "views", "an AudioViews")
        if isinstance(self.estimator, type) or not hasattr(self.estimator, "fit"):
            raise refuse(self, "estimator", "an estimator that has fit, and no class")
        for name in ("X_unrelated", "X_unrelated_unlabeled"):
            if params.get(name) is not None:
                raise ValueError(f"{name} was passed, which {type(self).__name__} makes from X.")
        views = clone(self.views)
        made = views.fit_transform(X)
        given = {"X_unrelated": made.X_unrelated}
        if X_unlabeled is not None:
            more = views.transform(X_unlabeled)
            given |= {"X_unlabeled": more.X, "X_unrelated_unlabeled": more.X_unrelated}
        if get_config()["enable_metadata_routing"]:
            params = dict(process_routing(self, "fit", **params).estimator.fit)
        elif isinstance(self.estimator, Pipeline):
            last = self.estimator.steps[-1][0]
            given = {f"{last}__{name}": value for name, value in given.items()}
        self.estimator_ = clone(self.estimator).fit(made.X, y, **given, **params)
        self.views_ = views
        return self

    @available_if(_estimator_has("predict"))
    def predict(self, X: Audio) -> np.ndarray:
        """Return the predictions of the estimator.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Recordings.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Labels or values.
        """
        check_is_fitted(self)
        return self.estimator_.predict(self.views_.transform_seen(X))

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Audio) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Recordings.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            The probabilities.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(self.views_.transform_seen(X))

    @available_if(_estimator_has("score"))
    def score(self, X: Audio, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score of the estimator.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Recordings.
        y : array-like of shape (n_samples,)
            True labels or values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the recordings.

        Returns
        -------
        score : float
            The score.
        """
        check_is_fitted(self)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self.estimator_.score(self.views_.transform_seen(X), y, **weights))

    @property
    def classes_(self) -> np.ndarray:
        """Labels, of a classifier."""
        return self.estimator_.classes_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of arguments of `fit`.

        Returns
        -------
        routing : MetadataRouter
            All go to the `fit` of the estimator.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags = inner.target_tags
        tags.input_tags.string = True
        tags.non_deterministic = inner.non_deterministic
        return tags

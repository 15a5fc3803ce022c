"""An estimator of recordings around one of their windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Tags, _safe_indexing, assert_all_finite, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_method_params,
    check_consistent_length,
    check_is_fitted,
)

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._validation import check_no_missing, refuse
from atl_sklearn.audio._clips import Audio
from atl_sklearn.audio._items import as_items
from atl_sklearn.audio._segmenter import AudioSegmenter
from atl_sklearn.audio._windows import RecordingWindows


def _has_probabilities(aggregator: SegmentAggregator) -> bool:
    estimator = getattr(aggregator, "estimator_", aggregator.estimator)
    if not is_classifier(aggregator):
        return False
    if aggregator.aggregate != "vote":
        # Raises the error of the estimator itself, which says why.
        estimator.predict_proba  # noqa: B018
    return True


class SegmentAggregator(DocumentationLink, MetaEstimatorMixin, BaseEstimator):
    """Train an estimator on windows of recordings, and predict recordings.

    X holds recordings, y a label or value for each. `fit` and `predict` cut the windows, so that
    cross-validation splits recordings: windows of one recording are never on both sides.

    Parameters
    ----------
    estimator : classifier or regressor
        The estimator of windows: usually a pipeline that begins with :class:`LibrosaFeatures`.
    segmenter : AudioSegmenter, default=None
        How recordings are cut; None for ``AudioSegmenter()``.
    aggregate : {"mean", "vote"} or callable, default="mean"
        How the predictions for the windows of a recording become one. "mean": the mean of the
        probabilities, or of a regressor's predictions. "vote": the class of most windows; of
        several, the first. A callable gets the probabilities or predictions of the windows, an
        array of shape (n_windows, ...), and returns the result.
    transform_input : list of str, default=None
        Names of arguments of `fit` that hold recordings too, such as ``["X_unlabeled"]``. They are
        cut like X.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator of windows.
    segmenter_ : AudioSegmenter
        What cut the recordings.
    classes_ : ndarray of shape (n_classes,)
        The labels, of a classifier.

    See Also
    --------
    AudioSegmenter : Cut long recordings into segments.

    Notes
    -----
    Arguments of `fit` with a value for each recording, such as `sample_weight` or `y_unrelated`,
    are repeated for its windows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from atl_sklearn.audio import AudioSegmenter, LibrosaFeatures, SegmentAggregator
    >>> t = np.arange(16000) / 8000
    >>> recordings = [np.sin(2 * np.pi * f * t) for f in (300, 310, 900, 910)]
    >>> windows = make_pipeline(
    ...     LibrosaFeatures(sr=8000, duration=0.5, n_mels=20, flatten=True), LogisticRegression()
    ... )
    >>> model = SegmentAggregator(windows, AudioSegmenter(0.5, sr=8000))
    >>> model.fit(recordings, ["low", "low", "high", "high"]).predict(recordings[1:3]).tolist()
    ['low', 'high']
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        segmenter: AudioSegmenter | None = None,
        *,
        aggregate: str | Callable[[np.ndarray], ArrayLike] = "mean",
        transform_input: list[str] | None = None,
    ) -> None:
        self.estimator = estimator
        self.segmenter = segmenter
        self.aggregate = aggregate
        self.transform_input = transform_input

    def fit(self, X: Audio, y: ArrayLike, **params: ArrayLike | Sequence) -> Self:
        """Cut recordings into windows and train the estimator on them.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_recordings, n_times)
            Recordings, as :meth:`LibrosaFeatures.transform` takes them.
        y : array-like of shape (n_recordings,) or (n_recordings, n_outputs)
            A label or value for each.
        **params : dict
            Arguments of the estimator's `fit`.

        Returns
        -------
        self : SegmentAggregator
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter is wrong, or X and y are of different lengths.
        BadAudioError
            If recordings cannot be used.
        """
        self._check_parameters()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        check_no_missing(y, "y")
        for name, value in params.items():
            if name.rpartition("__")[2] in ("groups", "sample_weight", "y_unrelated"):
                check_no_missing(value, name)
        segmenter = AudioSegmenter() if self.segmenter is None else clone(self.segmenter)
        # A dict of columns has as many items as columns; what counts is what is in one.
        recordings = as_items(X, segmenter.column) if isinstance(X, Mapping) else X
        check_consistent_length(recordings, y)
        y = y if hasattr(y, "shape") else np.asarray(y)
        if np.asarray(y).dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        if is_classifier(self):
            check_classification_targets(y)
        segments = segmenter.fit_transform(X)
        recording = _recordings_of(segments)
        cut = {
            name: segmenter.transform(params.pop(name))
            for name in self.transform_input or ()
            if params.get(name) is not None
        }
        if _routing_enabled():
            params = process_routing(self, "fit", **params, **cut).estimator.fit
            cut = {name: value for name, value in cut.items() if name in params}
        params = {**_check_method_params(recordings, params, indices=recording), **cut}
        labels = _safe_indexing(y, recording)
        self.estimator_ = clone(self.estimator).fit(segments, labels, **params)
        self.segmenter_ = segmenter
        if is_classifier(self):
            self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X: Audio) -> np.ndarray:
        """Predict recordings.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_recordings, n_times)
            Recordings.

        Returns
        -------
        y_pred : ndarray of shape (n_recordings,) or (n_recordings, n_outputs)
            A label or value for each.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        BadAudioError
            If recordings cannot be used.
        """
        check_is_fitted(self)
        if is_classifier(self):
            return self.classes_[np.argmax(self._probabilities(X), axis=1)]
        segments = self.segmenter_.transform(X)
        return self._join(np.asarray(self.estimator_.predict(segments)), segments)

    @available_if(_has_probabilities)
    def predict_proba(self, X: Audio) -> np.ndarray:
        """Predict the probabilities of the classes of recordings.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_recordings, n_times)
            Recordings.

        Returns
        -------
        probabilities : ndarray of shape (n_recordings, n_classes)
            The mean over windows; where they vote, the share of the votes.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        BadAudioError
            If recordings cannot be used.
        """
        check_is_fitted(self)
        return self._probabilities(X)

    def predict_windows(self, X: Audio) -> list[RecordingWindows]:
        """Predict the windows of recordings, with their times.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_recordings, n_times)
            Recordings.

        Returns
        -------
        windows : list of RecordingWindows
            For each recording when its windows begin, how long they are, and what is predicted.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        BadAudioError
            If recordings cannot be used.
        """
        check_is_fitted(self)
        segments = self.segmenter_.transform(X)
        predicted = np.asarray(self.estimator_.predict(segments))
        probabilities = None
        if is_classifier(self) and hasattr(self.estimator_, "predict_proba"):
            probabilities = np.asarray(self.estimator_.predict_proba(segments))
        recording = _recordings_of(segments)
        start = np.array([segment.start for segment in segments], dtype=np.float64)
        duration = np.array([segment.duration for segment in segments], dtype=np.float64)
        return [
            RecordingWindows(
                int(number),
                start[rows],
                duration[rows],
                predicted[rows],
                None if probabilities is None else probabilities[rows],
                self.classes_ if is_classifier(self) else None,
            )
            for number in np.unique(recording)
            for rows in [recording == number]
        ]

    def score(self, X: Audio, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy by recording, or for a regressor the coefficient of determination.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_recordings, n_times)
            Recordings.
        y : array-like of shape (n_recordings,) or (n_recordings, n_outputs)
            True labels or values.
        sample_weight : array-like of shape (n_recordings,), default=None
            Weights of the recordings.

        Returns
        -------
        score : float
            The score.
        """
        metric = accuracy_score if is_classifier(self) else r2_score
        return float(metric(y, self.predict(X), sample_weight=sample_weight))

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of arguments of `fit`.

        Returns
        -------
        routing : MetadataRouter
            All go to the `fit` of the estimator.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def _probabilities(self, X: Audio) -> np.ndarray:
        segments = self.segmenter_.transform(X)
        if self.aggregate == "vote":
            votes = np.asarray(self.estimator_.predict(segments))
            values = (votes[:, np.newaxis] == self.classes_).astype(np.float64)
        else:
            values = np.asarray(self.estimator_.predict_proba(segments))
        return self._join(values, segments)

    def _join(self, values: np.ndarray, segments: np.ndarray) -> np.ndarray:
        """Aggregate what was predicted for the windows of each recording."""
        starts = np.flatnonzero(np.diff(_recordings_of(segments), prepend=-1))
        parts = np.split(values, starts[1:])
        if callable(self.aggregate):
            joined = [np.asarray(self.aggregate(part)) for part in parts]
            wrong = [found.shape for found in joined if found.shape != values.shape[1:]]
            if wrong:
                raise refuse(
                    self,
                    "aggregate",
                    "'mean', 'vote' or a callable that makes one prediction, of shape "
                    f"{values.shape[1:]}, of those of the windows, (n_windows, "
                    f"{', '.join(map(str, values.shape[1:]))})",
                    f"It returned shape {wrong[0]}; np.max, for one, needs axis=0.",
                )
            return np.asarray(joined)
        return np.asarray([part.mean(axis=0, dtype=np.float64) for part in parts])

    def _check_parameters(self) -> None:
        for name in ("fit", "predict"):
            if isinstance(self.estimator, type) or not hasattr(self.estimator, name):
                raise refuse(self, "estimator", f"an estimator that has {name}, and no class")
        if self.segmenter is not None and not isinstance(self.segmenter, AudioSegmenter):
            raise refuse(self, "segmenter", "an AudioSegmenter or None")
        names = self.transform_input
        if names is not None and not (
            isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
        ):
            raise refuse(self, "transform_input", "a list of names, or None")
        aggregate, classifies = self.aggregate, is_classifier(self)
        is_name = isinstance(aggregate, str) and aggregate in ("mean", "vote")
        if not (is_name or callable(aggregate)) or isinstance(aggregate, type):
            raise refuse(self, "aggregate", "'mean', 'vote' or a callable")
        if aggregate == "vote" and not classifies:
            raise refuse(self, "aggregate", "'mean' or a callable where values are predicted")
        if classifies and aggregate != "vote" and not hasattr(self.estimator, "predict_proba"):
            raise refuse(
                self,
                "aggregate",
                f"'vote' for a {type(self.estimator).__name__} without predict_proba",
            )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags = inner.target_tags
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        tags.non_deterministic = inner.non_deterministic
        return tags


def _recordings_of(segments: np.ndarray) -> np.ndarray:
    return np.array([segment.recording for segment in segments])


def _routing_enabled() -> bool:
    from sklearn import get_config

    return bool(get_config()["enable_metadata_routing"])

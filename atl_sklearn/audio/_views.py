"""Two views of the same recordings: what is trained on, and what an unrelated network is given."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import Bunch, Tags
from sklearn.utils.validation import check_is_fitted

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._validation import refuse
from atl_sklearn.audio._clips import Audio
from atl_sklearn.audio._librosa_features import LibrosaFeatures
from atl_sklearn.audio._transformation import transform_together

_WHERE = ("root", "column", "scale", "on_error")


class AudioViews(DocumentationLink, TransformerMixin, BaseEstimator):
    """Make two kinds of features, and read each recording once.

    One kind is for your network, the other for an unrelated network that needs something else:
    another rate, or waveforms.

    Parameters
    ----------
    features : LibrosaFeatures
        What your network sees. Its settings for `root`, `column`, `scale`, `on_error`, `n_jobs` and
        `verbose` hold for both.
    unrelated : LibrosaFeatures
        What the unrelated network sees.

    Attributes
    ----------
    features_, unrelated_ : LibrosaFeatures
        The fitted transformers.

    See Also
    --------
    TwoViews : The same around an estimator, for cross-validation.

    Examples
    --------
    >>> from atl_sklearn.audio import AudioViews, LibrosaFeatures
    >>> from atl_sklearn.datasets import make_notes
    >>> notes = make_notes(20, random_state=0)
    >>> clips = [(wave, notes.sr) for wave in notes.data]
    >>> views = AudioViews(
    ...     LibrosaFeatures("log_mel", sr=8000, duration=0.5, n_fft=256, n_mels=40),
    ...     LibrosaFeatures("waveform", sr=16000, duration=0.5),
    ... )
    >>> seen = views.fit_transform(clips)
    >>> seen.X.shape, seen.X_unrelated.shape
    ((20, 40, 63), (20, 1, 8000))
    """

    def __init__(self, features: LibrosaFeatures, unrelated: LibrosaFeatures) -> None:
        self.features = features
        self.unrelated = unrelated

    def fit(self, X: Audio, y: object = None) -> Self:
        """Check the parameters and X; no file is read.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Audio, as :meth:`LibrosaFeatures.transform` takes it.
        y : None
            Ignored.

        Returns
        -------
        self : AudioViews
            The transformer.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the kind of X is wrong.
        """
        for name in ("features", "unrelated"):
            if not isinstance(getattr(self, name), LibrosaFeatures):
                raise refuse(self, name, "a LibrosaFeatures")
        first, second = clone(self.features), clone(self.unrelated)
        default = LibrosaFeatures()
        for name in _WHERE:
            value = getattr(second, name)
            if value not in (getattr(default, name), getattr(first, name)):
                raise refuse(
                    second, name, "left out, or as that of 'features' in AudioViews: there is one X"
                )
            second.set_params(**{name: getattr(first, name)})
        self.features_ = first.fit(X)
        self.unrelated_ = second.fit(X)
        return self

    def transform(self, X: Audio) -> Bunch:
        """Return both kinds of features.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Audio, as :meth:`LibrosaFeatures.transform` takes it.

        Returns
        -------
        views : :class:`~sklearn.utils.Bunch`
            The arrays `X` and `X_unrelated`, for ``estimator.fit(y=y, **views)``.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        BadAudioError
            If clips cannot be used.
        """
        check_is_fitted(self)
        first, second = transform_together([self.features_, self.unrelated_], X)
        return Bunch(X=first, X_unrelated=second)

    def transform_seen(self, X: Audio) -> np.ndarray:
        """Return what your network sees, which is all that prediction needs.

        Parameters
        ----------
        X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
            Audio.

        Returns
        -------
        features : ndarray of shape (n_samples, ...)
            The features.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        BadAudioError
            If clips cannot be used.
        """
        check_is_fitted(self)
        return self.features_.transform(X)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        return tags

"""How well something can be read from a network."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import type_of_target

from atl_sklearn._blas_threads import threads_for
from atl_sklearn._types import Folds, Scoring
from atl_sklearn._validation import check_no_missing, shown
from atl_sklearn.inspection._extract_activations import extract_activations


def probe_score(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    layer: str | int = "last",
    aggregation: str | Callable[[torch.Tensor], torch.Tensor] = "spatial_mean",
    probe: BaseEstimator | None = None,
    cv: Folds = 5,
    groups: ArrayLike | None = None,
    scoring: Scoring = None,
) -> float:
    """Measure how well a simple model can read a label from the activations of a network.

    The model, called a probe [1]_, is trained on the activations of one layer and scored by
    cross-validation. If a network does not lean on the nuisance, its probe stays near chance.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        The network, as :func:`extract_activations` takes it. It is not trained further.
    X : array-like of shape (n_samples, ...)
        Data as `estimator` takes it, which it was not trained on.
    y : array-like of shape (n_samples,)
        What the probe reads, such as the nuisance.
    layer : str or int, default="last"
        A layer, as the estimators take it.
    aggregation : {"spatial_mean", "none"} or callable, default="spatial_mean"
        How activations are summarised; see :func:`extract_activations`.
    probe : estimator or None, default=None
        The probe; None for standardisation with logistic regression, or with ridge regression if
        `y` is continuous.
    cv : int, splitter or iterable, default=5
        Folds.
    groups : array-like of shape (n_samples,) or None, default=None
        Groups for a `cv` that keeps them together.
    scoring : str, callable or None, default=None
        Score; None for the probe's own, which is accuracy or R2.

    Returns
    -------
    score : float
        Mean over the folds.

    References
    ----------
    .. [1] G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier
       probes", 2016. https://arxiv.org/abs/1610.01644

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.inspection import probe_score
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> net = AntiTransferClassifier(max_epochs=5, random_state=0).fit(X, X[:, 0] > 0)
    >>> probe_score(net, X, X[:, 0] > 0) > 0.8
    True
    """
    check_no_missing(y, "y")
    check_no_missing(groups, "groups")
    y = np.asarray(y)
    if probe is not None and (isinstance(probe, type) or not hasattr(probe, "fit")):
        raise ValueError(
            "The 'probe' parameter of probe_score must be None or an estimator, not a class. Got "
            f"{shown(probe)} instead."
        )
    is_ours = probe is None
    if probe is None:
        continuous = type_of_target(y) == "continuous"
        model = RidgeCV(np.logspace(-3, 3, 7)) if continuous else LogisticRegression(max_iter=2000)
        probe = make_pipeline(StandardScaler(), model)
    features = extract_activations(estimator, X, layer=layer, aggregation=aggregation)
    # Of a probe of the user's it is not known what it multiplies.
    with threads_for(features.size * features.shape[1] if is_ours else math.inf):
        scores = cross_val_score(probe, features, y, cv=cv, groups=groups, scoring=scoring)
    return float(np.mean(scores))
